"""Templates: of a folder and built in; previews, sends, what is wrong with them, and SIGHUP."""

import email
import email.policy
import json
import os
import re
import signal
import threading
import uuid

import pytest

from .honest import HOME
from .places import scratch
from .postern import Postern, mail, run
from .process import wait_until
from .scripted import ScriptedServer

WELCOME = {
    "subject.mustache": "Welcome, {{name}}\n",
    "html.mustache": "{{<frame}}{{$body}}<p>Hello {{name}}, {{{raw}}}</p>{{/body}}{{/frame}}\n",
    "text.mustache": "Hello {{name}}, {{raw}}\n{{#items}}- {{.}}\n{{/items}}",
    "sample.json": json.dumps({"name": "Li", "raw": "<b>hi</b>", "items": ["a", "b"]}),
}
FRAME = "<!doctype html><body>{{$body}}{{/body}}</body>\n"


def write(folder, files):
    """{"welcome": {"subject.mustache": …}, "frame.mustache": …}"""
    for name, content in files.items():
        if isinstance(content, dict):
            (folder / name).mkdir(exist_ok=True)
            write(folder / name, content)
        else:
            part = folder / f".{name}.new"
            part.write_bytes(content if isinstance(content, bytes) else content.encode())
            part.rename(folder / name)
    return folder


def by_template(name, data=None, **members):
    return mail(subject=None, text=None, template=name, data=data, **members)


def parts(message):
    read = email.message_from_bytes(message, policy=email.policy.default)
    found = {part.get_content_subtype(): part.get_content()
             for part in read.walk() if part.get_content_maintype() == "text"}
    return {"subject": str(read["Subject"]), "html": found.get("html"), "text": found.get("plain")}


def faults(answer):
    assert answer.status == 422, answer
    return [(e["pointer"], e["code"]) for e in answer.json["errors"]]


@pytest.fixture(scope="module")
def folder():
    return write(scratch("templates"), {
        "welcome": WELCOME, "frame.mustache": FRAME,
        "plain": {"subject.mustache": "{{subject}}", "text.mustache": "{{text}}"},
        "echo": {"subject.mustache": "{{a.b.subject}}", "html.mustache": "{{{a.b.html}}}",
                 "text.mustache": "{{{long}}}{{#attachments}}[{{{content}}}]{{/attachments}}{{&all}}"},
        "whole": {"subject.mustache": "s", "text.mustache": "{{{next}}}"},
        # Each level of data may name the next: what is deep, and what is many times many.
        "loop.mustache": "x{{#next}}{{>loop}}{{/next}}",
        "loop": {"subject.mustache": "s", "text.mustache": "{{>loop}}"},
        "forever.mustache": "x{{#go}}{{>forever}}{{/go}}",
        "forever": {"subject.mustache": "s", "text.mustache": "{{>forever}}"},
        "many": {"subject.mustache": "s",
                 "text.mustache": "{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{/a}}{{/a}}{{/a}}{{/a}}{{/a}}{{/a}}"},
        "large": {"subject.mustache": "s", "text.mustache": "{{#a}}{{b}}{{/a}}"},
    })


@pytest.fixture(scope="module")
def postern(folder):
    with Postern(templates=folder, data=scratch("data"), relay="smtp://127.0.0.1:1?tls=none") as running:
        yield running


# --- which there are ---

def test_the_list_has_those_of_the_folder_and_those_built_in(postern):
    listed = postern.get("/v1/templates").json["templates"]
    names = [one["name"] for one in listed]
    assert names == sorted(names) and {"generic", "welcome", "plain"} <= set(names)
    by_name = {one["name"]: one for one in listed}
    assert by_name["welcome"] == {"name": "welcome", "source": "folder", "sample": True,
                                  "parts": ["subject", "html", "text"]}
    assert by_name["plain"] == {"name": "plain", "source": "folder", "sample": False,
                                "parts": ["subject", "text"]}
    assert by_name["generic"]["source"] == "built-in"


def test_every_built_in_template_shows_its_sample(bare):
    names = [one["name"] for one in bare.get("/v1/templates").json["templates"]]
    assert len(names) >= 10
    for name in names:
        made = bare.post(f"/v1/templates/{name}/render", body=b"").json
        assert made["subject"] and made["html"] and made["text"], name
        assert "{{" not in made["subject"] + made["html"] + made["text"], name


def test_one_in_the_folder_takes_the_place_of_a_built_in_one():
    files = {"generic": {"subject.mustache": "mine", "text.mustache": "mine"}}
    with Postern(templates=write(scratch("templates"), files)) as running:
        listed = running.get("/v1/templates").json["templates"]
        assert [one["source"] for one in listed if one["name"] == "generic"] == ["folder"]
        assert running.post("/v1/templates/generic/render", {}).json["html"] is None


# --- previews ---

def test_a_preview_shows_the_sample_or_the_data(postern):
    shown = postern.post("/v1/templates/welcome/render", body=b"").json
    assert shown == {"template": "welcome", "subject": "Welcome, Li",
                     "html": "<!doctype html><body><p>Hello Li, <b>hi</b></p></body>\n",
                     "text": "Hello Li, <b>hi</b>\n- a\n- b\n"}
    shown = postern.post("/v1/templates/welcome/render", {"data": {"name": "A & \"B\""}}).json
    assert shown["subject"] == 'Welcome, A & "B"'
    assert "A &amp; &quot;B&quot;" in shown["html"]
    assert shown["text"].startswith('Hello A & "B"')


def test_a_preview_of_none_says_which_are_near(postern):
    answer = postern.post("/v1/templates/welcom/render", {})
    assert answer.status == 404 and "welcome" in answer.json["detail"]
    for path in ("/v1/templates//render", "/v1/templates/a/b/render", "/v1/templates/welcome/rende",
                 "/v1/templates/render", "/v1/templates/"):
        assert postern.post(path, {}).status == 404, path
    assert postern.post("/v1/templates/wel%63ome/render", {}).status == 200
    assert postern.post("/v1/templates/a%2Fb/render", {}).status == 404
    assert postern.request("GET", "/v1/templates/welcome/render").status == 405


def test_what_is_no_preview_is_told(postern):
    path = "/v1/templates/welcome/render"
    assert postern.post(path, body=b"{").status == 400
    assert faults(postern.post(path, {"date": {}})) == [("/date", "unknown_member")]
    assert faults(postern.post(path, {"data": [1]})) == [("/data", "wrong_type")]
    assert faults(postern.post(path, [])) == [("", "wrong_type")]
    assert postern.post(path, {"data": None}).json["subject"] == "Welcome, Li"


# --- sends ---

@pytest.mark.parametrize("server", ["aiosmtpd", "postfix"])
@pytest.mark.parametrize("path", ["/v1/send", "/v1/messages"])
def test_a_mail_by_template_arrives(server, path, folder, request):
    relay = request.getfixturevalue(server)
    recipient = f"{uuid.uuid4().hex[:12]}@{HOME}"
    with Postern(relay=relay.starttls_url(), templates=folder, data=scratch("data")) as running:
        document = by_template("welcome", {"name": "李雷 <x>", "raw": "<i>", "items": ["é"]}, to=recipient)
        composed = running.post("/v1/compose", document)
        assert composed.status == 200
        assert running.post(path, document).status in (200, 202)
        came = parts(relay.mail.wait(recipient).message())
    assert came["subject"] == "Welcome, 李雷 <x>"
    assert "Hello 李雷 &lt;x&gt;, <i>" in came["html"]
    assert came["text"].replace("\r\n", "\n") == "Hello 李雷 <x>, <i>\n- é\n"
    assert parts(composed.body) == came


def test_a_subject_that_is_given_wins(postern):
    composed = postern.post("/v1/compose", by_template("welcome", {"name": "Li"}) | {"subject": "Mine"})
    assert parts(composed.body)["subject"] == "Mine"


def test_data_may_be_left_out(postern):
    assert parts(postern.post("/v1/compose", by_template("welcome")).body)["subject"] == "Welcome,"


def test_what_does_not_go_together_is_told_at_once(postern):
    for path in ("/v1/compose", "/v1/messages"):
        answer = postern.post(path, by_template("welcme", [], to="x") | {"html": "a", "text": "b"})
        assert sorted(faults(answer)) == [("/data", "wrong_type"), ("/html", "template"),
                                          ("/template", "template"), ("/text", "template"),
                                          ("/to", "address")]
        told = {e["pointer"]: e["detail"] for e in answer.json["errors"]}
        assert "welcome" in told["/template"]
    assert faults(postern.post("/v1/compose", mail(data={}))) == [("/data", "template")]
    assert faults(postern.post("/v1/compose", by_template(7))) == [("/template", "wrong_type")]
    assert faults(postern.post("/v1/compose", by_template("a\0b"))) == [("/template", "nul")]
    assert faults(postern.post("/v1/compose", by_template("w" * 5000))) == [("/template", "template")]


@pytest.mark.parametrize("evil", ["a\r\nBcc: evil@x.test", "a\nX: y", "a\rX: y", "a\0b", "a\x1b[31m",
                                  "\r\n\r\n<script>"])
def test_no_data_can_add_a_header(postern, evil):
    composed = postern.post("/v1/compose", by_template("plain", {"subject": evil, "text": evil})).body
    head = composed.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    plain = postern.post("/v1/compose", mail()).body.partition(b"\r\n\r\n")[0]
    assert not {b"Bcc", b"X"} & set(names)
    assert names[:4] == [line.partition(b":")[0] for line in plain.split(b"\r\n")][:4]
    assert not re.search(rb"[\x00\x1b]", composed)


def test_a_nul_becomes_what_a_mail_can_hold(postern):
    made = postern.post("/v1/templates/plain/render", {"data": {"subject": "a", "text": "b\0c"}}).json
    assert made["text"] == "b\ufffdc"


def test_a_subject_that_is_too_long_is_the_templates_fault(postern):
    answer = postern.post("/v1/compose", by_template("plain", {"subject": "x" * 10001, "text": "t"}))
    assert faults(answer) == [("/template", "template")]


def test_long_strings_of_data_come_as_they_are(postern):
    base64 = "QUJD" * 2000
    text = "Grüße 😀 \"quoted\" \\ </script>\t\u2028" * 300
    data = {"a": {"b": {"subject": "s" * 600, "html": f"<p>{text}</p>"}}, "long": text,
            "attachments": [{"content": base64, "filename": "f"}, {"content": text}], "all": "."}
    for ascii_only in (False, True):
        body = json.dumps({"data": data}, ensure_ascii=ascii_only).encode()
        made = postern.post("/v1/templates/echo/render", body=body).json
        assert made["subject"] == "s" * 600
        assert made["html"] == f"<p>{text}</p>"
        assert made["text"] == f"{text}[{base64}][{text}]."
        body = json.dumps(by_template("echo", data), ensure_ascii=ascii_only).encode()
        came = parts(postern.post("/v1/compose", body=body).body)
        assert came["text"].replace("\r\n", "\n") == f"{text}[{base64}][{text}]."


def test_long_strings_are_seen_by_what_prepares_and_shows_whole_values(bare):
    long = "line one 😀\n" + "x" * 4000
    made = bare.post("/v1/templates/generic/render", {"data": {"note": long, "n": [long]}}).json
    assert "line one 😀" in made["text"] and "x" * 100 in made["text"]
    assert "\0" not in made["text"] + made["html"] + made["subject"]


# --- data that nobody vouches for ---

def test_the_deepest_data_are_rendered_or_told_and_deeper_are_400(postern):
    def nested(levels):
        return b'{"data":' + b'{"next":' * levels + b"false" + b"}" * levels + b"}"
    made = postern.post("/v1/templates/whole/render", body=nested(31))
    assert made.status == 200 and made.json["text"].count("next") == 30
    made = postern.post("/v1/templates/loop/render", body=nested(31))
    assert made.status == 200 and made.json["text"] == "x" * 31
    assert postern.post("/v1/templates/loop/render", body=nested(32)).status == 400
    assert postern.post("/v1/templates/loop/render", body=nested(100_000)).status in (400, 413)


@pytest.mark.parametrize("name, data", [
    ("forever", {"go": True}),
    ("many", {"a": list(range(1, 101))}),
    ("large", {"a": [1] * 20000, "b": "x" * 1000}),
])
def test_what_would_not_end_is_told_and_the_server_lives(postern, name, data):
    render = postern.post(f"/v1/templates/{name}/render", {"data": data})
    assert faults(render) == [("/data", "template_bound")]
    assert faults(postern.post("/v1/compose", by_template(name, data))) == [("/data", "template_bound")]
    assert postern.get("/healthz").status == 200
    assert postern.metrics()["postern_request_memory_bytes"] == 0


def test_many_values_are_not_prepared_without_end(bare):
    answer = bare.post("/v1/templates/generic/render", {"data": {str(i): [i] for i in range(50000)}})
    assert answer.status in (200, 422), answer
    if answer.status == 422:
        assert faults(answer) == [("/data", "template_bound")]


def test_what_is_rendered_counts_as_the_requests_memory(folder):
    with Postern(templates=folder, spill="off", max_memory="1MiB") as small:
        data = {"a": [1] * 3000, "b": "x" * 1000}
        assert small.post("/v1/templates/large/render", {"data": data}).status == 503
        assert small.post("/v1/templates/welcome/render", {}).status == 200
        assert small.metrics()["postern_request_memory_bytes"] == 0


# --- at the start ---

def started(files, **settings):
    """The lines of a start that fails, less the folder."""
    folder = write(scratch("templates"), files)
    done = run("serve", templates=folder, **settings)
    assert done.returncode == 78, done
    return [line.replace(f"{folder}/", "") for line in done.stderr.decode().splitlines()]


def test_every_fault_at_the_start_has_a_line_of_its_own():
    good = {"subject.mustache": "s", "text.mustache": "t"}
    lines = started({
        "ok": good,
        "unclosed": good | {"text.mustache": "one\ntwo {{#a}} three"},
        "tag": good | {"html.mustache": "one\n  {{a"},
        "missing": good | {"text.mustache": "{{>nowhere}}"},
        "nothing": {"subject.mustache": "s"},
        "headless": {"text.mustache": "t"},
        "stranger": good | {"body.txt": "t"},
        "latin": good | {"text.mustache": b"gr\xfc\xdfe"},
        "sample": good | {"sample.json": '{"a": 1,\n"a": 2}'},
        "array": good | {"sample.json": "[]"},
        "huge": good | {"html.mustache": "x" * (1024 * 1024 + 1)},
        "rules": good | {"prepare.json": '{"nonsense": []}'},
        "a b": good,
        "README.md": "no",
    })
    expected = {r"unclosed/text\.mustache:2:\d+: ": 1, r"tag/html\.mustache:2:3: ": 1,
                r"missing/text\.mustache.*nowhere": 1, r"nothing: .*neither": 1, r"headless: .*subject": 1,
                r"stranger/body\.txt: ": 1, r"latin/text\.mustache: .*UTF-8": 1, r"sample/sample\.json:\d+:\d+: ": 1,
                r"array/sample\.json: ": 1, r"huge/html\.mustache.*": 1, r"rules/prepare\.json: ": 1,
                r"a b: ": 1, r"README\.md: ": 1}
    for pattern, count in expected.items():
        assert len([line for line in lines if re.match(pattern, line)]) == count, (pattern, lines)
    assert len(lines) == len(expected), lines


def test_a_sample_that_can_not_be_rendered_stops_the_start():
    lines = started({"forever.mustache": "{{#go}}{{>forever}}{{/go}}",
                     "forever": {"subject.mustache": "s", "text.mustache": "{{>forever}}",
                                 "sample.json": '{"go": true}'}})
    assert len(lines) == 1 and lines[0].startswith("forever: "), lines


def test_a_folder_that_is_not_there_stops_the_start():
    done = run("serve", templates=scratch("templates") / "missing")
    assert done.returncode == 78 and b"missing: " in done.stderr, done
    assert run("serve", templates="relative").returncode == 78


def test_what_begins_with_a_dot_is_passed_over():
    """So a mounted ConfigMap is read: its files are links into a folder of such a name."""
    folder = scratch("templates")
    write(folder, {"..data": WELCOME, ".git": {"HEAD": "x"}, "frame.mustache": FRAME})
    (folder / "welcome").mkdir()
    for name in WELCOME:
        (folder / "welcome" / name).symlink_to(f"../..data/{name}")
    with Postern(templates=folder) as running:
        assert running.post("/v1/templates/welcome/render", {}).json["subject"] == "Welcome, Li"


# --- SIGHUP ---

def hang_up(running, event):
    """Sends SIGHUP, and waits for the log to tell what became of it."""
    before = len(told(running))
    os.kill(running.pid, signal.SIGHUP)
    wait_until(lambda: any(line["message"].startswith(event) for line in told(running)[before:]),
               what=f"the log to say {event}")
    return told(running)[before:]


def told(running):
    return [line for line in running.log_lines() if line["event"] == "templates"]


def of(word):
    """A template whose parts all show one word."""
    return {"turn": {"subject.mustache": word, "html.mustache": f"<p>{word}{{{{>tail}}}}</p>",
                     "text.mustache": f"{word}{{{{>tail}}}}"}, "tail.mustache": word}


def test_sighup_without_a_folder_changes_nothing():
    with Postern() as running:
        hang_up(running, "POSTERN_TEMPLATES")
        assert running.get("/healthz").status == 200


def test_a_reload_takes_what_is_new():
    folder = write(scratch("templates"), of("one"))
    with Postern(templates=folder) as running:
        assert running.post("/v1/templates/turn/render", {}).json["text"] == "oneone"
        assert running.post("/v1/templates/more/render", {}).status == 404
        write(folder, of("two") | {"more": {"subject.mustache": "s", "text.mustache": "t"}})
        assert running.post("/v1/templates/turn/render", {}).json["text"] == "oneone"
        lines = hang_up(running, "reloaded")
        assert len(lines) == 1 and lines[0]["count"] == len(running.get("/v1/templates").json["templates"])
        assert running.post("/v1/templates/turn/render", {}).json["text"] == "twotwo"
        assert running.post("/v1/templates/more/render", {}).status == 200
        assert running.metrics()['postern_template_reloads_total{result="loaded"}'] == 1


def test_a_faulty_reload_keeps_what_was():
    folder = write(scratch("templates"), of("one"))
    with Postern(templates=folder) as running:
        write(folder, of("two") | {"bad": {"subject.mustache": "{{#a}}", "text.mustache": "{{>none}}"},
                                   "notes.txt": "x"})
        lines = hang_up(running, "not reloaded")
        assert all(line["level"] == "error" for line in lines)
        assert any("bad/subject.mustache:1:1: " in line["message"] for line in lines)
        assert any("notes.txt" in line["message"] for line in lines)
        assert running.post("/v1/templates/turn/render", {}).json["text"] == "oneone"
        assert running.metrics()['postern_template_reloads_total{result="failed"}'] == 1


def test_reloads_lose_no_request_and_none_sees_half_of_one():
    """Clients that post without end, while the content turns and SIGHUP comes again and again."""
    folder = write(scratch("templates"), of("one"))
    stop, seen, wrong = threading.Event(), set(), []
    with ScriptedServer() as relay, Postern(templates=folder, relay=relay.url(), http_threads=2) as running:
        def client():
            connection = running.connect()
            while not stop.is_set():
                answer = running.post("/v1/compose", by_template("turn"), connection=connection)
                made = parts(answer.body) if answer.status == 200 else None
                word = made and made["subject"]
                if not made or {made["html"].strip(), made["text"].strip()} != {f"<p>{word}{word}</p>", word + word}:
                    wrong.append((answer, made))
                    return
                seen.add(word)
            connection.close()
        clients = [threading.Thread(target=client) for _ in range(4)]
        for one in clients:
            one.start()
        for turn in range(20):
            write(folder, of(f"turn{turn}"))
            hang_up(running, "reloaded")
            assert running.send(by_template("turn")).status == 200
        stop.set()
        for one in clients:
            one.join()
        assert not wrong, wrong[0]
        assert seen <= {"one"} | {f"turn{turn}" for turn in range(20)} and len(seen) > 5
        assert [parts(one.message)["subject"] for one in relay.complete] == [f"turn{t}" for t in range(20)]


# --- the commands ---

def test_the_commands_take_templates(folder):
    request = json.dumps(by_template("welcome", {"name": "Li"})).encode()
    done = run("compose", stdin=request, templates=folder)
    assert done.returncode == 0 and parts(done.stdout)["subject"] == "Welcome, Li", done
    done = run("compose", "--from", "a@b.test", "--to", "c@d.test", "--template", "welcome", "--data",
               '{"name": "Li & Co"}', templates=folder)
    assert done.returncode == 0 and "Li &amp; Co" in parts(done.stdout)["html"], done
    done = run("compose", "--from", "a@b.test", "--to", "c@d.test", "--template", "generic", "--data", "-",
               stdin=b'{"title": "Disk full"}')
    assert done.returncode == 0 and "Disk full" in parts(done.stdout)["text"], done
    assert run("compose", "--template", "generic", "--data", "{", "--to", "c@d.test").returncode == 65
    done = run("compose", stdin=json.dumps(by_template("nowhere")).encode())
    assert done.returncode == 65 and b"/template" in done.stderr, done
    bad = write(scratch("templates"), {"x": {}})
    assert run("compose", stdin=request, templates=bad).returncode == 78
    assert run("compose", stdin=json.dumps(mail()).encode(), templates=bad).returncode == 0
