"""Webhooks of other services become mails: signed here as the services do it, on a real queue."""

import base64
import hashlib
import hmac
import json
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy
from urllib.parse import quote

import pytest

from .places import BINARY, REPO, scratch
from .postern import PATIENCE, Postern, run
from .process import free_port, wait_until
from .scripted import ScriptedServer, gate

KEY = "hook-secret-0001"
WHSEC = "whsec_" + base64.b64encode(bytes(range(32))).decode()
MESSAGE = {"from": "Hooks <hooks@postern.test>", "to": "ops@postern.test"}
FAST = {"retry_first": "10ms", "retry_most": "50ms"}


def digest(key, *parts):
    return hmac.new(key, b"".join(p if isinstance(p, bytes) else str(p).encode() for p in parts), hashlib.sha256)


def hexed(header, prefix=""):
    return lambda key, body, at, ident: {header: prefix + digest(key.encode(), body).hexdigest()}


def stripe(key, body, at, ident):
    return {"Stripe-Signature": f"t={at},v1={digest(key.encode(), at, '.', body).hexdigest()}"}


def slack(key, body, at, ident):
    return {"X-Slack-Request-Timestamp": str(at),
            "X-Slack-Signature": "v0=" + digest(key.encode(), "v0:", at, ":", body).hexdigest()}


def standard(family):
    def sign(key, body, at, ident):
        octets = digest(base64.b64decode(key.removeprefix("whsec_")), ident, ".", at, ".", body).digest()
        return {f"{family}-id": ident, f"{family}-timestamp": str(at),
                f"{family}-signature": "v1," + base64.b64encode(octets).decode()}
    return sign


def bearer(key, body, at, ident):
    return {"Authorization": f"Bearer {key}"}


def basic(key, body, at, ident):
    return {"Authorization": "Basic " + base64.b64encode(key.encode()).decode()}


def grafana_timed(key, body, at, ident):
    return {"X-Time": str(at), "X-Grafana-Alerting-Signature": digest(key.encode(), at, ":", body).hexdigest()}


# name of the hook -> (its declaration, how it is signed, what is signed with, whether a time is, the delivery's header)
SENDERS = {
    "github": ({}, hexed("X-Hub-Signature-256", "sha256="), KEY, False, "X-GitHub-Delivery"),
    "gitea": ({}, hexed("X-Gitea-Signature"), KEY, False, "X-Gitea-Delivery"),
    "forgejo": ({"profile": "gitea"}, hexed("X-Forgejo-Signature"), KEY, False, "X-Forgejo-Delivery"),
    "gitlab": ({}, lambda key, *_: {"X-Gitlab-Token": key}, KEY, None, "Idempotency-Key"),
    "gitlab-signed": ({"profile": "gitlab"}, standard("webhook"), WHSEC, True, "webhook-id"),
    "stripe": ({}, stripe, "whsec_raw_it_is", True, "/id"),
    "standard-webhooks": ({}, standard("webhook"), WHSEC, True, "webhook-id"),
    "svix": ({}, standard("svix"), WHSEC, True, "svix-id"),
    "grafana": ({}, hexed("X-Grafana-Alerting-Signature"), KEY, False, None),
    "grafana-timed": ({"profile": "grafana", "verify": {"timestamp_header": "X-Time"}}, grafana_timed, KEY, True, None),
    "grafana-basic": ({"profile": "grafana", "verify": "basic"}, basic, "grafana:" + KEY, None, None),
    "alertmanager": ({}, bearer, KEY, None, None),
    "alertmanager-basic": ({"profile": "alertmanager"}, basic, "prom:" + KEY, None, None),
    "sentry": ({}, hexed("Sentry-Hook-Signature"), KEY, False, "Request-ID"),
    "slack": ({}, slack, KEY, True, "/event_id"),
    "linear": ({}, hexed("Linear-Signature"), KEY, False, "Linear-Delivery"),
    "calcom": ({}, hexed("X-Cal-Signature-256"), KEY, False, None),
    "token": ({}, bearer, KEY, None, None),
    "custom": ({"profile": None, "verify": {"header": "X-Sig", "timestamp_header": "X-At", "signed": "{ts}/{body}",
                                            "encoding": "base64", "prefix": "sig "}, "delivery": "X-Id"},
               lambda key, body, at, ident: {"X-At": str(at), "X-Sig": "sig " + base64.b64encode(
                   digest(key.encode(), at, "/", body).digest()).decode()}, KEY, True, "X-Id"),
}
EVENTS = {"github": {"X-GitHub-Event": "issues"}, "sentry": {"Sentry-Hook-Resource": "issue"}}


def declared(name, **members):
    declaration, _, secret, _, _ = SENDERS[name]
    hook = {"profile": name, "secret": secret, "message": MESSAGE} | declaration | members
    return {key: value for key, value in hook.items() if value is not None}


def configuration(hooks, **more):
    file = scratch("config") / "postern.json"
    file.write_text(json.dumps({"hooks": hooks} | more))
    return file


class Hooks:
    """A Postern with hooks, and what the relay got."""

    def __init__(self, hooks, **settings):
        self.relay = ScriptedServer()
        self.relay.__enter__()
        secrets = [KEY, WHSEC] + settings.pop("secrets", [])
        self.postern = Postern(relay=self.relay.url(), config=configuration(hooks), secrets=secrets,
                               **({"data": scratch("data")} | FAST | settings))

    def mails(self, count):
        def there():
            return sum(m.accepted for m in self.relay.mails) >= count
        wait_until(there, PATIENCE, f"{count} mails")
        return [message_from_bytes(m.message, policy=policy.default) for m in self.relay.mails]

    def post(self, name, body, headers=None, method="POST", path=None):
        headers = {"Content-Type": "application/json"} | (headers or {})
        return self.postern.request(method, path or f"/v1/hooks/{name}", body, headers, key="")

    def fire(self, name, payload, ident="id-1", at=None, sender=None, method="POST", **headers):
        """As the service sends it."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        _, sign, secret, _, delivery = SENDERS[sender or name]
        signed = sign(secret, body, int(time.time()) if at is None else at, ident)
        if delivery and not delivery.startswith("/"):
            signed.setdefault(delivery, ident)
        return self.post(name, body, EVENTS.get(sender or name, {}) | signed | headers, method)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.postern.__exit__(kind, value, trace)
        self.relay.__exit__(kind, value, trace)


@pytest.fixture(scope="module")
def hooks():
    with Hooks({name: declared(name) for name in SENDERS}) as running:
        yield running


def payload_of(name, number):
    return {"title": f"{name} {number}", "id": f"evt_{name}_{number}", "event_id": f"Ev{name}{number}"}


def accepted(name, answer):
    if SENDERS[name][0].get("profile", name) == "slack":
        return answer.status == 200 and answer.body == b"ok" and answer.type == "text/plain"
    return answer.status == 202 and answer.json["status"] == "queued"


@pytest.mark.parametrize("name", SENDERS)
def test_what_is_signed_becomes_a_mail(hooks, name):
    before = len(hooks.relay.mails)
    answer = hooks.fire(name, payload_of(name, 1), ident=f"{name}-1")
    assert accepted(name, answer), answer
    mail = hooks.mails(before + 1)[-1]
    assert mail["From"] == MESSAGE["from"] and mail["To"] == MESSAGE["to"] and mail["Subject"]


@pytest.mark.parametrize("name", SENDERS)
def test_what_is_not_signed_so_is_refused_in_one_way(hooks, name):
    before = len(hooks.relay.mails)
    _, sign, secret, timed, _ = SENDERS[name]
    body = json.dumps(payload_of(name, 2)).encode()
    now = int(time.time())
    wrong = sign(secret[:-4] + "AAAA" if secret != WHSEC else WHSEC[:-6] + "AAAAA=", body, now, f"{name}-2")
    right = sign(secret, body, now, f"{name}-2")
    answers = [hooks.post(name, body), hooks.post(name, body, wrong)]
    if timed is not None:  # the body is signed
        answers += [hooks.post(name, body[:-1], right), hooks.post(name, body + b" ", right), hooks.post(name, b"", right)]
    if timed:  # a time that is not the signature's
        header = next(h for h in right if "time" in h.lower() or h in ("Stripe-Signature", "X-At"))
        answers.append(hooks.post(name, body, right | {header: right[header].replace(str(now), str(now + 1))}))
    told = {(a.status, a.json["detail"], a.json["type"], a.headers["WWW-Authenticate"]) for a in answers}
    assert len(told) == 1 and answers[0].status == 401, answers
    assert answers[0].json["type"] == "urn:postern:problem:unverified"
    assert len(hooks.relay.mails) == before


@pytest.mark.parametrize("name", [name for name in SENDERS if SENDERS[name][3]])
def test_what_is_stale_is_refused(hooks, name):
    for at, word in ((int(time.time()) - 400, "old"), (int(time.time()) + 400, "time to come")):
        answer = hooks.fire(name, payload_of(name, 3), ident=f"{name}-3", at=at)
        assert answer.status == 401 and word in answer.json["detail"], answer
    assert accepted(name, hooks.fire(name, payload_of(name, 3), ident=f"{name}-3", at=int(time.time()) - 200))


@pytest.mark.parametrize("name", [name for name in SENDERS if SENDERS[name][4]])
def test_a_delivery_that_comes_again_is_answered_as_before(hooks, name):
    first = hooks.fire(name, payload_of(name, 4), ident=f"{name}-4")
    before = len(hooks.relay.mails)
    again = hooks.fire(name, payload_of(name, 4) | {"tried": 2}, ident=f"{name}-4")
    assert accepted(name, first) and accepted(name, again), (first, again)
    assert again.body == first.body and again.headers["Idempotency-Replayed"] == "true"
    other = hooks.fire(name, payload_of(name, 5), ident=f"{name}-5")
    assert accepted(name, other) and not other.headers["Idempotency-Replayed"]
    wait_until(lambda: len(hooks.relay.mails) > before, PATIENCE, "the mail of the other")


@pytest.mark.parametrize("name, signs, beside", [("svix", "webhook", "svix-id"), ("standard-webhooks", "svix", "webhook-id")])
def test_an_id_that_nobody_signed_makes_no_other_delivery(hooks, name, signs, beside):
    body = json.dumps(payload_of(name, 6)).encode()
    signed = standard(signs)(WHSEC, body, int(time.time()), f"{name}-6")
    first = hooks.post(name, body, signed)
    again = hooks.post(name, body, signed | {beside: "another"})
    assert first.status == 202 and again.body == first.body, (first, again)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_an_id_that_is_signed_is_the_delivery_s():
    verify = {"header": "X-Sig", "timestamp_header": "X-At", "id_header": "X-Id", "signed": "{id}.{ts}.{body}"}
    hook = declared("custom", verify=verify, delivery=None)
    with Hooks({"custom": hook, "own": hook | {"delivery": "/event_id"}}) as running:
        body, at = json.dumps(payload_of("custom", 1)).encode(), int(time.time())

        def post(name, ident):
            signature = digest(KEY.encode(), ident, ".", at, ".", body).hexdigest()
            return running.post(name, body, {"X-At": str(at), "X-Id": ident, "X-Sig": signature})
        assert post("custom", "a").body == post("custom", "a").body != post("custom", "b").body
        assert post("own", "a").body == post("own", "b").body


def test_an_empty_id_is_none(hooks):
    answers = [hooks.fire("stripe", {"title": "empty", "id": ""}) for _ in range(2)]
    assert all(accepted("stripe", a) and not a.headers["Idempotency-Replayed"] for a in answers), answers


def test_a_thousand_deliveries_of_one_id_are_one_mail():
    with Hooks({"github": declared("github")}) as hooks:
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda _: hooks.fire("github", payload_of("github", 6), ident="once"), range(1000)))
        assert {a.status for a in answers} == {202} and len({a.json["id"] for a in answers}) == 1
        assert sum(not a.headers["Idempotency-Replayed"] for a in answers) == 1
        assert accepted("github", hooks.fire("github", payload_of("github", 7), ident="twice"))
        assert len(hooks.mails(2)) == 2
        def counted():  # behind the answer
            metrics = hooks.postern.metrics()
            return [metrics[f'postern_hooks_total{{hook="github",result="{result}"}}'] for result in ("queued", "replayed")]
        wait_until(lambda: counted() == [2, 999], what="two hooks queued, and 999 counted as replayed")


def test_pings_and_challenges_are_answered_and_send_nothing(hooks):
    before = len(hooks.relay.mails)
    for name, payload, headers in (("github", {"zen": "x"}, {"X-GitHub-Event": "ping"}),
                                   ("sentry", {"action": "created"}, {"Sentry-Hook-Resource": "installation"}),
                                   ("calcom", {"triggerEvent": "PING"}, {})):
        answer = hooks.fire(name, payload, ident="ping", **headers)
        assert answer.status == 200 and answer.json == {"status": "ping"}, answer
        assert hooks.post(name, json.dumps(payload).encode(), headers).status == 401
    answer = hooks.fire("slack", {"type": "url_verification", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"})
    assert (answer.status, answer.type) == (200, "text/plain") and answer.body.startswith(b"3eZbrw1a")
    assert hooks.fire("slack", {"type": "url_verification", "challenge": "<script>\n"}).status == 400
    push = hooks.fire("github", {"commits": []}, ident="empty", **{"X-GitHub-Event": "push"})
    assert push.status == 200 and push.json == {"status": "skipped"}
    assert len(hooks.relay.mails) == before


@pytest.mark.parametrize("body, status", [
    (b"", 400), (b"{", 400), (b'{"a":1', 400), (b'{"a":1,"a":2}', 400),
    (b"[" * 65 + b"]" * 65, 413), (b"[" * 100000, 413), (b'{"a":' * 50000 + b"1" + b"}" * 50000, 413),
    (b"[" + b"[]," * 150000 + b"1]", 413)])
def test_what_is_no_payload_is_refused_and_sends_nothing(hooks, body, status):
    before = len(hooks.relay.mails)
    answer = hooks.fire("github", body, ident="bad")
    assert answer.status == status, answer
    assert len(hooks.relay.mails) == before


def test_five_megabytes_of_nested_json_are_refused(hooks):
    nested = b'{"a":[' * 833334
    with hooks.postern.socket() as raw:  # it is not waited for
        raw.sendall(f"POST /v1/hooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: {len(nested)}\r\n\r\n".encode())
        told = raw.recv(65536).decode()
        assert told.startswith("HTTP/1.1 413") and "at most 1048576" in told
    with Hooks({"github": declared("github", max_body="8MiB")}) as roomy:
        answer = roomy.fire("github", nested, ident="large")
        assert answer.status == 413 and "nested" in answer.json["detail"]
        assert roomy.relay.mails == []
    with hooks.postern.socket() as raw:
        raw.sendall(b"POST /v1/hooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(20):
                raw.sendall(b"10000\r\n" + nested[:65536] + b"\r\n")
        except OSError:
            pass  # it has answered, and reads no more
        assert raw.recv(65536).startswith(b"HTTP/1.1 413")


def test_types_other_than_json_and_forms_are_refused(hooks):
    for kind in ("text/plain", "application/json; charset=latin1", "multipart/form-data"):
        answer = hooks.fire("github", {}, ident="type", **{"Content-Type": kind})
        assert answer.status == 415, answer
    assert hooks.fire("github", {}, ident="type", **{"Content-Encoding": "gzip"}).status == 415
    assert hooks.fire("github", {"title": "x"}, ident="utf8", **{"Content-Type": "application/json; charset=utf-8"}).status == 202


def test_a_form_s_payload_is_taken_and_its_raw_bytes_are_signed(hooks):
    before = len(hooks.relay.mails)
    body = b"payload=" + quote(json.dumps({"title": "From a form, 100 %"})).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert hooks.fire("github", body, ident="form", **kind | {"X-GitHub-Event": "star"}).status == 202
    assert "From a form, 100 %" in str(hooks.mails(before + 1)[-1].get_body(("plain",)).get_content())
    assert hooks.fire("github", b"a=b", ident="form-2", **kind).status == 400


def test_a_form_for_a_slack_style_receiver(hooks):
    before = len(hooks.relay.mails)
    body = b"payload=" + quote(json.dumps({"text": "Form & *bold*"})).encode()
    answer = hooks.post("slack", body, {"Content-Type": "application/x-www-form-urlencoded"}, path=f"/v1/hooks/slack/{KEY}")
    assert (answer.status, answer.body) == (200, b"ok")
    assert hooks.mails(before + 1)[-1]["Subject"] == "Form & bold"


def test_no_sender_waits_for_the_relay():
    """Sentry gives up after a second, and for good after a thousand of them."""
    go = threading.Event()
    with ScriptedServer(body=gate(go, "250 2.0.0 ok")) as relay, Postern(
            relay=relay.url(), config=configuration({"sentry": declared("sentry")}), secrets=[KEY], data=scratch("data"),
            **FAST) as postern:
        body = b'{"action": "created", "data": {"issue": {"title": "x"}}}'
        headers = hexed("Sentry-Hook-Signature")(KEY, body, 0, "") | {"Content-Type": "application/json"}
        for number in range(20):
            answer = postern.request("POST", "/v1/hooks/sentry", body, headers | {"Request-ID": str(number)}, key="")
            assert answer.status == 202, answer
        assert not [m for m in relay.mails if m.accepted]
        go.set()
        wait_until(lambda: len([m for m in relay.mails if m.accepted]) == 20, PATIENCE, "the mails")


def test_grafana_may_put(hooks):
    assert hooks.fire("grafana", {"title": "put"}, method="PUT").status == 202
    assert hooks.postern.get("/v1/hooks/grafana").status == 405


def test_a_secret_in_the_path(hooks):
    assert hooks.post("slack", b'{"text":"hi"}', path=f"/v1/hooks/slack/{KEY}").body == b"ok"
    assert hooks.post("token", b'{"text":"hi"}', path=f"/v1/hooks/token/{KEY}").status == 202
    assert hooks.post("slack", b'{"text":"hi"}', path=f"/v1/hooks/slack/{KEY}x").status == 401
    assert hooks.post("slack", b'{"text":"hi"}', path="/v1/hooks/slack/").status == 401
    assert hooks.post("github", b'{"text":"hi"}', path=f"/v1/hooks/github/{KEY}").status == 404
    assert hooks.post("none", b"{}").status == 404  # and no log has the key: Postern.stop() looks


def test_firing_and_resolved_are_one_conversation():
    sample = json.loads((REPO / "templates/alertmanager/sample.json").read_text())
    sample.pop("postern", None)
    with Hooks({"alertmanager": declared("alertmanager"),
                "other": declared("alertmanager", thread=["/receiver", "/status"], profile="alertmanager"),
                "loose": declared("alertmanager", thread=None, profile="alertmanager") | {"thread": None}}) as hooks:
        for name in ("alertmanager", "other", "loose"):
            for status in ("firing", "resolved"):
                assert hooks.fire(name, sample | {"status": status}, sender="alertmanager").status == 202
        mails = hooks.mails(6)
        references = {}
        for mail in mails:
            assert mail["In-Reply-To"] == mail["References"]
            references.setdefault(mail["References"], []).append(mail)
        shared = [one for one, group in references.items() if one and len(group) == 2]
        assert len(shared) == 1 and shared[0].endswith("@postern.test>")
        assert len(references[None]) == 2 and len(references) == 4


def test_when_decides_what_is_sent():
    when = [{"pointer": "/severity", "op": "in", "value": ["page", "critical"]},
            {"pointer": "/postern/event", "value": "issues"}, {"header": "X-Quiet", "op": "missing"}]
    with Hooks({"github": declared("github", when=when)}) as hooks:
        assert hooks.fire("github", {"severity": "info"}, ident="1").json == {"status": "skipped"}
        assert hooks.fire("github", {"severity": "page"}, ident="2", **{"X-Quiet": "1"}).json == {"status": "skipped"}
        assert hooks.fire("github", {"severity": "page"}, ident="3", **{"X-GitHub-Event": "star"}).json == {"status": "skipped"}
        assert hooks.fire("github", {"severity": "page"}, ident="4").status == 202
        assert len(hooks.mails(1)) == 1


def test_secrets_are_changed_without_a_gap():
    file = scratch("secret") / "old"
    file.write_text("the-old-secret-1\n")
    hook = declared("github", secret=None, secrets=[KEY], secret_file=str(file))
    with Hooks({"github": hook}, secrets=["the-old-secret-1"]) as hooks:
        body = b'{"title":"x"}'
        for number, secret in enumerate((KEY, "the-old-secret-1", "the-old-secret-1\n")):
            signed = hexed("X-Hub-Signature-256", "sha256=")(secret, body, 0, "")
            answer = hooks.post("github", body, signed | {"X-GitHub-Delivery": str(number)})
            assert answer.status == (202 if number < 2 else 401), answer


def test_templates_are_chosen_by_profile_and_event_or_named():
    folder = scratch("templates")
    (folder / "mine").mkdir()
    (folder / "mine/subject.mustache").write_text("{{postern.hook}}/{{postern.event}}/{{postern.delivery}}: {{title}}")
    (folder / "mine/text.mustache").write_text("{{#payload}}{{.}};{{/payload}}{{postern.received_at}}")
    hook = {"profile": "github", "secret": KEY, "message": MESSAGE}
    mine = hook | {"message": MESSAGE | {"template": "mine", "tags": ["hook"], "cc": ["li@postern.test"]}}
    sample = json.loads((REPO / "templates/github-push/sample.json").read_text())
    sample.pop("postern", None)
    with Hooks({"github": hook, "mine": mine}, templates=folder) as hooks:
        assert hooks.fire("mine", {"title": "T"}, ident="a-1", sender="github").status == 202
        assert hooks.mails(1)[0]["Subject"] == "mine/issues/a-1: T" and hooks.mails(1)[0]["Cc"] == "li@postern.test"
        assert hooks.fire("mine", [1, 2], ident="a-2", sender="github").status == 202
        assert hooks.mails(2)[1].get_content().startswith("1;2;20")
        assert hooks.fire("github", sample, ident="a-3", **{"X-GitHub-Event": "push"}).status == 202
        assert hooks.mails(3)[2].get_body(("html",)) is not None
        assert hooks.fire("github", {"anything": "goes"}, ident="a-4", **{"X-GitHub-Event": "made-up"}).status == 202
        assert "goes" in hooks.mails(4)[3].get_body(("plain",)).get_content()
        tagged = hooks.postern.get("/v1/messages?tag=hook").json["messages"]
        assert len(tagged) == 2


def test_a_message_that_nobody_may_get_is_no_fault_of_its_sender_s():
    """Refused it would come again, for days. With an id (a key of the queue) and without, and of who expects its own text."""
    both = MESSAGE | {"to": ["ops@postern.test", "li@postern.test"]}
    with Hooks({"alertmanager": declared("alertmanager"), "github": declared("github"), "slack": declared("slack"),
                "both": {"message": both, "verify": "none"}}) as hooks:
        hooks.postern.post("/v1/suppressions", {"email": "ops@postern.test"})
        for name in ("alertmanager", "github", "github", "slack"):
            answer = hooks.fire(name, {"status": "firing", "text": "x", "event_id": "1"}, ident="1")
            assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain")
            assert answer.body == (b"ok" if name == "slack" else b"Nothing was sent: all recipients are suppressed.\n")
        assert hooks.post("both", b'{"a":1}').status == 202
        hooks.mails(1)
        assert hooks.relay.mails[0].recipients == ["li@postern.test"]
        metrics = hooks.postern.metrics()
        assert metrics['postern_hooks_total{hook="github",result="skipped"}'] == 2
        assert metrics['postern_hooks_total{hook="github",result="refused"}'] == 0
        told = wait_until(lambda: [line for line in hooks.postern.log_lines() if line["event"] == "hook"
                                   and line["hook"] == "alertmanager"], PATIENCE, "the log line")
        assert told[0]["hook_event"] == "firing" and told[0]["level"] == "info"
        assert told[0]["result"] == "skipped" and "suppressed" in told[0]["reason"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_payload_of_which_no_mail_can_be_made_is_refused(method):
    folder = scratch("templates")
    (folder / "mine").mkdir()
    (folder / "mine/subject.mustache").write_text("{{title}}")
    (folder / "mine/text.mustache").write_text("x")
    with Hooks({"token": declared("token", message=MESSAGE | {"template": "mine"})}, templates=folder) as hooks:
        answer = hooks.fire("token", {"title": "x" * 10001}, method=method)
        assert answer.status == 422 and "10000" in answer.json["errors"][0]["detail"]
        assert hooks.fire("token", {"title": "x"}, method=method).status == 202
        assert hooks.mails(1)[0]["Subject"] == "x"
        assert hooks.postern.metrics()['postern_hooks_total{hook="token",result="refused"}'] == 1


def test_without_a_relay_it_is_503():
    with Postern(config=configuration({"alertmanager": declared("alertmanager")}), data=scratch("data")) as postern:
        answer = postern.post("/v1/hooks/alertmanager", {"status": "firing"}, headers=bearer(KEY, b"", 0, ""))
        assert answer.status == 503 and answer.headers["Retry-After"]


def test_what_is_refused_is_told_in_the_log_and_counted(hooks):
    hooks.post("github", b"{}", {"X-Hub-Signature-256": "sha256=00"})
    def line():
        return [one for one in hooks.postern.log_lines() if one["event"] == "hook" and one["hook"] == "github"
                and one["result"] == "unverified"]
    told = wait_until(line, PATIENCE, "the log line")
    assert told[-1]["level"] == "warning" and told[-1]["reason"]
    assert hooks.postern.metrics()['postern_hooks_total{hook="github",result="unverified"}'] >= 1
    assert all(one["route"] == "/v1/hooks/{name}" for one in hooks.postern.log_lines()
               if one["event"] == "request" and "hooks" in one["route"])


# --- settings ---

def faults(hook, name="h", **settings):
    done = run("serve", config=configuration({name: hook}), **({"data": scratch("data")} | settings))
    assert done.returncode == 78, done
    lines = done.stderr.decode().splitlines()
    assert lines and KEY not in done.stderr.decode()
    return lines


@pytest.mark.parametrize("change, place", [
    ({"profile": "githab"}, "/profile"), ({"profile": None}, "/hooks/h:"), ({"secrt": KEY}, "/secrt"),
    ({"secret": "short"}, "/secret"), ({"secret": None}, "/hooks/h:"), ({"secret": 1}, "/secret"),
    ({"secret_file": "/nonexistent"}, "/secret_file"), ({"secrets": []}, "/secrets"),
    ({"secrets": ["x"]}, "/secrets/0"), ({"verify": "magic"}, "/verify"), ({"verify": "none"}, "/verify"),
    ({"verify": {"methd": "hmac"}}, "/verify/methd"), ({"verify": {"method": "rsa"}}, "/verify/method"),
    ({"verify": {"signed": "{ts}"}}, "/verify/signed"), ({"verify": {"header": "a b"}}, "/verify/header"),
    ({"verify": {"signed": "{ts}{body}"}}, "/verify/signed"), ({"verify": {"tolerance": "2d"}}, "/verify/tolerance"),
    ({"verify": {"method": "basic"}}, "/hooks/h:"), ({"when": {}}, "/when"), ({"when": [{"pointer": "x"}]}, "/when"),
    ({"thread": "groupKey"}, "/thread"), ({"event": "a b"}, "/event"), ({"delivery": 1}, "/delivery"),
    ({"max_body": "x"}, "/max_body"), ({"max_body": "1GiB"}, "/max_body"), ({"message": None}, "/message"),
    ({"message": {"from": "x", "to": "a@postern.test"}}, "/message/from"),
    ({"message": {"from": "a@postern.test"}}, "/message/to"),
    ({"message": MESSAGE | {"relay": "none"}}, "/message/relay"), ({"message": MESSAGE | {"typo": 1}}, "/message/typo"),
    ({"message": MESSAGE | {"text": "x"}}, "/message/text"), ({"message": MESSAGE | {"data": {}}}, "/message/data"),
    ({"message": MESSAGE | {"send_at": "2099-01-01T00:00:00Z"}}, "/message/send_at: has no place here"),
    ({"message": MESSAGE | {"send_at": 1}}, "/message/send_at: has no place here"),
    ({"message": MESSAGE | {"template": "githab-push"}}, "/message/template"),
    ({"message": MESSAGE | {"headers": {"Bcc": "x"}}}, "/message/headers/Bcc")])
def test_a_hook_that_is_wrong_stops_the_start(change, place):
    hook = {name: value for name, value in (declared("github") | change).items() if value is not None}
    lines = faults(hook, relay="smtp://localhost:1?tls=none")
    assert len(lines) == 1 and place in lines[0], lines


def test_where_the_hooks_stand_matters():
    done = run("serve", config=configuration({"h": declared("github")}))
    assert done.returncode == 78 and b"hooks need a queue" in done.stderr
    opened = {"verify": "none", "message": MESSAGE}
    assert "POSTERN_AUTH" in faults(opened, listen="0.0.0.0:0", api_keys="k3y-of-the-back-gate-0001")[0]
    assert "letters" in faults(declared("github"), name="a/b")[0]
    assert "do you mean secret?" in faults(declared("github", secret=None, secrt=KEY))[0]


# --- the command ---

def hook_command(*arguments, hooks=None, **settings):
    return run("hook", *arguments, config=configuration(hooks or {n: declared(n) for n in SENDERS}), **settings)


def payload_file(payload):
    file = scratch("payload") / "payload.json"
    file.write_text(json.dumps(payload))
    return file


def test_hook_test_prints_the_mail():
    file = payload_file({"title": "hello"})
    done = hook_command("test", "github", str(file), "--event", "star")
    assert done.returncode == 0 and b"signed here" in done.stderr, done
    assert message_from_bytes(done.stdout)["To"] == MESSAGE["to"]
    signed = hexed("X-Hub-Signature-256", "sha256=")(KEY, file.read_bytes(), 0, "")["X-Hub-Signature-256"]
    done = hook_command("test", "github", str(file), "-H", f"X-Hub-Signature-256: {signed}")
    assert done.returncode == 0 and b"signed here" not in done.stderr and done.stdout
    done = hook_command("test", "github", str(file), "-H", f"X-Hub-Signature-256: {signed[:-1]}")
    assert done.returncode == 1 and not done.stdout
    done = hook_command("test", "github", str(file), "--event", "ping")
    assert done.returncode == 0 and b"ping" in done.stderr and not done.stdout
    assert hook_command("test", "none", str(file)).returncode == 78
    assert hook_command("test", "stripe", str(file), "--event", "x").returncode == 64
    assert hook_command("test", "github").returncode == 64
    assert hook_command("test", "github", "/nonexistent").returncode == 66
    file.write_text("{")
    assert hook_command("test", "github", str(file)).returncode == 65


@pytest.mark.parametrize("name", SENDERS)
def test_hook_sign_prints_what_the_service_would_send(hooks, name, tmp_path):
    file = payload_file(payload_of(name, 9))
    settings = {"listen": f"127.0.0.1:{hooks.postern.port}"}
    done = hook_command("sign", name, str(file), **settings)
    assert done.returncode == 0 and SENDERS[name][2] not in done.stdout.decode(), done
    script = done.stdout.decode().replace("curl ", "curl -s -w '\\n%{http_code}' ", 1)
    sent = subprocess.run(["sh", "-c", script], env={"SECRET": SENDERS[name][2], "PATH": "/usr/bin:/bin"},
                          capture_output=True, check=True, timeout=PATIENCE)
    assert sent.stdout.decode().rsplit("\n", 1)[1] in ("200", "202"), (script, sent)


def test_the_cookbook_does_what_it_says():
    """The README's commands as they are, but for the relay and the address; and then the delivery."""
    text = (REPO / "README.md").read_text().split("From nothing to a mail for each push:")[1].split("```")[1]
    commands = [line.removeprefix("$ ") for line in text.strip().splitlines()]
    assert len(commands) == 5 and "smtp://…" in text and "0.0.0.0:8025" in text
    address = f"127.0.0.1:{free_port()}"
    with ScriptedServer() as relay:
        script = "\n".join([
            "set -e", *commands[:3], commands[3] + " trap \"kill $!\" EXIT", commands[4],
            f"until curl -s -o /dev/null http://{address}/healthz; do sleep 0.05; done",
            "postern hook sign repo push.json --event push >sign.sh", "sh sign.sh"])
        script = script.replace("smtp://…", f"'{relay.url()}'").replace("0.0.0.0:8025", address)
        done = subprocess.run(["sh", "-c", script], cwd=scratch("cookbook"), capture_output=True, timeout=PATIENCE,
                              env={"PATH": f"{BINARY.parent}:/usr/bin:/bin"})
        assert done.returncode == 0, done
        printed, answer = done.stdout.rsplit(b"\n{", 1)
        assert message_from_bytes(printed)["Subject"] == "acme/site: 1 commit on main by li", printed
        assert json.loads(b"{" + answer)["status"] == "queued", done
        wait_until(lambda: relay.complete, PATIENCE, "the mail")
        assert b"Subject: acme/site: 1 commit on main by li" in relay.complete[0].message
