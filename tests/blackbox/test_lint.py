"""What a spam filter will see, told before anything is sent."""

import base64
import io
import json
import re
import zipfile

import pytest

from .places import REPO, scratch
from .postern import Postern, mail, run
from .queued import FAST
from .scripted import ScriptedServer

BAD = mail(subject="Your order", text=None, html="<p>Thank you for your order.</p>\n"
           "<p><a href='https://192.0.2.1/'>https://www.bank.example.com/</a>", to="li@postern.test")
FINE = mail(text="Thank you.", subject="Your order")
LONG = "We have packed your order with care, and a courier brings it to your door. " * 3


@pytest.fixture(scope="module")
def relay():
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="module")
def strict(relay):
    with Postern(relay=relay.url(), data=scratch("data"), lint="enforce", **FAST) as postern:
        yield postern


@pytest.fixture(scope="module")
def mild(relay):
    with Postern(relay=relay.url(), data=scratch("data"), **FAST) as postern:
        yield postern


def codes(report):
    return {finding["code"] for finding in report["findings"]}


def test_the_route_tells_what_is_where(bare):
    answer = bare.post("/v1/lint", BAD)
    assert answer.status == 200, answer
    found = {finding["code"]: finding for finding in answer.json["findings"]}
    assert found["link_ip"]["severity"] == "error" and found["link_ip"]["pointer"] == "/html"
    assert found["link_ip"]["line"] == 2 and found["link_ip"]["excerpt"] == "https://192.0.2.1/"
    assert found["no_text"]["severity"] == "note" and "line" not in found["no_text"]
    for severity in ("error", "warning", "note"):
        assert answer.json[severity + "s"] == sum(f["severity"] == severity for f in found.values())


def test_a_plain_mail_has_nothing(bare):
    assert bare.post("/v1/lint", FINE).json == {"errors": 0, "warnings": 0, "notes": 0, "findings": []}


def test_what_is_not_valid_is_told_as_for_sending(bare):
    answer = bare.post("/v1/lint", mail(to="x", nonsense=1))
    assert answer.status == 422
    assert {error["pointer"] for error in answer.json["errors"]} == {"/to", "/nonsense"}
    assert bare.post("/v1/lint", mail(lint="yes")).json["errors"][0]["code"] == "wrong_type"


def test_the_members_of_both_kinds_are_known(bare):
    answer = bare.post("/v1/lint", FINE | {"transcript": True, "tags": ["newsletter"], "priority": 3,
                                           "lint": True})
    assert answer.status == 200 and codes(answer.json) == {"no_unsubscribe"}


def test_a_template_is_looked_at_as_rendered(bare):
    answer = bare.post("/v1/lint", {"from": "a@postern.test", "to": "b@postern.test", "template": "generic",
                                    "data": {"title": "FREE MONEY !!!", "host": "db1"}})
    assert answer.status == 200 and {"subject_bait", "subject_signs"} <= codes(answer.json)


def protected_zip():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("a.pdf", b"x")
    data = bytearray(archive.getvalue())
    data[6] |= 1
    return bytes(data)


def protected_folder():
    """As zip -r writes one: the folder itself, which has no password, stands before its files."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr(zipfile.ZipInfo("papers/"), b"")
        z.writestr("papers/a.pdf", b"x")
    data = bytearray(archive.getvalue())
    data[data.index(b"PK\3\4", 4) + 6] |= 1
    return bytes(data)


@pytest.mark.parametrize("size", [0, 3_000_000], ids=["small", "stored"])
@pytest.mark.parametrize("name, content, code", [
    ("a.pdf.exe", b"x", "attachment_double_ending"), ("a.zip", protected_zip(), "attachment_locked"),
    ("a.zip", protected_folder(), "attachment_locked"),
    ("a.pdf", b"MZ\x90" + bytes(200), "attachment_disguised"), ("a.pdf", b"%PDF" + bytes(200), None)])
def test_attachments_are_known_by_name_and_by_content(bare, name, content, code, size):
    answer = bare.post("/v1/lint", FINE | {"attachments": [
        {"filename": name, "content": base64.b64encode(content + bytes(size)).decode()}]})
    assert answer.status == 200
    assert (code in codes(answer.json)) if code else not codes(answer.json)
    assert all(finding["pointer"] == "/attachments/0" for finding in answer.json["findings"])


def test_what_is_sent_has_it_in_its_answer_where_asked(mild):
    asked = mild.post("/v1/send", BAD | {"lint": True})
    assert asked.status == 200 and asked.json["lint"]["errors"] == 2
    assert codes(asked.json["lint"]) == {"link_ip", "link_text", "no_text"}
    assert "lint" not in mild.post("/v1/send", BAD).json
    assert "lint" not in mild.post("/v1/send", BAD | {"lint": False}).json


def test_what_is_queued_has_it_in_its_answer(mild):
    answer = mild.post("/v1/messages", BAD | {"lint": True})
    assert answer.status == 202 and "link_ip" in codes(answer.json["lint"])


def test_compose_counts_in_a_header(bare):
    answer = bare.post("/v1/compose", BAD | {"lint": True})
    assert answer.status == 200 and answer.headers["Postern-Lint"] == "errors=2, warnings=0, notes=1"
    assert b"Postern-Lint" not in answer.body
    assert "Postern-Lint" not in bare.post("/v1/compose", BAD).headers


JSON = {"Accept": "application/json"}


def test_compose_has_it_in_its_answer_where_json_is_accepted(bare):
    message = {"attachments": [{"filename": "\"a\\b\".bin", "content": base64.b64encode(bytes(100_000)).decode()}],
               "text": "Grüße \u2028 \"quoted\" \\ \x07\n.\n", "from": {"email": "ü@postern.test"}}
    whole = bare.post("/v1/compose", BAD | message | {"lint": True}, headers=JSON)
    assert whole.status == 200 and whole.type == "application/json", whole
    assert set(whole.json) == {"message", "lint"} and whole.headers["Postern-Lint"]
    assert whole.json["lint"] == bare.post("/v1/lint", BAD | message).json
    plain = bare.post("/v1/compose", BAD | message)
    of_its_own = re.compile(rb"[0-9A-Z]{26}|Date: .*")
    assert of_its_own.sub(b"", whole.json["message"].encode()) == of_its_own.sub(b"", plain.body)
    assert set(bare.post("/v1/compose", BAD, headers=JSON).json) == {"message"}


@pytest.mark.parametrize("accepted", [None, "*/*", "application/json, text/plain, */*", "message/rfc822, application/json"])
def test_compose_answers_the_message_to_all_others(bare, accepted):
    answer = bare.post("/v1/compose", FINE, headers={"Accept": accepted} if accepted else {})
    assert answer.status == 200 and answer.type == "message/rfc822" and answer.headers["Vary"] == "Accept"


def test_a_signed_message_is_json_too():
    key, config = scratch("dkim") / "s1.pem", scratch("dkim") / "postern.json"
    assert run("dkim", "keygen", "--type", "ed25519", "--out", str(key), "postern.test", "s1").returncode == 0
    config.write_text(json.dumps({"dkim": {"postern.test": [{"selector": "s1", "key_file": str(key)}]}}))
    with Postern(config=config) as postern:
        for size in (10, 1_000_000):
            document = FINE | {"lint": True, "attachments": [
                {"filename": "a.bin", "content": base64.b64encode(bytes(size)).decode()}]}
            answer = postern.post("/v1/compose", document, headers=JSON)
            assert answer.json["message"].startswith("DKIM-Signature:") and answer.json["lint"]["findings"] == []


@pytest.mark.parametrize("route", ["/v1/send", "/v1/messages", "/v1/compose"])
def test_enforced_errors_refuse(strict, relay, route):
    before = len(relay.mails)
    answer = strict.post(route, BAD)
    assert answer.status == 422 and answer.json["outcome"] == "not_sent", answer
    assert {error["code"] for error in answer.json["errors"]} == {"lint.link_ip", "lint.link_text"}
    assert all(error["pointer"] == "/html" and "Line 2" in error["detail"] for error in answer.json["errors"])
    assert len(relay.mails) == before


def test_enforced_warnings_pass(strict):
    answer = strict.post("/v1/send", FINE | {"subject": "FREE MONEY!!!", "lint": True})
    assert answer.status == 200 and answer.json["lint"]["warnings"] > 0


def test_the_route_answers_where_it_is_enforced_too(strict):
    assert strict.post("/v1/lint", BAD).json["errors"] == 2


@pytest.mark.parametrize("document, code", [(FINE, 0), (BAD, 1), (mail(to="x"), 65)],
                         ids=["fine", "bad", "not valid"])
def test_the_command_ends_by_what_it_found(document, code):
    done = run("lint", "-", stdin=json.dumps(document).encode())
    assert done.returncode == code, done
    if code == 1:
        assert b"error link_ip /html:2: " in done.stdout and done.stdout.endswith(b"2 errors, 0 warnings, 1 notes\n")


def test_the_command_reads_a_file_and_prints_json():
    path = scratch("lint") / "mail.json"
    path.write_text(json.dumps(BAD))
    done = run("lint", "--json", str(path))
    assert done.returncode == 1 and json.loads(done.stdout)["errors"] == 2
    assert run("lint").returncode == 64 and run("lint", str(path) + ".none").returncode == 66
    assert run("lint", str(path), lint="sometimes").returncode == 78


def test_the_document_has_the_rules():
    rules = run("lint", "--rules").stdout.decode()
    assert "| `hidden_text` | error | " in rules and rules in (REPO / "docs" / "lint.md").read_text()


def test_what_is_no_message_is_refused_as_elsewhere(relay):
    with Postern(relay=relay.url(), api_keys="a-key-of-the-linter-1", **{"from": "shop@postern.test"}) as postern:
        key = {"key": "a-key-of-the-linter-1"}
        assert postern.post("/v1/lint", FINE).status == 401
        assert postern.post("/v1/lint", body=b"{", **key).status == 400
        assert postern.post("/v1/lint", {**FINE, "to": "nobody"}, **key).status == 422
        assert postern.post("/v1/lint", {**FINE, "from": "a@else.test"}, **key).status == 403
