"""Sessions that end, stall or go stale: what is tried again, what never, and what is told.

The one promise above all: once the final dot was sent, nothing is sent again.
"""

import threading

import pytest

from .postern import Postern, mail
from .process import free_port, wait_until
from .scripted import (ScriptedServer, drop, gate, hang, nothing, nth, reset, say, then, wait)

BEFORE_THE_BODY = ["connect", "greeting", "ehlo", "mail", "rcpt", "data"]
BIG = mail(text="word " * 1_000_000)


def assert_not_sent(answer, status, categories):
    assert answer.status == status, answer
    assert answer.json["outcome"] == "not_sent" and answer.json["category"] in categories, answer


@pytest.mark.parametrize("ending", [drop, reset], ids=["closed", "reset"])
@pytest.mark.parametrize("stage", BEFORE_THE_BODY)
def test_a_new_session_that_ends_is_not_tried_again(stage, ending):
    with ScriptedServer(**{stage: ending}) as relay, Postern(relay=relay.url()) as postern:
        answer = postern.send(mail())
        assert_not_sent(answer, 503, {"network"})
        assert answer.json["retryable"] is True and answer.headers["Retry-After"]
        assert len(relay.sessions) == 1 and relay.complete == []


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail", "rcpt"])
def test_a_session_that_ends_after_a_good_reply(stage):
    honest = {"greeting": "220 x", "ehlo": "250 x", "mail": "250 ok", "rcpt": "250 ok"}
    with ScriptedServer(**{stage: then(honest[stage], drop)}) as relay:
        with Postern(relay=relay.url()) as postern:
            assert_not_sent(postern.send(mail()), 503, {"network"})
        assert relay.complete == []


def test_a_session_that_ends_in_the_middle_of_the_body():
    with ScriptedServer(mid_body=drop) as relay, Postern(relay=relay.url()) as postern:
        answer = postern.send(BIG)
        assert_not_sent(answer, 503, {"network"})
        assert len(relay.sessions) == 1 and relay.complete == []


@pytest.mark.parametrize("ending", [drop, reset], ids=["closed", "reset"])
def test_a_session_that_ends_after_the_dot_leaves_the_outcome_unknown(ending):
    with ScriptedServer(body=ending) as relay, Postern(relay=relay.url()) as postern:
        answer = postern.send(mail())
        assert answer.status == 504, answer
        assert answer.json["outcome"] == "unknown" and answer.json["retryable"] is False
        assert answer.json["stage"] == "body"
        assert len(relay.complete) == 1


@pytest.mark.parametrize("stage", BEFORE_THE_BODY)
def test_a_relay_that_says_nothing_is_a_timeout(stage):
    with ScriptedServer(**{stage: hang}) as relay:
        with Postern(relay=relay.url(), timeout="1s") as postern:
            answer = postern.send(mail())
            assert answer.status == 504, answer
            assert answer.json["outcome"] == "not_sent" and answer.json["retryable"] is True
            assert answer.json["stage"] == ("greeting" if stage == "connect" else stage)
            if stage not in ("rcpt", "data"):  # a check ends with MAIL
                check = postern.post("/v1/check", {"from": "shop@postern.test"})
                assert check.status == 504, check
                assert [step["ok"] for step in check.json["steps"]].count(False) == 1
        assert relay.complete == []


def test_a_timeout_in_the_middle_of_the_body():
    stopped = threading.Event()
    with ScriptedServer(mid_body=gate(stopped, drop)) as relay:
        with Postern(relay=relay.url(), timeout="1s") as postern:
            # More than the sockets' buffers hold, so that the end can't be on its way.
            answer = postern.send(mail(text="word " * 6_000_000))
            stopped.set()
            assert answer.status == 504, answer
            assert answer.json["outcome"] == "not_sent" and answer.json["stage"] == "body"
        assert relay.complete == []


def test_a_timeout_after_the_dot_is_unknown_and_never_sent_again():
    with ScriptedServer(body=nth(hang, "250 2.0.0 the second")) as relay:
        with Postern(relay=relay.url(), timeout="1s") as postern:
            answer = postern.send(mail(subject="first"))
            assert answer.status == 504, answer
            assert answer.json["outcome"] == "unknown" and answer.json["retryable"] is False
            # A session that owes a reply must not serve another mail.
            answer = postern.send(mail(subject="second"))
            assert answer.status == 200 and answer.json["smtp"]["message"] == "the second"
        assert len(relay.sessions) == 2 and len(relay.complete) == 2
        assert [b"first" in m.wire for m in relay.complete] == [True, False]


def test_a_reply_that_comes_too_late_is_not_taken_for_another_mails():
    late = threading.Event()
    replies = nth(gate(late, "250 2.0.0 late"), "250 2.0.0 right")
    with ScriptedServer(body=replies) as relay:
        with Postern(relay=relay.url(), timeout="1s") as postern:
            assert postern.send(mail()).json["outcome"] == "unknown"
            late.set()
            assert postern.send(mail()).json["smtp"]["message"] == "right"
        assert len(relay.complete) == 2


def test_a_relay_that_is_down():
    with Postern(relay=f"smtp://127.0.0.1:{free_port()}?tls=none") as postern:
        answer = postern.send(mail())
        assert_not_sent(answer, 503, {"network"})
        assert answer.json["stage"] == "connect" and answer.headers["Retry-After"]
        assert postern.get("/readyz").status == 200


def test_a_relay_whose_name_is_unknown():
    with Postern(relay="smtp://no-such-host.invalid:25?tls=none", timeout="20s") as postern:
        answer = postern.send(mail())
        assert answer.status in (502, 503), answer
        assert (answer.json["category"], answer.json["stage"]) == ("network", "resolve")


# --- a session that was used before, and has gone stale ---

STALE = {
    "closed while idle": {"idle": nth(drop, nothing)},
    "reset while idle": {"idle": nth(reset, nothing)},
    "421 and closed while idle": {"idle": nth(then("421 4.4.2 idle for too long", drop), nothing)},
    "421 while idle, still open": {"idle": nth(say("421 4.4.2 idle for too long"), nothing)},
    "421 at MAIL": {"mail": nth("250 ok", then("421 4.7.0 enough for one session", drop), "250 ok")},
    "421 at MAIL, still open": {"mail": nth("250 ok", say("421 4.7.0 enough"), "250 ok")},
    "closed at MAIL": {"mail": nth("250 ok", drop, "250 ok")},
    "reset at MAIL": {"mail": nth("250 ok", reset, "250 ok")},
    "closed at RCPT": {"rcpt": nth("250 ok", drop, "250 ok")},
    "closed at DATA": {"data": nth("354 go", drop, "354 go")},
}


@pytest.mark.parametrize("what", STALE)
def test_a_stale_session_is_replaced_once_and_the_mail_delivered_once(what):
    with ScriptedServer(**STALE[what]) as relay, Postern(relay=relay.url()) as postern:
        assert postern.send(mail(subject="first")).status == 200
        if "closed while idle" in what:
            wait_until(lambda: not relay.open_sessions(), what="the relay to close")
        answer = postern.send(mail(subject="second"))
        assert answer.status == 200, answer
        assert len(relay.sessions) == 2
        assert [b"Subject: first" in m.wire for m in relay.complete] == [True, False]


def test_a_stale_session_that_ends_in_the_body_is_replaced_while_the_end_is_not_sent():
    # mid_body is run for bodies over 4096 octets: the first mail is small.
    with ScriptedServer(mid_body=nth(drop, nothing)) as relay, Postern(relay=relay.url()) as postern:
        assert postern.send(mail()).status == 200
        answer = postern.send(BIG)
        assert answer.status == 200, answer
        assert len(relay.sessions) == 2 and len(relay.complete) == 2


def test_a_used_session_that_ends_after_the_dot_is_never_tried_again():
    with ScriptedServer(body=nth("250 ok", drop, "250 ok")) as relay:
        with Postern(relay=relay.url()) as postern:
            assert postern.send(mail()).status == 200
            answer = postern.send(mail())
            assert answer.status == 504 and answer.json["outcome"] == "unknown", answer
            assert len(relay.complete) == 2
            assert postern.send(mail()).status == 200
        assert len(relay.complete) == 3


def test_there_is_one_second_try_and_no_third():
    with ScriptedServer(mail=nth("250 ok", drop)) as relay, Postern(relay=relay.url()) as postern:
        assert postern.send(mail()).status == 200
        assert_not_sent(postern.send(mail()), 503, {"network"})
        assert len(relay.sessions) == 2


def test_many_stale_sessions_at_once():
    """Eight sessions that the relay closed, and then twice as many mails as sessions."""
    ready = threading.Barrier(8)

    def hold(session, argument):
        ready.wait(60)  # so that eight sessions are open at once
        session.send(b"250 ok\r\n")
    closing = {"body": nth(*[hold] * 8, "250 ok"), "idle": nth(*[drop] * 8, nothing)}
    with ScriptedServer(**closing) as relay, Postern(relay=relay.url(sessions=8)) as postern:
        first = postern.send_many([mail(subject=f"first {i}") for i in range(8)], at_once=8)
        assert [a.status for a in first] == [200] * 8 and len(relay.sessions) == 8
        second = postern.send_many([mail(subject=f"second {i}") for i in range(16)])
        assert [a.status for a in second] == [200] * 16
        assert len(relay.complete) == 24
        assert len({m.wire.partition(b"Subject: ")[2][:9] for m in relay.complete}) == 24


def test_sessions_are_capped_and_the_rest_waits():
    release = threading.Event()
    with ScriptedServer(body=gate(release, "250 ok")) as relay:
        with Postern(relay=relay.url(sessions=2)) as postern:
            import concurrent.futures
            with concurrent.futures.ThreadPoolExecutor(10) as pool:
                waiting = [pool.submit(postern.send, mail()) for _ in range(10)]
                wait_until(lambda: len(relay.complete) == 2, what="two mails at the relay")
                assert len(relay.sessions) == 2
                release.set()
                assert [w.result().status for w in waiting] == [200] * 10
        assert len(relay.sessions) == 2


def test_a_slow_relay_does_not_hold_up_the_others():
    """Eight mails for which the relay takes its time, on one sender thread, are served together."""
    together = threading.Barrier(8)

    def slow(session, argument):
        together.wait(60)  # goes on only when all eight are here at once
        session.send(b"250 2.0.0 at last\r\n")
    with ScriptedServer(body=slow) as relay, Postern(relay=relay.url(sessions=8)) as postern:
        answers = postern.send_many([mail() for _ in range(8)])
        assert [a.status for a in answers] == [200] * 8


def test_a_relay_that_is_slow_at_every_stage_is_waited_for():
    stages = {"greeting": "220 x", "mail": "250 ok", "rcpt": "250 ok", "data": "354 go",
              "body": "250 ok"}
    with ScriptedServer(**{s: wait(0.1, reply) for s, reply in stages.items()}) as relay:
        with Postern(relay=relay.url()) as postern:
            assert postern.send(mail()).status == 200
        assert len(relay.complete) == 1


def test_idle_sessions_are_closed_with_quit():
    with ScriptedServer() as relay, Postern(relay=relay.url(), session_idle="500ms") as postern:
        assert postern.send(mail()).status == 200
        wait_until(lambda: not relay.open_sessions(), what="the idle session to be closed")
        assert relay.sessions[0].ended == "QUIT"
        assert postern.running()


def test_sessions_are_closed_with_quit_at_the_end():
    with ScriptedServer() as relay:
        with Postern(relay=relay.url()) as postern:
            assert postern.send(mail()).status == 200
        wait_until(lambda: not relay.open_sessions(), what="the session to end")
        assert [session.ended for session in relay.sessions] == ["QUIT"]


def test_a_relay_that_never_answers_quit_does_not_hold_up_the_end():
    with ScriptedServer(quit=hang) as relay:
        with Postern(relay=relay.url()) as postern:
            assert postern.send(mail()).status == 200


def test_a_client_that_goes_away_does_not_send_the_mail_twice():
    release = threading.Event()
    with ScriptedServer(body=gate(release, "250 ok")) as relay:
        with Postern(relay=relay.url()) as postern:
            import json
            connection = postern.connect()
            connection.request("POST", "/v1/send", json.dumps(mail()).encode(),
                               {"Content-Type": "application/json"})
            wait_until(lambda: relay.complete, what="the mail at the relay")
            connection.close()
            release.set()
            assert postern.send(mail()).status == 200
        assert len(relay.complete) == 2


@pytest.mark.parametrize("stage", ["connect", "greeting", "ehlo", "mail"])
def test_a_check_has_the_step_at_which_the_session_ended(stage):
    with ScriptedServer(**{stage: drop}) as relay, Postern(relay=relay.url()) as postern:
        answer = postern.post("/v1/check", {"from": "shop@postern.test"})
        assert answer.status == 503, answer
        *passed, last = answer.json["steps"]
        assert all(step["ok"] for step in passed) and last["ok"] is False
        assert last["stage"] == answer.json["stage"] == ("greeting" if stage == "connect" else stage)
