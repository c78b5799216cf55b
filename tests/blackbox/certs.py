"""A throwaway CA and the certificates a relay may show: the right one and the wrong ones."""

import ssl
import subprocess
from pathlib import Path

LOCAL = "DNS:localhost,IP:127.0.0.1,IP:::1"
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Certificate:
    def __init__(self, cert, key):
        self.cert = Path(cert)
        self.key = Path(key)

    def context(self):
        """For a server in Python."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


class Authority:
    """Makes `ca.pem` and, on demand, what it signs, in a directory; what is there is kept."""

    def __init__(self, directory, name="Postern test CA"):
        self.dir = Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.ca = self.dir / "ca.pem"
        self._key = self.dir / "ca.key"
        if not self.ca.exists():
            _openssl("req", "-x509", *_KEY, "-keyout", self._key, "-out", self.ca, "-days", "30",
                     "-subj", f"/CN={name}")

    def issue(self, name, alt_names=LOCAL, days=30):
        """A server certificate; days=-1 gives one that has expired."""
        cert, key = self.dir / f"{name}.pem", self.dir / f"{name}.key"
        request, extensions = self.dir / f"{name}.csr", self.dir / f"{name}.ext"
        if not cert.exists():
            extensions.write_text(f"subjectAltName={alt_names}\nextendedKeyUsage=serverAuth\n")
            _openssl("req", "-new", *_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
            _openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key,
                     "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", cert)
        return Certificate(cert, key)

    def good(self):
        return self.issue("localhost")

    def wrong_name(self):
        return self.issue("elsewhere", alt_names="DNS:elsewhere.test")

    def expired(self):
        return self.issue("expired", days=-1)


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
