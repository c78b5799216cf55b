"""Postmark's API: its own SDK and others, unchanged but for the base URL, through Postfix; what arrives is compared with what
was asked."""

import base64
import contextlib
import datetime
import email.utils
import itertools
import json
import re
import uuid

import pytest

from .honest import HOME, KNOWN, STRICT
from .places import scratch
from .postern import PATIENCE, Postern
from .queued import FAST, end
from .readers import read_with_python
from .sdks import Sdk

KEY = "server-token-of-the-tests"
WELCOME = {"subject.mustache": "Welcome, {{name}}\n", "html.mustache": "<p>Hello {{name}}</p>\n",
           "text.mustache": "Hello {{name}}\n"}
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
PDF = b"%PDF-1.4\n" + bytes(range(256)) * 40
INACTIVE = f"inactive@{HOME}"
INACTIVE_TOO = f"inactive.too@{HOME}"

NODE = [Sdk("postmark", "node", version=4), Sdk("postmark", "node", version=5)]
PYTHON = Sdk("postmark", "python")
GO = Sdk("postmark", "go")
ANYMAIL = Sdk("postmark", "python", "anymail_send")
# How each calls one mail, several, one of a template, several.
CALLS = {NODE[0]: ("sendEmail", "sendEmailBatch", "sendEmailWithTemplate", "sendEmailBatchWithTemplates"),
         NODE[1]: ("sendEmail", "sendEmailBatch", "sendEmailWithTemplate", "sendEmailBatchWithTemplates"),
         PYTHON: ("send", "send_batch", "send_with_template", "send_template_batch"),
         GO: ("SendEmail", "SendEmailBatch", "SendTemplatedEmail", "SendTemplatedEmailBatch")}

by_sdk = pytest.mark.parametrize("sdk", CALLS, ids=lambda sdk: sdk.name)
by_node = pytest.mark.parametrize("sdk", NODE, ids=lambda sdk: sdk.name)


@pytest.fixture(scope="module", autouse=True)
def sdks():
    with contextlib.ExitStack() as running:
        for sdk in [*CALLS, ANYMAIL]:
            if sdk.unavailable():
                pytest.skip(sdk.unavailable())
            running.enter_context(sdk)
        yield


def templates():
    folder = scratch("templates")
    for name in ("welcome", "1234"):
        (folder / name).mkdir()
        for file, text in WELCOME.items():
            (folder / name / file).write_text(text)
    return folder


@pytest.fixture(scope="module")
def postern(postfix):
    with Postern(relay=postfix.starttls_url(), data=scratch("data"), dialects="postmark", api_keys=KEY, key=KEY,
                 templates=templates(), **{"from": f"@{HOME}"}, **FAST) as running:
        for address in (INACTIVE, INACTIVE_TOO):
            assert running.post("/v1/suppressions", {"email": address, "reason": "550 gone"}).status == 201
        yield running


@pytest.fixture(scope="module")
def open_postern(postfix):
    """Without keys."""
    with Postern(relay=postfix.starttls_url(), data=scratch("data"), dialects="postmark", **FAST) as running:
        yield running


_numbers = itertools.count()


def address(name="li"):
    """One that nobody has had mail at."""
    return f"{name}-postmark{next(_numbers)}@{HOME}"


def url(postern, sdk):
    # postmarker replaces the path of its base URL.
    return f"http://127.0.0.1:{postern.port}" + ("" if sdk is PYTHON else "/postmark")


def mail(to, **members):
    return {"From": f"Shop <shop@{HOME}>", "To": to, "Subject": "Your order", "TextBody": "Thank you.\n"} | members


def send(postern, sdk, document):
    return sdk.value(url(postern, sdk), KEY, CALLS[sdk][0], document)


def refused(postern, sdk, document, key=KEY, which=0):
    return sdk.failure(url(postern, sdk), key, CALLS[sdk][which], document)


def arrived(postfix, recipient):
    delivered = postfix.mail.wait(recipient, PATIENCE)
    return read_with_python(delivered.message()) | {"raw": delivered.message()}


def addresses(text):
    return [list(pair) for pair in email.utils.getaddresses([text])]


def file(name, content, kind, cid=None):
    return {"Name": name, "Content": base64.b64encode(content).decode(), "ContentType": kind} | (
        {"ContentID": cid} if cid else {})


def is_accepted(answer):
    assert answer["ErrorCode"] == 0 and answer["Message"] == "OK", answer
    uuid.UUID(answer["MessageID"])
    at = datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z$", r"\1+00:00", answer["SubmittedAt"]))
    assert abs(datetime.datetime.now(datetime.timezone.utc) - at) < datetime.timedelta(hours=1)


# --- what is sent ---

@by_sdk
def test_everything_that_a_mail_may_have(postern, postfix, sdk):
    to, cc, bcc = [address("to"), address("to")], address("cc"), [address("bcc"), address("bcc")]
    document = mail(
        f'Li Lei <{to[0]}>, "Doe, Jane" <{to[1]}>', Cc=f"Grüße <{cc}>", Bcc=", ".join(bcc),
        ReplyTo=f"help@{HOME}, Second <second@{HOME}>", Subject="Grüße, 李雷", HtmlBody='<p>Hi <img src="cid:logo"></p>',
        Tag="order", Metadata={"order": "17"}, MessageStream="outbound", TrackOpens=True, TrackLinks="HtmlOnly",
        Attachments=[file("Rechnung für 李雷.pdf", PDF, "application/pdf"), file("logo.png", PNG, "image/png", "cid:logo")])
    headers = {"X-Order": "17", "X-Other": "a b"}
    document["Headers"] = headers if sdk is PYTHON else [{"Name": n, "Value": v} for n, v in headers.items()]
    answer = send(postern, sdk, document)
    is_accepted(answer)
    assert answer["To"] == document["To"]
    if sdk is not GO:  # whose answer has no place for it
        assert answer["Cc"] == document["Cc"] and answer["Bcc"] == document["Bcc"]
    message = arrived(postfix, to[0])
    assert message["from"] == [["Shop", f"shop@{HOME}"]]
    assert message["to"] == [["Li Lei", to[0]], ["Doe, Jane", to[1]]] and message["cc"] == [["Grüße", cc]]
    assert message["reply_to"] == [["", f"help@{HOME}"], ["Second", f"second@{HOME}"]]
    assert message["subject"] == document["Subject"]
    assert message["text"] == "Thank you." and message["html"] == document["HtmlBody"]
    assert {name: message["headers"][name.lower()] for name in headers} == headers
    found = {one["filename"]: one for one in message["attachments"]}
    assert found["Rechnung für 李雷.pdf"]["disposition"] == "attachment" and found["logo.png"]["disposition"] == "inline"
    assert found["logo.png"]["cid"] == "logo" and found["logo.png"]["size"] == len(PNG)
    assert found["Rechnung für 李雷.pdf"]["size"] == len(PDF)
    for other in [to[1], cc, *bcc]:
        assert arrived(postfix, other)["raw"] == message["raw"]
    assert not any(one.encode() in message["raw"] for one in bcc)
    kept = end(postern, of(postern, answer["MessageID"]))
    assert kept["tags"] == ["order"] and kept["metadata"] == {"order": "17"} and kept["status"] == "sent"


def of(postern, identity):
    """Postern's id of a MessageID: the same 128 bits."""
    alphabet, number = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", uuid.UUID(identity).int
    return "".join(alphabet[number >> 5 * place & 31] for place in range(25, -1, -1))


@by_sdk
def test_text_alone_and_html_alone(postern, postfix, sdk):
    to = address()
    is_accepted(send(postern, sdk, mail(to)))
    message = arrived(postfix, to)
    assert message["text"] == "Thank you." and message["html"] is None
    to = address()
    document = mail(to, HtmlBody="<p>Thank you</p>")
    del document["TextBody"]
    is_accepted(send(postern, sdk, document))
    message = arrived(postfix, to)
    assert message["html"] == "<p>Thank you</p>" and message["text"] == "Thank you"


@by_sdk
def test_a_picture_may_be_named_without_cid(postern, postfix, sdk):
    to = address()
    send(postern, sdk, mail(to, HtmlBody='<img src="cid:a">', Attachments=[
        file("a.png", PNG, "image/png", "a"), file("b.png", PNG, "image/png", "b")]))
    found = {one["filename"]: one for one in arrived(postfix, to)["attachments"]}
    assert {name: (one["disposition"], one["cid"]) for name, one in found.items()} == {
        "a.png": ("inline", "a"), "b.png": ("attachment", "b")}


@by_sdk
def test_copies_alone(postern, postfix, sdk):
    if sdk is PYTHON:
        document = mail(None, Bcc=address("bcc"))
    else:
        document = mail("", Bcc=address("bcc"))
    answer = send(postern, sdk, document)
    assert answer["ErrorCode"] == 0
    assert arrived(postfix, document["Bcc"])["text"] == "Thank you."


@by_sdk
def test_a_batch_is_answered_in_its_order(postern, postfix, sdk):
    to = [address(), "nobody", address(), INACTIVE, address()]
    documents = [mail(one, Subject=f"{i}") for i, one in enumerate(to)]
    answers = sdk.value(url(postern, sdk), KEY, CALLS[sdk][1], documents)
    assert [a["ErrorCode"] for a in answers] == [0, 300, 0, 406, 0]
    assert answers[1]["Message"].startswith("Invalid 'To' address: 'nobody' (")
    assert INACTIVE in answers[3]["Message"]
    for i in (0, 2, 4):
        is_accepted(answers[i])
        assert answers[i]["To"] == to[i] and arrived(postfix, to[i])["subject"] == f"{i}"
    assert len({answers[i]["MessageID"] for i in (0, 2, 4)}) == 3


@by_sdk
def test_templates(postern, postfix, sdk):
    for template, several in itertools.product(({"TemplateId": 1234}, {"TemplateAlias": "welcome"}), (False, True)):
        to = address()
        document = {"From": f"shop@{HOME}", "To": to, **template, "TemplateModel": {"name": "李雷"}}
        if several:
            [answer] = sdk.value(url(postern, sdk), KEY, CALLS[sdk][3], [document])
        else:
            answer = sdk.value(url(postern, sdk), KEY, CALLS[sdk][2], document)
        if not (sdk is GO and several):  # whose answer is another type
            is_accepted(answer)
        message = arrived(postfix, to)
        assert message["subject"] == "Welcome, 李雷" and message["html"] == "<p>Hello 李雷</p>"
        assert message["text"] == "Hello 李雷"


# --- what is not ---

@by_node
@pytest.mark.parametrize("members, code, kind, words", [
    ({"To": "nobody"}, 300, "InvalidEmailRequestError", r"^Invalid 'To' address: 'nobody' \(.+\)\.$"),
    ({"Cc": f"ok@{HOME}, user@+"}, 300, "InvalidEmailRequestError", r"^Invalid 'Cc' address: 'user@\+' "),
    ({"From": "x"}, 300, "InvalidEmailRequestError", r"^Invalid 'From' address: 'x' "),
    ({"To": ""}, 300, "InvalidEmailRequestError", r"^Zero recipients specified\.$"),
    ({"TextBody": ""}, 300, "InvalidEmailRequestError", r"^Provide either email TextBody or HtmlBody or both\.$"),
    ({"From": "shop@elsewhere.test"}, 400, "ApiInputError", "Sender Signature"),
    ({"Metadata": {"a": 1}}, 403, "ApiInputError", r"^Metadata\.a: "),
    ({"Bogus": 1}, 300, "InvalidEmailRequestError", r"^Bogus: "),
    ({"Headers": [{"Name": "To", "Value": "x"}]}, 300, "InvalidEmailRequestError", r"^Headers\[0\]: "),
    ({"Headers": [{"Name": "X-A", "Value": "1\r\nBcc: x@x.test"}]}, 300, "InvalidEmailRequestError", r"^Headers\[0\]: "),
    ({"Attachments": [{"Name": "a", "Content": "%%%", "ContentType": "text/plain"}]}, 300, "InvalidEmailRequestError",
     r"^Attachments\[0\]\.Content: Not valid base64"),
    ({"Attachments": [{"Name": "a", "Content": "%" * 2000, "ContentType": "text/plain"}]}, 300,
     "InvalidEmailRequestError", r"^Attachments\[0\]\.Content: Not valid base64"),
])
def test_what_is_not_valid(postern, sdk, members, code, kind, words):
    failure = refused(postern, sdk, mail(address()) | members)
    assert (failure["status"], failure["code"], failure["class"]) == (422, code, kind), failure
    assert re.search(words, failure["message"]), failure


@by_node
def test_what_of_templates_is_not_valid(postern, sdk):
    failure = sdk.failure(url(postern, sdk), KEY, "sendEmailWithTemplate",
                          {"From": f"shop@{HOME}", "To": address(), "TemplateAlias": "wellcome", "TemplateModel": {}})
    assert (failure["status"], failure["code"]) == (422, 1101) and "welcome" in failure["message"], failure
    failure = sdk.failure(url(postern, sdk), KEY, "sendEmailWithTemplate",
                          {"From": f"shop@{HOME}", "To": address(), "TemplateModel": {}})
    assert (failure["status"], failure["code"]) == (422, 1101), failure


@by_node
def test_a_wrong_key(postern, sdk):
    failure = refused(postern, sdk, mail(address()), key="wrong")
    assert (failure["status"], failure["code"], failure["class"]) == (401, 10, "InvalidAPIKeyError"), failure
    failure = sdk.failure(url(postern, sdk), "POSTMARK_API_TEST", "sendEmail", mail(address()))
    assert failure["class"] == "InvalidAPIKeyError", failure


@by_node
def test_inactive_recipients(postern, postfix, sdk):
    failure = refused(postern, sdk, mail(INACTIVE, Cc=INACTIVE_TOO))
    assert (failure["status"], failure["code"], failure["class"]) == (422, 406, "InactiveRecipientsError"), failure
    assert sorted(failure["recipients"]) == sorted([INACTIVE, INACTIVE_TOO]), failure
    to = address()
    answer = sdk.value(url(postern, sdk), KEY, "sendEmail", mail(f"{to}, {INACTIVE}"))
    assert answer["ErrorCode"] == 0 and answer["MessageID"], answer
    assert answer["Message"].startswith(f"Message OK, but will not deliver to these inactive addresses: {INACTIVE}. ")
    arrived(postfix, to)
    assert not postfix.mail.to(INACTIVE)


@by_node
def test_too_many_in_a_batch(postern, sdk):
    failure = refused(postern, sdk, [mail(address())] * 501, which=1)
    assert (failure["status"], failure["code"]) == (422, 410), failure
    failure = refused(postern, sdk, [], which=1)
    assert failure["status"] == 422, failure


def test_other_clients_are_told(postern):
    failure = refused(postern, PYTHON, mail("nobody"))
    assert failure["code"] == 300 and "Invalid 'To' address: 'nobody'" in failure["message"]
    assert refused(postern, PYTHON, mail(address()), key="wrong")["code"] == 10
    failure = refused(postern, GO, mail(INACTIVE))
    assert failure["code"] == 406 and INACTIVE in failure["message"]


def test_what_is_not_json(postern):
    for path in ("/email", "/postmark/email", "/email/batch"):
        answer = postern.post(path, body=b"{", headers={"X-Postmark-Server-Token": KEY, "Content-Type": "text/evil"})
        assert answer.status == 422 and answer.json["ErrorCode"] == 402, answer
        assert answer.type == "application/json"


def test_keys_are_compared_whatever_their_headers_case(postern, postfix):
    to = address()
    answer = postern.post("/email", mail(to), headers={"x-pOSTMARK-server-token": KEY}, key="")
    assert answer.status == 200, answer
    arrived(postfix, to)
    answer = postern.post("/email", mail(to), headers={"Authorization": f"Bearer {KEY}"}, key="")
    assert answer.status == 401 and answer.json["ErrorCode"] == 10, answer


def test_an_idempotency_key_sends_once(postern, postfix):
    to, headers = address(), {"X-Postmark-Server-Token": KEY, "Idempotency-Key": str(uuid.uuid4())}
    first, second = [postern.post("/email", mail(to), headers=headers) for _ in range(2)]
    assert first.status == second.status == 200
    assert first.json["MessageID"] == second.json["MessageID"]
    end(postern, of(postern, first.json["MessageID"]))
    arrived(postfix, to)  # it expects one
    other = postern.post("/email", mail(address()), headers=headers)
    assert other.status == 422 and other.json["ErrorCode"] == 300, other


# --- the token for tries ---

@by_node
def test_a_try_sends_nothing(open_postern, postfix, sdk):
    to = address()
    answer = sdk.value(url(open_postern, sdk), "POSTMARK_API_TEST", "sendEmail", mail(to))
    assert answer["ErrorCode"] == 0 and answer["Message"] == "Test job accepted" and answer["To"] == to, answer
    failure = sdk.failure(url(open_postern, sdk), "POSTMARK_API_TEST", "sendEmail", mail("nobody"))
    assert failure["code"] == 300, failure
    answers = sdk.value(url(open_postern, sdk), "POSTMARK_API_TEST", "sendEmailBatch", [mail(to), mail("nobody")])
    assert [a["ErrorCode"] for a in answers] == [0, 300]
    later = address()
    sdk.value(url(open_postern, sdk), "another", "sendEmail", mail(later))
    arrived(postfix, later)
    assert not postfix.mail.to(to)
    kept = open_postern.get("/v1/messages?limit=100").json["messages"]
    assert not any(one["email"] == to for message in kept for one in message["recipients"])


# --- where the relay is waited for ---

def sync(postern, path, document):
    return postern.post(path, document, headers={"X-Postmark-Server-Token": KEY, "Postern-Mode": "sync"})


def test_the_relay_is_waited_for(postern, postfix):
    to = address()
    answer = sync(postern, "/email", mail(to, Tag="a", Metadata={"b": "c"}))
    assert answer.status == 200, answer
    is_accepted(answer.json)
    arrived(postfix, to)


def test_the_relays_refusal_is_the_answer(postern, postfix):
    answer = sync(postern, "/email", mail(f"nobody@{STRICT}"))
    assert answer.status == 422 and answer.json["ErrorCode"] == 300, answer
    assert "550" in answer.json["Message"] or "unknown" in answer.json["Message"].lower(), answer
    to = address()
    answer = sync(postern, "/email/batch", [mail(to), mail(f"somebody@{STRICT}"), mail(KNOWN), mail("x")])
    assert answer.status == 200, answer
    assert [a["ErrorCode"] for a in answer.json] == [0, 300, 0, 300], answer
    arrived(postfix, to)


# --- Django ---

def django(postern, mail, **more):
    return ANYMAIL.run(f"http://127.0.0.1:{postern.port}/postmark", KEY, mail=mail, **more)


def test_django(postern, postfix):
    to, cc, bcc = address("to"), address("cc"), address("bcc")
    said = django(postern, {
        "from": f"Shop <shop@{HOME}>", "to": [f"Li <{to}>"], "cc": [cc], "bcc": [bcc], "reply_to": [f"help@{HOME}"],
        "subject": "Grüße", "text": "t", "html": '<img src="cid:logo">', "headers": {"X-A": "1"},
        "attachments": [{"filename": "a.pdf", "type": "application/pdf", "content": base64.b64encode(PDF).decode()},
                        {"filename": "l.png", "type": "image/png", "content": base64.b64encode(PNG).decode(),
                         "cid": "logo"}]}, more={"tags": ["order"], "metadata": {"k": "v"}, "track_opens": True})
    assert {one: status for one, (status, _) in said["value"].items()} == dict.fromkeys((to, cc, bcc), "sent"), said
    message = arrived(postfix, to)
    assert message["subject"] == "Grüße" and message["to"] == [["Li", to]] and message["cc"] == [["", cc]]
    assert message["headers"]["x-a"] == "1" and message["reply_to"] == [["", f"help@{HOME}"]]
    assert {(one["disposition"], one["size"]) for one in message["attachments"]} == {
        ("attachment", len(PDF)), ("inline", len(PNG))}
    arrived(postfix, bcc)


def test_django_reads_who_is_refused(postern, postfix):
    to = address()
    said = django(postern, {"from": f"shop@{HOME}", "to": [to, INACTIVE], "text": "t"})
    assert {one: status for one, (status, _) in said["value"].items()} == {to: "sent", INACTIVE: "rejected"}, said
    said = django(postern, {"from": f"shop@{HOME}", "to": [INACTIVE], "text": "t"})
    assert said["failure"]["class"] == "AnymailRecipientsRefused", said
    said = django(postern, {"from": "shop@elsewhere.test", "to": [to], "text": "t"})
    assert said["failure"]["class"] == "AnymailRequestsAPIError" and said["failure"]["status"] == 422, said


def test_django_sends_templates_to_many(postern, postfix):
    to = [address(), address()]
    said = django(postern, {"from": f"shop@{HOME}", "to": to}, more={
        "template_id": "welcome", "merge_data": {one: {"name": f"N{i}"} for i, one in enumerate(to)},
        "merge_global_data": {"name": "?"}})
    assert {one: status for one, (status, _) in said["value"].items()} == dict.fromkeys(to, "sent"), said
    for i, one in enumerate(to):
        message = arrived(postfix, one)
        assert message["subject"] == f"Welcome, N{i}" and message["to"] == [["", one]]


# --- the way in ---

def test_attachments_of_batches_are_read_as_they_come(postern, postfix):
    """Large ones, at each depth at which they stand."""
    content = bytes(range(256)) * 4096 * 3
    for path, wrap in (("/email", None), ("/email/batch", "list"), ("/email/batchWithTemplates", "object")):
        to = address()
        document = mail(to, Attachments=[file("a.bin", content, "application/octet-stream")])
        if wrap == "object":
            del document["TextBody"]
            document |= {"TemplateAlias": "welcome", "TemplateModel": {"name": "Li"}}
        body = {None: document, "list": [document], "object": {"Messages": [document]}}[wrap]
        answer = postern.post(path, body, headers={"X-Postmark-Server-Token": KEY})
        assert answer.status == 200, answer
        answers = answer.json if wrap else [answer.json]
        assert answers[0]["ErrorCode"] == 0, answer
        [one] = arrived(postfix, to)["attachments"]
        assert one["size"] == len(content)


def test_paths_without_the_dialect_are_not_there(postfix):
    with Postern(relay=postfix.plain_url()) as plain:
        for path in ("/email", "/postmark/email"):
            answer = plain.post(path, json.loads("{}"))
            assert answer.status == 404, answer
