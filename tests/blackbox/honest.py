"""What the real servers have in common: addresses, a login, ports, a maildir.

Each has three ports: `submission` (STARTTLS and AUTH required), `smtps` (TLS from the first byte,
AUTH required) and `plain` (neither). All mail is delivered to one maildir; in the domain STRICT
only KNOWN exists.
"""

from pathlib import Path

from .certs import Authority
from .maildir import Maildir
from .process import free_port
from .urls import relay_url

HOME = "postern.test"
STRICT = "strict.test"
KNOWN = f"known@{STRICT}"
USER = f"shop@{HOME}"
PASSWORD = "correct horse battery"
SIZE_LIMIT = 60_000_000


class HonestRelay:
    name = ""
    services = ("submission", "smtps", "plain")

    def __init__(self, directory, authority=None, ports=None):
        self.dir = Path(directory).resolve()
        self.dir.mkdir(parents=True, exist_ok=True)
        self.authority = authority or Authority(self.dir / "tls")
        self.ca = self.authority.ca
        self.mail = Maildir(self.dir / "mail" / "all")
        self.ports = ports or {service: free_port() for service in self.services}

    @staticmethod
    def unavailable():
        """Why it can't run here; None if it can."""
        return None

    def starttls_url(self, user=USER, password=PASSWORD, **options):
        return relay_url("smtp", self.ports["submission"], user, password, ca=self.ca, **options)

    def smtps_url(self, user=USER, password=PASSWORD, **options):
        return relay_url("smtps", self.ports["smtps"], user, password, ca=self.ca, **options)

    def plain_url(self, service="plain", **options):
        return relay_url("smtp", self.ports[service], tls="none", **options)
