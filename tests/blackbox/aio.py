"""An honest server that needs no root: aiosmtpd with STARTTLS, implicit TLS, AUTH and SMTPUTF8.

It writes what it takes to a maildir, one file a recipient, with the trace fields a real server adds.
"""

import logging
import uuid
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from .honest import KNOWN, PASSWORD, SIZE_LIMIT, STRICT, USER, HonestRelay

# It warns of logins without STARTTLS, not knowing that a port may speak TLS from its first byte.
warnings.filterwarnings("ignore", message="Requiring AUTH while not requiring TLS")
logging.getLogger("mail.log").setLevel(logging.ERROR)


class _Delivery:
    def __init__(self, maildir):
        self._new = maildir.path / "new"
        self._new.mkdir(parents=True, exist_ok=True)

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.endswith(f"@{STRICT}") and address != KNOWN:
            return "550 5.1.1 User unknown"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        content = envelope.original_content.replace(b"\r\n", b"\n")
        name = uuid.uuid4().hex
        for number, recipient in enumerate(envelope.rcpt_tos):
            trace = (f"Return-Path: <{envelope.mail_from}>\nDelivered-To: {recipient}\n"
                     f"Received: from {session.host_name} by localhost (aiosmtpd); {name}\n")
            part = self._new.parent / f"{name}.{number}"
            part.write_bytes(trace.encode() + content)
            part.rename(self._new / part.name)
        return f"250 2.0.0 queued as {name}"


def _authenticate(server, session, envelope, mechanism, data):
    right = data.login == USER.encode() and data.password == PASSWORD.encode()
    # handled=False: aiosmtpd says 235 or 535 itself.
    return AuthResult(success=right, handled=False)


class _Controller(Controller):
    """A port, either for TLS from the first byte or for whatever SMTP's options say."""

    def __init__(self, delivery, port, implicit=None, **options):
        super().__init__(delivery, hostname="127.0.0.1", port=port, ssl_context=implicit)
        self._options = {"data_size_limit": SIZE_LIMIT, "enable_SMTPUTF8": True,
                         "hostname": "aio.test", **options}

    def factory(self):
        return SMTP(self.handler, **self._options)


class AioServer(HonestRelay):
    name = "aiosmtpd"
    _controllers = ()

    def start(self):
        tls, delivery = self.authority.good().context(), _Delivery(self.mail)
        login = {"authenticator": _authenticate, "auth_required": True}
        self._controllers = [
            _Controller(delivery, self.ports["submission"], tls_context=tls, require_starttls=True,
                        **login),
            _Controller(delivery, self.ports["smtps"], implicit=tls, auth_require_tls=False,
                        **login),
            _Controller(delivery, self.ports["plain"])]
        for controller in self._controllers:
            controller.start()
        return self

    def stop(self):
        for controller in self._controllers:
            controller.stop()
