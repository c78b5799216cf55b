"""Idempotency-Key: the same request twice is one mail, and the same answer."""

import threading

import pytest

from .places import scratch
from .postern import Postern, mail
from .process import wait_until
from .queued import cluster, kept  # noqa: F401: fixtures
from .scripted import ScriptedServer, by_recipient, drop, gate, nth, then

KEYS = ["k3y-of-the-back-gate-0001", "another-key-of-the-gate-2"]
ROUTES = {"/v1/send": 200, "/v1/messages": 202}


def key(value):
    return {"Idempotency-Key": value}


@pytest.fixture(scope="module")
def relay():
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="module")
def postern(relay):
    with Postern(relay=relay.url(), data=scratch("data")) as running:
        yield running


@pytest.mark.parametrize("path", ROUTES)
def test_the_same_request_is_answered_alike_and_done_once(kept, path):
    with ScriptedServer() as relay, Postern(relay=relay.url(), **kept) as postern:
        first = postern.post(path, mail(), headers=key('"a"'))
        assert first.status == ROUTES[path] and first.headers["Idempotency-Replayed"] is None, first
        again = postern.post(path, mail(), headers=key('"a"'))
        assert again.status == first.status and again.body == first.body, again
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.headers["Location"] == first.headers["Location"]
        other = postern.post(path, mail(subject="other"), headers=key('"a"'))
        assert other.status == 422 and other.json["type"].endswith(":idempotency-mismatch"), other
        assert postern.post(path, mail(), headers=key('"b"')).headers["Idempotency-Replayed"] is None
        wait_until(lambda: len(relay.complete) == 2, 60, "two mails")
    assert len(relay.complete) == 2


def test_a_token_and_a_string_are_the_same_key(postern):
    first = postern.send(mail(), headers=key("token-1"))
    assert postern.send(mail(), headers=key('"token-1"')).body == first.body
    escaped = postern.send(mail(), headers=key(r'"a\"b"'))
    assert postern.send(mail(), headers=key(r'"a\"b"')).body == escaped.body


@pytest.mark.parametrize("value", ["", '""', '"', '"a', 'a"b', "a b", "a,b", "a;b", r'"a\b"', '"a"b', "x" * 256,
                                   '"' + "x" * 256 + '"', "é"])
def test_a_key_that_is_none_is_400(postern, value):
    for path in ROUTES:
        answer = postern.post(path, mail(), headers=key(value.encode()))
        assert answer.status == 400 and "Idempotency-Key" in answer.json["detail"], (value, answer)


def test_the_longest_key_is_taken(postern):
    assert postern.send(mail(), headers=key('"' + "x" * 255 + '"')).status == 200


def test_routes_and_callers_have_keys_of_their_own(relay):
    with Postern(relay=relay.url(), data=scratch("data"), api_keys=",".join(KEYS)) as postern:
        answers = [postern.post(path, mail(), headers=key("same"), key=caller)
                   for path in ROUTES for caller in KEYS]
        assert [a.status for a in answers] == [200, 200, 202, 202]
        assert len({a.json["id"] for a in answers}) == 4


def test_while_the_first_is_under_way_the_second_is_409():
    held, asked = threading.Event(), threading.Event()
    with ScriptedServer(mail=then(lambda *_: asked.set(), gate(held, "250 2.1.0 ok"))) as relay:
        with Postern(relay=relay.url(), data=scratch("data")) as postern:
            answers = []
            first = threading.Thread(target=lambda: answers.append(postern.send(mail(), headers=key("k"))))
            first.start()
            assert asked.wait(60)
            answer = postern.send(mail(), headers=key("k"))
            assert answer.status == 409 and answer.headers["Retry-After"], answer
            assert answer.json["type"].endswith(":idempotency-running")
            held.set()
            first.join()
            assert answers[0].status == 200
            assert postern.send(mail(), headers=key("k")).body == answers[0].body
    assert len(relay.complete) == 1


def test_what_was_not_sent_and_may_work_later_frees_its_key():
    with ScriptedServer(mail=nth("451 4.3.0 later", "250 2.1.0 ok")) as relay:
        with Postern(relay=relay.url(), data=scratch("data")) as postern:
            assert postern.send(mail(), headers=key("k")).status == 503
            assert postern.send(mail(), headers=key("k")).status == 200
    assert len(relay.complete) == 1


def test_a_refusal_for_good_and_an_unknown_outcome_are_kept():
    script = nth("554 5.6.0 no such content", drop, "250 2.0.0 ok")
    with ScriptedServer(body=script) as relay:
        with Postern(relay=relay.url(), data=scratch("data")) as postern:
            for value, status in (("refused", 422), ("unknown", 504)):
                first = postern.send(mail(), headers=key(value))
                assert first.status == status, first
                again = postern.send(mail(), headers=key(value))
                assert again.body == first.body and again.status == status
                assert again.headers["Idempotency-Replayed"] == "true"
    assert len(relay.complete) == 2


@pytest.mark.parametrize("path", ROUTES)
def test_a_request_that_is_not_valid_leaves_its_key_free(postern, path):
    assert postern.post(path, mail(to="nobody"), headers=key("mended")).status == 422
    assert postern.post(path, mail(), headers=key("mended")).status == ROUTES[path]


def test_an_answer_comes_again_though_its_recipient_is_suppressed_by_now():
    rcpt = by_recipient({"gone@postern.test": "550 5.1.1 no such user"})
    with ScriptedServer(rcpt=rcpt) as relay, Postern(relay=relay.url(), data=scratch("data")) as postern:
        document = mail(to="gone@postern.test")
        first = postern.post("/v1/messages", document, headers=key("k"))
        assert first.status == 202
        wait_until(lambda: postern.get("/v1/suppressions/gone@postern.test").status == 200, 60, "the suppression")
        assert postern.post("/v1/messages", document, headers=key("k")).body == first.body
        assert postern.post("/v1/messages", document, headers=key("other")).status == 422


def test_without_a_queue_a_key_is_refused(gateway):
    answer = gateway.send(mail(), headers=key("k"))
    assert answer.status == 503 and answer.json["type"].endswith(":no-queue"), answer
    assert gateway.post("/v1/compose", mail(), headers=key("k")).status == 200


def test_a_key_outlives_the_process(kept):
    with ScriptedServer() as relay:
        with Postern(relay=relay.url(), **kept) as postern:
            first = postern.send(mail(), headers=key("k"))
        with Postern(relay=relay.url(), **kept) as postern:
            assert postern.send(mail(), headers=key("k")).body == first.body
    assert len(relay.complete) == 1
