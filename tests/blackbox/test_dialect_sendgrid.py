"""SendGrid's API: its SDKs for Node, Python and Go, and django-anymail, know nothing of Postern, and what they are asked to
send comes out of a real SMTP server."""

import base64
import hashlib
import itertools
import json
import threading
import time

import pytest

from .honest import KNOWN, STRICT
from .places import scratch
from .postern import PATIENCE, Postern
from .process import wait_until
from .queued import FAST, end, look
from .readers import read_with_python
from .scripted import ScriptedServer, gate
from .sdks import Sdk

KEY = "SG.a-key-of-this-test"
FROM = ["Shop, & Co.", "shop@postern.test"]
SDKS = [Sdk("sendgrid", "node"), Sdk("sendgrid", "python"), Sdk("sendgrid", "go"),
        Sdk("sendgrid", "python", "anymail_send")]
NODE = SDKS[0]
PNG = base64.b64encode(bytes(range(256)) * 7).decode()
TEMPLATE = "d-0123456789abcdef0123456789abcdef"
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
    one = folder / TEMPLATE
    one.mkdir()
    (one / "subject.mustache").write_text("Order {{number}}")
    (one / "html.mustache").write_text("<p>Dear {{name}}, {{#items}}<i>{{.}}</i>{{/items}}</p>")
    (one / "text.mustache").write_text("Dear {{name}}{{#items}}, {{.}}{{/items}}")
    for path in (folder, one, *one.iterdir()):
        path.chmod(0o755)
    return folder


def settings(relay):
    return {"relay": relay, "data": scratch("data"), "api_keys": KEY, "key": KEY, "dialects": "sendgrid", **FAST}


@pytest.fixture(scope="module")
def postern(postfix):
    with Postern(templates=templates(), max_recipients=1000, **settings(postfix.starttls_url())) as running:
        yield running


@pytest.fixture(scope="module")
def lists(postfix):
    """One that sends to lists."""
    with Postern(public_url="https://mail.postern.test", unsubscribe_secret="0123456789abcdef" * 2,
                 **settings(postfix.starttls_url())) as running:
        yield running


def url(postern, prefix="/sendgrid"):
    return f"http://{postern.host}:{postern.port}{prefix}"


def someone(domain="postern.test"):
    """Whom nobody has written to before."""
    return f"sg{next(_number)}@{domain}"


def mail(*recipients, **members):
    made = {"from": FROM, "to": [["", recipient] for recipient in recipients], "subject": "Hello", "text": "Hi.\n"}
    return {name: value for name, value in (made | members).items() if value is not None}


def send(sdk, postern, document, key=KEY, prefix="/sendgrid", **options):
    return sdk.send(url(postern, prefix), key, document, **options)


def arrived(relay, recipient):
    return read_with_python(relay.mail.wait(recipient).message())


def post(postern, document, headers=None, path="/sendgrid/v3/mail/send", **options):
    return postern.post(path, document, headers=headers, **options)


def body(*recipients, **members):
    """A request, as SendGrid's documentation has it."""
    made = {"personalizations": [{"to": [{"email": recipient}]} for recipient in recipients],
            "from": {"email": FROM[1]}, "subject": "Hello", "content": [{"type": "text/plain", "value": "Hi."}]}
    return {name: value for name, value in (made | members).items() if value is not None}


def kept(postern):
    answer = postern.get("/v1/messages?limit=100")
    assert answer.status == 200, answer
    return [message["id"] for message in answer.json["messages"]]


# --- what arrives is what was asked for ---

@by_sdk
def test_a_mail_with_everything(postern, postfix, sdk):
    to, cc, bcc = [someone(), someone()], [someone()], [someone()]
    answer = send(sdk, postern, mail(
        to=[["Lǐ Léi; 李雷", to[0]], ["", to[1]]], cc=[["Ann \"A\" Example", cc[0]]], bcc=[["Hidden", bcc[0]]],
        subject="Grüße \N{PARTY POPPER} 来自", text="Straße\n.\nend\n", html="<p>Grüße, 李雷</p>\n",
        reply_to=[["Help", "help@postern.test"]], headers={"X-Order": "1234", "X-Entity-Ref-ID": "é à"}))
    assert (answer["status"], answer["body"]) == (202, ""), answer
    end(postern, answer["id"])
    for recipient in to + cc + bcc:
        view = arrived(postfix, recipient)
        assert view["from"] == [FROM]
        assert view["to"] == [["Lǐ Léi; 李雷", to[0]], ["", to[1]]]
        assert view["cc"] == [["Ann \"A\" Example", cc[0]]]
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
    assert send(sdk, postern, mail(me, **parts))["status"] == 202
    view = arrived(postfix, me)
    assert {name: view[name] for name in parts if parts[name]} == {n: v for n, v in parts.items() if v}


@by_sdk
def test_several_who_may_be_answered(postern, postfix, sdk):
    me, them = someone(), [["A", "a@postern.test"], ["", "b@postern.test"]]
    assert send(sdk, postern, mail(me, reply_to=them))["status"] == 202
    assert arrived(postfix, me)["reply_to"] == them


@by_sdk
def test_attachments_and_inline_images(postern, postfix, sdk):
    me = someone()
    large = base64.b64encode(bytes(range(251)) * 4000).decode()  # does not stand in the request's tree
    files = [{"filename": "报告 2.pdf", "type": "application/pdf", "content": large},
             {"filename": "logo.png", "type": "image/png", "content": PNG, "cid": "logo-1"}]
    answer = send(sdk, postern, mail(me, html='<img src="cid:logo-1">', attachments=files))
    assert answer["status"] == 202, answer
    found = arrived(postfix, me)
    wanted = [{"filename": file["filename"], "type": file["type"],
               "disposition": "inline" if "cid" in file else "attachment", "cid": file.get("cid"),
               "size": len(base64.b64decode(file["content"])),
               "sha256": hashlib.sha256(base64.b64decode(file["content"])).hexdigest()} for file in files]
    assert sorted(found["attachments"], key=lambda part: part["filename"]) == sorted(
        wanted, key=lambda part: part["filename"])
    assert found["html"] == '<img src="cid:logo-1">'


@by_sdk
def test_one_attachment_for_each(postern, postfix, sdk):
    them = [someone() for _ in range(3)]
    content = bytes(range(251)) * 2000
    file = {"filename": "a.bin", "type": "application/x-a", "content": base64.b64encode(content).decode()}
    assert send(sdk, postern, mail(*them, attachments=[file]), separate=True)["status"] == 202
    for me in them:
        [part] = arrived(postfix, me)["attachments"]
        assert part["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("snake", [False, True], ids=["contentId", "content_id"])
def test_a_content_id_may_be_spelt_in_two_ways(postern, postfix, snake):
    """The Node SDK converts what is not in an array."""
    me = someone()
    file = {"filename": "logo.png", "type": "image/png", "content": PNG, "cid": "it"}
    assert send(NODE, postern, mail(me, html="<p>", attachments=[file]), snake=snake)["status"] == 202
    assert [part["cid"] for part in arrived(postfix, me)["attachments"]] == ["it"]


@by_sdk
def test_categories_and_arguments_are_the_messages(postern, sdk):
    answer = send(sdk, postern, mail(someone(), categories=["welcome", "new"], custom_args={"order": "7"}))
    message = look(postern, answer["id"])
    assert sorted(message["tags"]) == ["new", "welcome"]
    assert message["metadata"]["order"] == "7"


def test_arguments_may_be_numbers(postern):
    answer = send(NODE, postern, mail(someone(), custom_args={"n": 7, "r": 0.25, "yes": True}))
    assert look(postern, answer["id"])["metadata"] == {"n": "7", "r": "0.25", "yes": "true"}


@by_sdk
def test_a_mail_for_each_knows_nothing_of_the_others(postern, postfix, sdk):
    them = [someone() for _ in range(5)]
    answer = send(sdk, postern, mail(*them, categories=["multiple"]), separate=True)
    assert answer["status"] == 202, answer
    for me in them:
        assert arrived(postfix, me)["to"] == [["", me]]


@by_sdk
def test_a_mail_that_is_for_later(postern, postfix, sdk):
    me, at = someone(), int(time.time()) + 3600
    answer = send(sdk, postern, mail(me, send_at=at))
    assert answer["status"] == 202, answer
    message = look(postern, answer["id"])
    assert message["status"] == "scheduled"
    assert message["send_at"].startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)))
    cancelled = postern.request("DELETE", f"/v1/messages/{answer['id']}")
    assert cancelled.status == 200, cancelled
    assert not postfix.mail.to(me)


@by_sdk
def test_a_template(postern, postfix, sdk):
    me = someone()
    answer = send(sdk, postern, mail(me, subject=None, text=None, template=TEMPLATE,
                                     data={"name": "李雷 & Co", "number": 7, "items": ["a", "b"]}))
    assert answer["status"] == 202, answer
    view = arrived(postfix, me)
    assert view["subject"] == "Order 7"
    assert view["text"] == "Dear 李雷 & Co, a, b"
    assert view["html"] == "<p>Dear 李雷 &amp; Co, <i>a</i><i>b</i></p>"


def test_substitutions_of_the_node_sdk(postern, postfix):
    """Their tags come wrapped in {{}}."""
    me = someone()
    answer = send(NODE, postern, mail(me, subject="Hi {{name}}", html="<p>{{name}}: {{what}}</p>",
                                      more={"substitutions": {"name": "Ann", "what": "{{name}}"}}))
    assert answer["status"] == 202, answer
    view = arrived(postfix, me)
    assert (view["subject"], view["html"]) == ("Hi Ann", "<p>Ann: {{name}}</p>")


def test_substitutions_in_a_large_text(postern, postfix):
    """It does not stand in the request's tree."""
    them, html = [someone(), someone()], "<p>-name-</p>\n" + "<p>Grüße</p>\n" * 20_000 + "<p>-name-</p>"
    document = body(content=[{"type": "text/html", "value": html}])
    document["personalizations"] = [{"to": [{"email": me}], "substitutions": {"-name-": name}}
                                    for me, name in zip(them, ["李雷", "Ann"], strict=True)]
    assert post(postern, document).status == 202
    for me, name in zip(them, ["李雷", "Ann"], strict=True):
        assert arrived(postfix, me)["html"] == html.replace("-name-", name)


def test_substitutions_and_sections_for_each(postern, postfix):
    them = [someone(), someone()]
    document = body(subject="For -name-", sections={"-mr-": "Mr. -name-", "-ms-": "Ms. -name-"},
                    content=[{"type": "text/plain", "value": "Dear -greeting-"}])
    document["personalizations"] = [
        {"to": [{"email": them[0]}], "substitutions": {"-name-": "Li", "-greeting-": "-mr-"}},
        {"to": [{"email": them[1]}], "substitutions": {"-name-": "An", "-greeting-": "-ms-"}}]
    assert post(postern, document).status == 202
    assert [(view["subject"], view["text"]) for view in (arrived(postfix, me) for me in them)] == [
        ("For Li", "Dear Mr. Li"), ("For An", "Dear Ms. An")]


def test_what_a_personalization_says_wins(postern, postfix):
    me = someone()
    document = body(me, headers={"X-A": "1", "X-B": "2"})
    document["personalizations"][0] |= {"from": {"email": "other@postern.test", "name": "Other"},
                                        "subject": "Mine", "headers": {"x-b": "3"}}
    assert post(postern, document).status == 202
    view = arrived(postfix, me)
    assert (view["from"], view["subject"]) == ([["Other", "other@postern.test"]], "Mine")
    assert view["headers"]["x-a"] == "1"
    assert b"x-b: 3" in postfix.mail.wait(me).message() and b"X-B" not in postfix.mail.wait(me).message()


def test_a_footer(postern, postfix):
    me = someone()
    footer = {"enable": True, "text": "\n-- \nShop", "html": "<hr>Shop"}
    content = [{"type": "text/plain", "value": "Hi."},
               {"type": "text/html", "value": "<html><body>Hi.</body></html>"}]
    assert post(postern, body(me, content=content, mail_settings={"footer": footer})).status == 202
    view = arrived(postfix, me)
    assert (view["text"], view["html"]) == ("Hi.\n-- \nShop", "<html><body>Hi.<hr>Shop</body></html>")


def test_at_the_root_too(postern, postfix):
    me = someone()
    assert send(NODE, postern, mail(me), prefix="")["status"] == 202
    assert arrived(postfix, me)["subject"] == "Hello"


def test_a_batch_id(postern):
    ids = []
    for path in ("/v3/mail/batch", "/sendgrid/v3/mail/batch"):
        answer = postern.request("POST", path)
        assert answer.status == 201, answer
        ids.append(answer.json["batch_id"])
    assert ids[0] != ids[1]
    sent = post(postern, body(someone(), batch_id=ids[0]))
    assert look(postern, sent.headers["X-Message-Id"])["metadata"] == {"batch_id": ids[0]}


# --- what does not arrive ---

@by_sdk
def test_a_sandbox_keeps_and_sends_nothing(postern, sdk):
    before = kept(postern)
    answer = send(sdk, postern, mail(someone(), sandbox=True))
    assert (answer["status"], answer["body"]) == (200, ""), answer
    refused = send(sdk, postern, mail("nobody@-.test", sandbox=True))
    assert refused["status"] == 400, refused
    assert kept(postern) == before


def assert_told(answer, status, message, field):
    """What the SDK makes of a refusal; its own words have ours in them."""
    assert answer["status"] == status, answer
    told = [(error["message"], error["field"]) for error in answer["errors"]]
    assert any(message in text and where == field for text, where in told), answer
    assert all(error["help"] is None for error in answer["errors"])
    assert str(status) in answer["text"] or message in answer["text"]


NOBODY = "nobody@-.test"  # which no SDK looks at closely
WRONG = {
    "to": ({"to": [["", NOBODY]]}, "Does not contain a valid address.", "personalizations.0.to.0.email"),
    "from": ({"from": ["", NOBODY]}, "Does not contain a valid address.", "from.email"),
    "subject": ({"subject": None}, "The subject is required.", "subject"),
    "text": ({"text": None}, "the content parameter is required", "content"),
    "reserved": ({"headers": {"DKIM-Signature": "x"}}, "Header can not be one of the reserved keys.",
                 "headers.DKIM-Signature"),
    "control": ({"headers": {"X-A": "1\u0007"}}, "Not a valid header value", "headers.X-A"),
    "categories": ({"categories": [str(n) for n in range(11)]}, "There is a limit of 10 categories", "categories"),
    "send_at": ({"send_at": 4102444800}, "Scheduling more than 72 hours in advance is forbidden.", "send_at"),
    "template": ({"template": "no-such"}, "No template has this name", "template_id"),
    "type": ({"attachments": [{"filename": "a", "type": "text/", "content": "QQ=="}]}, "Not a valid content type",
             "attachments.0.type"),
    "content": ({"attachments": [{"filename": "a", "type": "text/x", "content": "!!!!"}]}, "Not valid base64",
                "attachments.0.content"),
}
# What a client doesn't let out: Node's HTTP puts headers of mail on the request, Django decodes what is attached.
NOT_LET_OUT = {("control", "sendgrid-node"), ("content", "sendgrid-python-anymail_send"),
               ("type", "sendgrid-python-anymail_send")}


@by_sdk
@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_in_sendgrids_words(postern, sdk, case):
    if (case, sdk.name) in NOT_LET_OUT:
        pytest.skip("the client finds it first")
    wrong, message, field = WRONG[case]
    before = kept(postern)
    assert_told(send(sdk, postern, mail(someone(), **wrong)), 400, message, field)
    assert kept(postern) == before


@by_sdk
def test_all_of_a_request_or_nothing(postern, postfix, sdk):
    good = someone()
    answer = send(sdk, postern, mail(good, NOBODY), separate=True)
    assert [error["field"] for error in answer["errors"]] in (  # the Python SDK begins with the last
        ["personalizations.1.to.0.email"], ["personalizations.0.to.0.email"]), answer
    assert answer["status"] == 400 and not postfix.mail.to(good)


@by_sdk
def test_a_wrong_key(postern, sdk):
    assert_told(send(sdk, postern, mail(someone()), key="SG.another"), 401, "authorization required", None)


@by_sdk
def test_a_sender_that_is_not_allowed(postfix, sdk, strict_sender):
    answer = send(sdk, strict_sender, mail(someone()))
    assert_told(answer, 403, "does not match a verified Sender Identity", "from")


@pytest.fixture(scope="module")
def strict_sender(postfix):
    with Postern(**{**settings(postfix.starttls_url()), "from": "other@postern.test"}) as running:
        yield running


@by_sdk
def test_what_the_relay_refuses_is_told_where_it_is_waited_for(postfix, sdk, waiting):
    answer = send(sdk, waiting, mail(someone(STRICT)))
    assert_told(answer, 400, "550", None)
    assert send(sdk, waiting, mail(KNOWN))["status"] == 202


@by_sdk
def test_what_only_the_queue_keeps_has_no_effect_where_the_relay_is_waited_for(waiting, sdk):
    members = {"categories": ["a"], "custom_args": {"b": "c"}, "send_at": 1_000_000_000}
    assert send(sdk, waiting, mail(KNOWN, **members))["status"] == 202
    later = send(sdk, waiting, mail(KNOWN, send_at=int(time.time()) + 3600))
    assert_told(later, 400, "needs the queue", "send_at")


def test_several_mails_need_the_queue(waiting):
    assert post(waiting, body(KNOWN, KNOWN)).status == 400
    assert post(waiting, body(KNOWN, KNOWN), {"Postern-Mode": "queue"}).status == 202


@pytest.fixture(scope="module")
def waiting(postfix):
    with Postern(dialect_mode="sync", **settings(postfix.starttls_url())) as running:
        yield running


@by_sdk
def test_a_relay_that_is_gone(sdk):
    with ScriptedServer() as gone:
        relay = gone.url()
    with Postern(dialect_mode="sync", **settings(relay)) as postern:
        answer = send(sdk, postern, mail(someone()))
        assert answer["status"] == 503 and answer["errors"][0]["message"], answer


@by_sdk
def test_too_much_in_flight(sdk):
    free = threading.Event()
    with ScriptedServer(data=gate(free, "354 go ahead")) as slow, \
            Postern(max_inflight=1, dialect_mode="sync", **settings(slow.url())) as postern:
        first = threading.Thread(target=post, args=(postern, body(someone())))
        first.start()
        try:
            wait_until(lambda: slow.verbs().count("DATA") == 1, PATIENCE, "the slow mail to be under way")
            answer = send(sdk, postern, mail(someone()))
        finally:
            free.set()
            first.join()
        assert_told(answer, 429, "too many requests", None)


@by_sdk
def test_without_a_relay_nothing_can_be_sent(sdk):
    with Postern(api_keys=KEY, dialects="sendgrid", dialect_mode="sync") as postern:
        answer = send(sdk, postern, mail(someone()))
        assert answer["status"] == 503 and "RELAY" in answer["errors"][0]["message"], answer


def test_more_mails_than_there_is_memory_for(postfix):
    """Which no other try would change."""
    document = body(*[someone() for _ in range(300)], content=[{"type": "text/html", "value": "<p>Hi</p>\n" * 10_000}])
    with Postern(max_memory="32MiB", **settings(postfix.starttls_url())) as postern:
        answer = post(postern, document)
        assert answer.status == 413, answer
        assert "in several requests" in answer.json["errors"][0]["message"]
        assert not kept(postern)


@by_sdk
def test_too_large(postfix, sdk):
    """What is small enough is read to its end: a client that still writes when the connection is closed may never see why."""
    with Postern(max_body="20KiB", **settings(postfix.starttls_url())) as postern:
        answer = send(sdk, postern, mail(someone(), text="x" * 40_000))
        assert answer["status"] == 413 and answer["errors"][0]["message"], answer


def test_a_mails_headers_are_on_the_request_too(postern, postfix):
    """So does the Node SDK: the request's own Content-Type and key become the mail's."""
    refused = send(NODE, postern, mail(someone(), headers={"Content-Type": "text/evil"}))
    assert_told(refused, 400, "Header can not be one of the reserved keys.", "headers.Content-Type")
    me = someone()
    assert send(NODE, postern, mail(me, headers={"Content-Language": "x", "Accept": "text/evil"}))["status"] in (
        202, 400)
    for content_type in ("text/evil", "multipart/form-data; boundary=x", ""):
        me = someone()
        assert post(postern, body(me), {"Content-Type": content_type}).status == 202
        assert arrived(postfix, me)["text"] == "Hi."
    assert_told(send(NODE, postern, mail(someone(), headers={"Authorization": "Bearer x"})), 401,
                "authorization required", None)


def test_what_is_no_json(postern):
    for wrong in (b"", b"{", b"[]", b'"x"', b'{"from": 1, "from": 2}', b"\xff"):
        answer = post(postern, None, body=wrong)
        assert answer.status == 400, answer
        assert answer.json["errors"][0]["message"]


# --- suppressed addresses, lists ---

def suppress(postern, address):
    answer = postern.post("/v1/suppressions", {"email": address, "reason": "asked for it"})
    assert answer.status in (200, 201), answer


def test_a_suppressed_address(postern, postfix):
    good, bad = someone(), someone()
    suppress(postern, bad)
    answer = post(postern, body(bad))
    assert answer.status == 400, answer
    [error] = answer.json["errors"]
    assert "asked for it" in error["message"] and error["field"] == "personalizations.0.to.0"
    answer = post(postern, body(bad, good))
    assert answer.status == 202, answer
    [error] = answer.json["errors"]
    assert bad in error["message"] and error["field"] == "personalizations.0.to.0"
    assert end(postern, answer.headers["X-Message-Id"])["status"] == "sent"
    assert arrived(postfix, good) and not postfix.mail.to(bad)
    both = body(good)
    both["personalizations"][0]["cc"] = [{"email": bad}]
    assert post(postern, both).status == 202
    end(postern, kept(postern)[0])
    assert not postfix.mail.to(bad)


def test_a_group_is_a_list(lists, postfix):
    me = someone()
    assert post(lists, body(me, asm={"group_id": 12})).status == 202
    message = postfix.mail.wait(me).message()
    assert b"List-Unsubscribe: " in message and b"<group-12." in message


@pytest.mark.parametrize("others", [0, 2])
def test_who_has_left_a_group_gets_nothing_of_it(lists, postfix, others):
    me, them = someone(), [someone() for _ in range(others)]
    answer = lists.post("/v1/suppressions", {"email": me, "list": "group-13"})
    assert answer.status in (200, 201), answer
    answer = post(lists, body(me, *them, asm={"group_id": 13}))
    assert answer.status == (202 if others else 400), answer
    assert answer.json["errors"][0]["field"] == "personalizations.0.to.0"
    for one in them:
        assert arrived(postfix, one)
    assert post(lists, body(me, asm={"group_id": 14})).status == 202
    assert b"<group-14." in postfix.mail.wait(me).message()


@pytest.mark.parametrize("others", [0, 2])
def test_who_has_left_a_group_gets_nothing_of_it_whatever_else_is_looked_up(postfix, others):
    me, them = someone(), [someone() for _ in range(others)]
    with Postern(public_url="https://mail.postern.test", unsubscribe_secret="0123456789abcdef" * 2, suppression="off",
                 **settings(postfix.starttls_url())) as postern:
        assert postern.post("/v1/suppressions", {"email": me, "list": "group-15"}).status in (200, 201)
        answer = post(postern, body(me, *them, asm={"group_id": 15}))
        assert answer.status == (202 if others else 400), answer
        for one in them:
            assert arrived(postfix, one)
        assert post(postern, body(me, asm={"group_id": 16})).status == 202
        assert b"<group-16." in postfix.mail.wait(me).message()


def test_a_group_without_lists_is_refused(postern):
    answer = post(postern, body(someone(), asm={"group_id": 1}))
    assert answer.status == 400, answer
    assert [error["field"] for error in answer.json["errors"]] == ["asm.group_id"]


def test_a_thousand_mails(postfix):
    them = [someone() for _ in range(1000)]
    with ScriptedServer() as relay, Postern(**settings(relay.url())) as postern:
        before = len(relay.complete)
        assert send(NODE, postern, mail(*them), separate=True)["status"] == 202
        answer = post(postern, body(*them, someone()))
        assert answer.status == 400 and "limited to 1000 personalizations" in answer.json["errors"][0]["message"]
        wait_until(lambda: len(relay.complete) - before == 1000, 120, "all of them")
        assert sorted(m.recipients[0] for m in relay.complete) == sorted(them)


def test_the_log_has_no_key(postern):
    send(NODE, postern, mail(someone()), key="SG.secret-of-somebody")
    assert "SG.secret-of-somebody" not in postern.log()
    assert json.dumps(KEY) not in postern.log()
