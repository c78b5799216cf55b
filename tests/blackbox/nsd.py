"""A real DNS server: Debian's nsd on zones that the tests write, and two that are made to be bad."""

import socket
import threading

from .places import scratch
from .process import Child, free_port, wait_until

_CONFIGURATION = """
server:
    ip-address: 127.0.0.1@{port}
    port: {port}
    username: ""
    chroot: ""
    zonesdir: "{folder}"
    pidfile: "{folder}/pid"
    zonelistfile: "{folder}/zonelist"
    xfrdfile: "{folder}/xfrd"
    xfrdir: "{folder}"
    database: ""
    server-count: 1
remote-control:
    control-enable: no
"""
_ZONE = '$ORIGIN {name}.\n$TTL 300\n@ IN SOA ns hostmaster 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n'


class Nsd:
    """zones: {name: text behind the SOA}; None: the server fails at the zone."""

    def __init__(self, zones):
        folder = scratch("nsd")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        text = _CONFIGURATION.format(port=self.port, folder=folder)
        for name, records in zones.items():
            text += f'zone:\n    name: "{name}"\n    zonefile: "{name}.zone"\n'
            if records is not None:
                (folder / f"{name}.zone").write_text(_ZONE.format(name=name) + records)
        (folder / "nsd.conf").write_text(text)
        with (folder / "log").open("wb") as log:
            self._child = Child(["/usr/sbin/nsd", "-d", "-c", folder / "nsd.conf"], stdout=log, stderr=log)
        wait_until(self._answers, 30, "nsd to answer")

    def _answers(self):
        question = bytes.fromhex("000101000001000000000000") + b"\x04test\x00" + bytes.fromhex("00060001")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            s.connect(("127.0.0.1", self.port))
            try:
                s.send(question)
                return s.recv(4096)[7] > 0
            except OSError:
                return False

    def stop(self):
        self._child.stop()


class Between:
    """Passes questions by UDP on to a server and counts them; without one it is silent."""

    def __init__(self, port=None):
        self._to = port
        self.count = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                question, client = self._socket.recvfrom(65535)
            except OSError:
                return
            self.count += 1
            if self._to is None:
                continue
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(10)
                s.connect(("127.0.0.1", self._to))
                s.send(question)
                self._socket.sendto(s.recv(65535), client)

    def stop(self):
        self._socket.close()
