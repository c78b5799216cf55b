"""Events: a receiver is told what became of messages, signed, and again if it doesn't answer."""

import base64

import pytest

from .places import scratch
from .postern import Postern, mail, run
from .process import free_port, wait_until
from .queued import FAST, SECRET, Receiver, cluster, end, hand_over, kept  # noqa: F401: fixtures
from .scripted import ScriptedServer, by_recipient, drop, nth

NEW = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()


def told(receiver, url=None, secret=SECRET):
    return {"events_url": url or receiver.url, "events_secret": secret, "events_private": "on",
            "secrets": [SECRET.removeprefix("whsec_")]}


def test_a_receiver_is_told_what_became_of_messages(kept):
    kept = {"secrets": [], **kept}
    rcpt = by_recipient({"no@postern.test": "550 5.7.1 not for you"})
    with Receiver() as receiver, ScriptedServer(rcpt=rcpt) as relay:
        settings = told(receiver)
        settings["secrets"] += kept.pop("secrets")
        with Postern(relay=relay.url(), **kept, **settings, **FAST) as postern:
            ids = [hand_over(postern, mail(to=to, metadata={"n": str(n)}, tags=["t"])) for n, to in enumerate(
                ["a@postern.test", "no@postern.test", ["a@postern.test", "no@postern.test"]])]
            wait_until(lambda: len(receiver.events) == 3, 60, "the events")
            assert not receiver.wrong
            by_id = {event["data"]["id"]: event for _, event in receiver.events}
            assert [by_id[i]["type"] for i in ids] == ["message.accepted", "message.failed",
                                                       "message.partly_failed"]
            assert [by_id[i]["data"]["metadata"]["n"] for i in ids] == ["0", "1", "2"]
            assert len({headers["webhook-id"] for headers, _ in receiver.events}) == 3


def test_a_deferral_and_an_unknown_outcome_are_told():
    with Receiver() as receiver, ScriptedServer(body=nth("451 4.3.0 later", drop)) as relay:
        with Postern(relay=relay.url(), data=scratch("data"), **told(receiver), **FAST) as postern:
            assert end(postern, hand_over(postern))["status"] == "unknown"
            wait_until(lambda: len(receiver.events) == 2, 60, "the events")
            assert sorted(receiver.types()) == ["message.deferred", "message.unknown"]


def test_what_was_not_told_is_told_by_the_next_process():
    folder = scratch("data")
    with Receiver() as receiver, ScriptedServer() as relay:
        nobody = f"http://127.0.0.1:{free_port()}/"
        with Postern(relay=relay.url(), data=folder, **told(None, nobody), **FAST) as postern:
            end(postern, hand_over(postern))
            wait_until(lambda: postern.metrics()['postern_events_total{result="deferred"}'] >= 1, 60, "the try")
        with Postern(relay=relay.url(), data=folder, **told(receiver), **FAST) as postern:
            wait_until(lambda: receiver.types() == ["message.accepted"], 60, "the event")
            wait_until(lambda: postern.metrics()['postern_events_total{result="delivered"}'] == 1, 60, "the metric")


def test_with_two_secrets_either_verifies():
    for secret in (SECRET, NEW):
        with Receiver(secret=secret) as receiver, ScriptedServer() as relay:
            with Postern(relay=relay.url(), data=scratch("data"), **told(receiver, secret=f"{NEW},{SECRET}"),
                         **FAST) as postern:
                hand_over(postern)
                wait_until(lambda: receiver.types() == ["message.accepted"], 60, "the event")


def test_a_private_receiver_must_be_allowed():
    with Receiver() as receiver, ScriptedServer() as relay:
        settings = told(receiver) | {"events_private": "off", "events_url": "https://localhost:1/"}
        with Postern(relay=relay.url(), data=scratch("data"), **settings, **FAST) as postern:
            end(postern, hand_over(postern))
            wait_until(lambda: postern.metrics()['postern_events_total{result="deferred"}'] >= 1, 60, "the try")
            [line] = [l for l in postern.log_lines() if l["event"] == "event"][:1]
            assert line["status"] == 0 and line["result"] == "deferred", line


@pytest.mark.parametrize("settings, word", [
    ({"events_url": "https://example.com/"}, "POSTERN_EVENTS_SECRET"),
    ({"events_url": "http://example.com/", "events_secret": SECRET}, "POSTERN_EVENTS_URL"),
    ({"events_url": "ftp://example.com/", "events_secret": SECRET}, "POSTERN_EVENTS_URL"),
    ({"events_url": "https://example.com/", "events_secret": "geheim"}, "POSTERN_EVENTS_SECRET"),
    ({"events_secret": SECRET}, "POSTERN_EVENTS_URL"),
    ({"events_url": "https://example.com/", "events_secret": SECRET, "data": None}, "POSTERN_EVENTS_URL"),
    ({"failover": "none"}, "POSTERN_FAILOVER"), ({"queue": "mysql://x"}, "POSTERN_QUEUE"),
    ({"data": "relative"}, "POSTERN_DATA"), ({"unknown": "maybe"}, "POSTERN_UNKNOWN"),
    ({"retry_first": "2m", "retry_most": "1m"}, "POSTERN_RETRY_MOST"), ({"expires": "31d"}, "POSTERN_EXPIRES")])
def test_wrong_settings_stop_the_start(settings, word):
    settings = {"data": "/tmp/none", **settings}
    done = run("serve", **{name: value for name, value in settings.items() if value is not None})
    assert done.returncode == 78 and done.stderr.startswith(word.encode()), done
    assert b"geheim" not in done.stderr
