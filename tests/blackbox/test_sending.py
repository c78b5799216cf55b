"""Mail through real servers: accepted, told as it was, and delivered as it was composed."""

import base64
import re
import uuid

import pytest

from .honest import HOME, KNOWN, STRICT
from .postern import Postern, mail
from .postfix import SMALL_LIMIT

# (server, how it is reached, what the answer says of TLS)
WAYS = {
    "postfix with STARTTLS and AUTH": ("postfix", "starttls_url", True),
    "postfix with implicit TLS and AUTH": ("postfix", "smtps_url", True),
    "postfix in clear": ("postfix", "plain_url", False),
    "opensmtpd in clear": ("opensmtpd", "plain_url", False),
    "aiosmtpd with STARTTLS and AUTH": ("aiosmtpd", "starttls_url", True),
    "aiosmtpd with implicit TLS and AUTH": ("aiosmtpd", "smtps_url", True),
}


def somebody(domain=HOME):
    return f"{uuid.uuid4().hex[:12]}@{domain}"


def without_trace_of_time(message):
    """A message less its date and what is made from its id."""
    message = re.sub(rb"(?m)^Date: .*\r\n", b"", message)
    return re.sub(rb"[0-9A-HJKMNP-TV-Z]{26}", b"ID", message)


@pytest.fixture(scope="module", params=WAYS.values(), ids=WAYS.keys())
def way(request):
    server, url, tls = request.param
    relay = request.getfixturevalue(server)
    with Postern(relay=getattr(relay, url)()) as postern:
        yield postern, relay, tls


def test_a_mail_arrives_and_the_answer_has_the_relays_words(way):
    postern, relay, tls = way
    recipient = somebody()
    answer = postern.send(mail(to=f"李雷 <{recipient}>", subject="您的订单", html="<p>谢谢 ☃</p>"))
    assert answer.status == 200, answer
    sent = answer.json
    assert sent["status"] == "sent" and sent["relay"] == "default"
    assert sent["smtp"]["code"] == 250 and sent["smtp"]["message"]
    assert sent["accepted"] == [recipient] and sent["rejected"] == []
    assert bool(sent["tls"]) == tls
    assert not tls or sent["tls"].startswith("TLSv1.")
    delivered = relay.mail.wait(recipient).message()
    assert sent["message_id"].encode() in delivered
    assert sent["size"] == len(delivered)


def test_what_compose_shows_is_what_is_sent(way):
    postern, relay, _ = way
    recipient = somebody()
    document = mail(to=recipient, subject="Zażółć gęślą jaźń", html="<p>.</p>\n.\n..\n", text=".\n..",
                    headers={"X-Order": "1234"}, attachments=[
                        {"filename": "简历.pdf", "content": base64.b64encode(b"%PDF-1.4\n" * 99).decode()}])
    composed = postern.post("/v1/compose", document)
    assert (composed.status, composed.type) == (200, "message/rfc822"), composed
    assert postern.send(document).status == 200
    delivered = relay.mail.wait(recipient).message()
    assert without_trace_of_time(delivered) == without_trace_of_time(composed.body)


def test_bcc_gets_the_mail_and_is_named_nowhere(way):
    postern, relay, _ = way
    open_to, hidden = somebody(), somebody()
    answer = postern.send(mail(to=open_to, bcc=hidden))
    assert answer.status == 200 and set(answer.json["accepted"]) == {open_to, hidden}
    for recipient in (open_to, hidden):
        assert hidden.encode() not in relay.mail.wait(recipient).message()


def test_some_recipients_are_refused_and_the_others_get_it(way):
    postern, relay, _ = way
    recipient, unknown = somebody(), f"nobody@{STRICT}"
    answer = postern.send(mail(to=[recipient, unknown], cc=KNOWN))
    assert answer.status == 207, answer
    partial = answer.json
    assert partial["status"] == "partial" and set(partial["accepted"]) == {recipient, KNOWN}
    (rejected,) = partial["rejected"]
    assert rejected["email"] == unknown and 500 <= rejected["smtp"]["code"] < 600
    assert rejected["category"] == "recipient" and rejected["retryable"] is False
    relay.mail.wait(recipient)


def test_no_recipient_is_known(way):
    postern, _, _ = way
    answer = postern.send(mail(to=[f"nobody@{STRICT}", f"noone@{STRICT}"]))
    assert answer.status == 422, answer
    problem = answer.json
    assert (problem["category"], problem["stage"]) == ("recipient", "rcpt")
    assert problem["outcome"] == "not_sent" and problem["retryable"] is False
    assert len(problem["rejected"]) == 2


def test_sessions_are_used_again(way):
    postern, _, _ = way
    answers = [postern.send(mail(to=somebody())) for _ in range(5)]
    assert [answer.status for answer in answers] == [200] * 5
    assert answers[-1].json["timing"]["session_reused"] is True


def test_many_at_once_arrive_once_each(way):
    """More than there are sessions, so that envelopes go out with the body before them."""
    postern, relay, _ = way
    recipients = [somebody() for _ in range(120)]
    answers = postern.send_many([mail(to=recipient, subject=f"for {recipient}")
                                 for recipient in recipients], at_once=60)
    assert [answer.status for answer in answers] == [200] * 120
    for recipient, answer in zip(recipients, answers):
        assert answer.json["accepted"] == [recipient]
        assert f"for {recipient}".encode() in relay.mail.wait(recipient).message()


def test_envelope_from_is_the_return_path(postfix, gateway):
    recipient, bounces = somebody(), f"bounces@{HOME}"
    assert gateway.send(mail(to=recipient, envelope_from=bounces)).status == 200
    delivered = postfix.mail.wait(recipient)
    assert f"Return-Path: <{bounces}>\n".encode() in delivered.raw
    assert bounces.encode() not in delivered.message()


def test_an_empty_envelope_from_is_the_null_reverse_path(postfix, gateway):
    recipient = somebody()
    assert gateway.send(mail(to=recipient, envelope_from="")).status == 200
    assert b"Return-Path: <>\n" in postfix.mail.wait(recipient).raw


def test_a_domain_beyond_ascii_goes_out_in_a_labels(postfix, gateway):
    local = uuid.uuid4().hex[:12]
    answer = gateway.send(mail(to=f"{local}@bücher.example"))
    assert answer.status == 200, answer
    assert answer.json["accepted"] == [f"{local}@xn--bcher-kva.example"]
    delivered = postfix.mail.wait(f"{local}@xn--bcher-kva.example")
    assert b"xn--bcher-kva.example" in delivered.message()


def test_a_local_part_beyond_ascii_goes_out_with_smtputf8(postfix, gateway):
    recipient = f"用户{uuid.uuid4().hex[:8]}@{HOME}"
    answer = gateway.send(mail(to=recipient))
    assert answer.status == 200, answer
    assert recipient.encode() in postfix.mail.wait(recipient).message()


def test_a_local_part_beyond_ascii_is_refused_clearly_without_smtputf8(opensmtpd):
    with Postern(relay=opensmtpd.plain_url()) as postern:
        answer = postern.send(mail(to=f"用户@{HOME}"))
        assert answer.status == 422, answer
        assert "SMTPUTF8" in answer.json["detail"] + answer.json.get("hint", "")
        assert answer.json["outcome"] == "not_sent"


def test_a_message_over_the_relays_size_is_refused_before_it_is_sent(postfix):
    with Postern(relay=postfix.plain_url("small")) as postern:
        content = base64.b64encode(bytes(SMALL_LIMIT)).decode()
        answer = postern.send(mail(attachments=[{"filename": "big.bin", "content": content}]))
        assert answer.status == 422, answer
        assert answer.json["category"] == "size" and answer.json["stage"] == "mail"
        assert answer.json["retryable"] is False
        assert postern.send(mail(to=somebody())).status == 200


def test_25_megabytes_arrive_whole(postfix, gateway):
    recipient = somebody()
    block = bytes(range(256)) * 4096
    content = base64.b64encode(block * 25).decode()
    answer = gateway.send(mail(to=recipient, attachments=[{"filename": "a.bin", "content": content}]))
    assert answer.status == 200, answer
    delivered = postfix.mail.wait(recipient).message()
    assert len(delivered) == answer.json["size"]
    encoded = delivered[delivered.index(b"\r\n\r\n", delivered.index(b"a.bin")):]
    encoded = encoded[:encoded.index(b"\r\n--")]
    assert base64.b64decode(encoded) == block * 25


def test_the_transcript_shows_the_dialogue_and_masks_the_login(postfix):
    with Postern(relay=postfix.starttls_url()) as postern:
        recipient = somebody()
        answer = postern.send(mail(to=recipient, transcript=True))
        assert answer.status == 200
        lines = [(line["side"], line["line"]) for line in answer.json["transcript"]]
        said = [line for side, line in lines if side == "client"]
        assert any(line.startswith("EHLO ") for line in said)
        assert any(line.startswith("STARTTLS") for line in said)
        assert any(line.startswith("AUTH ") for line in said)
        assert any(line.startswith("MAIL FROM:<shop@postern.test>") for line in said)
        assert f"RCPT TO:<{recipient}>" in said
        assert any(side == "relay" and line.startswith("235") for side, line in lines)
        secrets = ["correct horse", base64.b64encode(b"correct horse battery").decode(),
                   base64.b64encode(b"\0shop@postern.test\0correct horse battery").decode()]
        assert not [s for s in secrets if s in answer.body.decode()]


@pytest.mark.parametrize("mechanism", ["plain", "login", "cram-md5"])
def test_each_mechanism_logs_in(postfix, mechanism):
    with Postern(relay=postfix.starttls_url(auth=mechanism)) as postern:
        answer = postern.send(mail(to=somebody(), transcript=True))
        assert answer.status == 200, answer
        said = [line["line"] for line in answer.json["transcript"] if line["side"] == "client"]
        assert any(line.upper().startswith(f"AUTH {mechanism.upper()}") for line in said), said


def test_a_wrong_password_is_the_gateways_fault(postfix):
    with Postern(relay=postfix.starttls_url(password="not-the-right-one")) as postern:
        answer = postern.send(mail(to=somebody()))
        assert answer.status == 502, answer
        problem = answer.json
        assert (problem["category"], problem["stage"]) == ("auth", "auth")
        assert problem["smtp"]["code"] == 535 and problem["smtp"]["enhanced"] == "5.7.8"
        assert problem["hint"] and problem["outcome"] == "not_sent"
        assert problem["retryable"] is False
        assert "not-the-right-one" not in answer.body.decode()


def test_check_walks_the_relay(postfix, gateway):
    answer = gateway.post("/v1/check", {"from": f"shop@{HOME}"})
    assert answer.status == 200, answer
    stages = [step["stage"] for step in answer.json["steps"]]
    assert stages == ["resolve", "connect", "greeting", "ehlo", "starttls", "auth", "mail"]
    assert all(step["ok"] for step in answer.json["steps"])


def test_check_shows_where_it_stops(postfix):
    with Postern(relay=postfix.smtps_url(password="not-the-right-one")) as postern:
        answer = postern.post("/v1/check")
        assert answer.status == 502, answer
        steps = answer.json["steps"]
        assert [step["ok"] for step in steps] == [True] * (len(steps) - 1) + [False]
        assert steps[-1]["stage"] == "auth" and steps[-1]["smtp"]["code"] == 535
