"""Lists: how to leave one stands in each of its mails, and who has left gets no more."""

import base64
import email
import hashlib
import json
import re
import urllib.parse
import uuid

import pytest

from .honest import HOME
from .places import scratch
from .postern import Postern, mail, run
from .queued import FAST, cluster, end, hand_over, kept  # noqa: F401: fixtures
from .scripted import ScriptedServer

OLD, NEW = "old-secret-" + "o" * 32, "new-secret-" + "n" * 32
PUBLIC = "https://mail.postern.test/post"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ONE_CLICK = b"List-Unsubscribe=One-Click"


@pytest.fixture(scope="module")
def relay():
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def postern(relay, kept):
    relay.mails.clear()
    with Postern(relay=relay.url(), public_url=PUBLIC + "/", unsubscribe_secret=OLD, **kept, **FAST) as running:
        yield running


@pytest.fixture(scope="module")
def running(relay):
    with Postern(relay=relay.url(), public_url=PUBLIC, unsubscribe_secret=OLD, data=scratch("data"), **FAST) as one:
        yield one


def newsletter(**members):
    return mail(**({"list": "news", "to": "Li <Li.Lei@postern.test>"} | members))


def composed(postern, **members):
    answer = postern.post("/v1/compose", newsletter(**members))
    assert answer.status == 200, answer
    return email.message_from_bytes(answer.body)


def token_of(message):
    found = re.fullmatch(r"<" + re.escape(PUBLIC) + r"/v1/unsubscribe/([\w-]+)>", message["List-Unsubscribe"])
    assert found, message["List-Unsubscribe"]
    return found[1]


def click(postern, token, body=ONE_CLICK, headers=FORM):
    return postern.request("POST", f"/v1/unsubscribe/{token}", body, headers, key="")


def suppressed(postern, name="*"):
    found = postern.get(f"/v1/suppressions?list={name}").json["suppressions"]
    return [(s["email"], s.get("list"), s["reason"]) for s in found]


# --- the headers ---

def test_a_mail_of_a_list_says_how_to_leave_it(running):
    raw = running.post("/v1/compose", newsletter()).body
    message = email.message_from_bytes(raw)
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"] == "<news.mail.postern.test>"
    token = token_of(message)
    assert len(token) < 200 and "postern" not in token
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert token_of(composed(running, to="li.lei@POSTERN.test")) == token
    assert token_of(composed(running, to="other@postern.test")) != token
    assert token_of(composed(running, list="other")) != token
    assert "List-Unsubscribe" not in composed(running, list=None)


def test_the_longest_of_all_stands_in_a_line(running):
    to = "a" * 60 + "@" + ".".join(["b" * 60] * 3) + ".test"
    raw = running.post("/v1/compose", newsletter(to=to, list="l" * 64, headers={"X-A": "b"})).body
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert click(running, token_of(email.message_from_bytes(raw)), headers=FORM).status == 200
    assert (to, "l" * 64, "unsubscribed") in suppressed(running)


@pytest.mark.parametrize("members, pointer, code", [
    ({"to": ["a@postern.test", "b@postern.test"]}, "/list", "one_recipient"),
    ({"cc": "b@postern.test"}, "/list", "one_recipient"), ({"bcc": "b@postern.test"}, "/list", "one_recipient"),
    ({"list": "News"}, "/list", "list"), ({"list": ""}, "/list", "list"), ({"list": "a..b"}, "/list", "list"),
    ({"list": "x" * 65}, "/list", "list"), ({"list": 1}, "/list", "wrong_type"),
    ({"headers": {"List-Unsubscribe": "<https://x.test>"}}, "/headers/List-Unsubscribe", "list"),
    ({"headers": {"list-id": "<x.test>"}}, "/headers/list-id", "list"),
    ({"headers": {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}}, "/headers/List-Unsubscribe-Post", "list"),
])
def test_what_does_not_go_with_a_list(running, members, pointer, code):
    for path in ("/v1/send", "/v1/messages", "/v1/compose"):
        answer = running.post(path, newsletter(**members))
        assert answer.status == 422, answer
        assert [(e["pointer"], e["code"]) for e in answer.json["errors"]] == [(pointer, code)]


@pytest.mark.parametrize("settings", [
    {}, {"public_url": PUBLIC}, {"unsubscribe_secret": OLD},
    {"public_url": PUBLIC, "unsubscribe_secret": OLD, "data": None}])
def test_without_its_settings_there_are_no_lists(relay, settings):
    settings = {n: v for n, v in ({"data": scratch("data")} | settings).items() if v}
    with Postern(relay=relay.url(), **settings) as postern:
        answer = postern.post("/v1/send", newsletter())
        assert answer.status == 422 and [e["code"] for e in answer.json["errors"]] == ["no_lists"], answer
        assert postern.post("/v1/send", mail()).status == 200
        assert postern.get("/v1/unsubscribe/1AAAA").status == 404
        assert click(postern, "1AAAA").status == (404 if "data" in settings else 503)


# --- leaving ---

def test_one_click_as_a_mail_client_makes_it(postern, relay):
    """The whole way: a mail comes, its button is clicked, and the next mail doesn't come."""
    end(postern, hand_over(postern, newsletter()))
    token = token_of(email.message_from_bytes(relay.complete[0].message))
    for _ in range(2):  # once more does no harm
        answer = click(postern, token)
        assert answer.status == 200 and "Set-Cookie" not in answer.headers and "Location" not in answer.headers
        assert suppressed(postern) == [("li.lei@postern.test", "news", "unsubscribed")]
    for path in ("/v1/send", "/v1/messages"):
        refused = postern.post(path, newsletter())
        assert refused.status == 422 and refused.json["type"].endswith("suppressed"), refused
        assert "unsubscribed" in refused.json["errors"][0]["detail"]
        assert postern.post(path, newsletter(list="other")).status in (200, 202)  # of that he is none the less
        assert postern.post(path, newsletter(list=None)).status in (200, 202)
    assert postern.request("DELETE", "/v1/suppressions/li.lei@postern.test?list=news").status == 204
    assert postern.post("/v1/send", newsletter()).status == 200


def test_who_has_left_is_left_alone_whatever_else_is_looked_up(relay):
    with Postern(relay=relay.url(), public_url=PUBLIC, unsubscribe_secret=OLD, data=scratch("data"),
                 suppression="off") as postern:
        assert click(postern, token_of(composed(postern))).status == 200
        for path in ("/v1/send", "/v1/messages"):
            assert postern.post(path, newsletter()).status == 422
            assert postern.post(path, newsletter(list=None)).status in (200, 202)


@pytest.mark.parametrize("kind, body", [
    ("application/x-www-form-urlencoded", ONE_CLICK), ("application/x-www-form-urlencoded", b""), (None, b""),
    (None, None), ("text/plain", b"List-Unsubscribe=One-Click"),
    ("multipart/form-data; boundary=x",
     b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n')])
def test_any_form_will_do(running, kind, body):
    to = f"f{abs(hash((kind, body)))}@postern.test"
    headers = {"Content-Type": kind} if kind else {}
    assert click(running, token_of(composed(running, to=to)), body, headers).status == 200
    assert (to, "news", "unsubscribed") in suppressed(running)


def test_a_get_changes_nothing_and_shows_one_button(running):
    token = token_of(composed(running, to="scanned@postern.test"))
    before = suppressed(running)
    page = running.get(f"/v1/unsubscribe/{token}")
    assert page.status == 200 and page.type == "text/html"
    assert running.request("HEAD", f"/v1/unsubscribe/{token}").status == 200
    assert suppressed(running) == before
    text = page.body.decode()
    assert len(re.findall("<button", text)) == 1 and len(re.findall("<form", text)) == 1
    assert '<form method="post">' in text and "news" in text
    assert "scanned" not in text and token not in text
    for forbidden in ("<script", "http://", "https://", "<img", "<link", " on", "style="):
        assert forbidden not in text.replace("One-Click", "").replace("on this", ""), forbidden


def test_pages_are_strict(running):
    token = token_of(composed(running))
    for answer in (running.get(f"/v1/unsubscribe/{token}"), running.get("/v1/unsubscribe/1x"), click(running, token),
                   click(running, "x")):
        policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'" and policy["form-action"] == "'self'"
        assert policy["frame-ancestors"] == "'none'" and policy["base-uri"] == "'none'"
        style = re.search("<style>(.*)</style>", answer.body.decode())[1]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy["style-src"] == f"'sha256-{digest}'"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store" and "noindex" in answer.headers["X-Robots-Tag"]


@pytest.mark.parametrize("accepted, language", [
    (None, "en"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"), ("en-GB,en;q=0.9", "en"), ("fr, de", "en"),
    ("en;q=0.5, zh;q=0.8", "zh-Hans"), ("zh;q=0", "en"), ("zh;q=0.8,en", "en"), ("zha", "en"), ("*", "en"),
    ("fr,zh-TW;q=0.1", "zh-Hans"), (",;q=,,zh;q=x", "en"), ("ZH", "zh-Hans")])
def test_pages_speak_english_and_chinese(running, accepted, language):
    token = token_of(composed(running))
    headers = {"Accept-Language": accepted} if accepted else {}
    page = running.get(f"/v1/unsubscribe/{token}", headers=headers)
    assert page.headers["Content-Language"] == language
    assert f'<html lang="{language}">' in page.body.decode()
    assert ("退订" in page.body.decode()) == (language == "zh-Hans")


def test_programs_get_json(running):
    token = token_of(composed(running, to="json@postern.test"))
    answer = click(running, token, headers=FORM | {"Accept": "application/json"})
    assert answer.status == 200 and answer.json == {"status": "unsubscribed", "list": "news"}
    wrong = click(running, "x", headers=FORM | {"Accept": "application/json"})
    assert wrong.status == 404 and wrong.type == "application/problem+json"
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    assert click(running, token, headers=FORM | browser).type == "text/html"


def test_a_wrong_token_is_nobodys(running):
    token = token_of(composed(running, to="wrong@postern.test"))
    before = suppressed(running)
    other = "A" if token[20] != "A" else "B"
    for wrong in ("x", token[:-1], token + "A", token[:20] + other + token[21:], token.swapcase(), "1" + "A" * 2000,
                  urllib.parse.quote(token + "\n"), "%00"):
        assert click(running, wrong).status == 404, wrong
        assert running.get(f"/v1/unsubscribe/{wrong}").status == 404
    assert suppressed(running) == before
    assert running.request("DELETE", f"/v1/unsubscribe/{token}").status == 405


def test_secrets_change_and_links_go_on(relay):
    data = scratch("data")
    common = {"relay": relay.url(), "public_url": PUBLIC, "data": data}
    with Postern(unsubscribe_secret=OLD, **common) as postern:
        old = token_of(composed(postern))
    file = data / "secret"
    file.write_text(f"{NEW}\n{OLD}\n")
    with Postern(unsubscribe_secret_file=file, secrets=[OLD, NEW], **common) as postern:
        new = token_of(composed(postern))
        assert new != old
        assert click(postern, old).status == click(postern, new).status == 200
    with Postern(unsubscribe_secret=NEW, **common) as postern:
        assert click(postern, old).status == 404 and click(postern, new).status == 200


def test_tokens_are_not_in_the_log(relay):
    with Postern(relay=relay.url(), public_url=PUBLIC, unsubscribe_secret=OLD, data=scratch("data")) as postern:
        token = token_of(composed(postern))
        assert click(postern, token).status == 200
        postern.get(f"/v1/unsubscribe/{token}")
        postern.get(f"/v1/unsubscribe/{token}x/y")
        postern.get(f"/unsubscribe/{token}")
        postern.stop()
        assert "/v1/unsubscribe/{token}" in postern.log()
        assert token not in postern.log() and token[:20] not in postern.log()


# --- suppressions of lists ---

def test_entries_of_lists_are_shown_added_and_taken_back(postern):
    def add(**members):
        answer = postern.post("/v1/suppressions", members)
        assert answer.status in (200, 201), answer
        return answer

    first = add(email="a@postern.test", list="news", reason="one")
    assert first.status == 201 and first.json["list"] == "news"
    assert add(email="a@postern.test", list="news", reason="two").json == first.json
    assert add(email="a@postern.test", reason="three").status == 201
    assert add(email="a@postern.test", list="other", reason="four").status == 201
    add(email="b@postern.test", list="news", reason="five")
    assert suppressed(postern, "news") == [("a@postern.test", "news", "one"), ("b@postern.test", "news", "five")]
    assert [s[:2] for s in suppressed(postern)] == [("a@postern.test", None), ("a@postern.test", "news"),
                                                    ("a@postern.test", "other"), ("b@postern.test", "news")]
    assert [s["reason"] for s in postern.get("/v1/suppressions").json["suppressions"]] == ["three"]
    page = postern.get("/v1/suppressions?list=*&limit=1").json  # an address's are on one page
    assert len(page["suppressions"]) == 3 and page["next"] == "a@postern.test"
    assert len(postern.get("/v1/suppressions?list=*&limit=1&after=a@postern.test").json["suppressions"]) == 1
    assert postern.get("/v1/suppressions/b@postern.test?list=news").json["reason"] == "five"
    assert postern.get("/v1/suppressions/a@postern.test?list=news").json["reason"] == "three"
    assert postern.get("/v1/suppressions/b@postern.test").status == 404
    assert postern.request("DELETE", "/v1/suppressions/a@postern.test?list=news").status == 204
    assert postern.request("DELETE", "/v1/suppressions/a@postern.test?list=news").status == 404
    assert [s[:2] for s in suppressed(postern)] == [("a@postern.test", None), ("a@postern.test", "other"),
                                                    ("b@postern.test", "news")]


def test_names_of_lists_are_judged(running):
    for wrong in ("A", "a b", "", "*", 1):
        answer = running.post("/v1/suppressions", {"email": "a@postern.test", "list": wrong})
        assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/list"
    assert running.get("/v1/suppressions?list=A").status == 400
    for query in ("list=A", "list=*", "x=y", "list="):
        assert running.get(f"/v1/suppressions/a@postern.test?{query}").status == 400
        assert running.request("DELETE", f"/v1/suppressions/a@postern.test?{query}").status == 400


# --- a real server ---

def test_headers_arrive_as_they_were_written(postfix):
    recipient = f"subscriber-{uuid.uuid4().hex[:8]}@{HOME}"
    with Postern(relay=postfix.starttls_url(), public_url=PUBLIC, unsubscribe_secret=OLD,
                 data=scratch("data")) as postern:
        assert postern.send(newsletter(to=recipient)).status == 200
        raw = postfix.mail.wait(recipient).message()
        message = email.message_from_bytes(raw)
        token = token_of(message)
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert message["List-Id"] == "<news.mail.postern.test>"
        assert max(len(line) for line in raw.split(b"\r\n")) <= 998
        assert click(postern, token).status == 200
        assert suppressed(postern) == [(recipient.lower(), "news", "unsubscribed")]


def test_a_signature_covers_how_to_leave():
    """RFC 8058 section 4 wants both headers under a DKIM signature; the list's name is, too."""
    key, config = scratch("dkim") / "s1.pem", scratch("dkim") / "postern.json"
    assert run("dkim", "keygen", "--type", "ed25519", "--out", str(key), "postern.test", "s1").returncode == 0
    config.write_text(json.dumps({"dkim": {"postern.test": [{"selector": "s1", "key_file": str(key)}]}}))
    with Postern(config=config, public_url=PUBLIC, unsubscribe_secret=OLD, data=scratch("data")) as postern:
        signature = composed(postern)["DKIM-Signature"]
    signed = re.search(r"h=([^;]*)", re.sub(r"\s", "", signature))[1].lower().split(":")
    assert {"list-unsubscribe", "list-unsubscribe-post", "list-id"} <= set(signed), signed
