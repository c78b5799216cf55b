"""The program under test: started, spoken to over HTTP, stopped and looked over.

POSTERN_BIN names the binary; POSTERN_WRAPPER is put before it ("valgrind --error-exitcode=99").
"""

import contextlib
import http.client
import json
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

from .contract import contract
from .places import BINARY, scratch
from .process import Child, free_port, wait_until

WRAPPER = shlex.split(os.environ.get("POSTERN_WRAPPER", ""))
PATIENCE = 60  # seconds for what takes milliseconds, because of valgrind and busy machines


def command(*arguments, binary=BINARY):
    return [*WRAPPER, str(binary), *arguments]


def environment(settings):
    """Ours, without any POSTERN_ setting, plus the given ones."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
    return kept | {f"POSTERN_{name.upper()}": str(value) for name, value in settings.items()}


def run(*arguments, stdin=b"", binary=BINARY, **settings):
    """Runs the program to its end, as from a shell; the CompletedProcess with bytes."""
    return subprocess.run(command(*arguments, binary=binary), input=stdin, capture_output=True, check=False,
                          env=environment(settings), timeout=PATIENCE)


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def type(self):
        return self.headers.get("Content-Type", "").partition(";")[0]

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:2000]!r}>"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Postern:
    """A running `postern serve`. Settings are environment variables without POSTERN_, in lower
    case: Postern(relay=…, api_keys=…). It listens on a free loopback port unless told otherwise.
    before: a command that it is started by; host: where it is reached; binary: another program than the whole one."""

    def __init__(self, secrets=(), key=None, tls_ca=None, port=None, before=(), host="127.0.0.1", binary=BINARY,
                 **settings):
        self.key = key
        self.host = host
        self.port = port or free_port()
        settings.setdefault("listen", f"{host}:{self.port}")
        self.settings = settings
        self._unix = settings["listen"].removeprefix("unix:") if (
            settings["listen"].startswith("unix:")) else None
        self._tls = ssl.create_default_context(cafile=tls_ca) if tls_ca else None
        self._log = scratch("log") / "stderr"
        self._secrets = [*secrets, *_secrets_of(settings), *([key] if key else [])]
        self._stopped = False
        output = self._log.open("wb")
        self._child = Child([*before, *command("serve", binary=binary)], env=environment(settings), stderr=output,
                            stdout=output)
        output.close()
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(self.kill)
            wait_until(self._healthy, PATIENCE, "Postern to answer /healthz")
            cleanup.pop_all()

    # HTTP.

    def connect(self):
        """A new HTTP connection, to be kept alive and closed by the caller."""
        if self._unix:
            return UnixConnection(self._unix, PATIENCE)
        if self._tls:
            return http.client.HTTPSConnection("localhost", self.port, timeout=PATIENCE,
                                               context=self._tls)
        return http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)

    def request(self, method, path, body=None, headers=None, key=None, connection=None):
        """key: None takes the fixture's, "" sends none."""
        headers = dict(headers or {})
        key = self.key if key is None else key
        if key:
            headers.setdefault("Authorization", f"Bearer {key}")
        once = connection is None
        connection = connection or self.connect()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            if once:
                connection.close()
        contract.seen(method, path, answer, body)
        return answer

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, document=None, body=None, headers=None, **options):
        """document is sent as JSON; body as it is."""
        if body is None:
            body = json.dumps(document, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json"} | (headers or {})
        return self.request("POST", path, body, headers, **options)

    def patch(self, path, document, **options):
        return self.request("PATCH", path, json.dumps(document).encode(), {"Content-Type": "application/json"}, **options)

    def send(self, document, **options):
        return self.post("/v1/send", document, **options)

    def send_many(self, documents, at_once=16):
        """The answers in the order of the documents, `at_once` requests in flight."""
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(self.send, documents))

    def socket(self):
        """A raw connection, for what an HTTP client wouldn't do."""
        raw = socket.create_connection((self.host, self.port), PATIENCE)
        raw.settimeout(PATIENCE)
        return raw

    # What the process shows of itself.

    @property
    def pid(self):
        """Of the program itself, also below a wrapper that doesn't exec it."""
        return self._child.pid

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as stat:
            user, system = stat.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def metrics(self):
        """{'name{labels}': value} of /metrics."""
        lines = self.get("/metrics").body.decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
                for line in lines if line and not line.startswith("#")}

    def log(self):
        return self._log.read_text(errors="replace")

    def log_lines(self):
        """The log's JSON lines; the program writes JSON where stderr isn't a terminal. One that is being written isn't
        there yet."""
        whole = self.log().rpartition("\n")[0]
        return [json.loads(line) for line in whole.split("\n") if line.startswith("{")]

    # The end.

    def terminate(self):
        self._child.signal(signal.SIGTERM)

    def wait(self, timeout=PATIENCE):
        return self._child.wait(timeout)

    def running(self):
        return self._child.running()

    def stop(self):
        """Ends it, and looks over what it leaves: exit code 0, no secret in the log."""
        if self._stopped:
            return
        self._stopped = True
        self.terminate()
        code = self.wait()
        if code is None:
            self.kill()
            raise AssertionError(f"it did not end after SIGTERM; its log:\n{self.log()}")
        assert code == 0, f"it exited with {code}; its log:\n{self.log()}"
        told = [secret for secret in self._secrets if secret in self.log()]
        assert not told, f"secrets in the log: {told}\n{self.log()}"

    def kill(self):
        self._stopped = True
        self._child.kill()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            with contextlib.suppress(AssertionError):
                self.stop()
            print(f"Postern (exit code {self._child.popen.poll()}), its log:\n{self.log()}")

    def _healthy(self):
        assert self._child.running(), f"it did not start:\n{self.log()}"
        try:
            connection = self.connect()
            try:
                connection.request("GET", "/healthz")
                return connection.getresponse().status == 200
            finally:
                connection.close()
        except OSError:
            return False


def _secrets_of(settings):
    """Passwords in relay URLs, as written and decoded; plain API keys."""
    found = re.findall(r"://[^/@:]*:(.*)@", str(settings.get("relay", "")))
    found += [unquote(secret) for secret in found]
    found += [key for key in str(settings.get("api_keys", "")).split(",")
              if key and not key.startswith("sha256:")]
    return found


def mail(**members):
    """A request that is valid, with what the test wants different."""
    document = {"from": "Shop <shop@postern.test>", "to": "li@postern.test",
                "subject": "Your order", "text": "Thank you.\n"}
    return {name: value for name, value in (document | members).items() if value is not None}
