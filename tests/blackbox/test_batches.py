"""Batches: many mails of one request, kept whole or not at all, and how far they are."""

import email
import email.policy
import json
import threading
import time

import pytest

from .ledger import Sink
from .places import scratch
from .postern import PATIENCE, Postern, mail
from .process import free_port, wait_until
from .queued import FAST, Receiver, SECRET, cluster, kept  # noqa: F401: fixtures
from .scripted import ScriptedServer, by_recipient, gate

NO_ID = "01KQXW3V9M4T5Y8ZC2B7D6F1GH"
KEY = "k3y-of-the-back-gate-0001"
LISTS = {"public_url": "http://127.0.0.1:8025", "unsubscribe_secret": "s" * 32}


@pytest.fixture(scope="module")
def templates():
    folder = scratch("templates")
    welcome = folder / "welcome"
    welcome.mkdir()
    (welcome / "subject.mustache").write_text("Welcome, {{name}}")
    (welcome / "html.mustache").write_text(
        "<p>Hello {{name}}, from {{shop}}.</p>"
        "{{#postern.unsubscribe_url}}<a href=\"{{.}}\">Leave</a>{{/postern.unsubscribe_url}}")
    (welcome / "text.mustache").write_text("Hello {{name}}, from {{shop}}.\n{{postern.unsubscribe_url}}\n")
    return folder


@pytest.fixture(scope="module")
def relay():
    with ScriptedServer(rcpt=by_recipient({"gone@postern.test": "550 5.1.1 No such user"})) as server:
        yield server


@pytest.fixture
def postern(relay, kept, templates):
    relay.mails.clear()
    with Postern(relay=relay.url(), templates=templates, **kept, **FAST, **LISTS) as running:
        yield running


def batch(recipients, **members):
    document = {"from": "Shop <shop@postern.test>", "subject": "News", "text": "There is news.\n"} | members
    document["recipients"] = [r if isinstance(r, dict) else {"to": r} for r in recipients]
    return {name: value for name, value in document.items() if value is not None}


def by_template(recipients, **members):
    return batch(recipients, **({"subject": None, "text": None, "template": "welcome"} | members))


def accepted(postern, document, **options):
    answer = postern.post("/v1/batches", document, **options)
    assert answer.status == 202, answer
    assert answer.headers["Location"] == f"/v1/batches/{answer.json['id']}"
    return answer.json


def progress(postern, batch_id):
    answer = postern.get(f"/v1/batches/{batch_id}")
    assert answer.status == 200, answer
    return answer.json


def ended(postern, batch_id, patience=PATIENCE):
    def done():
        now = progress(postern, batch_id)
        return now if now["remaining"] == 0 else None
    return wait_until(done, patience, f"the end of the batch {batch_id}")


def states(now):
    return {name: n for name, n in now["states"].items() if n}


def of_batch(postern, batch_id, limit=200):
    messages, before = [], ""
    while before is not None:
        page = postern.get(f"/v1/messages?batch={batch_id}&limit={limit}{'&before=' + before if before else ''}").json
        messages += page["messages"]
        before = page["next"]
    return messages


def parsed(relay):
    """{recipient: message}"""
    return {m.recipients[0]: email.message_from_bytes(m.message, policy=email.policy.default) for m in relay.complete}


def content(message, kind):
    return message.get_body((kind,)).get_content()


# --- all arrive ---

def test_each_recipient_has_a_mail_of_its_own(postern, relay):
    people = [{"to": f"Person {i} <p{i}@postern.test>", "data": {"name": f"№ {i}"}, "metadata": {"n": str(i)}}
              for i in range(20)]
    document = by_template(people, data={"shop": "Postern & Co", "name": "nobody"}, tags=["spring"],
                           metadata={"n": "none"}, headers={"X-Campaign": "c1"}, reply_to="help@postern.test")
    answer = accepted(postern, document)
    assert answer["count"] == 20 and answer["suppressed"] == [] and answer["status"] == "queued"
    assert len(set(answer["messages"])) == 20
    assert states(ended(postern, answer["id"])) == {"sent": 20}
    mails = parsed(relay)
    assert len(relay.complete) == 20 and set(mails) == {f"p{i}@postern.test" for i in range(20)}
    for i in range(20):
        got = mails[f"p{i}@postern.test"]
        assert got["Subject"] == f"Welcome, № {i}" and got["To"] == f"Person {i} <p{i}@postern.test>"
        assert got["X-Campaign"] == "c1" and got["Reply-To"] == "help@postern.test"
        assert "List-Unsubscribe" not in got
        assert f"Hello № {i}, from Postern &amp; Co." in content(got, "html")
        assert f"Hello № {i}, from Postern & Co." in content(got, "plain")
        shown = postern.get(f"/v1/messages/{answer['messages'][i]}").json
        assert shown["batch"] == answer["id"] and shown["metadata"] == {"n": str(i)} and shown["tags"] == ["spring"]
        assert shown["recipients"][0]["email"] == f"p{i}@postern.test" and shown["priority"] == 4


def test_text_can_be_the_same_for_all_and_attachments_too(postern, relay):
    answer = accepted(postern, batch(["a@postern.test", "b@postern.test"], attachments=[
        {"filename": "a.txt", "content": "SGVsbG8="}]))
    assert states(ended(postern, answer["id"])) == {"sent": 2}
    for got in parsed(relay).values():
        assert [a.get_filename() for a in got.iter_attachments()] == ["a.txt"]


def test_a_long_string_of_the_data_is_whole(postern, relay):
    answer = accepted(postern, by_template([{"to": "a@postern.test", "data": {"name": "x" * 100_000}}],
                                           subject="Short", data={"shop": "y" * 70_000}))
    ended(postern, answer["id"])
    text = content(parsed(relay)["a@postern.test"], "plain")
    assert "x" * 100_000 in text.replace("\n", "") and "y" * 70_000 in text.replace("\n", "")


def test_large_mails_go_as_well(postern, relay):
    big = "SGVsbG8h" * 60_000
    answer = accepted(postern, batch([f"p{i}@postern.test" for i in range(5)],
                                     attachments=[{"filename": "a.bin", "content": big}]))
    assert states(ended(postern, answer["id"])) == {"sent": 5}
    assert all(b"SGVsbG8h" in m.message for m in relay.complete)


def test_how_far_a_batch_is(postern, relay):
    answer = accepted(postern, batch(["a@postern.test", "gone@postern.test", "b@postern.test"]))
    now = ended(postern, answer["id"])
    assert states(now) == {"sent": 2, "failed": 1} and now["count"] == 3
    assert now["accepted_at"] == answer["accepted_at"]
    assert {m["id"] for m in of_batch(postern, answer["id"])} == set(answer["messages"])
    other = accepted(postern, batch([f"p{i}@postern.test" for i in range(7)]))
    assert len(of_batch(postern, other["id"], limit=3)) == 7
    assert {m["batch"] for m in of_batch(postern, other["id"], limit=3)} == {other["id"]}
    assert len(of_batch(postern, NO_ID)) == 0
    for path in (f"/v1/batches/{NO_ID}", "/v1/batches/x"):
        assert postern.get(path).status == 404
        assert postern.request("DELETE", path).status == 404
    assert postern.get(f"/v1/messages?batch={NO_ID}&tag=x").status == 400
    assert postern.get("/v1/messages?batch=x").status == 400


def test_what_waits_can_be_cancelled(postern, relay):
    answer = accepted(postern, batch([f"p{i}@postern.test" for i in range(30)], send_at=time.time() + 3600))
    assert answer["status"] == "scheduled"
    assert states(progress(postern, answer["id"])) == {"scheduled": 30}
    first = postern.request("DELETE", f"/v1/messages/{answer['messages'][0]}")
    assert first.status == 200
    for _ in range(2):
        cancelled = postern.request("DELETE", f"/v1/batches/{answer['id']}")
        assert cancelled.status == 200 and states(cancelled.json) == {"cancelled": 30}
    assert not relay.complete


def test_cancelling_leaves_what_is_being_sent(kept):
    go = threading.Event()
    with ScriptedServer(body=gate(go, "250 2.0.0 ok")) as relay, Postern(relay=relay.url(), max_inflight=2, **kept, **FAST) as postern:
        answer = accepted(postern, batch([f"p{i}@postern.test" for i in range(10)]))
        wait_until(lambda: progress(postern, answer["id"])["states"]["sending"] == 2, PATIENCE, "two to be sent")
        now = postern.request("DELETE", f"/v1/batches/{answer['id']}").json
        assert states(now) == {"sending": 2, "cancelled": 8}
        go.set()
        assert states(ended(postern, answer["id"])) == {"sent": 2, "cancelled": 8}
        assert len(relay.complete) == 2


def test_events_name_the_batch(relay):
    with Receiver() as receiver, Postern(relay=relay.url(), data=scratch("data"), events_url=receiver.url,
                                         events_secret=SECRET, events_private="on", **FAST) as postern:
        answer = accepted(postern, batch(["a@postern.test", "b@postern.test"]))
        wait_until(lambda: len(receiver.events) >= 2, PATIENCE, "events")
        assert {e["data"]["batch"] for _, e in receiver.events} == {answer["id"]}


# --- none is kept ---

@pytest.mark.parametrize("recipient, pointer, code", [
    ({"to": "x"}, "/recipients/1/to", "address"), ({}, "/recipients/1/to", "required"),
    ({"to": None}, "/recipients/1/to", "required"), ("x", "/recipients/1", "wrong_type"),
    ({"to": ["a@postern.test"]}, "/recipients/1/to", "wrong_type"), ({"to": 1}, "/recipients/1/to", "wrong_type"),
    ({"to": "a@postern.test", "cc": "b@postern.test"}, "/recipients/1/cc", "unknown_member"),
    ({"to": "a@postern.test", "data": []}, "/recipients/1/data", "wrong_type"),
    ({"to": "a@postern.test", "metadata": {"a": 1}}, "/recipients/1/metadata/a", "wrong_type"),
    ({"to": {"email": "x"}}, "/recipients/1/to/email", "address"),
    ({"to": "a@postern.test", "data": {"name": "x" * 10_001}}, "/recipients/1", "template"),
])
def test_one_fault_and_nothing_is_kept(postern, recipient, pointer, code):
    document = by_template(["ok@postern.test"])
    document["recipients"] += [recipient, {"to": "fine@postern.test"}]
    answer = postern.post("/v1/batches", document)
    assert answer.status == 422, answer
    assert [(e["pointer"], e["code"]) for e in answer.json["errors"]] == [(pointer, code)]
    assert postern.get("/v1/messages").json["messages"] == []


@pytest.mark.parametrize("document, pointer", [
    ([], ""), ({"recipients": []}, "/recipients"), ({"recipients": None}, "/recipients"), ({"recipients": 1}, "/recipients"),
    ({"recipients": {}}, "/recipients"), ({"to": "a@postern.test"}, "/to"), ({"transcript": True}, "/transcript"),
    ({"text": None}, "/html"), ({"from": None}, "/from"), ({"template": "none"}, "/template"),
    ({"template": "welcome"}, "/text"), ({"data": {}}, "/data"), ({"send_at": "x"}, "/send_at"),
    ({"recipients": [{"to": "a@postern.test", "data": {}}]}, "/recipients/0/data"), ({"list": "A"}, "/list"),
    ({"list": "news", "headers": {"list-unsubscribe": "<x>"}}, "/headers/list-unsubscribe"),
    ({"recipients": [{"to": "a@postern.test"}] * 10_001}, "/recipients"),
])
def test_what_all_share_is_looked_at_too(postern, document, pointer):
    if isinstance(document, dict):
        document = batch(["a@postern.test"]) | document
        document = {n: v for n, v in document.items() if v is not None or n == "recipients"}
    if isinstance(document, dict) and document.get("template") == "none":
        del document["text"]
    answer = postern.post("/v1/batches", document)
    assert answer.status == 422, answer
    assert pointer in [e["pointer"] for e in answer.json["errors"]], answer
    assert postern.get("/v1/messages").json["messages"] == []


def test_all_faults_are_told_at_once(postern):
    """One of each recipient, and those of what they share; what there is more is counted."""
    document = by_template([{"to": f"wrong{i}"} for i in range(10_000)], send_at="x")
    answer = postern.post("/v1/batches", document)
    assert answer.status == 422
    assert [e["pointer"] for e in answer.json["errors"]] == ["/send_at"] + [f"/recipients/{i}/to" for i in range(10_000)]
    assert "errors_total" not in answer.json
    document["recipients"] = [{"to": f"wrong{i}", "typo": 1} for i in range(10_000)]
    answer = postern.post("/v1/batches", document)
    assert len(answer.json["errors"]) == 10_100 and answer.json["errors_total"] == 20_001
    assert postern.get("/v1/messages").json["messages"] == []


def test_all_who_are_suppressed_are_told(postern):
    for i in range(150):
        postern.post("/v1/suppressions", {"email": f"p{i}@postern.test"})
    answer = postern.post("/v1/batches", batch([f"p{i}@postern.test" for i in range(150)]))
    assert answer.status == 422 and answer.json["type"].endswith("suppressed")
    assert [e["pointer"] for e in answer.json["errors"]] == [f"/recipients/{i}/to" for i in range(150)]


def test_senders_are_those_of_the_gateway(relay):
    with Postern(relay=relay.url(), data=scratch("data"), **{"from": "postern.test"}) as postern:
        answer = postern.post("/v1/batches", batch(["a@postern.test"], **{"from": "x@elsewhere.test"}))
        assert answer.status == 403 and answer.json["errors"][0]["pointer"] == "/from"


def test_the_route_asks_for_a_queue_a_relay_and_a_key(relay):
    with Postern(relay=relay.url(), key=KEY, api_keys=KEY) as postern:
        assert postern.post("/v1/batches", batch(["a@postern.test"])).status == 503
        assert postern.get(f"/v1/batches/{NO_ID}").status == 503
        assert postern.request("DELETE", f"/v1/batches/{NO_ID}").status == 503
        assert postern.post("/v1/batches", batch(["a@postern.test"]), key="").status == 401
        assert postern.get(f"/v1/batches/{NO_ID}", key="").status == 401
        assert postern.request("DELETE", f"/v1/batches/{NO_ID}", key="").status == 401
    with Postern(data=scratch("data")) as postern:
        assert postern.post("/v1/batches", batch(["a@postern.test"])).json["type"].endswith("no-relay")


def test_what_is_no_json_is_refused(postern):
    assert postern.post("/v1/batches", body=b"{").status == 400
    assert postern.post("/v1/batches", body=b'{"recipients":' + b"[" * 100 + b"]" * 100 + b"}").status == 400


# --- suppressed recipients ---

def test_suppressed_recipients_are_left_out_and_told(postern, relay):
    for address, name in (("all@postern.test", None), ("news@postern.test", "news"), ("other@postern.test", "other")):
        postern.post("/v1/suppressions", {"email": address, "list": name, "reason": "told so"})
    people = ["a@postern.test", "ALL@postern.test", "news@postern.test", "other@postern.test"]
    answer = accepted(postern, batch(people, list="news"))
    assert answer["count"] == 2 and answer["suppressed"] == ["ALL@postern.test", "news@postern.test"]
    assert [bool(m) for m in answer["messages"]] == [True, False, False, True]
    assert states(ended(postern, answer["id"])) == {"sent": 2}
    assert sorted(parsed(relay)) == ["a@postern.test", "other@postern.test"]
    without = accepted(postern, batch(people))
    assert without["suppressed"] == ["ALL@postern.test"]
    none = postern.post("/v1/batches", batch(people[1:3], list="news"))
    assert none.status == 422 and none.json["type"].endswith("suppressed")
    assert [e["pointer"] for e in none.json["errors"]] == ["/recipients/0/to", "/recipients/1/to"]
    assert "told so" in none.json["errors"][0]["detail"]


# --- the key ---

def test_a_key_makes_one_batch(postern, relay):
    document = batch([f"p{i}@postern.test" for i in range(5)])
    key = {"Idempotency-Key": "b1"}
    first = postern.post("/v1/batches", document, headers=key)
    again = postern.post("/v1/batches", document, headers=key)
    assert first.status == again.status == 202 and first.body == again.body
    assert again.headers["Idempotency-Replayed"] == "true" and again.headers["Location"] == first.headers["Location"]
    for i in range(5):  # what was answered stays so
        postern.post("/v1/suppressions", {"email": f"p{i}@postern.test"})
    assert postern.post("/v1/batches", document, headers=key).body == first.body
    assert postern.post("/v1/batches", document).status == 422
    assert postern.post("/v1/batches", batch(["a@postern.test"]), headers=key).status == 422
    assert states(ended(postern, first.json["id"])) == {"sent": 5}
    assert len(relay.complete) == 5


def test_a_key_whose_batch_was_refused_is_free(postern):
    key = {"Idempotency-Key": "b2"}
    assert postern.post("/v1/batches", batch(["x"]), headers=key).status == 422
    assert postern.post("/v1/batches", batch(["a@postern.test"]), headers=key).status == 202


# --- ten thousand ---

def many(**members):
    return by_template([{"to": f"p{i}@postern.test", "data": {"name": f"Person {i}"}} for i in range(10_000)],
                       data={"shop": "s" * 1000}, **members)


def test_ten_thousand_with_one_fault_are_not_kept(kept, templates, relay):
    with Postern(relay=relay.url(), templates=templates, **kept) as postern:
        document = many()
        document["recipients"][9_876]["to"] = "not an address"
        answer = postern.post("/v1/batches", document)
        assert answer.status == 422
        assert [e["pointer"] for e in answer.json["errors"]] == ["/recipients/9876/to"]
        assert postern.get("/v1/messages").json["messages"] == []


@pytest.mark.timeout(300)
def test_ten_thousand_survive_a_kill_right_after_their_answer(kept, templates, capsys):
    port = free_port()
    with Sink() as sink:
        settings = {"port": port, "relay": sink.relay, "templates": templates, **kept, **FAST}
        postern = Postern(**settings)
        try:
            began = time.monotonic()
            answer = accepted(postern, many())
            took = time.monotonic() - began
            postern.kill()
            postern = Postern(**settings)
            now = ended(postern, answer["id"], 240)
            postern.stop()
        finally:
            postern.kill()
        came = [message for sent in sink.messages().values() for _, _, message in sent]
    with capsys.disabled():
        print(f"\n10,000 mails were kept in {took:.1f} s; {len(came) - len(set(came))} came twice")
    assert now["count"] == 10_000
    assert {f"<{i}@postern.test>" for i in answer["messages"]} == set(came)


def test_what_has_no_room_is_told(templates, relay):
    """All of it would never fit; or the document alone."""
    with Postern(relay=relay.url(), data=scratch("data"), templates=templates, max_memory="8MiB") as postern:
        document = by_template([{"to": f"p{i}@postern.test"} for i in range(2_000)], data={"shop": "s" * 20_000})
        answer = postern.post("/v1/batches", document)
        assert answer.status == 413 and "several batches" in answer.json["detail"], answer
        assert postern.get("/v1/messages").json["messages"] == []
        tree = json.dumps(batch(["a@postern.test"]) | {"recipients": [{}] * 100_000}).encode()
        assert postern.post("/v1/batches", body=tree).status == 503
        assert postern.post("/v1/batches", by_template(["a@postern.test"])).status == 202
        assert postern.post("/v1/messages", mail()).status == 202
