"""The queue over HTTP: a message is kept, sent, looked at, listed, cancelled."""

import base64
import calendar
import os
import signal
import threading
import time

import pytest

from .contract import contract
from .places import scratch
from .postern import Postern, mail
from .process import wait_until
from .queued import FAST, cluster, end, hand_over, kept, look, state  # noqa: F401: fixtures
from .scripted import ScriptedServer, by_recipient, drop, gate, hang, nth, then
from .wire import Wire

KEY = "k3y-of-the-back-gate-0001"
NO_ID = "01KQXW3V9M4T5Y8ZC2B7D6F1GH"
BIG = mail(attachments=[{"filename": "big.bin", "content": base64.b64encode(bytes(600_000)).decode()}])


@pytest.fixture(scope="module")
def relay():
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="module")
def queued(relay):
    """On SQLite, and with a relay that takes everything."""
    with Postern(relay=relay.url(), data=scratch("data"), **FAST) as postern:
        yield postern


def subject_of(document):
    return f"Subject: {document['subject']}".encode()


# --- the way of a message ---

@pytest.mark.parametrize("document", [mail(subject="small one"), BIG | {"subject": "large one"}],
                         ids=["small", "large"])
def test_a_message_is_kept_and_then_sent(kept, document):
    with ScriptedServer() as relay, Postern(relay=relay.url(), **kept, **FAST) as postern:
        answer = postern.post("/v1/messages", document | {"tags": ["a"], "metadata": {"order": "12"}})
        assert answer.status == 202 and answer.json["status"] == "queued", answer
        message = end(postern, answer.json["id"])
        assert message["status"] == "sent", message
        assert message["tags"] == ["a"] and message["metadata"] == {"order": "12"}
        assert message["message_id"] == answer.json["message_id"]
        assert [r["status"] for r in message["recipients"]] == ["accepted"]
        assert [a["outcome"] for a in message["attempts"]] == ["sent"]
        [received] = relay.complete
        assert subject_of(document) in received.message
        assert answer.json["message_id"].encode() in received.message


@pytest.mark.parametrize("address", ['"a<b"@example.net', '"a>b c"@example.net', '"<>"@example.net',
                                     r'"a\"<b"@example.net'])
def test_brackets_in_a_quoted_address_do_no_harm(relay, queued, address):
    message = end(queued, hand_over(queued, mail(to=address)))
    assert message["status"] == "sent", message
    assert f"RCPT TO:<{address}>" in relay.commands


def test_the_message_is_what_compose_gives(relay, queued):
    document = BIG | {"subject": "as composed"}
    composed = queued.post("/v1/compose", document).body
    message = end(queued, hand_over(queued, document))
    received = [m for m in relay.complete if subject_of(document) in m.message][-1]

    def neutral(octets, message_id):
        """Without what is each message's own."""
        lines = [line for line in octets.split(b"\r\n") if not line.startswith(b"Date: ")]
        return b"\r\n".join(lines).replace(message_id, b"ID")
    own = composed.partition(b"Message-ID: <")[2][:26]
    assert neutral(composed, own) == neutral(received.message, message["id"].encode())


def test_what_the_relay_can_t_take_now_is_tried_again(kept):
    with ScriptedServer(body=nth("451 4.3.0 later", "452 4.3.1 later", "250 2.0.0 ok")) as relay:
        with Postern(relay=relay.url(), **kept, **FAST) as postern:
            message = end(postern, hand_over(postern))
            assert message["status"] == "sent"
            assert [a["outcome"] for a in message["attempts"]] == ["not_sent", "not_sent", "sent"]
            assert message["attempts"][0]["smtp"]["code"] == 451
            metrics = postern.metrics()
            assert metrics['postern_attempts_total{relay="default",result="deferred"}'] == 2
            assert metrics['postern_attempts_total{relay="default",result="sent"}'] == 1


def test_what_the_relay_refuses_for_good_fails():
    with ScriptedServer(body="554 5.6.0 no such content") as relay:
        with Postern(relay=relay.url(), data=scratch("data"), **FAST) as postern:
            message = end(postern, hand_over(postern))
            assert message["status"] == "failed" and len(message["attempts"]) == 1, message


def test_each_recipient_is_settled_for_itself():
    rcpt = by_recipient({"b@postern.test": "550 5.7.1 not for you"})
    with ScriptedServer(rcpt=rcpt) as relay, Postern(relay=relay.url(), data=scratch("data"), **FAST) as postern:
        message = end(postern, hand_over(postern, mail(to=["a@postern.test", "b@postern.test"])))
        assert message["status"] == "partial", message
        assert [r["status"] for r in message["recipients"]] == ["accepted", "refused"]


def test_an_outcome_that_is_unknown_is_kept_as_such_or_sent_again():
    for setting, status in (("keep", "unknown"), ("resend", "sent")):
        with ScriptedServer(body=nth(drop, "250 2.0.0 ok")) as relay:
            with Postern(relay=relay.url(), data=scratch("data"), unknown=setting, **FAST) as postern:
                assert end(postern, hand_over(postern))["status"] == status


def test_the_next_relay_is_tried_where_one_is_down(tmp_path):
    with ScriptedServer() as relay, ScriptedServer(greeting="421 4.3.2 closing") as broken:
        file = tmp_path / "postern.json"
        file.write_text('{"relays": {"first": "%s", "second": "%s"}}' % (broken.url(), relay.url()))
        with Postern(config=file, failover="first,second", data=scratch("data"), **FAST) as postern:
            message = end(postern, hand_over(postern))
            assert message["relays"] == ["first", "second"]
            assert message["status"] == "sent" and message["recipients"][0]["relay"] == "second"
            named = end(postern, hand_over(postern, mail(relay="second")))
            assert named["relays"] == ["second"] and len(named["attempts"]) == 1
            both = end(postern, hand_over(postern, mail(relay=["second", "first"])))
            assert both["relays"] == ["second", "first"]


# --- what outlives the process ---

def test_a_message_outlives_the_process(kept):
    """Killed in the middle of a transaction: whoever comes next sends it."""
    held = threading.Event()
    asked = threading.Event()

    def ask(session, argument):
        asked.set()

    with ScriptedServer(mail=nth(then(ask, gate(held, drop)), "250 2.1.0 ok")) as relay:
        first = Postern(relay=relay.url(), timeout="1s", **kept, **FAST)
        message_id = hand_over(first)
        assert asked.wait(60)
        os.kill(first.pid, signal.SIGKILL)
        first.kill()
        held.set()
        with Postern(relay=relay.url(), timeout="1s", **kept, **FAST) as second:
            # On PostgreSQL the dead one's lease must run out first.
            wait_until(lambda: look(second, message_id)["status"] == "sent", 240, "the message to be sent")
        assert len(relay.complete) == 1


def test_what_waits_when_it_ends_is_there_when_it_starts(relay):
    folder = scratch("data")
    with Postern(relay=relay.url(), data=folder) as postern:
        message_id = hand_over(postern, mail(send_at=time.time() + 3600))
    with Postern(relay=relay.url(), data=folder) as postern:
        assert look(postern, message_id)["status"] == "scheduled"


def test_what_waits_in_vain_as_it_ends_goes_to_no_other_relay(tmp_path):
    """That would outlast what is waited for, nobody would hear its end, and it would be sent again."""
    file = tmp_path / "postern.json"
    with ScriptedServer() as first, ScriptedServer(body=hang) as second:
        file.write_text('{"relays": {"first": "%s", "second": "%s"}}' % (first.url(rate="1/h"), second.url()))
        settings = {"config": file, "failover": "first,second", "data": scratch("data"), "timeout": "2s", **FAST}
        with Postern(**settings) as postern:
            assert end(postern, hand_over(postern))["status"] == "sent"
            waits = hand_over(postern, mail(subject="waits"))
            state(postern, waits, "sending")
            time.sleep(1)  # half of its time: the other half would be the second relay's
        with Postern(**settings) as postern:
            assert end(postern, waits)["status"] == "sent"
        assert len([m for m in first.complete + second.complete if b"Subject: waits" in m.message]) == 1


def test_one_folder_is_one_process_s(relay):
    folder = scratch("data")
    with Postern(relay=relay.url(), data=folder):
        with pytest.raises(AssertionError, match="used by another process"):
            Postern(relay=relay.url(), data=folder)


def test_a_client_that_leaves_changes_nothing(queued, relay):
    connection = queued.connect()
    import json
    connection.request("POST", "/v1/messages", json.dumps(mail(subject="left alone")),
                       {"Content-Type": "application/json"})
    connection.close()
    wait_until(lambda: any(b"left alone" in m.message for m in relay.complete), 60, "the mail")


# --- when ---

def test_a_message_for_later_waits(queued):
    at = int(time.time()) + 86400
    text = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))
    for value in (at, text):
        answer = queued.post("/v1/messages", mail(send_at=value, expires_in="1h"))
        assert answer.status == 202 and answer.json["status"] == "scheduled", answer
        expires = time.strptime(answer.json["expires_at"][:19], "%Y-%m-%dT%H:%M:%S")
        assert calendar.timegm(expires) == at + 3600
        message = look(queued, answer.json["id"])
        assert message["status"] == "scheduled" and message["attempts"] == []
        assert message["send_at"] == message["next_attempt_at"]


def test_a_time_that_is_past_is_now(queued):
    assert end(queued, hand_over(queued, mail(send_at="2020-01-01T00:00:00Z")))["status"] == "sent"


def test_a_message_for_soon_is_sent_then(queued):
    answer = queued.post("/v1/messages", mail(send_at=time.time() + 1.2))
    message = end(queued, answer.json["id"])
    assert message["status"] == "sent" and message["attempts"][0]["at"] >= message["send_at"]


def test_what_has_expired_is_not_tried_any_more():
    with ScriptedServer(mail="451 4.3.0 later") as relay:
        with Postern(relay=relay.url(), data=scratch("data"), retry_first="100ms", retry_most="100ms") as postern:
            message = end(postern, hand_over(postern, mail(expires_in=1)))
            assert message["status"] == "expired", message


# --- looking, listing, cancelling ---

def test_a_list_goes_page_by_page_and_by_tag_and_status(kept):
    with ScriptedServer() as relay, Postern(relay=relay.url(), **kept) as postern:
        later = time.time() + 3600
        ids = [hand_over(postern, mail(send_at=later, tags=["even"] if i % 2 == 0 else ["odd", "x"]))
               for i in range(7)]
        newest = sorted(ids, reverse=True)  # those of one millisecond have no order but their own
        seen, before = [], ""
        while before is not None:
            page = postern.get(f"/v1/messages?limit=3{'&before=' + before if before else ''}").json
            seen += [m["id"] for m in page["messages"]]
            before = page["next"]
        assert seen == newest
        even = postern.get("/v1/messages?tag=even").json
        assert [m["id"] for m in even["messages"]] == sorted(ids[::2], reverse=True) and even["next"] is None
        assert postern.get("/v1/messages?status=sent").json["messages"] == []
        assert len(postern.get("/v1/messages?status=queued&tag=x").json["messages"]) == 3
        assert "attempts" not in even["messages"][0]


def test_a_message_that_waits_can_be_cancelled(kept):
    with ScriptedServer() as relay, Postern(relay=relay.url(), **kept) as postern:
        message_id = hand_over(postern, mail(send_at=time.time() + 3600))
        answer = postern.request("DELETE", f"/v1/messages/{message_id}")
        assert answer.status == 200 and answer.json["status"] == "cancelled", answer
        assert answer.json["recipients"] == [{"email": "li@postern.test", "status": "cancelled"}]
        assert look(postern, message_id)["status"] == "cancelled"
        assert postern.request("DELETE", f"/v1/messages/{message_id}").status == 200


def test_what_is_sent_or_being_sent_can_t_be_cancelled():
    held = threading.Event()
    with ScriptedServer(mail=gate(held, "250 2.1.0 ok")) as relay:
        with Postern(relay=relay.url(), data=scratch("data")) as postern:
            message_id = hand_over(postern)
            answer = postern.request("DELETE", f"/v1/messages/{message_id}")
            assert answer.status == 409 and answer.json["message_status"] == "sending", answer
            held.set()
            end(postern, message_id)
            answer = postern.request("DELETE", f"/v1/messages/{message_id}")
            assert answer.status == 409 and answer.json["message_status"] == "sent", answer


def test_a_message_that_waits_can_be_given_another_time(kept):
    with ScriptedServer() as relay, Postern(relay=relay.url(), **kept) as postern:
        message_id = hand_over(postern, mail(send_at=time.time() + 3600, expires_in="2h"))
        before = look(postern, message_id)
        answer = postern.patch(f"/v1/messages/{message_id}", {"send_at": "2026-12-31T23:00:00Z"})
        assert answer.status == 200 and answer.json["status"] == "scheduled", answer
        assert answer.json["send_at"].startswith("2026-12-31T23:00:00"), answer
        assert answer.json["expires_at"].startswith("2027-01-01T01:00:00"), answer
        same = ("message_id", "recipients", "tags", "metadata", "accepted_at", "envelope_from", "relays")
        assert {k: answer.json.get(k) for k in same} == {k: before.get(k) for k in same}
        assert not relay.mails
        answer = postern.patch(f"/v1/messages/{message_id}", {"send_at": time.time() - 5})
        assert answer.status == 200, answer
        assert end(postern, message_id)["status"] == "sent"
        assert len(relay.mails) == 1
        answer = postern.patch(f"/v1/messages/{message_id}", {"send_at": time.time() + 60})
        assert answer.status == 409 and answer.json["message_status"] == "sent", answer


@pytest.mark.parametrize("change, pointer", [({}, "/send_at"), ({"send_at": "tomorrow"}, "/send_at"), ({"send_at": None}, "/send_at"),
                                             ([], ""), ({"send_at": 1, "to": "a@b.test"}, "/to")])
def test_a_change_that_is_none_is_422(queued, change, pointer):
    message_id = hand_over(queued, mail(send_at=time.time() + 3600))
    answer = queued.patch(f"/v1/messages/{message_id}", change)
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == pointer, answer
    assert look(queued, message_id)["status"] == "scheduled"


def test_a_change_is_a_request_like_others():
    path = f"/v1/messages/{NO_ID}"
    typed = {"Content-Type": "application/json"}
    with Postern(data=scratch("data"), max_body="2000") as postern:
        assert postern.request("PATCH", path, b"{", typed).status == 400
        assert postern.request("PATCH", path, b" " * 3000, typed).status == 413
        assert postern.request("PATCH", path, b"{}", {"Content-Type": "text/plain"}).status == 415
        with Wire(postern) as wire:
            wire.send(f"PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\r\n".encode())
            answer = wire.answer()
            assert answer.status == 411
        contract.seen("PATCH", path, answer)


def test_what_is_not_there_is_404(queued):
    for message_id in (NO_ID, "x", "01kqxw3v9m4t5y8zc2b7d6f1gh", NO_ID + "/x", "%00"):
        assert queued.patch(f"/v1/messages/{message_id}", {"send_at": 1}).status == 404, message_id
        for method in ("GET", "DELETE"):
            answer = queued.request(method, f"/v1/messages/{message_id}")
            assert answer.status == 404, (message_id, answer)


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "status=done", "before=x", "tag=", "tags=a",
                                   "limit="])
def test_a_wrong_query_is_400(queued, query):
    answer = queued.get(f"/v1/messages?{query}")
    assert answer.status == 400 and answer.json["type"].endswith(":bad-request"), answer


@pytest.mark.parametrize("path", ["/v1/messages?tag=%FF", "/v1/messages?tag=caf%C3", "/v1/suppressions?after=%C3%28"])
def test_octets_that_are_no_text_never_reach_the_queue(kept, relay, path):
    """A database that must refuse them would make the instance look broken."""
    with Postern(relay=relay.url(), **kept, **FAST) as postern:
        assert postern.get(path).status == 400
        assert postern.get("/readyz").status == 200


def test_other_methods_are_405_with_all_that_there_are(queued):
    for path, allowed in (("/v1/messages", "POST, GET, HEAD"), (f"/v1/messages/{NO_ID}", "GET, HEAD, DELETE, PATCH"),
                          ("/v1/suppressions", "GET, HEAD, POST")):
        answer = queued.request("PUT", path)
        assert answer.status == 405 and answer.headers["Allow"] == allowed, answer
    assert queued.get("/v1/messages").headers["Allow"] is None


# --- faults ---

FAULTS = {
    "/send_at": ["tomorrow", "2026-11-24T10:00:00", "2026-13-24T10:00:00Z", -1, True, [], 1e300,
                 "2999-01-01T00:00:00Z"],
    "/expires_in": [0, "0s", "500ms", "31d", 2592001, "1", "", {}, True],
    "/priority": [-1, 10, "5", 1.5],
    "/tags": ["a", ["x"] * 11],
    "/tags/0": [[""], ["x" * 65], ["a\nb"], [1], [None]],
    "/metadata": ["x", ["x"], {str(i): "x" for i in range(33)}],
    "/metadata/a": [{"a": 1}, {"a": None}, {"a": "x" * 513}, {"a": {}}],
    "/relay": [[], ["default"] * 9, 1],
    "/relay/1": [["default", "none"]],
    "/transcript": [True],
}


@pytest.mark.parametrize("pointer", FAULTS)
def test_a_wrong_member_is_a_fault(queued, pointer):
    for value in FAULTS[pointer]:
        answer = queued.post("/v1/messages", mail(**{pointer.split("/")[1]: value}))
        assert answer.status == 422, (value, answer)
        assert [e["pointer"] for e in answer.json["errors"]] == [pointer], (value, answer)


@pytest.mark.parametrize("member", ["send_at", "expires_in", "priority", "tags", "metadata"])
def test_members_of_the_queue_have_no_place_elsewhere(queued, member):
    for path in ("/v1/send", "/v1/compose"):
        answer = queued.post(path, mail(**{member: 5}))
        assert answer.status == 422 and answer.json["errors"][0]["code"] == "unknown_member", answer


def test_the_edges_are_taken(queued):
    document = mail(priority=0, expires_in="30d", tags=["ü" * 64, "x"] + ["y"] * 8,
                    metadata={"n" * 64: "v" * 512, "é\"\\": "\u0085 \"quoted\" \\"}, send_at=0.5)
    message = look(queued, hand_over(queued, document))
    assert message["tags"] == ["ü" * 64, "x", "y"]
    assert message["metadata"] == document["metadata"]
    found = queued.get("/v1/messages?tag=" + "%C3%BC" * 64).json["messages"]
    assert [m["id"] for m in found] == [message["id"]]


def test_a_sender_that_is_not_allowed_is_403():
    with ScriptedServer() as relay:
        with Postern(relay=relay.url(), data=scratch("data"), **{"from": "shop@postern.test"}) as postern:
            assert postern.post("/v1/messages", mail(**{"from": "a@else.test"})).status == 403


def test_keys_are_asked_for():
    with Postern(data=scratch("data"), api_keys=KEY) as postern:
        for method, path in (("POST", "/v1/messages"), ("GET", "/v1/messages"), ("GET", f"/v1/messages/{NO_ID}"),
                             ("DELETE", f"/v1/messages/{NO_ID}"), ("PATCH", f"/v1/messages/{NO_ID}"), ("POST", "/v1/suppressions"),
                             ("GET", "/v1/suppressions"), ("GET", "/v1/suppressions/a@b.c"),
                             ("DELETE", "/v1/suppressions/a@b.c")):
            assert postern.request(method, path).status == 401, path


# --- without ---

def test_without_a_queue_the_routes_say_so(gateway):
    answers = [gateway.post("/v1/messages", mail()), gateway.get("/v1/messages"),
               gateway.get(f"/v1/messages/{NO_ID}"), gateway.request("DELETE", f"/v1/messages/{NO_ID}"),
               gateway.patch(f"/v1/messages/{NO_ID}", {"send_at": 1}),
               gateway.post("/v1/suppressions", {"email": "a@b.test"}), gateway.get("/v1/suppressions"),
               gateway.get("/v1/suppressions/a@b.test"), gateway.request("DELETE", "/v1/suppressions/a@b.test")]
    for answer in answers:
        assert answer.status == 503 and answer.json["type"].endswith(":no-queue"), answer


def test_without_a_relay_nothing_is_kept():
    with Postern(data=scratch("data")) as postern:
        answer = postern.post("/v1/messages", mail())
        assert answer.status == 503 and answer.json["type"].endswith(":no-relay"), answer


def test_a_database_that_is_away_is_told(cluster):
    cluster.sql("CREATE DATABASE away", database="postgres")
    with ScriptedServer() as relay:
        with Postern(relay=relay.url(), queue=cluster.url("away")) as postern:
            assert postern.get("/readyz").status == 200
            cluster.kill()
            try:
                wait_until(lambda: postern.get("/readyz").status == 503, 60, "not to be ready", 0.5)
                assert postern.get("/healthz").status == 200
            finally:
                cluster.start()
            wait_until(lambda: postern.get("/readyz").status == 200, 60, "to be ready again", 0.5)
            assert end(postern, hand_over(postern))["status"] == "sent"


def test_several_instances_share_a_database(cluster):
    cluster.sql("CREATE DATABASE shared", database="postgres")
    settings = {"queue": cluster.url("shared"), **FAST}
    with ScriptedServer() as relay:
        with Postern(relay=relay.url(), **settings) as one, Postern(relay=relay.url(), **settings) as two:
            ids = [hand_over(postern) for postern in (one, two) for _ in range(20)]
            for message_id in ids:
                assert end(one, message_id)["status"] == "sent"
        assert len(relay.complete) == len(ids)


def test_the_metrics_say_what_waits(relay):
    with Postern(relay=relay.url(), data=scratch("data")) as postern:
        hand_over(postern, mail(send_at=time.time() + 3600))
        # What is in the queue is asked for beside, and shown the next time.
        wait_until(lambda: 'postern_queue_messages{state="scheduled"}' in postern.metrics(), 60, "the metric")
        metrics = postern.metrics()
        assert metrics['postern_queue_messages{state="scheduled"}'] == 1
        assert metrics["postern_queue_oldest_seconds"] == 0
