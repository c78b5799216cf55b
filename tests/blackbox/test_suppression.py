"""Suppressed recipients: learnt from relays, kept by hand, not sent to."""

import pytest

from .places import scratch
from .postern import Postern, mail
from .process import wait_until
from .queued import FAST, cluster, end, hand_over, kept  # noqa: F401: fixtures
from .scripted import ScriptedServer, by_recipient

GONE = {"gone@postern.test": "550 5.1.1 No such user", "policy@postern.test": "550 5.7.1 not for you",
        "full@postern.test": "552 5.2.2 mailbox full", "plain@postern.test": "550 no such user here"}


@pytest.fixture(scope="module")
def relay():
    with ScriptedServer(rcpt=by_recipient(GONE)) as server:
        yield server


@pytest.fixture
def postern(relay, kept):
    with Postern(relay=relay.url(), **kept, **FAST) as running:
        yield running


def suppressed(postern):
    return [s["email"] for s in postern.get("/v1/suppressions").json["suppressions"]]


def test_addresses_are_kept_shown_listed_and_taken_back(postern):
    answer = postern.post("/v1/suppressions", {"email": "Li+News@BÜCHER.test", "reason": "asked for it"})
    assert answer.status == 201, answer
    assert answer.json["email"] == "li+news@xn--bcher-kva.test" and answer.json["reason"] == "asked for it"
    again = postern.post("/v1/suppressions", {"email": "li+news@bücher.test", "reason": "once more"})
    assert again.status == 200 and again.json == answer.json
    for path in ("li+news@xn--bcher-kva.test", "LI%2bnews%40b%C3%BCcher.test"):
        assert postern.get(f"/v1/suppressions/{path}").json == answer.json
    assert postern.request("DELETE", "/v1/suppressions/li+news@xn--bcher-kva.test").status == 204
    assert postern.get("/v1/suppressions/li+news@xn--bcher-kva.test").status == 404
    assert postern.request("DELETE", "/v1/suppressions/li+news@xn--bcher-kva.test").status == 404
    assert postern.get("/v1/suppressions/nobody").status == 404


def test_the_list_goes_page_by_page(postern):
    emails = [f"a{i}@postern.test" for i in range(7)]
    for email in emails:
        postern.post("/v1/suppressions", {"email": email})
    seen, after = [], ""
    while after is not None:
        page = postern.get(f"/v1/suppressions?limit=3{'&after=' + after if after else ''}").json
        seen += [s["email"] for s in page["suppressions"]]
        after = page["next"]
    assert seen == emails
    assert postern.get("/v1/suppressions?limit=0").status == 400
    assert postern.get("/v1/suppressions?before=x").status == 400


@pytest.mark.parametrize("document, pointer", [
    ({}, "/email"), ({"email": 1}, "/email"), ({"email": "x"}, "/email"), ([], ""),
    ({"email": "a@b.test", "reason": 1}, "/reason"), ({"email": "a@b.test", "reason": "a\nb"}, "/reason"),
    ({"email": "a@b.test", "reason": "x" * 501}, "/reason"), ({"email": "a@b.test", "lists": "x"}, "/lists")])
def test_what_can_t_be_kept_is_a_fault(relay, document, pointer):
    with Postern(relay=relay.url(), data=scratch("data")) as postern:
        answer = postern.post("/v1/suppressions", document)
        assert answer.status == 422 and answer.json["errors"][0]["pointer"] == pointer, answer
        assert postern.post("/v1/suppressions", body=b"{").status == 400


@pytest.mark.parametrize("path", ["/v1/send", "/v1/messages"])
def test_nothing_is_sent_to_a_suppressed_recipient(postern, relay, path):
    before = len(relay.complete)
    postern.post("/v1/suppressions", {"email": "li@postern.test", "reason": "asked for it"})
    answer = postern.post(path, mail(to="Li@Postern.test", cc=["a@postern.test", "b@postern.test"]))
    if path == "/v1/send":
        assert answer.status == 207 and answer.json["status"] == "partial", answer
        assert answer.json["accepted"] == ["a@postern.test", "b@postern.test"]
        [rejected] = answer.json["rejected"]
        assert rejected["code"] == "suppressed" and rejected["category"] == "recipient"
    else:
        assert answer.status == 202 and answer.json["recipients"] == 2, answer
        assert [e.lower() for e in answer.json["suppressed"]] == ["li@postern.test"]
        message = end(postern, answer.json["id"])
        assert [r["status"] for r in message["recipients"]] == ["suppressed", "accepted", "accepted"], message
    wait_until(lambda: len(relay.complete) == before + 1, 60, "the mail")
    assert relay.complete[-1].recipients == ["a@postern.test", "b@postern.test"]


@pytest.mark.parametrize("path", ["/v1/send", "/v1/messages"])
def test_where_all_are_suppressed_it_is_422(postern, path):
    postern.post("/v1/suppressions", {"email": "li@postern.test", "reason": "asked for it"})
    for document, pointers in ((mail(), ["/to"]), (mail(to=["li@postern.test"], bcc="LI@postern.test"),
                                                   ["/to/0", "/bcc"])):
        for headers in ({}, {"Idempotency-Key": "k"}):
            answer = postern.post(path, document, headers=headers)
            assert answer.status == 422 and answer.json["type"].endswith(":suppressed"), answer
            assert [e["pointer"] for e in answer.json["errors"]] == pointers
            assert "asked for it" in answer.json["errors"][0]["detail"]
    postern.request("DELETE", "/v1/suppressions/li@postern.test")
    # The key is free.
    assert postern.post(path, mail(), headers={"Idempotency-Key": "k"}).status in (200, 202)


@pytest.mark.parametrize("path", ["/v1/send", "/v1/messages"])
def test_who_doesn_t_exist_is_learnt(postern, path):
    answer = postern.post(path, mail(to=["a@postern.test", *GONE]))
    if path == "/v1/messages":
        end(postern, answer.json["id"])
    wait_until(lambda: len(suppressed(postern)) == 2, 60, "what was learnt")
    assert suppressed(postern) == ["gone@postern.test", "plain@postern.test"]
    assert postern.get("/v1/suppressions/gone@postern.test").json["reason"] == "550 5.1.1 No such user"
    assert postern.post(path, mail(to="gone@postern.test")).status == 422


def test_it_can_be_turned_off(relay):
    with Postern(relay=relay.url(), data=scratch("data"), suppression="off", **FAST) as postern:
        postern.post("/v1/suppressions", {"email": "li@postern.test"})
        assert postern.send(mail()).status == 200
        assert end(postern, hand_over(postern))["status"] == "sent"
        assert postern.send(mail(to="gone@postern.test")).status == 422
        assert suppressed(postern) == ["li@postern.test"]
