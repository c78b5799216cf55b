"""Requests that are not valid: every fault in one answer, each where it is."""

import base64
import json

import pytest

from .postern import Postern, mail

HOSTILE = ["a\r\nBcc: x@y.z", "a\nb", "a\rb", "a\0b", "\r\n.\r\nMAIL FROM:<x@y.z>", "a\u0000"]


def faults(postern, document=None, body=None, status=422):
    """{pointer: [code, …]} of the answer."""
    answer = postern.post("/v1/compose", document, body)
    assert answer.status == status, answer
    found = {}
    for error in answer.json["errors"]:
        assert error["detail"]
        found.setdefault(error["pointer"], []).append(error["code"])
    return found


def test_all_faults_come_in_one_answer(bare):
    found = faults(bare, {
        "from": "no address", "to": ["li@postern.test", "a b@x", {"name": "no email"}, 5],
        "cc": {"email": "x@y.z", "nick": "x"}, "subject": 7, "html": [], "atachments": [],
        "headers": {"Bcc": "x@y.z", "X-A": "a\r\nb", "X B": "c", "X-N": 1},
        "attachments": [{"content": "AAAA", "filename": "a/b\nc"}, {"filename": "x"},
                        {"content": "####"}, {"content": "AAAA", "disposition": "hidden"},
                        {"content": "AAAA", "content_type": "multipart/mixed"}, "x"],
        "relay": "nowhere", "envelope_from": "x", "transcript": "yes"})
    assert set(found) == {
        "/from", "/to/1", "/to/2/email", "/to/3", "/cc/nick", "/subject", "/html", "/atachments",
        "/headers/Bcc", "/headers/X-A", "/headers/X B", "/headers/X-N", "/attachments/0/filename",
        "/attachments/1/content", "/attachments/2/content", "/attachments/3/disposition",
        "/attachments/4/content_type", "/attachments/5", "/relay", "/envelope_from", "/transcript"}
    assert found["/atachments"] == ["unknown_member"] and found["/subject"] == ["wrong_type"]


@pytest.mark.parametrize("document, pointers", [
    ({}, {"/from", "/to", "/html"}),
    (mail(**{"from": None}), {"/from"}),
    (mail(to=None), {"/to"}),
    (mail(to=[]), {"/to"}),
    (mail(text=None), {"/html"}),
    ([], {""}), ("x", {""}), (5, {""}), (None, {""}),
], ids=["nothing", "no from", "no to", "empty to", "no text", "a list", "a string", "a number", "null"])
def test_what_is_required(bare, document, pointers):
    assert set(faults(bare, body=json.dumps(document).encode())) == pointers


@pytest.mark.parametrize("only", ["cc", "bcc"])
def test_one_recipient_anywhere_is_enough(bare, only):
    assert bare.post("/v1/compose", mail(to=None, **{only: "a@b.c"})).status == 200


@pytest.mark.parametrize("address", [
    "", " ", "a", "@", "a@", "@b.c", "a@b@c", "a b@c.d", "a@b c", "a@-b.c", "a@b..c", "a..b@c.d",
    ".a@b.c", "<a@b.c", "a@b.c>", "A <a@b.c> B <c@d.e>", "a@b.c, d@e.f", "group: a@b.c;",
    "<@route:a@b.c>", "a@[1.2.3.4", "a@b.c\r\nRCPT TO:<x@y.z>", "a\n@b.c", "a@b.c\0", "a@b.c\x7f",
    "x" * 65 + "@b.c", "a@" + "x" * 64 + ".c", "a@" + ".".join(["x" * 60] * 5), '"a\nb"@c.d',
    "a@b.c ORCPT=x", "Name a@b.c"])
def test_what_is_no_address(bare, address):
    for member in ("from", "to", "cc", "bcc", "reply_to"):
        assert f"/{member}" in faults(bare, mail(**{member: address})), member
    assert "/to/email" in faults(bare, mail(to={"email": address}))
    if address.strip():  # an empty one is the null reverse-path
        assert "/envelope_from" in faults(bare, mail(envelope_from=address))


@pytest.mark.parametrize("value", HOSTILE)
def test_no_line_break_gets_into_a_header(bare, value):
    assert faults(bare, mail(subject=value)).keys() == {"/subject"}
    assert faults(bare, mail(headers={"X-A": value})).keys() == {"/headers/X-A"}
    if "\0" in value:  # jansson takes no NUL in a name at all
        assert bare.post("/v1/compose", mail(headers={value: "x"})).status == 400
    else:
        assert list(faults(bare, mail(headers={value: "x"})).values())[0]
    assert faults(bare, mail(to={"email": "a@b.c", "name": value})).keys() == {"/to/name"}
    for member in ("filename", "content_type", "content_id"):
        document = mail(attachments=[{"content": "AAAA", member: value}])
        assert faults(bare, document).keys() == {f"/attachments/0/{member}"}


def test_a_nul_in_a_body_is_a_fault(bare):
    assert faults(bare, mail(text="a\0b")).keys() == {"/text"}
    assert faults(bare, mail(html="a\0b")).keys() == {"/html"}


@pytest.mark.parametrize("name", [
    "From", "to", "CC", "Bcc", "Reply-To", "Subject", "Date", "Message-ID", "MIME-Version",
    "Content-Type", "content-transfer-encoding", "Content-X", "Received", "Return-Path",
    "Resent-From", "DKIM-Signature ", "", " ", "X:Y", "X Y", "Ü", "x" * 80])
def test_headers_that_cannot_be_set(bare, name):
    found = faults(bare, mail(headers={name: "x"}))
    assert [*found] == ["/headers/" + name.replace("~", "~0").replace("/", "~1")]


def test_pointers_are_escaped(bare):
    assert [*faults(bare, mail(**{"a/b~c": 1}))] == ["/a~1b~0c"]


@pytest.mark.parametrize("content, offset", [
    ("AAAA!AAA", 4), ("AAAA====", None), ("A", None), ("AAAAA", None), ("AA=A", None), ("AB==", None),
    ("AAAA AAA\u00e4", 8), ("-_+/", None), ("A\\A", 1), ("AAA=A", None)])
def test_a_base64_fault_names_attachment_and_offset(bare, content, offset):
    document = mail(attachments=[{"content": "AAAA"}, {"filename": "简历.pdf", "content": content}])
    answer = bare.post("/v1/compose", document)
    assert answer.status == 422, answer
    (error,) = answer.json["errors"]
    assert error["pointer"] == "/attachments/1/content" and error["code"] == "base64"
    assert "简历.pdf" in error["detail"]
    assert isinstance(error["offset"], int)
    assert offset is None or error["offset"] == offset


def test_a_base64_fault_far_into_a_large_attachment_is_found(bare):
    content = bytearray(base64.b64encode(bytes(3_000_000)))
    content[2_345_678] = ord("*")
    answer = bare.post("/v1/compose", mail(attachments=[{"content": content.decode()}]))
    assert answer.status == 422 and answer.json["errors"][0]["offset"] == 2_345_678, answer


@pytest.mark.parametrize("body", [
    b"", b"{", b"}", b'{"from"', b"nul", b"{'a': 1}", b'{"a": 1,}', b'{"a": 1} x', b'{"a": 1}{}',
    b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', b'{"a": "\xc0\x80"}', b'{"a": "\n"}', b'{"a": "\x00"}',
    b'{"a": "\\ud800"}', b'{"a": "\\ud800x"}', b'{"a": "\\udc00"}', b'{"a": "\\x"}',
    b'{"subject": "a", "subject": "b"}', b'{"a": 01}', b'{"a": 1e999999}', b'{"a": NaN}',
    b'{"a": 123456789012345678901234567890}', b"[" * 10_000 + b"]" * 10_000, b"[" * 1_000_000,
    b'{"a":' * 10_000, b"\xef\xbb\xbf{}", b"\xff\xfe{\0}\0", b"/* x */ {}"],
    ids=lambda body: repr(body[:24]))
def test_what_is_no_json_is_400_with_a_place(bare, body):
    answer = bare.post("/v1/compose", body=body)
    assert answer.status == (400 if body else answer.status), answer
    assert answer.status in (400, 411) and answer.type == "application/problem+json"
    assert answer.json["detail"]


@pytest.mark.parametrize("depth", [40, 10_000])
def test_depth_is_bounded(bare, depth):
    body = json.dumps(mail())[:-1].encode() + b', "x": ' + b"[" * depth + b"]" * depth + b"}"
    answer = bare.post("/v1/compose", body=body)
    assert answer.status == 400, answer


@pytest.mark.parametrize("inside", [
    '"attachments": [{"content": "AAAA", "content": "BBBB"}]', '"headers": {"X-A": "1", "X-A": "2"}',
    '"to": {"email": "a@b.c", "email": "d@e.f"}'])
def test_a_name_twice_is_a_fault_at_every_depth(bare, inside):
    body = json.dumps(mail(to=None))[:-1] + f", {inside}}}"
    assert bare.post("/v1/compose", body=body.encode()).status == 400


def test_more_faults_than_are_listed_are_counted(bare):
    answer = bare.post("/v1/compose", mail(**{f"typo{i}": 1 for i in range(5000)}))
    assert answer.status == 422
    assert len(answer.json["errors"]) == 100 and answer.json["errors_total"] == 5000


def test_the_number_of_recipients_is_limited(bare):
    hundred = [f"r{i}@postern.test" for i in range(100)]
    assert bare.post("/v1/compose", mail(to=hundred)).status == 200
    assert "too_many_recipients" in faults(bare, mail(to=hundred, bcc="x@postern.test"))["/to"]
    with Postern(max_recipients=2) as postern:
        assert postern.post("/v1/compose", mail(to=hundred[:1], cc=hundred[1])).status == 200
        assert faults(postern, mail(to=hundred[:1], cc=hundred[1], bcc=hundred[2]))


def test_the_same_recipient_twice_is_one():
    from .scripted import ScriptedServer
    with ScriptedServer() as relay, Postern(relay=relay.url()) as postern:
        answer = postern.send(mail(to=["a@b.test", "A <a@B.test>"], cc="a@b.test", bcc="c@b.test"))
        assert answer.status == 200 and answer.json["accepted"] == ["a@b.test", "c@b.test"]
        assert relay.verbs().count("RCPT") == 2


@pytest.mark.parametrize("sender, allowed", {
    "shop@postern.test": True, "Shop <shop@postern.test>": True, "shop@POSTERN.test": True,
    "anyone@example.com": True, "x@sub.example.com": False, "other@postern.test": False,
    "x@notexample.com": False, "shop@postern.test.evil.test": False, "x@bücher.example": True,
}.items())
def test_postern_from_says_who_may_send(sender, allowed):
    with Postern(**{"from": "shop@postern.test, @example.com, bücher.example"}) as postern:
        answer = postern.post("/v1/compose", mail(**{"from": sender}))
        assert answer.status == (200 if allowed else 403), answer
        envelope = postern.post("/v1/compose", mail(envelope_from=sender.rpartition("<")[2].rstrip(">")))
        assert envelope.status == (200 if allowed else 403), envelope
        if not allowed:
            assert answer.json["errors"][0]["pointer"] == "/from"
            assert envelope.json["errors"][0]["pointer"] == "/envelope_from"


def test_the_first_address_of_postern_from_is_the_default():
    with Postern(**{"from": "example.com,Shop <shop@postern.test>"}) as postern:
        answer = postern.post("/v1/compose", mail(**{"from": None}))
        assert answer.status == 200 and b"From: Shop <shop@postern.test>\r\n" in answer.body


@pytest.mark.parametrize("document, pointer", [
    ({"relay": "x"}, "/relay"), ({"relay": 5}, "/relay"), ({"from": "x"}, "/from"), ({"x": 1}, "/x")])
def test_a_check_is_validated_too(bare, document, pointer):
    answer = bare.post("/v1/check", document)
    assert answer.status == 422, answer
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_a_check_that_is_no_json(bare):
    assert bare.post("/v1/check", body=b"{").status == 400
    assert bare.post("/v1/check", {}, headers={"Content-Type": "text/plain"}).status == 415
