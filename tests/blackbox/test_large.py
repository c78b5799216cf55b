"""Large requests: what is kept in memory, what in a file, and what happens where neither has room."""

import base64
import email
import json
import os

import pytest

from . import places
from .contract import contract
from .postern import Postern, mail, run
from .process import wait_until
from .scripted import ScriptedServer
from .wire import Wire, post

MIB = 1 << 20


def attached(octets, **members):
    content = base64.b64encode(os.urandom(octets)).decode()
    return mail(attachments=[{"filename": "large.bin", "content": content}], **members), content


def payload(message):
    parts = [p for p in email.message_from_bytes(message).walk() if p.get_filename()]
    return [base64.b64encode(p.get_payload(decode=True)).decode() for p in parts]


@pytest.mark.parametrize("spill", [None, "off", "/tmp"])
@pytest.mark.parametrize("octets", [300, 100_000, 3_000_000])
def test_an_attachment_arrives_the_same_wherever_it_was_kept(spill, octets):
    document, content = attached(octets)
    with ScriptedServer() as relay:
        with Postern(relay=relay.url(), **({"spill": spill} if spill else {})) as postern:
            answer = postern.send(document)
            assert answer.status == 200, answer
            composed = postern.post("/v1/compose", document)
            assert payload(composed.body) == [content]
            assert len(composed.body) == int(composed.headers["Content-Length"])
            assert postern.metrics()["postern_request_memory_bytes"] == 0
        assert payload(relay.complete[0].message) == [content]


def test_escapes_and_breaks_in_large_base64(bare):
    raw = os.urandom(1_000_000)
    content = base64.encodebytes(raw).decode().replace("\n", "\r\n")
    body = json.dumps(mail(attachments=[{"filename": "a", "content": content}])).replace("/", "\\/")
    composed = bare.post("/v1/compose", body=body.encode())
    assert payload(composed.body) == [base64.b64encode(raw).decode()]


def test_a_fault_far_in_a_large_attachment_is_told_with_its_place(bare):
    document, content = attached(2_000_000)
    document["attachments"].append({"filename": "b", "content": content[:1_500_001] + "!" + content})
    answer = bare.post("/v1/compose", document)
    assert answer.status == 422
    assert [(e["pointer"], e["code"], e["offset"]) for e in answer.json["errors"]] == [
        ("/attachments/1/content", "base64", 1_500_001)]
    assert bare.metrics()["postern_request_memory_bytes"] == 0


def test_a_large_text_and_html_arrive_whole():
    text = "".join(f"Line {i} of many: grüße, 您好.\n" for i in range(60_000))
    html = "<p>" + "<b>x</b> &amp; \"y\"<br>\n" * 60_000
    with ScriptedServer() as relay:
        with Postern(relay=relay.url()) as postern:
            assert postern.send(mail(text=text, html=html)).status == 200
        parts = list(email.message_from_bytes(relay.complete[0].message).walk())
        assert parts[1].get_payload(decode=True).decode().replace("\r\n", "\n") == text
        assert parts[2].get_payload(decode=True).decode().replace("\r\n", "\n") == html


def test_without_a_file_and_with_little_memory_it_is_503_and_nothing_stays_taken():
    document, _ = attached(3 * MIB)
    with ScriptedServer() as relay:
        with Postern(relay=relay.url(), spill="off", max_memory="1MiB") as postern:
            for _ in range(3):
                answer = postern.send(document)
                assert answer.status == 503 and answer.headers["Retry-After"], answer
                assert answer.json["type"] == "urn:postern:problem:storage"
                assert answer.json["outcome"] == "not_sent" and answer.json["retryable"] is True
            assert postern.metrics()["postern_request_memory_bytes"] == 0
            assert postern.send(mail()).status == 200
        assert len(relay.complete) == 1


def test_a_full_disk_is_503_and_small_mail_goes_on():
    document, _ = attached(3 * MIB)
    with ScriptedServer() as relay:
        # No file may be larger: what a full disk looks like, without filling one.
        with Postern(relay=relay.url(), before=["prlimit", f"--fsize={MIB}"]) as postern:
            files = postern.open_files()
            answer = postern.send(document)
            assert answer.status == 503 and answer.headers["Retry-After"], answer
            assert answer.json["type"] == "urn:postern:problem:storage"
            assert postern.send(mail()).status == 200
            assert postern.metrics()["postern_request_memory_bytes"] == 0
            wait_until(lambda: postern.open_files() <= files + 1, what="nothing but the session to be left")
        assert len(relay.complete) == 1


def test_a_client_that_leaves_in_the_middle_leaves_nothing(bare):
    document, _ = attached(2 * MIB)
    body = json.dumps(document).encode()
    for _ in range(5):
        with Wire(bare) as wire:
            wire.send(post(body=body[:MIB], length=len(body)))
    wait_until(lambda: bare.metrics()["postern_request_memory_bytes"] == 0,
               what="the memory to be given back")


def test_memory_that_others_hold_is_503_before_the_body_is_read():
    document, _ = attached(2 * MIB)
    body = json.dumps(document).encode()
    with Postern(spill="off", max_memory="4300KiB") as postern, Wire(postern) as holder:
        holder.send(post(body=body[:-10], length=len(body)))
        wait_until(lambda: postern.metrics()["postern_request_memory_bytes"] > 2.5 * MIB,
                   what="a request to hold memory")
        for path in ("/v1/compose", "/v1/templates/generic/render"):
            with Wire(postern) as wire:
                wire.send(post(path, body=b"", length=len(body)))
                answer = wire.answer()
            assert answer.status == 503 and answer.headers["Retry-After"], answer
            assert answer.json["type"] == "urn:postern:problem:memory"
            contract.seen("POST", path, answer)


def test_the_plain_twin_of_a_large_html_counts():
    html = "<p>" + "word " * (MIB // 2)
    with Postern(max_memory="5MiB") as postern:
        answer = postern.post("/v1/compose", mail(text=None, html=html))
        assert answer.status == 503 and answer.json["type"] == "urn:postern:problem:memory", answer
        assert postern.post("/v1/compose", mail(html=html)).status == 200
        assert postern.metrics()["postern_request_memory_bytes"] == 0


def test_a_body_where_none_belongs_is_dropped_as_it_comes():
    """/healthz asks for no key: whoever reaches it must not fill memory and disk."""
    with Postern(api_keys="k" * 32, key="k" * 32) as postern, Wire(postern) as wire:
        files = postern.open_files()
        body = b'["' + b"A" * (3 * MIB) + b'"]'
        head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        wire.send(head % len(body) + body[:-2])
        assert postern.metrics()["postern_request_memory_bytes"] == 0
        assert postern.open_files() <= files + 2  # two connections
        wire.send(body[-2:])
        assert wire.answer().status == 200
        wire.send(head % 0)
        assert wire.answer().status == 200


def test_the_folder_must_be_one_that_can_be_written():
    missing = places.scratch("spill") / "missing"
    done = run("serve", spill=missing)
    assert done.returncode == 78
    assert b"POSTERN_SPILL" in done.stderr and b"No such file" in done.stderr


def test_structure_without_end_is_refused(bare):
    answer = bare.post("/v1/compose", body=b"[" + b"0," * (2 * MIB) + b"0]")
    assert answer.status == 413 and answer.type == "application/problem+json", answer
