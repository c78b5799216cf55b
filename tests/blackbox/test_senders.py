"""Webhooks from those who send them: services' own SDKs sign, a real Alertmanager fires; and what is wrong with a
request is told and sends nothing."""

import email
import email.policy
import json
import re
import threading
import time
from urllib.parse import urlencode

import pytest

from .alertmanager import Alertmanager
from .places import scratch
from .postern import PATIENCE, Postern, mail
from .process import free_port, wait_until
from .queued import FAST, end
from .scripted import ScriptedServer, gate
from .senders import JSON, SENDERS, Sdks, SdkSender, configuration
from .wire import Wire

HOUR = 3600
DEEP = 5 << 20  # octets

senders = pytest.mark.parametrize("sender", SENDERS, ids=repr)
by_sdk = pytest.mark.parametrize("sender", [s for s in SENDERS if isinstance(s, SdkSender)], ids=repr)


@pytest.fixture(scope="module", autouse=True)
def sdks():
    reason = Sdks.unavailable()
    if reason:
        pytest.skip(reason)
    SdkSender.sdks = Sdks()
    yield
    SdkSender.sdks.stop()


@pytest.fixture(scope="module")
def relay():
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="module")
def postern(relay):
    with Postern(relay=relay.url(), data=scratch("data"), config=configuration(scratch("config")),
                 secrets=[s.secret for s in SENDERS], **FAST) as running:
        yield running


def kept(postern, sender):
    """The messages that a hook has made, as the queue has them."""
    answer = postern.get(f"/v1/messages?tag={sender.name}&limit=100")
    assert answer.status == 200, answer
    return [message["id"] for message in answer.json["messages"]]


def arrived(relay, sender):
    return [m for m in relay.complete if m.recipients == [f"{sender.name}@postern.test"]]


class Nothing:
    """In the block a request is refused, and no mail comes of it."""

    def __init__(self, postern, relay, sender):
        self._look = lambda: (kept(postern, sender), len(arrived(relay, sender)))

    def __enter__(self):
        self._before = self._look()

    def __exit__(self, kind, *_):
        if kind is None:
            assert self._look() == self._before


def refused(answer, *statuses):
    """A clear refusal: a problem with words, and none of them a secret."""
    assert answer.status in statuses, answer
    problem = answer.json
    assert problem["status"] == answer.status and problem["title"], answer


# --- what is right ---

@senders
def test_a_signed_webhook_becomes_a_mail(postern, relay, sender):
    before = len(arrived(relay, sender))
    answer = sender.deliver(postern, sender.payload())
    # Slack's senders take nothing but 200.
    assert answer.status in (200, 202), answer
    wait_until(lambda: len(arrived(relay, sender)) > before, PATIENCE, "the mail")
    [message] = arrived(relay, sender)[before:]
    parsed = email.message_from_bytes(message.message, policy=email.policy.default)
    assert parsed["Subject"] and parsed.get_body("plain").get_content().strip()
    assert parsed["From"] == "hooks@postern.test"
    assert end(postern, kept(postern, sender)[0])["status"] == "sent"


@by_sdk
def test_what_an_sdk_signs_may_be_of_any_script(postern, relay, sender):
    payload = sender.payload() | {"note": "Grüße, 李雷 \N{PARTY POPPER}\\u0007 \u2028"}
    with_note = json.dumps(payload, ensure_ascii=False, indent=3)
    assert sender.deliver(postern, with_note).status == 202


def test_github_may_send_a_form(postern, relay):
    """The signature is over the form as it is written."""
    [sender] = [s for s in SENDERS if s.name == "github"]
    before = len(kept(postern, sender))
    form = urlencode({"payload": json.dumps(sender.payload())})
    assert sender.deliver(postern, form, content_type="application/x-www-form-urlencoded").status == 202
    assert len(kept(postern, sender)) == before + 1
    with Nothing(postern, relay, sender):
        refused(sender.deliver(postern, form, content_type=JSON), 400)


@pytest.mark.parametrize("sender", [s for s in SENDERS if s.repeats], ids=repr)
def test_a_delivery_that_comes_again_sends_no_second_mail(postern, relay, sender):
    before = kept(postern, sender)
    first, second = sender.deliver(postern, sender.payload(), times=2)
    assert first.status == 202 and second.status in (200, 202), (first, second)
    assert len(kept(postern, sender)) == len(before) + 1
    for message_id in kept(postern, sender):
        end(postern, message_id)
    assert len(arrived(relay, sender)) == len(kept(postern, sender))


# --- what is not ---

@senders
def test_a_wrong_secret_is_refused(postern, relay, sender):
    with Nothing(postern, relay, sender):
        refused(sender.deliver(postern, sender.payload(), secret=sender.wrong), 401)


@pytest.mark.parametrize("sender", [s for s in SENDERS if s.timed], ids=repr)
@pytest.mark.parametrize("aside", [-HOUR, HOUR], ids=["old", "new"])
def test_a_time_that_is_not_now_is_refused(postern, relay, sender, aside):
    with Nothing(postern, relay, sender):
        refused(sender.deliver(postern, sender.payload(), at=time.time() + aside), 400, 401)


@senders
def test_a_body_cut_short_behind_its_signature_is_refused(postern, relay, sender):
    with Nothing(postern, relay, sender):
        refused(sender.deliver(postern, sender.payload(), cut=1), 400, 401)


@senders
def test_a_body_cut_short_before_it_was_signed_is_refused(postern, relay, sender):
    with Nothing(postern, relay, sender):
        refused(sender.deliver(postern, json.dumps(sender.payload())[:-1]), 400)


@senders
def test_a_body_whose_end_never_comes_is_no_delivery(postern, relay, sender):
    body = json.dumps(sender.payload()).encode()
    head = (f"POST /v1/hooks/{sender.name} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()
    with Nothing(postern, relay, sender), Wire(postern) as wire:
        wire.send(head + body[:-1])


@senders
@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x"])
def test_another_type_of_content_is_refused(postern, relay, sender, content_type):
    with Nothing(postern, relay, sender):
        refused(sender.deliver(postern, sender.payload(), content_type=content_type), 415)


NESTED = {"arrays": "[" * (DEEP // 2) + "]" * (DEEP // 2),
          "objects": '{"a":' * (DEEP // 6) + "1" + "}" * (DEEP // 6),
          "open": "[" * DEEP,
          "wide": "[" + "{}," * (DEEP // 3) + "{}]"}


@pytest.mark.parametrize("sender", [s for s in SENDERS if s.name in ("github", "svix")], ids=repr)
@pytest.mark.parametrize("shape", NESTED)
def test_megabytes_of_structure_are_refused(postern, relay, sender, shape):
    with Nothing(postern, relay, sender):
        refused(sender.deliver(postern, NESTED[shape]), 400, 413, 422)
        refused(sender.deliver(postern, NESTED[shape], secret=sender.wrong), 401, 413)


# --- Alertmanager ---

TOKEN = "the-token-of-alerts"
HOOK = {"profile": "alertmanager", "secret": TOKEN}


def alerts(folder, recipient):
    file = folder / "postern.json"
    hook = {**HOOK, "message": {"from": "alerts@postern.test", "to": recipient}}
    file.write_text(json.dumps({"hooks": {"alerts": hook}}))
    return {"config": file, "data": folder / "data", "secrets": [TOKEN], **FAST}


@pytest.fixture
def folder():
    path = scratch("alerts")
    (path / "data").mkdir()
    return path


@pytest.fixture
def manager():
    reason = Alertmanager.unavailable()
    if reason:
        pytest.skip(reason)
    port = free_port()
    with Alertmanager(f"http://127.0.0.1:{port}/v1/hooks/alerts", TOKEN) as running:
        running.target = port
        yield running


def ids(message, *fields):
    return {found for field in fields for found in re.findall(r"<[^>]+>", message[field] or "")}


def wait_for_mails(find, count):
    wait_until(lambda: len(find()) >= count, PATIENCE, f"{count} mails")
    return [email.message_from_bytes(one, policy=email.policy.default) for one in find()]


def test_alertmanager_fires_and_resolves_in_one_conversation(postfix, manager, folder):
    me = "oncall@postern.test"

    def find():
        return [one.message() for one in postfix.mail.to(me)]
    with Postern(port=manager.target, relay=postfix.starttls_url(), **alerts(folder, me)):
        manager.fire("DiskFull", summary="db1 has 2 % left")
        [firing] = wait_for_mails(find, 1)
        manager.resolve("DiskFull", summary="db1 has 2 % left")
        mails = wait_for_mails(find, 2)
        manager.fire("CertificateExpires", summary="in a week")
        mails = wait_for_mails(find, 3)
    resolved = next(m for m in mails if "resolved" in m["Subject"].lower())
    other = next(m for m in mails if "CertificateExpires" in m["Subject"])
    assert "DiskFull" in firing["Subject"] and "DiskFull" in resolved["Subject"]
    assert "db1 has 2 % left" in firing.get_body("plain").get_content()
    thread = ids(firing, "Message-ID", "References")
    assert ids(resolved, "References") & thread
    assert ids(resolved, "In-Reply-To") & thread
    assert not ids(other, "References", "In-Reply-To") & thread
    assert manager.tries() == [3, 0]


def test_alertmanager_comes_again_to_a_postern_that_was_down(manager, folder):
    manager.fire("DiskFull", summary="nobody listens")
    wait_until(lambda: manager.tries()[1] >= 1, PATIENCE, "a try in vain")
    with ScriptedServer() as relay, Postern(port=manager.target, relay=relay.url(), **alerts(folder, "a@b.test")):
        wait_until(lambda: relay.complete, PATIENCE, "the mail")
        assert_once(manager, relay)


def test_alertmanager_comes_again_to_a_postern_that_has_its_hands_full(manager, folder):
    """503, because Alertmanager gives up for all else."""
    full, free = threading.Event(), threading.Event()
    with ScriptedServer(data=gate(free, "354 go ahead")) as slow, \
            Postern(port=manager.target, relay=slow.url(), max_inflight=1, **alerts(folder, "a@b.test")) as postern:
        def occupy():
            full.set()
            postern.send(mail(subject="slow"))
        occupant = threading.Thread(target=occupy)
        occupant.start()
        try:
            full.wait(PATIENCE)
            wait_until(lambda: slow.verbs().count("DATA") == 1, PATIENCE, "the slow mail to be under way")
            manager.fire("DiskFull", summary="it is busy")
            wait_until(lambda: manager.tries()[1] >= 1, PATIENCE, "a try in vain")
            assert "503" in manager.log()
        finally:
            free.set()
            occupant.join()
        wait_until(lambda: len(slow.complete) == 2, PATIENCE, "the mail of the alert")
        assert_once(manager, slow, 2)


def assert_once(manager, relay, count=1):
    """Alertmanager has been told, and after it has looked again at what is firing, nothing more has come."""
    wait_until(lambda: _told(manager), PATIENCE, "Alertmanager to have been answered")
    tries = manager.tries()
    manager.fire("DiskFull", summary="as before")
    manager.fire("AnotherOne", summary="which shows that time has passed")
    wait_until(lambda: len(relay.complete) == count + 1, PATIENCE, "another alert's mail")
    assert sum(b"DiskFull" in m.message for m in relay.complete) == 1
    assert manager.tries() == [tries[0] + 1, tries[1]]


def _told(manager):
    made, failed = manager.tries()
    return made > failed
