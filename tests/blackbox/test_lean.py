"""The lean program (make lean): it is the gateway, says of all else that it lacks it, and is small."""

import http.client
import json
import re
import signal
import subprocess

import pytest

from .contract import contract
from .places import BINARY, LEAN, REPO, scratch
from .postern import Postern, mail, run
from .process import wait_until
from .test_sending import somebody, without_trace_of_time

KEY = "0123456789abcdef0123456789abcdef"
SIZE = 400_000  # octets, stripped
LACKS = "his lean build of Postern has no "
ROUTES = {"/v1/send", "/v1/compose", "/v1/check", "/healthz", "/readyz", "/metrics", "/openapi.yaml"}
PNG = "iVBORw0KGgo="
REQUESTS = {
    "text": {},
    "both": {"html": "<p>谢谢 <b>☃</b> &amp; &copy;</p>", "subject": "您的订单"},
    "html alone": {"text": None, "html": "<table><tr><td>1</td><td>2</td></tr></table><a href='https://e.test/'>e</a>"},
    "people": {"to": ["Zażółć <a@x.test>", "b@y.test"], "cc": "c@z.test", "bcc": "d@z.test", "reply_to": "r@x.test"},
    "attachments": {"html": "<img src='cid:logo'>", "attachments": [
        {"filename": "简历.pdf", "content": "JVBERi0xLjQK" * 40},
        {"filename": "logo.png", "content": PNG, "content_id": "logo", "disposition": "inline"}]},
    "headers": {"headers": {"X-Order": "1234", "X-Long": "word " * 60}, "text": ".\n..\n" + "long " * 300},
}


def lean(*arguments, **options):
    return run(*arguments, binary=LEAN, **options)


@pytest.fixture(name="gateway", scope="module")
def _gateway(aiosmtpd):
    with Postern(binary=LEAN, relay=aiosmtpd.starttls_url(), key=KEY, api_keys=KEY) as postern:
        yield postern


def names_in_help(program):
    return set(re.findall(r"^  (POSTERN_\w+)", run("help", binary=program).stdout.decode(), re.M))


def commands_in_help(program):
    text = run("help", binary=program).stdout.decode()
    return set(re.findall(r"^  ([a-z]+)", text.partition("settings")[0], re.M))


# ---- what it does ----


def test_it_says_what_it_is():
    version = lean("version").stdout.decode().partition("\n")[0]
    assert version == f"postern {(REPO / 'VERSION').read_text().strip()} lean"
    assert "lean" not in run("version").stdout.decode()


@pytest.mark.parametrize("server, url", [("aiosmtpd", "starttls_url"), ("postfix", "starttls_url"), ("postfix", "smtps_url")])
def test_a_mail_arrives(request, server, url):
    relay = request.getfixturevalue(server)
    recipient = somebody()
    document = mail(to=recipient, html="<p>谢谢 ☃</p>", attachments=[{"filename": "a.bin", "content": "AAAA" * 200_000}])
    with Postern(binary=LEAN, relay=getattr(relay, url)()) as postern:
        composed = postern.post("/v1/compose", document)
        answer = postern.send(document)
        assert answer.status == 200 and answer.json["accepted"] == [recipient], answer
        assert postern.get("/readyz").status == 200
        assert postern.metrics()['postern_recipients_total{relay="default",result="accepted"}'] == 1
    delivered = relay.mail.wait(recipient).message()
    assert without_trace_of_time(delivered) == without_trace_of_time(composed.body)


@pytest.mark.parametrize("members", REQUESTS.values(), ids=REQUESTS)
def test_both_programs_compose_the_same(members):
    request = json.dumps(mail(**members)).encode()
    whole, small = run("compose", stdin=request), lean("compose", stdin=request)
    assert whole.returncode == small.returncode == 0, (whole, small)
    assert without_trace_of_time(small.stdout) == without_trace_of_time(whole.stdout)


@pytest.mark.parametrize("members", [{"to": "x"}, {"subject": 1, "atachments": []}, {"text": None}, {"send_at": 5, "tags": ["x"]}])
def test_both_programs_find_the_same_faults(members):
    request = json.dumps(mail(**members)).encode()
    whole, small = run("compose", stdin=request), lean("compose", stdin=request)
    assert whole.returncode == small.returncode == 65
    assert json.loads(small.stderr) == json.loads(whole.stderr)


def test_the_shell_sends_and_checks(aiosmtpd):
    recipient = somebody()
    sent = lean("send", "--from", "a@postern.test", "--to", recipient, "--text", "Hi", relay=aiosmtpd.starttls_url())
    assert sent.returncode == 0 and json.loads(sent.stdout)["status"] == "sent", sent
    aiosmtpd.mail.wait(recipient)
    checked = lean("check", relay=aiosmtpd.starttls_url())
    assert checked.returncode == 0 and b"starttls" in checked.stdout, checked


def test_it_walks_the_relay(gateway):
    answer = gateway.post("/v1/check", {})
    assert answer.status == 200 and answer.json["status"] == "ok", answer
    assert "auth" in [step["stage"] for step in answer.json["steps"]]


def test_keys_are_asked_for(gateway):
    assert gateway.send(mail(), key="").status == 401


def test_it_serves_the_contract(gateway):
    assert gateway.get("/openapi.yaml").body == (REPO / "openapi.yaml").read_bytes()


def test_a_container_can_ask_for_its_health(gateway):
    assert lean("health", **gateway.settings).returncode == 0
    assert lean("health", listen="127.0.0.1:9").returncode == 1


def test_there_is_nothing_to_read_again(gateway):
    gateway._child.signal(signal.SIGHUP)
    wait_until(lambda: any(line["event"] == "reload" and LACKS in line["message"] for line in gateway.log_lines()), 60,
               "a line about the signal")
    assert gateway.get("/healthz").status == 200


def test_its_metrics_are_of_what_it_has(gateway):
    names = {series.partition("{")[0] for series in gateway.metrics()}
    assert "postern_transactions_total" in names
    assert not [name for name in names if re.search("queue|hooks|template|attempts|events", name)]
    routes = {match[1] for match in re.finditer(r'route="([^"]+)"', gateway.get("/metrics").body.decode())}
    assert routes == ROUTES | {"other"}


# ---- what it refuses ----


def test_every_setting_of_another_part_stops_the_start():
    lacking = names_in_help(BINARY) - names_in_help(LEAN)
    assert {"POSTERN_DATA", "POSTERN_QUEUE", "POSTERN_TEMPLATES", "POSTERN_DNS", "POSTERN_LINT", "POSTERN_DIALECTS",
            "POSTERN_PUBLIC_URL", "POSTERN_EVENTS_URL"} <= lacking
    done = lean("serve", **{name.removeprefix("POSTERN_").lower(): "on" for name in lacking})
    assert done.returncode == 78
    told = done.stderr.decode().splitlines()
    assert {line.partition(":")[0] for line in told} == lacking and len(told) == len(lacking)
    assert all(LACKS in line for line in told)


def test_a_secret_of_another_part_is_not_even_read():
    done = lean("serve", queue_file="/there/is/none")
    assert done.returncode == 78 and done.stderr.decode() == f"POSTERN_QUEUE_FILE: t{LACKS}queue\n"


def test_one_that_is_set_twice_is_told_for_what_it_is():
    done = lean("serve", queue="x", queue_file="/there/is/none")
    assert done.returncode == 78 and done.stderr.decode() == f"POSTERN_QUEUE: t{LACKS}queue\n"


def test_a_setting_that_there_is_not_is_none_of_another_part():
    done = lean("serve", quue="x")
    assert done.returncode == 78 and b"there is no such setting; did you mean POSTERN_QUEUE" in done.stderr


@pytest.mark.parametrize("member, value, part", [("hooks", {}, "webhooks"), ("dkim", {}, "DKIM"), ("data", "/x", "queue"),
                                                 ("lint", "enforce", "lint"), ("queue_file", "/x", "queue"), ("templates", 5, "templates")])
def test_so_does_a_member_of_the_file(member, value, part):
    path = scratch("config") / "postern.json"
    path.write_text(json.dumps({member: value}))
    done = lean("serve", config=path)
    assert done.returncode == 78 and done.stderr.decode() == f"{path}: /{member}: t{LACKS}{part}\n"


def test_every_command_of_another_part_is_a_usage_fault():
    lacking = commands_in_help(BINARY) - commands_in_help(LEAN)
    assert lacking == {"lint", "hook", "dkim"}
    for command in lacking:
        for done in (lean(command, "-"), lean("help", command)):
            assert done.returncode == 64 and done.stderr.decode() == f"postern: t{LACKS}command {command}\n"


def test_every_route_of_another_part_is_not_found(gateway):
    """Spoken to by hand: the contract has no 404 for them."""
    connection = gateway.connect()
    for path, item in contract.document["paths"].items():
        for method in item.keys() & {"get", "post", "delete", "patch", "put"}:
            body = b"{}" if method in ("post", "patch", "put") else None
            connection.request(method.upper(), re.sub(r"{\w+}", "x", path), body,
                               {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            assert (answer.status == http.client.NOT_FOUND) == (path not in ROUTES), (method, path, text)
            assert path in ROUTES or f"T{LACKS}route with this path." == json.loads(text)["detail"]
    connection.close()


@pytest.mark.parametrize("member, value, part", [("template", "generic", "templates"), ("data", {}, "templates"),
                                                 ("list", "news", "lists"), ("lint", True, "lint")])
@pytest.mark.parametrize("route", ["/v1/send", "/v1/compose"])
def test_a_member_of_another_part_is_a_fault(gateway, route, member, value, part):
    answer = gateway.post(route, mail(**{member: value}))
    assert answer.status == 422 and answer.json["errors"] == [
        {"pointer": f"/{member}", "code": "left_out", "detail": f"T{LACKS}{part}."}], answer


def test_a_template_alone_is_one_fault(gateway):
    answer = gateway.send(mail(text=None, template="generic", data={"a": 1}))
    assert [fault["pointer"] for fault in answer.json["errors"]] == ["/template", "/data"]


@pytest.mark.parametrize("member, value", [("domain", "example.com"), ("selectors", ["s"]), ("addresses", ["192.0.2.1"])])
def test_a_domain_is_not_checked(gateway, member, value):
    answer = gateway.post("/v1/check", {member: value})
    assert answer.status == 422 and answer.json["errors"] == [
        {"pointer": f"/{member}", "code": "left_out", "detail": f"T{LACKS}checks of domains."}], answer
    option = {"domain": "--domain", "selectors": "--selector", "addresses": "--address"}[member]
    done = lean("check", option, value if isinstance(value, str) else value[0])
    assert done.returncode == 64 and LACKS in done.stderr.decode()


def test_a_template_of_the_shell_is_a_fault():
    done = lean("compose", "--from", "a@postern.test", "--to", "b@postern.test", "--template", "generic")
    assert done.returncode == 65 and json.loads(done.stderr)["errors"][0]["detail"] == f"T{LACKS}templates."


def test_an_idempotency_key_is_not_taken_for_kept(gateway):
    answer = gateway.send(mail(), headers={"Idempotency-Key": "order-1"})
    assert answer.status == 400 and answer.json["retryable"] is False
    assert f"T{LACKS}queue" in answer.json["detail"]


# ---- what it is ----


def needed(program):
    text = subprocess.run(["readelf", "-d", program], check=True, capture_output=True, text=True).stdout
    return {match[1] for match in re.finditer(r"NEEDED.*\[(lib\w+)", text)}


def test_it_is_linked_with_what_it_uses_alone():
    beside = {"libsqlite3", "libpq", "libcares", "libpsl"}
    assert beside <= needed(BINARY)
    assert not needed(LEAN) & beside and {"libcurl", "libmicrohttpd", "libjansson"} <= needed(LEAN)


def test_it_is_small():
    if any(word in LEAN.read_bytes() for word in (b"__asan_init", b"__tsan_init", b"__ubsan_handle")):
        pytest.skip("a sanitized program is another")
    stripped = scratch("lean") / "postern"
    subprocess.run(["strip", "-o", stripped, LEAN], check=True)
    assert stripped.stat().st_size < SIZE
