"""What a relay may refuse, at each stage, and what the caller is told of it."""

import pytest

from .process import wait_until
from .postern import Postern, mail
from .scripted import ScriptedServer, by_recipient, drop, nth, raw, say, then

LI, JANE, BOB = "li@postern.test", "jane@postern.test", "bob@postern.test"

# what: (script, status, categories, stage, code, retryable). More than one category where the
# contract leaves it open.
REFUSALS = {
    "greeting 554": ({"greeting": "554 5.7.1 your address is on our list"},
                     502, {"policy"}, "greeting", 554, False),
    "greeting 421": ({"greeting": "421 4.3.2 too many sessions"},
                     503, {"rate", "temporary"}, "greeting", 421, True),
    "EHLO 421": ({"ehlo": then("421 4.3.2 not now", drop)},
                 503, {"rate", "temporary"}, "ehlo", 421, True),
    "MAIL 550": ({"mail": "550 5.1.8 bad sender"}, 422, {"sender"}, "mail", 550, False),
    "MAIL 553 not owned": ({"mail": "553 5.7.1 sender address rejected: not owned by user"},
                           422, {"sender"}, "mail", 553, False),
    "MAIL 501": ({"mail": "501 5.1.7 bad sender address syntax"},
                 422, {"sender"}, "mail", 501, False),
    "MAIL 530": ({"mail": "530 5.7.0 authentication required"}, 502, {"auth"}, "mail", 530, False),
    "MAIL 530 STARTTLS": ({"mail": "530 5.7.0 must issue a STARTTLS command first"},
                          502, {"tls"}, "mail", 530, False),
    "MAIL 451": ({"mail": "451 4.3.0 try later"}, 503, {"temporary"}, "mail", 451, True),
    "MAIL 452": ({"mail": "452 4.3.1 insufficient system storage"},
                 503, {"temporary", "size"}, "mail", 452, True),
    "MAIL 552": ({"mail": "552 5.3.4 message size exceeds fixed limit"},
                 422, {"size"}, "mail", 552, False),
    "MAIL 450 rate": ({"mail": "450 4.7.1 too many messages, slow down"},
                      503, {"rate"}, "mail", 450, True),
    "RCPT 550": ({"rcpt": "550 5.1.1 no such user"}, 422, {"recipient"}, "rcpt", 550, False),
    "RCPT 553": ({"rcpt": "553 5.1.3 bad address syntax"}, 422, {"recipient"}, "rcpt", 553, False),
    "RCPT 450": ({"rcpt": "450 4.2.1 mailbox busy"},
                 503, {"temporary", "recipient"}, "rcpt", 450, True),
    "RCPT 451 greylisting": ({"rcpt": "451 4.7.1 greylisted, try again in 300 seconds"},
                             503, {"temporary", "rate", "policy"}, "rcpt", 451, True),
    "RCPT 452 full": ({"rcpt": "452 4.2.2 mailbox full"},
                      503, {"recipient", "temporary"}, "rcpt", 452, True),
    "DATA 451": ({"data": "451 4.3.0 queue file write error"}, 503, {"temporary"}, "data", 451, True),
    "DATA 554": ({"data": "554 5.7.1 not today"}, {422, 502}, {"policy", "content"}, "data", 554,
                 False),
    "body 554 spam": ({"body": "554 5.7.1 message judged as spam"},
                      422, {"content"}, "body", 554, False),
    "body 550": ({"body": "550 5.6.0 message content rejected"}, 422, {"content"}, "body", 550, False),
    "body 552": ({"body": "552 5.3.4 too big"}, 422, {"size"}, "body", 552, False),
    "body 550 DMARC": ({"body": "550 5.7.26 unauthenticated mail is not accepted due to DMARC policy"},
                       {422, 502}, {"policy"}, "body", 550, False),
    "body 451": ({"body": "451 4.3.0 not now"}, 503, {"temporary"}, "body", 451, True),
    "body 421": ({"body": then("421 4.3.0 shutting down", drop)},
                 503, {"temporary", "rate"}, "body", 421, True),
}


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "step by step"])
@pytest.mark.parametrize("what", REFUSALS)
def test_a_refusal_is_told_with_its_stage_and_cause(what, pipelining):
    script, statuses, categories, stage, code, retryable = REFUSALS[what]
    statuses = statuses if isinstance(statuses, set) else {statuses}
    extensions = ["PIPELINING"] if pipelining else []
    extensions += ["SIZE 100000000", "ENHANCEDSTATUSCODES"]
    with ScriptedServer(extensions=extensions, **script) as relay:
        with Postern(relay=relay.url()) as postern:
            answer = postern.send(mail())
        assert answer.status in statuses, answer
        problem = answer.json
        assert problem["category"] in categories, answer
        assert (problem["stage"], problem["smtp"]["code"]) == (stage, code), answer
        assert problem["smtp"]["enhanced"] and problem["smtp"]["message"]
        assert problem["retryable"] is retryable and problem["outcome"] == "not_sent"
        assert (answer.headers["Retry-After"] is not None) == (answer.status == 503)
        assert not [m for m in relay.mails if m.accepted]
        assert len(relay.sessions) == 1


def test_the_session_goes_on_after_a_refusal():
    with ScriptedServer() as relay, Postern(relay=relay.url()) as postern:
        for stage in ("mail", "rcpt", "data", "body"):
            honest, relay.script[stage] = relay.script[stage], "554 5.7.0 not this one"
            assert postern.send(mail()).status in (422, 502)
            relay.script[stage] = honest
            # A mail that comes before RSET's answer would get a session of its own.
            wait_until(lambda: postern.metrics()['postern_sessions{relay="default",state="idle"}'] == 1,
                       what="the session to be free again")
        assert postern.send(mail()).status == 200
        assert len(relay.sessions) == 1
        wait_until(lambda: len([m for m in relay.mails if m.accepted]) == 1, what="the one mail")


@pytest.mark.parametrize("script", [{"rcpt": "550 5.1.1 no such user"}, {"mail": "550 5.1.8 no"}],
                         ids=["no recipient", "no sender"])
def test_data_is_taken_though_nobody_was(script):
    with ScriptedServer(forgetful=True, **script) as relay:
        with Postern(relay=relay.url()) as postern:
            answer = postern.send(mail(text="nothing of this may be sent"))
            assert answer.status == 422 and answer.json["outcome"] == "not_sent", answer
            assert postern.send(mail()).status == 422
        # A pipelining client can't call DATA back: it has to send a lone dot, or to end the session.
        assert all(m.wire == b"" for m in relay.mails)


def test_each_recipient_has_its_own_reply():
    script = by_recipient({JANE: "550 5.1.1 no such user", BOB: "452 4.2.2 mailbox full"})
    with ScriptedServer(rcpt=script) as relay, Postern(relay=relay.url()) as postern:
        answer = postern.send(mail(to=[LI, JANE], bcc=BOB))
        assert answer.status == 207, answer
        assert answer.json["accepted"] == [LI]
        rejected = {r["email"]: r for r in answer.json["rejected"]}
        assert rejected[JANE]["smtp"] == {"code": 550, "enhanced": "5.1.1",
                                          "message": "no such user"}
        assert rejected[JANE]["category"] == "recipient" and not rejected[JANE]["retryable"]
        assert rejected[BOB]["smtp"]["code"] == 452 and rejected[BOB]["retryable"]
        assert relay.mails[0].recipients == [LI]


def test_all_recipients_are_refused_in_different_ways():
    script = by_recipient({JANE: "550 5.1.1 no such user"}, "451 4.7.1 greylisted")
    with ScriptedServer(rcpt=script) as relay, Postern(relay=relay.url()) as postern:
        answer = postern.send(mail(to=[LI, JANE]))
        assert answer.status in (422, 503), answer
        codes = {r["email"]: r["smtp"]["code"] for r in answer.json["rejected"]}
        assert codes == {LI: 451, JANE: 550}
        assert relay.complete == [] or relay.complete[0].wire == b""


def test_a_hundred_recipients_keep_their_order():
    table = {f"r{i}@postern.test": f"550 5.1.1 no {i}" for i in range(0, 100, 3)}
    with ScriptedServer(rcpt=by_recipient(table)) as relay, Postern(relay=relay.url()) as postern:
        answer = postern.send(mail(to=[f"r{i}@postern.test" for i in range(100)]))
        assert answer.status == 207, answer
        assert answer.json["accepted"] == [f"r{i}@postern.test" for i in range(100) if i % 3]
        assert ({r["email"]: f"550 5.1.1 {r['smtp']['message']}" for r in answer.json["rejected"]}
                == table)


@pytest.mark.parametrize("reply, code, enhanced, message", [
    ("251 2.1.5 will forward", 251, "2.1.5", "will forward"),
    ("252 2.5.2 will try", 252, "2.5.2", "will try"),
    ("250 queued, no enhanced code", 250, None, "queued, no enhanced code"),
    ("250-2.0.0 first\n250-2.0.0 second\n250 2.0.0 third", 250, "2.0.0", "first\nsecond\nthird"),
    ("250 2.0.0 " + "x" * 2000, 250, "2.0.0", "x" * 2000),
    ("250", 250, None, ""),
    ("250 2.0.0 发送成功", 250, "2.0.0", "发送成功"),
], ids=["251", "252", "no enhanced code", "several lines", "2,000 octets", "no text", "UTF-8"])
def test_any_2yz_after_the_dot_is_acceptance(reply, code, enhanced, message):
    with ScriptedServer(body=reply) as relay, Postern(relay=relay.url()) as postern:
        answer = postern.send(mail())
        assert answer.status == 200, answer
        assert answer.json["smtp"] == {"code": code, "enhanced": enhanced, "message": message}
        assert len(relay.mails) == 1


def test_octets_that_are_not_utf8_are_replaced():
    with ScriptedServer(mail=raw(b"550 5.1.8 caf\xe9 \xff closed \x07\r\n")) as relay:
        with Postern(relay=relay.url()) as postern:
            answer = postern.send(mail())
            assert answer.status == 422, answer
            message = answer.json["smtp"]["message"]
            assert "caf\ufffd" in message and "closed" in message and "\x07" not in message


@pytest.mark.parametrize("garbage", [
    b"not a reply at all\r\n", b"\r\n", b"25 0 x\r\n", b"250-a\r\n550 b\r\n", b"\0\0\0\0\r\n",
    b"250 " + b"x" * 9000 + b"\r\n", b"250-x\r\n" * 100_000, b"999 what\r\n", b"100 what\r\n",
], ids=["words", "empty line", "blank in the code", "two codes", "NULs", "9,000 octets",
        "100,000 lines", "999", "100"])
@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail", "rcpt", "data"])
def test_what_is_not_smtp_is_a_protocol_fault(stage, garbage):
    with ScriptedServer(**{stage: then(raw(garbage), drop)}) as relay:
        with Postern(relay=relay.url()) as postern:
            answer = postern.send(mail())
        assert answer.status in (502, 503), answer
        assert answer.json["category"] in ("protocol", "network"), answer
        assert answer.json["outcome"] == "not_sent"
        assert relay.complete == []


@pytest.mark.parametrize("reply", ["354 go on", "220 hello", "334 what"])
def test_a_reply_that_has_no_place_there_is_a_protocol_fault(reply):
    with ScriptedServer(mail=reply) as relay, Postern(relay=relay.url()) as postern:
        answer = postern.send(mail())
        assert answer.status in (502, 503), answer
        assert answer.json["category"] == "protocol" and answer.json["stage"] == "mail"


def test_a_250_instead_of_354_is_not_taken_for_a_go_ahead():
    with ScriptedServer(data="250 2.0.0 thanks") as relay, Postern(relay=relay.url()) as postern:
        answer = postern.send(mail())
        assert answer.status in (502, 503), answer
        assert answer.json["category"] == "protocol" and answer.json["outcome"] == "not_sent"
        assert all(m.wire == b"" and not m.complete for m in relay.mails)


def test_garbage_after_the_dot_leaves_the_outcome_unknown():
    with ScriptedServer(body=then(raw(b"gibberish\r\n"), drop)) as relay:
        with Postern(relay=relay.url()) as postern:
            answer = postern.send(mail())
            assert answer.status == 504, answer
            assert answer.json["outcome"] == "unknown" and answer.json["retryable"] is False
        assert len(relay.complete) == 1


def test_a_refusal_in_the_middle_of_the_body_is_seen():
    big = mail(text="word " * 1_000_000)
    silent = {"mid_body": say("552 5.3.4 that is too much"), "body": lambda *_: None}
    with ScriptedServer(**silent) as relay, Postern(relay=relay.url()) as postern:
        answer = postern.send(big)
        assert answer.status == 422, answer
        assert answer.json["smtp"]["code"] == 552 and answer.json["category"] == "size"
        assert not [m for m in relay.mails if m.accepted]


def test_a_message_over_the_offered_size_is_not_sent():
    with ScriptedServer(extensions=["SIZE 1000"]) as relay, Postern(relay=relay.url()) as postern:
        answer = postern.send(mail(text="word " * 1000))
        assert answer.status == 422, answer
        assert answer.json["category"] == "size" and answer.json["stage"] == "mail"
        assert relay.mails == [] and "MAIL" not in relay.verbs()


def test_without_extensions_the_plain_dialogue_is_spoken():
    with ScriptedServer(extensions=[]) as relay, Postern(relay=relay.url()) as postern:
        assert postern.send(mail()).status == 200
        assert relay.commands[1] == "MAIL FROM:<shop@postern.test>"


def test_with_helo_alone_mail_goes_in_clear():
    with ScriptedServer(ehlo="502 5.5.1 what?") as relay, Postern(relay=relay.url()) as postern:
        answer = postern.send(mail())
        assert answer.status == 200, answer
        assert relay.verbs()[:2] == ["EHLO", "HELO"]


def test_dots_arrive_as_they_were():
    text = ".\n..\n...\n.a\n\n.\n"
    with ScriptedServer() as relay, Postern(relay=relay.url()) as postern:
        composed = postern.post("/v1/compose", mail(text=text)).body
        assert postern.send(mail(text=text)).status == 200
        body = relay.mails[0].message.partition(b"\r\n\r\n")[2]
        assert body == composed.partition(b"\r\n\r\n")[2]
