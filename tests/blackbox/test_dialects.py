"""Other providers' APIs: what is the same for all of them. What each SDK makes of it is in test_dialect_*.py."""

import base64
import email
import email.policy
import json
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest

from .places import scratch
from .postern import PATIENCE, Postern
from .process import wait_until
from .queued import FAST, cluster, kept  # noqa: F401: fixtures
from .scripted import ScriptedServer, by_recipient, gate

KEY = "k3y-of-the-back-gate-0001"
ALL = "sendgrid,postmark,resend,mailgun"
TEXT = "A text of the mail."
GONE = "gone@postern.test"


class Dialect:
    """How a dialect is asked for a mail, and says what it thinks of it."""

    def __init__(self, name, path, body, key, accepted, unauthorized, message):
        self.name, self.path, self.body, self.key = name, path, body, key
        self.accepted, self.unauthorized, self.message = accepted, unauthorized, message

    def post(self, postern, body=None, headers=(), key=KEY, prefix=True):
        path = f"/{self.name}{self.path}" if prefix else self.path
        body = body if body is not None else self.body()
        if self.name == "mailgun":
            headers = {"Content-Type": "application/x-www-form-urlencoded"} | dict(headers)
            return postern.post(path, body=urllib.parse.urlencode(body).encode(), headers=self.key(key) | headers, key="")
        return postern.post(path, body, headers=self.key(key) | dict(headers), key="")


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def sendgrid(to="li@postern.test", subject="Hello"):
    return {"from": {"email": "shop@postern.test"}, "personalizations": [{"to": [{"email": to}]}], "subject": subject,
            "content": [{"type": "text/plain", "value": TEXT}]}


def postmark(to="li@postern.test", subject="Hello"):
    return {"From": "shop@postern.test", "To": to, "Subject": subject, "TextBody": TEXT}


def resend(to="li@postern.test", subject="Hello"):
    return {"from": "shop@postern.test", "to": [to], "subject": subject, "text": TEXT}


def mailgun(to="li@postern.test", subject="Hello"):
    return {"from": "shop@postern.test", "to": to, "subject": subject, "text": TEXT}


def basic(key):
    return {"Authorization": "Basic " + base64.b64encode(f"api:{key}".encode()).decode()}


DIALECTS = [
    Dialect("sendgrid", "/v3/mail/send", sendgrid, bearer, 202, 401, lambda a: a.json["errors"][0]["message"]),
    Dialect("postmark", "/email", postmark, lambda key: {"X-Postmark-Server-Token": key}, 200, 401, lambda a: a.json["Message"]),
    Dialect("resend", "/emails", resend, bearer, 200, 401, lambda a: a.json["message"]),
    Dialect("mailgun", "/v3/postern.test/messages", mailgun, basic, 200, 401, lambda a: a.json["message"]),
]
each = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
each_in_json = pytest.mark.parametrize("dialect", DIALECTS[:3], ids=lambda d: d.name)


@pytest.fixture(scope="module")
def relay():
    with ScriptedServer(rcpt=by_recipient({GONE: "550 5.1.1 No such user", "later@postern.test": "451 4.3.0 later"})) as server:
        yield server


@pytest.fixture(scope="module")
def postern(relay):
    with Postern(relay=relay.url(), data=scratch("data"), dialects=ALL, api_keys=KEY, key=KEY, **FAST) as running:
        yield running


def arrived(relay, subject):
    def there():
        found = [m for m in relay.complete if f"Subject: {subject}".encode() in m.message]
        return found or None
    return wait_until(there, PATIENCE, f"a mail about {subject}")


# --- the way in ---

@each
def test_a_mail_arrives_from_both_paths(postern, relay, dialect):
    for prefix in (True, False):
        subject = f"{dialect.name} {prefix}"
        answer = dialect.post(postern, dialect.body(subject=subject), prefix=prefix)
        assert answer.status == dialect.accepted, answer
        [mail] = arrived(relay, subject)
        assert TEXT.encode() in mail.message and mail.recipients == ["li@postern.test"]


@each
def test_none_is_spoken_that_is_not_named(relay, dialect):
    with Postern(relay=relay.url(), data=scratch("data"), key=KEY, api_keys=KEY) as postern:
        for prefix in (True, False):
            answer = dialect.post(postern, prefix=prefix)
            assert answer.status == 404 and answer.type == "application/problem+json", answer


@each_in_json
def test_the_content_type_does_not_matter(postern, dialect):
    """SDKs let a mail's headers overwrite the request's."""
    for content_type in ("text/evil", "multipart/form-data", ""):
        answer = dialect.post(postern, headers={"Content-Type": content_type})
        assert answer.status == dialect.accepted, answer


# --- refusals, in the dialect's words ---

@each
def test_a_wrong_key_is_refused(postern, dialect):
    for key in ("", "x", KEY + "x", KEY[:-1]):
        answer = dialect.post(postern, key=key)
        assert answer.status in (401, 403) and answer.type == "application/json", answer
        assert dialect.message(answer)
    answer = postern.post(f"/{dialect.name}{dialect.path}", dialect.body(), key="")
    assert answer.status == dialect.unauthorized and dialect.message(answer), answer
    assert dialect.name == "postmark" or answer.headers["WWW-Authenticate"], answer


@each_in_json
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"3", b'{"a":1,"a":2}', b'{"to":"\xff"}',
                                  b"[" * 10_000 + b"]" * 10_000, b'{"subject":"\\ud800"}'],
                         ids=["empty", "cut", "array", "null", "number", "twice", "utf8", "deep", "half"])
def test_what_is_no_request_is_refused(postern, dialect, body):
    answer = postern.post(f"/{dialect.name}{dialect.path}", body=body, headers=dialect.key(KEY), key="")
    assert 400 <= answer.status < 500 and answer.type == "application/json", answer
    assert dialect.message(answer)


@each
def test_too_much_is_refused(postern, relay, dialect):
    with Postern(relay=relay.url(), data=scratch("data"), dialects=ALL, max_body="2000", api_keys=KEY, key=KEY) as small:
        answer = dialect.post(small, dialect.body(subject="x" * 4000))
        assert answer.status == 413 and dialect.message(answer), answer


@each
def test_other_methods_are_refused(postern, dialect):
    answer = postern.request("PUT", f"/{dialect.name}{dialect.path}", b"{}", dialect.key(KEY), key="")
    assert answer.status == 405 and "POST" in answer.headers["Allow"] and answer.type == "application/json", answer


@each
def test_no_header_can_be_injected(postern, relay, dialect):
    answer = dialect.post(postern, dialect.body(subject="a\r\nBcc: eve@postern.test"))
    assert 400 <= answer.status < 500, answer
    assert not any(b"eve@postern.test" in m.message or "eve@postern.test" in m.recipients for m in relay.complete)


HEADERS = {"sendgrid": lambda name, value: {"headers": {name: value}}, "resend": lambda name, value: {"headers": {name: value}},
           "postmark": lambda name, value: {"Headers": [{"Name": name, "Value": value}]},
           "mailgun": lambda name, value: {f"h:{name}": value}}


@each
def test_a_message_may_bring_its_own_id(postern, relay, dialect):
    message_id = f"<{dialect.name}.1@shop.postern.test>"
    answer = dialect.post(postern, dialect.body(subject=f"own {dialect.name}") | HEADERS[dialect.name]("message-id", message_id))
    assert answer.status == dialect.accepted, answer
    [mail] = arrived(relay, f"own {dialect.name}")
    assert mail.message.lower().count(b"message-id:") == 1
    assert f"\r\nMessage-ID: {message_id}\r\n".encode() in mail.message
    for wrong in ("x", "<a@b", "<a b@c>", "<a@b>\r\nBcc: eve@postern.test", "<a@@b>", "<@b>", "<ä@b>", f"<{'a' * 250}@b>"):
        answer = dialect.post(postern, dialect.body() | HEADERS[dialect.name]("Message-ID", wrong))
        assert 400 <= answer.status < 500 and dialect.message(answer), (wrong, answer)


ENCODED = "=?UTF-8?B?5p2O6Zu3?= <shop@postern.test>"  # 李雷


@pytest.mark.parametrize("dialect", DIALECTS[1:], ids=lambda d: d.name)  # SendGrid's names are no text of headers
def test_encoded_words_in_names_are_read(postern, relay, dialect):
    subject = f"encoded {dialect.name}"
    body = dialect.body(subject=subject)
    names = {name: name.lower() for name in body if name.lower() in ("from", "to")}
    answer = dialect.post(postern, body | {
        name: [ENCODED] if isinstance(body[name], list) else ENCODED for name in names})
    assert answer.status == dialect.accepted, answer
    [mail] = arrived(relay, subject)
    message = email.message_from_bytes(mail.message, policy=email.policy.SMTPUTF8)
    assert [message[name].addresses[0].display_name for name in names.values()] == ["李雷", "李雷"]


@each
def test_a_forbidden_sender_is_refused(relay, dialect):
    with Postern(relay=relay.url(), data=scratch("data"), dialects=ALL, api_keys=KEY, key=KEY,
                 **{"from": "other@postern.test"}) as postern:
        answer = dialect.post(postern)
        assert 400 <= answer.status < 500 and dialect.message(answer), answer


@each
def test_where_too_much_is_in_flight_it_is_told(dialect):
    held = threading.Event()
    with ScriptedServer(mail=gate(held, "250 2.1.0 ok")) as relay:
        with Postern(relay=relay.url(), data=scratch("data"), dialects=ALL, max_inflight="1", api_keys=KEY, key=KEY) as postern:
            waiting = threading.Thread(target=dialect.post, args=(postern,), kwargs={"headers": {"Postern-Mode": "sync"}})
            waiting.start()
            wait_until(lambda: relay.sessions or None, PATIENCE, "the first mail")
            answer = dialect.post(postern, headers={"Postern-Mode": "sync"})
            held.set()
            waiting.join()
            assert answer.status in (429, 503) and answer.headers["Retry-After"] and dialect.message(answer), answer


# --- the relay is waited for ---

@each
def test_sync_tells_what_the_relay_said(postern, relay, dialect):
    sync = {"Postern-Mode": "sync"}
    answer = dialect.post(postern, dialect.body(subject=f"{dialect.name} now"), headers=sync)
    assert answer.status == dialect.accepted, answer
    assert any(f"Subject: {dialect.name} now".encode() in m.message for m in relay.complete)
    refused = dialect.post(postern, dialect.body(to=f"new-{dialect.name}-{GONE}"), headers=sync)
    assert refused.status == dialect.accepted, refused
    with ScriptedServer(rcpt=by_recipient({GONE: "550 5.1.1 No such user"})) as other:
        with Postern(relay=other.url(), dialects=ALL, dialect_mode="sync", api_keys=KEY, key=KEY) as alone:
            answer = dialect.post(alone, dialect.body(to=GONE))
            assert 400 <= answer.status < 500, answer
            assert "No such user" in dialect.message(answer), answer


@each
def test_a_relay_that_is_away_is_told(dialect):
    with Postern(relay="smtp://127.0.0.1:1?tls=none", dialects=ALL, dialect_mode="sync", api_keys=KEY, key=KEY) as postern:
        answer = dialect.post(postern)
        assert answer.status >= 500 and answer.headers["Retry-After"] and dialect.message(answer), answer


@each
def test_a_mode_that_there_is_not_is_refused(postern, dialect):
    answer = dialect.post(postern, headers={"Postern-Mode": "later"})
    assert answer.status == 400 and "Postern-Mode" in dialect.message(answer), answer


def test_the_queue_is_asked_for_at_the_start():
    from .postern import run
    result = run("serve", dialects="resend", relay="smtp://127.0.0.1:1?tls=none", listen="127.0.0.1:0")
    assert result.returncode != 0 and b"POSTERN_DIALECTS" in result.stderr and b"POSTERN_DATA" in result.stderr, result
    result = run("serve", dialects="resent", relay="smtp://127.0.0.1:1?tls=none", data=str(scratch("data")))
    assert result.returncode != 0 and b"resend" in result.stderr, result


# --- several mails ---

def many(count, wrong=()):
    return [resend(subject=f"many {i}", to="nobody" if i in wrong else "li@postern.test") for i in range(count)]


def test_several_are_kept_whole(kept, relay):
    with Postern(relay=relay.url(), **kept, dialects=ALL, api_keys=KEY, key=KEY, **FAST) as postern:
        before = len(relay.complete)
        answer = postern.post("/emails/batch", many(20))
        assert answer.status == 200 and len({m["id"] for m in answer.json["data"]}) == 20, answer
        wait_until(lambda: len(relay.complete) - before == 20 or None, PATIENCE, "20 mails")
        for i, one in enumerate(answer.json["data"]):
            shown = postern.get(f"/emails/{one['id']}")
            assert shown.status == 200 and shown.json["to"] == ["li@postern.test"], shown
            [mail] = [m for m in relay.complete[before:] if shown.json["message_id"].encode() in m.message]
            assert f"Subject: many {i}\r\n".encode() in mail.message


def test_one_fault_holds_up_all_or_itself_alone(postern, relay):
    before = len(relay.complete)
    answer = postern.post("/emails/batch", many(5, wrong=(3,)))
    assert answer.status == 422 and "3" in answer.json["message"], answer
    permissive = {"x-batch-validation": "permissive"}
    answer = postern.post("/emails/batch", many(5, wrong=(1, 3)), headers=permissive)
    assert answer.status == 200 and len(answer.json["data"]) == 3, answer
    assert [e["index"] for e in answer.json["errors"]] == [1, 3]
    wait_until(lambda: len(relay.complete) - before == 3 or None, PATIENCE, "3 mails")
    answer = postern.post("/postmark/email/batch", [postmark(), postmark(to="nobody"), postmark()],
                          headers={"X-Postmark-Server-Token": KEY}, key="")
    assert answer.status == 200 and [m["ErrorCode"] for m in answer.json] == [0, 300, 0], answer
    wait_until(lambda: len(relay.complete) - before == 5 or None, PATIENCE, "2 more")
    time.sleep(0.2)
    assert len(relay.complete) - before == 5


def test_a_key_answers_once_for_several(postern, relay):
    before = len(relay.complete)
    headers = {"Idempotency-Key": "several"}
    first = postern.post("/emails/batch", many(3), headers=headers)
    again = postern.post("/emails/batch", many(3), headers=headers)
    assert first.status == again.status == 200 and first.json == again.json
    assert again.headers["Idempotency-Replayed"] == "true"
    other = postern.post("/emails/batch", many(4), headers=headers)
    assert other.status == 409 and other.json["name"] == "invalid_idempotent_request", other
    wait_until(lambda: len(relay.complete) - before == 3 or None, PATIENCE, "3 mails")
    time.sleep(0.2)
    assert len(relay.complete) - before == 3


def test_who_is_suppressed_gets_nothing_and_is_named(relay):
    with Postern(relay=relay.url(), data=scratch("data"), dialects=ALL, api_keys=KEY, key=KEY, **FAST) as postern:
        for name in ("left", "gone"):
            assert postern.post("/v1/suppressions", {"email": f"{name}@postern.test"}).status == 201
        token = {"X-Postmark-Server-Token": KEY}
        bodies = [postmark(to="left@postern.test, Gone <gone@postern.test>"), postmark(to="left@postern.test, li@postern.test"),
                  postmark()]
        answer = postern.post("/email", bodies[0], headers=token, key="")
        assert answer.status == 422 and answer.json["ErrorCode"] == 406, answer
        assert "Found inactive addresses: left@postern.test, gone@postern.test. Inactive" in answer.json["Message"], answer
        answer = postern.post("/email", bodies[1], headers=token, key="")
        assert answer.status == 200 and "left@postern.test" in answer.json["Message"], answer
        answer = postern.post("/email/batch", bodies, headers=token, key="")
        assert answer.status == 200 and [m["ErrorCode"] for m in answer.json] == [406, 0, 0], answer
        assert "left@postern.test, gone@postern.test" in answer.json[0]["Message"]
        answer = postern.post("/v3/mail/send", sendgrid(to="left@postern.test"), headers=bearer(KEY))
        assert answer.status in (202, 400), answer
        both = sendgrid() | {"personalizations": [{"to": [{"email": "left@postern.test"}]}, {"to": [{"email": "gone@postern.test"}]}]}
        assert postern.post("/v3/mail/send", both).status in (202, 400)


def test_who_is_suppressed_is_named_where_the_relay_is_waited_for(relay):
    """In the words of the queue."""
    with Postern(relay=relay.url(), data=scratch("data"), dialects=ALL, api_keys=KEY, key=KEY, **FAST) as postern:
        assert postern.post("/v1/suppressions", {"email": "left@postern.test"}).status == 201
        both = "left@postern.test, li@postern.test"
        for dialect in (DIALECTS[1], DIALECTS[3]):
            queued = dialect.post(postern, dialect.body(to=both))
            sent = dialect.post(postern, dialect.body(to=both), headers={"Postern-Mode": "sync"})
            assert sent.status == queued.status == 200, sent
            message = "Message" if dialect.name == "postmark" else "message"
            assert "left@postern.test" in sent.json[message] and sent.json[message] == queued.json[message]


def test_a_large_body_with_faults_is_refused_by_a_worker(relay):
    """Again and again: whoever answers must have let go of it."""
    with Postern(relay=relay.url(), data=scratch("data"), dialects=ALL, api_keys=KEY, key=KEY, **FAST) as postern:
        def ask(dialect):
            return dialect.post(postern, dialect.body() | {"nonsense": "x" * 40_000})

        with ThreadPoolExecutor(4) as pool:
            for dialect, answer in zip(DIALECTS * 50, pool.map(ask, DIALECTS * 50), strict=True):
                assert answer.status in (400, 422) and b"nonsense" in answer.body, answer
        for dialect in DIALECTS:
            assert dialect.post(postern).status == dialect.accepted


def test_several_are_sent_at_once_where_the_relay_is_waited_for(postern, relay):
    bodies = [postmark(subject="first"), postmark(to=f"x{GONE}"), postmark(to="later@postern.test"), postmark(to="nobody")]
    with ScriptedServer(rcpt=by_recipient({f"x{GONE}": "550 5.1.1 No such user", "later@postern.test": "451 4.3.0 later"})) as other:
        with Postern(relay=other.url(), dialects=ALL, dialect_mode="sync", api_keys=KEY, key=KEY) as alone:
            answer = alone.post("/email/batch", bodies, headers={"X-Postmark-Server-Token": KEY}, key="")
            assert answer.status == 200, answer
            codes = [m["ErrorCode"] for m in answer.json]
            assert codes[0] == 0 and all(codes[1:]), answer
            assert "No such user" in answer.json[1]["Message"]
            assert len(other.complete) == 1
            answer = alone.post("/emails/batch", many(2), headers=bearer(KEY))
            assert answer.status == 400 and len(other.complete) == 1, answer


# --- large ones ---

def test_a_large_attachment_is_not_held_in_memory(relay):
    content = base64.b64encode(bytes(range(256)) * 20_000).decode()
    files = [{"content": content, "filename": "报告.bin", "type": "application/octet-stream"}]
    with Postern(relay=relay.url(), data=scratch("data"), dialects=ALL, max_memory="8MiB", api_keys=KEY, key=KEY, **FAST) as postern:
        body = sendgrid(subject="large") | {"attachments": files}
        body["personalizations"].append({"to": [{"email": "two@postern.test"}]})
        assert postern.post("/v3/mail/send", body).status == 202
        found = wait_until(lambda: len(arrived(relay, "large")) == 2 and arrived(relay, "large") or None, PATIENCE, "both")
        assert all(content[:76].encode() in m.message and len(m.message) > len(content) for m in found)
        for path, one in (("/emails", resend(subject="large 2") | {"attachments": [{"content": content, "filename": "a.bin"}]}),
                          ("/postmark/email", postmark(subject="large 3") | {"Attachments": [
                              {"Content": content, "Name": "a.bin", "ContentType": "application/octet-stream"}]})):
            answer = postern.post(path, one, headers={"X-Postmark-Server-Token": KEY})
            assert answer.status == 200, answer
            assert arrived(relay, one.get("subject") or one["Subject"])


def test_nothing_that_was_accepted_is_lost_when_it_is_killed(relay):
    data = scratch("data")
    accepted = []
    for _ in range(3):
        with Postern(relay="smtp://127.0.0.1:1?tls=none", data=data, dialects=ALL, api_keys=KEY, key=KEY, **FAST) as postern:
            for _ in range(5):
                answer = postern.post("/emails/batch", many(10))
                if answer.status == 200:
                    accepted += [m["id"] for m in answer.json["data"]]
            postern.kill()
    before = len(relay.complete)
    with Postern(relay=relay.url(), data=data, dialects=ALL, api_keys=KEY, key=KEY, **FAST) as postern:
        wait_until(lambda: len(relay.complete) - before == len(accepted) == 150 or None, PATIENCE, "all of them")
        for i in accepted[::10]:  # what the relay has said is kept a moment later
            wait_until(lambda i=i: postern.get(f"/emails/{i}").json["last_event"] in ("sent", "delivered"), PATIENCE,
                       f"{i} to be told as sent")
    assert json.dumps(accepted)
