"""Resend's API: its own SDKs and others, unchanged but for the base URL, through Postfix; what arrives is compared with what
was asked."""

import base64
import contextlib
import datetime
import itertools
import json
import uuid

import pytest

from .honest import HOME, KNOWN, STRICT
from .places import scratch
from .postern import PATIENCE, Postern
from .process import wait_until
from .queued import FAST
from .readers import read_with_python
from .sdks import Sdk

KEY = "re_key_of_the_tests"
WELCOME = {"subject.mustache": "Welcome, {{name}}\n", "html.mustache": "<p>Hello {{name}}</p>\n",
           "text.mustache": "Hello {{name}}\n"}
PNG = bytes.fromhex("89504e470d0a1a0a") + bytes(range(200))
PDF = b"%PDF-1.4\n" + bytes(range(256)) * 40
INACTIVE = f"inactive@{HOME}"

NODE = [Sdk("resend", "node", version=4), Sdk("resend", "node", version=6.22), Sdk("resend", "node", version=6)]
NEW = NODE[2]
PYTHON = Sdk("resend", "python")
GO = Sdk("resend", "go")
ANYMAIL = Sdk("resend", "python", "anymail_send")
SDKS = [*NODE, PYTHON, GO]

by_sdk = pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name)
by_node = pytest.mark.parametrize("sdk", NODE, ids=lambda sdk: sdk.name)


@pytest.fixture(scope="module", autouse=True)
def sdks():
    with contextlib.ExitStack() as running:
        for sdk in [*SDKS, ANYMAIL]:
            if sdk.unavailable():
                pytest.skip(sdk.unavailable())
            running.enter_context(sdk)
        yield


def templates():
    folder = scratch("templates")
    (folder / "welcome").mkdir()
    for file, text in WELCOME.items():
        (folder / "welcome" / file).write_text(text)
    return folder


@pytest.fixture(scope="module")
def postern(postfix):
    # One port, since the oldest SDK reads its base URL once.
    with Postern(relay=postfix.starttls_url(), data=scratch("data"), dialects="resend", api_keys=KEY, key=KEY,
                 templates=templates(), **{"from": f"@{HOME}"}, **FAST) as running:
        assert running.post("/v1/suppressions", {"email": INACTIVE, "reason": "550 gone"}).status == 201
        yield running


_numbers = itertools.count()


def address(name="li"):
    """One that nobody has had mail at."""
    return f"{name}-resend{next(_numbers)}@{HOME}"


def url(postern):
    return f"http://127.0.0.1:{postern.port}/resend"


def mail(to, **members):
    return {"from": f"Shop <shop@{HOME}>", "to": [to] if isinstance(to, str) else to, "subject": "Your order",
            "text": "Thank you.\n"} | members


def name_of(sdk, call):
    return ".".join(part.capitalize() for part in call.split(".")) if sdk is GO else call


def send(postern, sdk, document, **more):
    return identity(sdk.value(url(postern), KEY, name_of(sdk, "emails.send"), document, **more))


def refused(postern, sdk, document, key=KEY, call="emails.send", **more):
    return sdk.failure(url(postern), key, name_of(sdk, call), document, **more)


def identity(answer):
    uuid.UUID(answer["id"])
    return answer["id"]


def get(postern, sdk, message):
    return sdk.value(url(postern), KEY, name_of(sdk, "emails.get"), message)


def ended(postern, message):
    """The email, when it has come to its end."""
    def done():
        found = get(postern, NEW, message)
        return found if found["last_event"] not in ("queued", "scheduled", "delivery_delayed") else None
    return wait_until(done, PATIENCE, f"the end of {message}")


def arrived(postfix, recipient):
    delivered = postfix.mail.wait(recipient, PATIENCE)
    return read_with_python(delivered.message()) | {"raw": delivered.message()}


def file(name, content, kind=None, cid=None):
    return {"filename": name, "content": base64.b64encode(content).decode()} | (
        {"content_type": kind} if kind else {}) | ({"content_id": cid} if cid else {})


def idempotent(sdk, key):
    return {"options": {"idempotencyKey" if sdk in NODE else "idempotency_key": key}}


# --- what is sent ---

@by_sdk
@pytest.mark.parametrize("buffers", [False, True], ids=["base64", "buffers"])
def test_everything_that_a_mail_may_have(postern, postfix, sdk, buffers):
    to, cc, bcc = [address("to"), address("to")], address("cc"), [address("bcc"), address("bcc")]
    document = mail(
        [f"Li Lei <{to[0]}>", f'"Doe, Jane" <{to[1]}>'], cc=[f"Grüße <{cc}>"], bcc=bcc,
        reply_to=f"help@{HOME}" if sdk is GO else [f"help@{HOME}"],
        subject="Grüße, 李雷", html='<p>Hi <img src="cid:logo"></p>', headers={"X-Order": "17", "X-Other": "a b"},
        tags=[{"name": "kind", "value": "order"}, {"name": "number", "value": "17"}],
        attachments=[file("Rechnung für 李雷.pdf", PDF), file("logo.png", PNG, "image/png", "logo")])
    message = identity(sdk.value(url(postern), KEY, name_of(sdk, "emails.send"), document, buffers=buffers))
    found = arrived(postfix, to[0])
    assert found["from"] == [["Shop", f"shop@{HOME}"]]
    assert found["to"] == [["Li Lei", to[0]], ["Doe, Jane", to[1]]] and found["cc"] == [["Grüße", cc]]
    assert found["reply_to"] == [["", f"help@{HOME}"]] and found["subject"] == document["subject"]
    assert found["text"] == "Thank you." and found["html"] == document["html"]
    assert found["headers"] == {"x-order": "17", "x-other": "a b"}
    files = {one["filename"]: one for one in found["attachments"]}
    assert files["Rechnung für 李雷.pdf"]["disposition"] == "attachment" and files["logo.png"]["disposition"] == "inline"
    assert files["Rechnung für 李雷.pdf"]["type"] == "application/pdf" and files["logo.png"]["cid"] == "logo"
    assert files["Rechnung für 李雷.pdf"]["size"] == len(PDF) and files["logo.png"]["size"] == len(PNG)
    for other in [to[1], cc, *bcc]:
        assert arrived(postfix, other)["raw"] == found["raw"]
    assert not any(one.encode() in found["raw"] for one in bcc)
    assert ended(postern, message)["last_event"] == "sent"
    shown = get(postern, sdk, message)
    assert shown["object"] == "email" and shown["id"] == message and shown["last_event"] == "sent"
    assert sorted(shown["to"]) == sorted([*to, cc, *bcc]) and shown["from"] == f"shop@{HOME}"
    assert datetime.datetime.fromisoformat(shown["created_at"].replace("Z", "+00:00"))
    if sdk is not GO:  # whose answer has no place for it
        assert shown["tags"] == document["tags"]
        assert shown["message_id"].encode() in found["raw"]


@by_sdk
def test_text_alone_and_html_alone(postern, postfix, sdk):
    to = address()
    send(postern, sdk, mail(to))
    message = arrived(postfix, to)
    assert message["text"] == "Thank you." and message["html"] is None
    to = address()
    send(postern, sdk, mail(to, html="<p>Thank you</p>", text=""))
    message = arrived(postfix, to)
    assert message["html"] == "<p>Thank you</p>" and message["text"] == "Thank you"


@by_node
def test_one_address_may_be_a_string(postern, postfix, sdk):
    to, cc = address(), address("cc")
    send(postern, sdk, mail(to) | {"to": f"Li <{to}>", "cc": cc, "reply_to": f"help@{HOME}"})
    message = arrived(postfix, to)
    assert message["to"] == [["Li", to]] and message["cc"] == [["", cc]]
    assert message["reply_to"] == [["", f"help@{HOME}"]]


@pytest.mark.parametrize("sdk", SDKS[1:], ids=lambda sdk: sdk.name)  # the oldest doesn't know of them
def test_templates(postern, postfix, sdk):
    to = address()
    send(postern, sdk, {"from": f"shop@{HOME}", "to": [to],
                        "template": {"id": "welcome", "variables": {"name": "李雷"}}})
    message = arrived(postfix, to)
    assert message["subject"] == "Welcome, 李雷" and message["html"] == "<p>Hello 李雷</p>"


# --- several ---

@by_sdk
def test_a_batch(postern, postfix, sdk):
    to = [address() for _ in range(3)]
    answer = sdk.value(url(postern), KEY, name_of(sdk, "batch.send"), [
        mail(one, subject=f"{i}", attachments=[file("a.pdf", PDF)]) for i, one in enumerate(to)], buffers=True)
    data = answer["data"] if "data" in answer else answer
    assert len({identity(one) for one in data}) == 3
    for i, one in enumerate(to):
        message = arrived(postfix, one)
        assert message["subject"] == f"{i}" and message["attachments"][0]["size"] == len(PDF)
        assert ended(postern, data[i]["id"])["to"] == [one]


@by_sdk
def test_a_batch_is_sent_whole_or_not_at_all(postern, postfix, sdk):
    to, later = address(), address()
    failure = refused(postern, sdk, [mail(to), mail("nobody"), mail(later, headers={"To": "x"})], call="batch.send")
    assert "[1].to[0]" in failure["message"] and "[2].headers.To" in failure["message"], failure
    if sdk is not GO:
        assert (failure["statusCode"], failure["name"]) == (422, "validation_error")
    send(postern, sdk, mail(later))
    arrived(postfix, later)
    assert not postfix.mail.to(to)


@pytest.mark.parametrize("sdk", [NEW, PYTHON, GO], ids=lambda sdk: sdk.name)
def test_a_permissive_batch_sends_what_it_can(postern, postfix, sdk):
    to = [address(), "nobody", address(), INACTIVE]
    options = {"batchValidation" if sdk is NEW else "batch_validation": "permissive"}
    answer = sdk.value(url(postern), KEY, name_of(sdk, "batch.send"), [mail(one) for one in to], options=options)
    assert len(answer["data"]) == 2 and [error["index"] for error in answer["errors"]] == [1, 3], answer
    for i, one in enumerate((to[0], to[2])):
        arrived(postfix, one)
        assert ended(postern, answer["data"][i]["id"])["to"] == [one]
    answer = sdk.value(url(postern), KEY, name_of(sdk, "batch.send"), [mail(address())], options=options)
    assert len(answer["data"]) == 1 and not answer.get("errors"), answer


@by_node
def test_bounds_of_a_batch(postern, sdk):
    for count in (0, 101):
        failure = refused(postern, sdk, [mail(address())] * count, call="batch.send")
        assert failure["name"] in ("validation_error", "missing_required_field"), failure


# --- later ---

def hours(count):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=count)).isoformat()


@by_sdk
def test_scheduled_moved_and_cancelled(postern, postfix, sdk):
    to = address()
    message = send(postern, sdk, mail(to, scheduled_at="in 2 hours"))
    shown = get(postern, sdk, message)
    assert shown["last_event"] == "scheduled"
    later = {"id": message, "scheduled_at": hours(5)}
    answer = sdk.value(url(postern), KEY, name_of(sdk, "emails.update"), later)
    assert answer["object"] == "email" and answer["id"] == message
    moved = get(postern, NEW, message)
    assert moved["last_event"] == "scheduled" and moved["scheduled_at"][:19] == later["scheduled_at"][:19]
    answer = sdk.value(url(postern), KEY, name_of(sdk, "emails.cancel"), message)
    assert answer["object"] == "email" and answer["id"] == message
    assert get(postern, sdk, message)["last_event"] == "canceled"
    assert not postfix.mail.to(to)


@by_sdk
def test_moved_to_now_it_is_sent(postern, postfix, sdk):
    to = address()
    message = send(postern, sdk, mail(to, scheduled_at=hours(24)))
    sdk.value(url(postern), KEY, name_of(sdk, "emails.update"), {"id": message, "scheduled_at": hours(-1)})
    arrived(postfix, to)
    assert ended(postern, message)["last_event"] == "sent"
    failure = refused(postern, sdk, message, call="emails.cancel")
    assert failure["message"], failure
    failure = refused(postern, sdk, {"id": message, "scheduled_at": hours(1)}, call="emails.update")
    assert failure["message"], failure
    if sdk is not GO:
        assert (failure["statusCode"], failure["name"]) == (422, "validation_error")


def test_a_time_in_words(postern, postfix):
    to = address()
    send(postern, NEW, mail(to, scheduled_at="in 1 second"))
    arrived(postfix, to)
    failure = refused(postern, NEW, mail(to, scheduled_at="tomorrow at 9am"))
    assert failure["name"] == "validation_error" and "scheduled_at" in failure["message"], failure


@by_sdk
def test_an_email_that_there_is_not(postern, sdk):
    for call, argument in (("emails.get", str(uuid.uuid4())), ("emails.cancel", str(uuid.uuid4())),
                           ("emails.get", "nothing"), ("emails.cancel", "nothing")):
        failure = refused(postern, sdk, argument, call=call)
        if sdk is GO:
            assert failure["message"], failure
        else:
            assert (failure["statusCode"], failure["name"]) == (404, "not_found"), failure


# --- idempotency ---

@by_sdk
def test_an_idempotency_key_sends_once(postern, postfix, sdk):
    key, to = f"welcome-user/{uuid.uuid4()}", address()
    first, second = [send(postern, sdk, mail(to), **idempotent(sdk, key)) for _ in range(2)]
    assert first == second
    ended(postern, first)
    arrived(postfix, to)  # it expects one
    failure = refused(postern, sdk, mail(address()), **idempotent(sdk, key))
    if sdk is GO:
        assert failure["message"], failure
    else:
        assert (failure["statusCode"], failure["name"]) == (409, "invalid_idempotent_request"), failure


@pytest.mark.parametrize("sdk", [NEW, PYTHON, GO], ids=lambda sdk: sdk.name)
def test_an_idempotency_key_sends_a_batch_once(postern, postfix, sdk):
    key, to = str(uuid.uuid4()), [address(), address()]
    answers = [sdk.value(url(postern), KEY, name_of(sdk, "batch.send"), [mail(one) for one in to],
                         **idempotent(sdk, key)) for _ in range(2)]
    assert answers[0] == answers[1]
    for i, one in enumerate(to):
        ended(postern, answers[0]["data"][i]["id"])
        arrived(postfix, one)


@by_node
def test_an_idempotency_key_that_is_none(postern, sdk):
    failure = refused(postern, sdk, mail(address()), **idempotent(sdk, "x" * 300))
    assert (failure["statusCode"], failure["name"]) == (400, "invalid_idempotency_key"), failure


# --- what is not valid ---

@pytest.mark.parametrize("sdk", [*NODE, PYTHON], ids=lambda sdk: sdk.name)
@pytest.mark.parametrize("members, status, name, words", [
    ({"to": []}, 422, "missing_required_field", "Missing `to` field."),
    ({"text": ""}, 422, "missing_required_field", "Missing `html` field."),
    ({"to": ["nobody"]}, 422, "validation_error",
     "Invalid `to[0]` field. The email address needs to follow the `email@example.com` or `Name <email@example.com>` "
     "format."),
    ({"from": "nobody"}, 422, "invalid_from_address", "Invalid `from` field."),
    ({"from": "shop@elsewhere.test"}, 403, "validation_error", "Invalid `from` field."),
    ({"headers": {"To": "x"}}, 422, "validation_error", "Invalid `headers.To` field."),
    ({"headers": {"X-A": "1\r\nBcc: x@x.test"}}, 422, "validation_error", "Invalid `headers.X-A` field."),
    ({"tags": [{"name": "a" * 65, "value": "b"}]}, 422, "validation_error", "Invalid `tags[0]` field."),
    ({"attachments": [{"filename": "a.pdf", "path": "https://x.test/a.pdf"}]}, 422, "invalid_attachment",
     "Invalid `attachments[0].path` field. Nothing is fetched"),
    ({"attachments": [{"filename": "a.pdf"}]}, 422, "invalid_attachment", "Invalid `attachments[0].content` field."),
    ({"attachments": [{"filename": "a.pdf", "content": "%" * 2000}]}, 422, "invalid_attachment",
     "Invalid `attachments[0].content` field. Not valid base64"),
    ({"scheduled_at": "2027-01-01"}, 422, "validation_error", "Invalid `scheduled_at` field."),
    ({"to": [INACTIVE]}, 422, "validation_error", "Nothing is sent to this address: 550 gone"),
])
def test_what_is_not_valid(postern, sdk, members, status, name, words):
    failure = refused(postern, sdk, mail(address()) | members)
    assert (failure["statusCode"], failure["name"]) == (status, name), failure
    assert words in failure["message"], failure


def test_what_only_newer_sdks_can_ask_for(postern):
    failure = refused(postern, NEW, mail(address(), topic_id="t"))
    assert failure["name"] == "validation_error" and "topic" in failure["message"], failure
    failure = refused(postern, NEW, {"from": f"shop@{HOME}", "to": [address()], "template": {"id": "wellcome"}})
    assert failure["name"] == "validation_error" and "template.id" in failure["message"], failure
    assert "welcome" in failure["message"]


@by_sdk
def test_a_wrong_key(postern, sdk):
    failure = refused(postern, sdk, mail(address()), key="re_wrong")
    if sdk is GO:
        assert "API key is invalid" in failure["message"], failure
    else:
        assert (failure["statusCode"], failure["name"]) == (403, "invalid_api_key"), failure


def test_the_exceptions_of_python(postern):
    for document, key, kind in ((mail("nobody"), KEY, "ValidationError"), (mail([]), KEY, "MissingRequiredFieldsError"),
                                (mail(address()), "re_wrong", "InvalidApiKeyError")):
        assert refused(postern, PYTHON, document, key=key)["class"] == kind


def test_no_key_and_no_json(postern):
    answer = postern.post("/emails", mail(address()), key="")
    assert answer.status == 401 and answer.json["name"] == "missing_api_key", answer
    assert answer.json["statusCode"] == 401 and answer.type == "application/json"
    answer = postern.post("/resend/emails", body=b"{", headers={"Content-Type": "text/evil"})
    assert answer.status == 400 and answer.json["name"] == "validation_error", answer
    answer = postern.request("DELETE", "/emails")
    assert answer.status == 405 and answer.json["name"] == "method_not_allowed", answer


# --- where the relay is waited for ---

def test_the_relay_is_waited_for(postern, postfix):
    sync = {"Postern-Mode": "sync"}
    to = address()
    answer = postern.post("/emails", mail(to, tags=[{"name": "a", "value": "b"}]), headers=sync)
    assert answer.status == 200 and identity(answer.json), answer
    arrived(postfix, to)
    answer = postern.post("/emails", mail(f"nobody@{STRICT}"), headers=sync)
    assert answer.status == 422 and answer.json["name"] == "validation_error", answer
    answer = postern.post("/emails", mail(address(), scheduled_at="in 1 hour"), headers=sync)
    assert answer.status == 422 and "scheduled_at" in answer.json["message"], answer
    to = address()
    answer = postern.post("/emails/batch", [mail(to), mail(f"somebody@{STRICT}"), mail(KNOWN),
                                            mail(address(), scheduled_at="in 1 hour")],
                          headers=sync | {"x-batch-validation": "permissive"})
    assert answer.status == 200 and len(answer.json["data"]) == 2, answer
    assert [error["index"] for error in answer.json["errors"]] == [1, 3], answer
    arrived(postfix, to)


# --- files ---

@pytest.mark.parametrize("octets", [100_000, 1_000_000])
@pytest.mark.parametrize("sdk", [NODE[0], PYTHON, GO, NEW], ids=lambda sdk: sdk.name)
def test_large_files_as_numbers(postern, postfix, sdk, octets):
    to, content = address(), bytes(range(256)) * (octets // 256)
    send(postern, sdk, mail(to, attachments=[file("a.bin", content)]), buffers=True)
    [one] = arrived(postfix, to)["attachments"]
    assert one["size"] == len(content)


# --- Django ---

def django(postern, mail, **more):
    return ANYMAIL.run(url(postern), KEY, mail=mail, **more)


def test_django(postern, postfix):
    to, cc, bcc = address("to"), address("cc"), address("bcc")
    said = django(postern, {
        "from": f"Shop <shop@{HOME}>", "to": [f"Li <{to}>"], "cc": [cc], "bcc": [bcc], "reply_to": [f"help@{HOME}"],
        "subject": "Grüße", "text": "t", "html": '<img src="cid:logo">', "headers": {"X-A": "1"},
        "attachments": [{"filename": "a.pdf", "type": "application/pdf", "content": base64.b64encode(PDF).decode()},
                        {"filename": "l.png", "type": "image/png", "content": base64.b64encode(PNG).decode(),
                         "cid": "logo"}]}, more={"tags": ["order"], "metadata": {"k": "v"}})
    assert {one: status for one, (status, _) in said["value"].items()} == dict.fromkeys((to, cc, bcc), "queued"), said
    message = arrived(postfix, to)
    assert message["subject"] == "Grüße" and message["to"] == [["Li", to]] and message["cc"] == [["", cc]]
    assert message["headers"]["x-a"] == "1" and message["reply_to"] == [["", f"help@{HOME}"]]
    assert json.loads(message["headers"]["x-metadata"]) == {"k": "v"}
    assert {(one["disposition"], one["size"]) for one in message["attachments"]} == {
        ("attachment", len(PDF)), ("inline", len(PNG))}
    arrived(postfix, bcc)


def test_django_sends_to_many(postern, postfix):
    to = [address(), address()]
    said = django(postern, {"from": f"shop@{HOME}", "to": to, "text": "t"}, more={"merge_metadata": {
        one: {"n": i} for i, one in enumerate(to)}})
    ids = {one: identity for one, (_, identity) in said["value"].items()}
    assert set(ids) == set(to) and len(set(ids.values())) == 2, said
    for i, one in enumerate(to):
        message = arrived(postfix, one)
        assert json.loads(message["headers"]["x-metadata"]) == {"n": i} and message["to"] == [["", one]]
        assert ended(postern, ids[one])["to"] == [one]


def test_django_is_told(postern):
    said = django(postern, {"from": "shop@elsewhere.test", "to": [address()], "text": "t"})
    assert said["failure"]["class"] == "AnymailRequestsAPIError" and said["failure"]["status"] == 403, said
