"""A real OpenSMTPD, unpacked from Debian's package into the build folder.

Debian's packages of OpenSMTPD and Postfix exclude each other, and this one has its paths built in.
So it isn't installed: it runs in a mount namespace of its own, where its folders (and users, in a
copy of /etc/passwd) appear at their places. Nothing outside that namespace changes. Needs root.

Only its plain port is used: Debian 12's OpenSMTPD, 6.8.0p2, can't serve TLS with OpenSSL 3 (its
issues 1171 and 1239, seen here too), and it takes logins only with TLS.
"""

import os
import shutil
import subprocess
from pathlib import Path

from .honest import KNOWN, STRICT, HonestRelay
from .places import TOOLS
from .process import Child, accepts, wait_until

UNPACKED = TOOLS / "opensmtpd"

_CONFIG = """\
table everyone {{ "@" = "nobody" }}
table known {{ "{known}" = "nobody" }}
smtp max-message-size 60M
queue ttl 1h
listen on 127.0.0.1 port {plain}
action deliver maildir "{dir}/mail/all" virtual <everyone>
action deliver_known maildir "{dir}/mail/all" virtual <known>
match from any for domain "{strict}" action deliver_known
match from any for any action deliver
"""

_START = """\
set -e
mount -t tmpfs tmpfs /var/spool
mkdir -m 0711 /var/spool/smtpd
mount -t tmpfs tmpfs /var/lib
mkdir -p /var/lib/opensmtpd/empty
mount --bind "{unpacked}/usr/libexec" /usr/libexec
mount --bind {dir}/passwd /etc/passwd
mount --bind {dir}/group /etc/group
mount -t tmpfs tmpfs /run
exec "{unpacked}/usr/sbin/smtpd" -d -f {dir}/smtpd.conf
"""


class OpenSmtpd(HonestRelay):
    name = "opensmtpd"
    services = ("plain",)
    _server = None

    @staticmethod
    def unavailable():
        if os.geteuid() != 0:
            return "OpenSMTPD runs only for root"
        if not (UNPACKED / "usr/sbin/smtpd").exists():
            return "OpenSMTPD was not unpacked (tests/deps.sh test)"
        if not Path("/usr/libexec").is_dir():
            return "there is no /usr/libexec to mount OpenSMTPD's programs on"
        private = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /run"]
        if subprocess.run(private, capture_output=True, check=False).returncode != 0:
            return "no mount namespace for OpenSMTPD may be made here"
        return None

    def start(self):
        self._write()
        output = (self.dir / "smtpd.log").open("wb")
        script = _START.format(unpacked=UNPACKED, dir=self.dir)
        self._server = Child(["unshare", "--mount", "sh", "-c", script], stdout=output,
                             stderr=output)
        wait_until(lambda: all(map(accepts, self.ports.values())) or not self._server.running(),
                   what="OpenSMTPD to listen")
        assert self._server.running(), self.log()
        return self

    def stop(self):
        self._server.stop()

    def log(self):
        return (self.dir / "smtpd.log").read_text(errors="replace")

    def _write(self):
        (self.dir / "mail").mkdir(parents=True, exist_ok=True)
        shutil.chown(self.dir / "mail", "nobody", "nogroup")
        (self.dir / "smtpd.conf").write_text(_CONFIG.format(dir=self.dir, known=KNOWN,
                                                              strict=STRICT, **self.ports))
        (self.dir / "smtpd.conf").chmod(0o600)
        for number, name in ((64990, "opensmtpd"), (64991, "opensmtpq")):
            _append(self.dir / "passwd", "/etc/passwd",
                    f"{name}:x:{number}:{number}::/var/lib/opensmtpd/empty:/usr/sbin/nologin\n")
            _append(self.dir / "group", "/etc/group", f"{name}:x:{number}:\n")


def _append(copy, original, line):
    if not copy.exists():
        shutil.copyfile(original, copy)
    with copy.open("a") as file:
        file.write(line)
