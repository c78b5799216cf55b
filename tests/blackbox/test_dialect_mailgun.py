"""Mailgun's API: its SDKs for Node, Python and Go, django-anymail and nodemailer's transport know nothing of Postern, and
what they are asked to send comes out of a real SMTP server."""

import base64
import email
import email.policy
import gzip
import hashlib
import itertools
import json
import time
from urllib.parse import urlencode

import pytest

from . import dkim_keys
from .honest import STRICT
from .places import scratch
from .postern import Postern
from .queued import FAST, end, look
from .readers import read_with_python
from .scripted import EXTENSIONS, ScriptedServer
from .sdks import Sdk

KEY = "key-of-this-test"
DOMAIN = "mg.postern.test"
FROM = ["Shop, & Co.", "shop@postern.test"]
NODE, PYTHON, GO = (Sdk("mailgun", language) for language in ("node", "python", "go"))
ANYMAIL, NODEMAILER = Sdk("mailgun", "python", "anymail_send"), Sdk("mailgun", "node", "nodemailer_send")
OWN = [NODE, PYTHON, GO]
SDKS = [*OWN, ANYMAIL, NODEMAILER]
PNG = base64.b64encode(bytes(range(256)) * 7).decode()
QUEUED = "Queued. Thank you."
FORM = "application/x-www-form-urlencoded"
_number = itertools.count()

by_sdk = pytest.mark.parametrize("sdk", SDKS, ids=repr)


@pytest.fixture(scope="module", autouse=True)
def sdks():
    reasons = [reason for reason in (sdk.unavailable() for sdk in SDKS) if reason]
    if reasons:
        pytest.skip("; ".join(reasons))
    yield
    for sdk in SDKS:
        sdk.stop()


def templates():
    folder = scratch("templates")
    one = folder / "order"
    one.mkdir()
    (one / "subject.mustache").write_text("Order {{number}}")
    (one / "html.mustache").write_text("<p>Dear {{name}}</p>")
    (one / "text.mustache").write_text("Dear {{name}}")
    for path in (folder, one, *one.iterdir()):
        path.chmod(0o755)
    return folder


def settings(relay, **more):
    return {"relay": relay, "data": scratch("data"), "api_keys": KEY, "key": KEY, "dialects": "mailgun", **FAST, **more}


@pytest.fixture(scope="module")
def postern(postfix):
    with Postern(templates=templates(), max_recipients=1000, **settings(postfix.starttls_url())) as running:
        yield running


def url(postern, prefix="/mailgun"):
    return f"http://{postern.host}:{postern.port}{prefix}"


def someone(domain="postern.test"):
    """Whom nobody has written to before."""
    return f"mg{next(_number)}@{domain}"


def mail(*recipients, **members):
    made = {"from": FROM, "to": [["", recipient] for recipient in recipients], "subject": "Hello", "text": "Hi.\n"}
    return {name: value for name, value in (made | members).items() if value is not None}


def send(sdk, postern, document, key=KEY, prefix="/mailgun", domain=DOMAIN, **options):
    return sdk.send(url(postern, prefix), key, document, domain=domain, **options)


def sent(answer):
    """The id that Postern knows it by."""
    assert answer["status"] == 200, answer
    assert answer["message"] == QUEUED, answer
    assert answer["id"].startswith("<") and answer["id"].endswith("@postern.test>"), answer
    return answer["id"][1:].partition("@")[0]


def arrived(relay, recipient):
    return read_with_python(relay.mail.wait(recipient).message())


def authorization(key=KEY, user="api"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()}


def post(postern, body, content_type=FORM, path=f"/mailgun/v3/{DOMAIN}/messages", headers=None, **options):
    return postern.post(path, body=body, key="",
                        headers={"Content-Type": content_type, **authorization(), **(headers or {})}, **options)


def fields(*recipients, **members):
    made = {"from": FROM[1], "to": list(recipients), "subject": "Hello", "text": "Hi."}
    return urlencode({n: v for n, v in (made | members).items() if v is not None}, doseq=True).encode()


def kept(postern):
    answer = postern.get("/v1/messages?limit=100")
    assert answer.status == 200, answer
    return [message["id"] for message in answer.json["messages"]]


# --- what arrives is what was asked for ---

@by_sdk
def test_a_mail_with_everything(postern, postfix, sdk):
    to, cc, bcc = [someone(), someone()], [someone()], [someone()]
    # Nodemailer's transport writes names without quotes.
    first = ["Lǐ Léi 李雷" if sdk is NODEMAILER else "Lǐ Léi; 李雷", to[0]]
    who = ["Shop" if sdk is NODEMAILER else FROM[0], FROM[1]]
    copy = ["Ann Example" if sdk is NODEMAILER else "Ann \"A\" Example", cc[0]]
    answer = send(sdk, postern, {
        "from": who, "to": [first, ["", to[1]]], "cc": [copy], "bcc": [["Hidden", bcc[0]]],
        "subject": "Grüße \N{PARTY POPPER} 来自", "text": "Straße\n.\nend\n", "html": "<p>Grüße, 李雷</p>\n",
        "reply_to": [["Help", "help@postern.test"]], "headers": {"X-Order": "1234", "X-Entity-Ref-ID": "é à"}})
    assert end(postern, sent(answer))["status"] == "sent"
    for recipient in to + cc + bcc:
        view = arrived(postfix, recipient)
        assert view["from"] == [who]
        assert view["to"] == [first, ["", to[1]]]
        assert view["cc"] == [copy]
        assert view["reply_to"] == [["Help", "help@postern.test"]]
        assert view["subject"] == "Grüße \N{PARTY POPPER} 来自"
        assert view["text"] == "Straße\n.\nend"
        assert view["html"] == "<p>Grüße, 李雷</p>"
        assert view["headers"] == {"x-order": "1234", "x-entity-ref-id": "é à"}
        assert bcc[0].encode() not in postfix.mail.wait(recipient).message()


@by_sdk
@pytest.mark.parametrize("parts", [{"text": "only text"}, {"text": None, "html": "<b>only html</b>"}],
                         ids=["text", "html"])
def test_a_mail_of_one_part(postern, postfix, sdk, parts):
    me = someone()
    sent(send(sdk, postern, mail(me, **parts)))
    view = arrived(postfix, me)
    assert {name: view[name] for name in parts if parts[name]} == {n: v for n, v in parts.items() if v}


def expected(files):
    return sorted(({"filename": file.get("cid") or file["filename"], "type": file["type"],
                    "disposition": "inline" if "cid" in file else "attachment", "cid": file.get("cid"),
                    "size": len(base64.b64decode(file["content"])),
                    "sha256": hashlib.sha256(base64.b64decode(file["content"])).hexdigest()} for file in files),
                  key=lambda part: part["filename"])


LARGE = base64.b64encode(bytes(range(251)) * 8000).decode()  # 2 MB: not in memory
FILES = [{"filename": "报告 2.pdf", "type": "application/pdf", "content": LARGE},
         {"filename": "leer.txt", "type": "text/plain", "content": base64.b64encode(b"x\r\n--boundary\r\n").decode()},
         {"filename": "logo.png", "type": "image/png", "content": PNG, "cid": "logo.png"}]


@by_sdk
def test_attachments_and_inline_images(postern, postfix, sdk):
    me = someone()
    sent(send(sdk, postern, mail(me, html='<img src="cid:logo.png">', attachments=FILES)))
    view = arrived(postfix, me)
    assert sorted(view["attachments"], key=lambda part: part["filename"]) == expected(FILES)
    assert view["html"] == '<img src="cid:logo.png">'


def test_attachments_that_are_streams(postern, postfix):
    """The SDK knows no length then, and the request comes in chunks."""
    me = someone()
    sent(send(NODE, postern, mail(me, html="<p>", attachments=FILES), stream=True))
    assert sorted(arrived(postfix, me)["attachments"], key=lambda part: part["filename"]) == expected(FILES)


@by_sdk
def test_tags_and_variables_are_the_messages(postern, sdk):
    answer = send(sdk, postern, mail(someone(), tags=["welcome", "new"], metadata={"order": "7"}))
    message = look(postern, sent(answer))
    assert sorted(message["tags"]) == ["new", "welcome"]
    assert message["metadata"]["order"] == "7"


@by_sdk
def test_a_mail_for_each_knows_nothing_of_the_others(postern, postfix, sdk):
    them = [someone() for _ in range(5)]
    answer = send(sdk, postern, mail(
        *them, subject="For %recipient.name%", text="%recipient.n% things\n", html="<p>%recipient.name%</p>",
        variables={me: {"name": f"Name {i}", "n": str(i)} for i, me in enumerate(them)}), separate=True)
    sent(answer)
    for i, me in enumerate(them):
        view = arrived(postfix, me)
        assert view["to"] == [["", me]]
        assert (view["subject"], view["text"], view["html"]) == (f"For Name {i}", f"{i} things", f"<p>Name {i}</p>")


@by_sdk
def test_a_mail_that_is_for_later(postern, postfix, sdk):
    me, at = someone(), int(time.time()) + 3600
    identity = sent(send(sdk, postern, mail(me, send_at=at)))
    message = look(postern, identity)
    assert message["status"] == "scheduled"
    assert message["send_at"].startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)))
    cancelled = postern.request("DELETE", f"/v1/messages/{identity}")
    assert cancelled.status == 200, cancelled
    assert not postfix.mail.to(me)


@pytest.mark.parametrize("sdk", [NODE, PYTHON, GO, ANYMAIL], ids=repr)
def test_a_template(postern, postfix, sdk):
    me = someone()
    sent(send(sdk, postern, mail(me, subject=None, text=None, template="order",
                                 data={"name": "李雷 & Co", "number": "7"})))
    view = arrived(postfix, me)
    assert (view["subject"], view["text"]) == ("Order 7", "Dear 李雷 & Co")
    assert view["html"] == "<p>Dear 李雷 &amp; Co</p>"


def test_a_template_with_what_each_has(postern, postfix):
    """django-anymail names each one's values as variables."""
    them = [someone(), someone()]
    sent(send(ANYMAIL, postern, mail(
        *them, subject=None, text=None, template="order",
        variables={me: {"name": me.partition("@")[0], "number": i} for i, me in enumerate(them)}), separate=True))
    for i, me in enumerate(them):
        view = arrived(postfix, me)
        assert (view["subject"], view["text"]) == (f"Order {i}", f"Dear {me.partition('@')[0]}")


def test_any_user_and_the_root(postern, postfix):
    me = someone()
    sent(send(NODE, postern, mail(me), prefix="", user="anybody"))
    assert arrived(postfix, me)["subject"] == "Hello"


@by_sdk
def test_in_test_mode_nothing_is_kept_or_sent(postern, postfix, sdk):
    me, before = someone(), kept(postern)
    sent(send(sdk, postern, mail(me, test=True)))
    assert kept(postern) == before
    refused = send(sdk, postern, mail("nobody@-.test", test=True))
    assert refused["status"] == 400, refused
    assert not postfix.mail.to(me)


# --- a message that is ready ---

def ready(*recipients, body=b"Hello\n.\n..dots\n", **fields_):
    made = {"From": "Shop <shop@postern.test>", "To": ", ".join(recipients), "Subject": "Ready", **fields_}
    return "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in made.items()).encode() + b"\n" + body


@pytest.mark.parametrize(("sdk", "way"), [(NODE, "text"), (NODE, "file"), (PYTHON, "text"), (PYTHON, "file"),
                                          (GO, "file")], ids=repr)
def test_a_ready_message_arrives_as_it_is(postern, postfix, sdk, way):
    me, hidden = someone(), someone()
    raw = ready(me, Bcc=hidden, X_Strange="a,\n\tb", body="Straße\n.\n\nend".encode() if way != "text" else b"end")
    answer = send(sdk, postern, {"to": [["", me], ["", hidden]], "mime": base64.b64encode(raw).decode(), "as": way})
    assert end(postern, sent(answer))["status"] == "sent"
    for recipient in (me, hidden):
        message = postfix.mail.wait(recipient).message()
        wanted = raw.replace(f"Bcc: {hidden}\n".encode(), b"").replace(b"\n", b"\r\n") + b"\r\n"
        assert message.endswith(wanted), message
        own = email.message_from_bytes(message[:-len(wanted)])
        assert sorted(own.keys()) == ["Date", "Message-ID"] and own["Message-ID"] == answer["id"]


def test_a_ready_message_keeps_its_id_and_date(postern, postfix):
    me = someone()
    raw = ready(me, Message_ID="<my-own@postern.test>", Date="Mon, 21 Sep 2026 14:13:20 +0000")
    answer = send(NODE, postern, {"to": [["", me]], "mime": base64.b64encode(raw).decode(), "as": "file"})
    assert answer["id"] == "<my-own@postern.test>"
    assert postfix.mail.wait(me).message() == raw.replace(b"\n", b"\r\n")


def test_a_large_ready_message(postern, postfix):
    me = someone()
    body = b"".join(b"line %d of a body that no memory holds\n" % i for i in range(100_000))
    raw = ready(me, body=body)
    sent(send(NODE, postern, {"to": [["", me]], "mime": base64.b64encode(raw).decode(), "as": "file"}))
    assert postfix.mail.wait(me).message().endswith(raw.replace(b"\n", b"\r\n"))


def test_a_ready_message_is_signed(postfix):
    folder, came, me = scratch("dkim"), scratch("signed"), someone()
    path, name, record = dkim_keys.make_key(folder, "postern.test", "s1")
    configuration = folder / "config.json"
    configuration.write_text(json.dumps({"dkim": {"postern.test": [{"selector": "s1", "key_file": str(path)}]}}))
    with Postern(config=configuration, **settings(postfix.starttls_url())) as postern:
        raw = base64.b64encode(ready(me, Bcc="hidden@postern.test")).decode()
        end(postern, sent(send(NODE, postern, {"to": [["", me]], "mime": raw, "as": "file"})))
    (came / "ready.eml").write_bytes(postfix.mail.wait(me).message())
    for verdicts in (dkim_keys.by_dkimpy, dkim_keys.by_mailauth):
        assert verdicts(came, {name: record}) == {"ready": [True]}


WRONG_MESSAGES = {
    "from": (b"Subject: x\n\nx", "it has no From"),
    "froms": (b"From: a@postern.test, b@postern.test\n\nx", "From (line 1) is not one address"),
    "field": (b"From: a@postern.test\nno field\n\nx", "line 2 is not a header field"),
    "cr": (b"From: a@postern.test\n\nx\ry\n", "line 3 holds a CR that no LF follows"),
    "nul": (b"From: a@postern.test\n\nx\0y\n", "line 3 holds NUL"),
    "long": (b"From: a@postern.test\n\n" + b"x" * 999, "line 3 is longer than 998 octets"),
    "latin": (b"From: a@postern.test\nSubject: \xfc\n\nx\n", "its header is not UTF-8"),
}


@pytest.mark.parametrize("wrong", WRONG_MESSAGES)
def test_a_ready_message_that_cant_be_sent(postern, wrong):
    raw, why = WRONG_MESSAGES[wrong]
    answer = send(NODE, postern, {"to": [["", someone()]], "mime": base64.b64encode(raw).decode(), "as": "file"})
    assert answer["status"] == 400, answer
    assert answer["details"].startswith(f"message parameter: The message can't be sent: {why}"), answer


def test_the_lint_is_not_passed_by(postfix):
    """A whole message is not looked at; where that is demanded, it is refused."""
    raw = base64.b64encode(ready(someone())).decode()
    with Postern(lint="enforce", **settings(postfix.starttls_url())) as postern:
        sent(send(NODE, postern, mail(someone())))
        answer = send(NODE, postern, {"to": [["", someone()]], "mime": raw, "as": "file"})
        refused(answer, 400, "message parameter: A message that comes whole is not looked at by the lint, which "
                             "POSTERN_LINT=enforce demands: send its parts instead.")


# --- what does not arrive ---

def refused(answer, status, details):
    """What the SDK makes of a refusal, which tells Mailgun's words."""
    assert answer["status"] == status, answer
    assert answer["details"].startswith(details), answer
    return answer


NOBODY = "nobody@-.test"  # which no SDK looks at closely
WRONG = {
    "to": ({"to": [["", NOBODY]]}, "to parameter is not a valid address. please check documentation"),
    "from": ({"from": ["", NOBODY]}, "from parameter is not a valid address. please check documentation"),
    "control": ({"headers": {"X-A": "1\u0007"}}, "h:X-A parameter: Not a valid header value"),
    "own": ({"headers": {"Received": "x"}}, "h:Received parameter: This header can't be set"),
    "template": ({"text": None, "template": "no-such"}, "template parameter: No template has this name"),
    "tag": ({"tags": ["x" * 65]}, "o:tag parameter: A tag has 1 to 64 printable characters."),
    "metadata": ({"metadata": {"k": "x" * 513}}, "v:k parameter: A value has at most 512 bytes."),
    "options": ({"metadata": {str(n): "x" * 512 for n in range(32)}},
                "Send options (parameters starting with o:, h:, or v:) are limited to 16 kB total"),
    "cid": ({"attachments": [{"filename": "a", "type": "image/png", "content": PNG, "cid": "a b.png"}]},
            "inline parameter: Not a valid content id"),
    "variables": ({"text": "%unsubscribe_url%"}, "text parameter: %unsubscribe_url% is not made here"),
}
@by_sdk
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told_as_mailgun_does(postern, sdk, wrong):
    members, details = WRONG[wrong]
    before = kept(postern)
    refused(send(sdk, postern, mail(someone(), **members)), 400, details)
    assert kept(postern) == before


@pytest.mark.parametrize(("missing", "details"), [
    ({"from": None}, "from parameter is missing"), ({"to": []}, "to parameter is missing"),
    ({"text": None}, "Need at least one of 'text' or 'html' parameters specified")], ids=["from", "to", "text"])
def test_what_is_missing(postern, missing, details):
    refused(send(PYTHON, postern, mail(someone(), **missing)), 400, details)


@by_sdk
def test_a_wrong_key(postern, sdk):
    refused(send(sdk, postern, mail(someone()), key="key-of-another"), 401, "Invalid private key")


def test_too_many_recipients(postern):
    refused(send(PYTHON, postern, mail(*(someone() for _ in range(1001)))), 400, "Too many recipients; max is 1000")


def test_a_value_that_one_lacks(postern):
    me = someone()
    answer = send(NODE, postern, mail(me, text="Dear %recipient.name%"), separate=True)
    refused(answer, 400, f'text parameter: recipient-variables have no "name" for {me}.')


def test_a_domain_that_is_none(postern):
    answer = post(postern, fields(someone()), path="/mailgun/v3/not%20one/messages")
    assert (answer.status, answer.json) == (404, {"message": "Domain not found: not one"})


@by_sdk
def test_a_sender_that_is_not_allowed(postfix, sdk):
    with Postern(**{"from": "postern.test"}, **settings(postfix.starttls_url())) as postern:
        sent(send(sdk, postern, mail(someone())))
        refused(send(sdk, postern, mail(someone(), **{"from": ["", "me@other.test"]})), 404, "Domain not found: ")
        if sdk in OWN:
            raw = base64.b64encode(ready(someone(), From="me@other.test")).decode()
            refused(send(sdk, postern, {"to": [["", someone()]], "mime": raw, "as": "file"}), 404,
                    "Domain not found: ")


def test_who_is_suppressed(postern):
    gone, other = someone(), someone()
    answer = postern.post("/v1/suppressions", {"email": gone})
    assert answer.status in (200, 201), answer
    refused(send(NODE, postern, mail(gone)), 400, f"Nothing is sent to suppressed addresses: {gone}")
    answer = send(NODE, postern, mail(gone, other))
    assert answer["status"] == 200
    assert answer["message"] == f"{QUEUED} Nothing is sent to suppressed addresses: {gone}"
    answer = send(NODE, postern, mail(gone, other), separate=True)
    assert answer["message"] == f"{QUEUED} Nothing is sent to suppressed addresses: {gone}"


# --- bodies ---

def multipart(*parts, boundary="b", ended=True):
    made = b"".join(b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary.encode(), head.encode(), content)
                    for head, content in parts)
    return made + (f"--{boundary}--\r\n".encode() if ended else b"")


def field(name, value):
    return f'Content-Disposition: form-data; name="{name}"', value.encode()


def base(*recipients):
    return [field("from", FROM[1]), field("text", "Hi."), *(field("to", to) for to in recipients)]


@pytest.mark.parametrize("name", ['say "hi".txt', "C:\\dir\\a.txt", "a;b=c.txt", "报告.txt"])
def test_names_of_files_that_clients_quote(postern, postfix, name):
    me = someone()
    for quoted in (name.replace("\\", "\\\\").replace('"', '\\"'), name.replace('"', "%22")):
        me = someone()
        head = f'Content-Type: text/plain\r\nContent-Disposition: form-data; name=attachment; filename="{quoted}"'
        answer = post(postern, multipart(*base(me), (head, b"x")), 'multipart/form-data; boundary="b"')
        assert answer.status == 200, answer
        assert [part["filename"] for part in arrived(postfix, me)["attachments"]] == [name]


WRONG_BODIES = {
    "truncated": (multipart(*base("a@postern.test"), ended=False), "multipart/form-data; boundary=b", 400,
                  "The form can't be read: it ends before its last boundary"),
    "nul": (multipart(*base("a@postern.test"), field("subject", "a\0b")), "multipart/form-data; boundary=b", 400,
            "The form can't be read: a field holds NUL"),
    "latin": (b"subject=%FC", FORM, 400, "The form can't be read: a field is not UTF-8"),
    "boundary": (b"x", "multipart/form-data", 415, "The Content-Type of the body names no valid boundary."),
    "json": (b"{}", "application/json", 415, "Send multipart/form-data or application/x-www-form-urlencoded."),
}


@pytest.mark.parametrize("wrong", WRONG_BODIES)
def test_a_body_that_is_no_form(postern, wrong):
    body, content_type, status, text = WRONG_BODIES[wrong]
    answer = post(postern, body, content_type)
    assert answer.status == status and answer.json["message"].startswith(text), answer


def test_a_compressed_body_is_refused(postern):
    answer = post(postern, gzip.compress(fields(someone())), headers={"Content-Encoding": "gzip"})
    assert (answer.status, answer.json) == (415, {"message": "The body must not be compressed."})


def test_a_body_that_is_too_large(postfix):
    with Postern(max_body="16KiB", **settings(postfix.starttls_url())) as postern:
        answer = post(postern, fields(someone(), text="x" * (1 << 14)))
        assert answer.status == 413, answer
        assert "at most 16384" in answer.json["message"]


def test_a_large_file_costs_no_memory(postfix):
    """20 MB, of which the budget has room for a tenth."""
    me = someone()
    content = base64.b64encode(bytes(range(250)) * 80_000).decode()
    files = [{"filename": "big.bin", "type": "application/x-big", "content": content}]
    with Postern(max_memory="2MiB", **settings(postfix.starttls_url())) as postern:
        sent(send(NODE, postern, mail(me, attachments=files), stream=True))
        assert arrived(postfix, me)["attachments"] == expected(files)


# --- the relay's word ---

def test_a_relay_that_is_waited_for(postfix):
    """A 550 is a 4xx of Mailgun's then."""
    with Postern(dialect_mode="sync", **settings(postfix.starttls_url())) as postern:
        me = someone()
        sent(send(NODE, postern, mail(me)))
        assert arrived(postfix, me)["subject"] == "Hello"
        answer = send(NODE, postern, mail(someone(STRICT)))
        assert answer["status"] == 400, answer
        raw = base64.b64encode(ready(me)).decode()
        other = someone()
        sent(send(NODE, postern, {"to": [["", other]], "mime": raw, "as": "file"}))
        assert arrived(postfix, other)["subject"] == "Ready"


@pytest.mark.parametrize("offered", [True, False], ids=["offered", "not-offered"])
def test_a_message_of_8_bits_needs_a_relay_that_takes_them(offered):
    extensions = [one for one in EXTENSIONS if offered or one != "8BITMIME"]
    with ScriptedServer(extensions=extensions) as relay, Postern(dialect_mode="sync", **settings(relay.url())) as postern:
        raw = base64.b64encode(ready("a@postern.test", body="Straße\n".encode())).decode()
        answer = send(NODE, postern, {"to": [["", someone()]], "mime": raw, "as": "file"})
        if offered:
            sent(answer)
            assert "BODY=8BITMIME" in relay.complete[-1].sender
        else:
            refused(answer, 400, "The message is 8-bit, and the relay does not offer 8BITMIME.")
            assert not relay.complete


def test_our_own_api_takes_no_ready_messages(postern):
    answer = postern.post("/v1/messages", {"to": "li@postern.test", "mime": "From: shop@postern.test\n\nx"})
    assert answer.status == 422, answer
    assert ("/mime", "unknown_member") in [(e["pointer"], e["code"]) for e in answer.json["errors"]]
