"""nodemailer, with what others wrote to let it speak with providers: clients of the dialects that aren't the providers' own.

Each transport asks in its own way, and leaves out what its author didn't need. Told here is what becomes of one and the
same mail (sdks/transports/node/send.mjs hands it over).
"""

import base64
import json
import re
from dataclasses import dataclass

import pytest

from .honest import STRICT
from .places import scratch
from .postern import Postern
from .process import free_port
from .queued import FAST
from .readers import part, read_with_python
from .sdks import Sdk

KEY = "k3y-of-the-back-gate-0001"
ALL = "sendgrid,postmark,resend,mailgun"
DOMAIN = "postern.test"
PDF = bytes(range(256)) * 100 + b"\x00"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
TEXT, HTML, SUBJECT = "谢谢您的订单。", '<p>谢谢您的订单。</p><img src="cid:logo">', "您的订单 №1234"

@dataclass
class Transport:
    """headers, reply_to, inline: whether it hands them over; accepted: the id in what nodemailer gives back."""
    name: str
    accepted: object
    headers: bool = True
    reply_to: bool = True
    inline: bool = True

    def __str__(self):
        return self.name


TRANSPORTS = [Transport("sendgrid", lambda info: info[0]["headers"]["x-message-id"]),
              Transport("postmark", lambda info: info["messageId"]),
              Transport("resend", lambda info: info["id"], headers=False, reply_to=False, inline=False),
              Transport("mailgun", lambda info: info["messageId"], headers=False)]
each = pytest.mark.parametrize("transport", TRANSPORTS, ids=str)


class Node(Sdk):
    """The process: nodemailer as an application has it, pointed at one Postern."""

    def __init__(self, postern):
        self._url = f"http://127.0.0.1:{postern.port}"
        super().__init__("transports", "node", environment={"RESEND_BASE_URL": f"{self._url}/resend"})

    def send(self, transport, key=KEY, **mail):
        """{"info"} or {"refused"}."""
        mail = {"from": f"shop@{DOMAIN}", "subject": SUBJECT, "text": TEXT} | mail
        return self.run(f"{self._url}/{transport.name}", key, dialect=transport.name, domain=DOMAIN,
                        mail={name: value for name, value in mail.items() if value is not None})


@pytest.fixture(scope="module", autouse=True)
def installed():
    if Sdk("transports", "node").unavailable():
        pytest.skip(Sdk("transports", "node").unavailable())


def settings(**more):
    return {"dialects": ALL, "api_keys": KEY, "key": KEY, **more}


@pytest.fixture(scope="module")
def node(aiosmtpd):
    with Postern(relay=aiosmtpd.starttls_url(), data=scratch("data"), **settings(), **FAST) as postern, Node(postern) as node:
        yield node


def file(name, content, **more):
    return {"filename": name, "base64": base64.b64encode(content).decode(), **more}


def taken(said):
    assert "info" in said, said
    return said["info"]


def refused(said):
    """The words of the error that an application gets."""
    assert "refused" in said, said
    return json.dumps(said["refused"])


@each
def test_a_mail_arrives_as_it_was_given(node, aiosmtpd, transport):
    [to, other, cc, bcc] = [f"{transport}-{field}@{DOMAIN}" for field in ("to", "other", "cc", "bcc")]
    info = taken(node.send(
        transport, **{"from": {"name": "李雷", "address": f"shop@{DOMAIN}"}}, to=[to, {"name": "A. B", "address": other}],
        cc=cc, bcc=bcc, replyTo=f"help@{DOMAIN}", html=HTML, headers={"X-Order": "1234"},
        attachments=[file("简历.pdf", PDF, contentType="application/pdf")]))
    assert transport.accepted(info)
    for recipient in to, other, cc, bcc:
        delivered = aiosmtpd.mail.wait(recipient)
    assert bcc.encode() not in delivered.message()
    view = read_with_python(delivered.message())
    assert view["from"] == [["李雷", f"shop@{DOMAIN}"]] and view["subject"] == SUBJECT
    assert [address for _, address in view["to"]] == [to, other] and view["cc"] == [["", cc]]
    assert (view["text"], view["html"]) == (TEXT, HTML)
    assert view["reply_to"] == ([["", f"help@{DOMAIN}"]] if transport.reply_to else [])
    assert view["headers"].get("x-order") == ("1234" if transport.headers else None)
    assert view["attachments"] == [part("简历.pdf", "application/pdf", "attachment", None, PDF)]


@pytest.mark.parametrize("transport", [one for one in TRANSPORTS if one.inline], ids=str)
def test_a_picture_stands_in_the_text(node, aiosmtpd, transport):
    to = f"{transport}-picture@{DOMAIN}"
    taken(node.send(transport, to=to, html=HTML, attachments=[
        file("logo.png", PNG, contentType="image/png", cid="logo"), file("b.txt", b"b", contentType="text/plain")]))
    [picture, plain] = read_with_python(aiosmtpd.mail.wait(to).message())["attachments"]
    assert picture == part(picture["filename"], "image/png", "inline", "logo", PNG)
    assert (plain["filename"], plain["disposition"], plain["cid"]) == ("b.txt", "attachment", None)


@each
@pytest.mark.parametrize("only", ["text", "html"])
def test_a_mail_may_have_one_text(node, aiosmtpd, transport, only):
    to = f"{transport}-{only}@{DOMAIN}"
    taken(node.send(transport, to=to, **{"text": None, "html": None, only: "Hello"}))
    view = read_with_python(aiosmtpd.mail.wait(to).message())
    assert view[only] == "Hello" and (view["html"] is None or only == "html")


@each
def test_a_wrong_key_is_an_error(node, transport):
    assert re.search("(?i)unauthorized|api key|api token", refused(node.send(transport, key="another", to=f"li@{DOMAIN}")))


@each
def test_the_relays_refusal_is_an_error_where_it_is_waited_for(aiosmtpd, transport):
    with Postern(relay=aiosmtpd.starttls_url(), **settings(dialect_mode="sync")) as postern, Node(postern) as node:
        assert "550 5.1.1 User unknown" in refused(node.send(transport, to=f"{transport}-nobody@{STRICT}"))
        to = f"{transport}-now@{DOMAIN}"
        taken(node.send(transport, to=to))
        aiosmtpd.mail.wait(to)


@each
def test_a_relay_that_is_away_is_an_error_where_it_is_waited_for(transport):
    with Postern(relay=f"smtp://127.0.0.1:{free_port()}?tls=none", **settings(dialect_mode="sync")) as postern:
        with Node(postern) as node:
            assert "Connection refused" in refused(node.send(transport, to=f"li@{DOMAIN}"))


@each
def test_a_sender_that_is_not_allowed_is_an_error(aiosmtpd, transport):
    forbidden = {"from": f"@{DOMAIN}"}
    with Postern(relay=aiosmtpd.starttls_url(), data=scratch("data"), **settings(), **forbidden) as postern:
        with Node(postern) as node:
            said = node.send(transport, **{"from": "eve@elsewhere.test"}, to=f"li@{DOMAIN}")
            assert "does not allow this sender" in refused(said)
            taken(node.send(transport, to=f"{transport}-allowed@{DOMAIN}"))
