"""The commands beside `serve`."""

import json
import re

import pytest

from .honest import HOME
from .places import REPO
from .postern import Postern, mail, run
from .process import free_port
from .readers import read_with_python
from .scripted import ScriptedServer, drop

VERSION = (REPO / "VERSION").read_text().strip()


def test_version_names_itself_and_its_libraries():
    done = run("version")
    assert done.returncode == 0 and VERSION in done.stdout.decode()
    for library in ("libcurl", "libmicrohttpd", "jansson"):
        assert library in done.stdout.decode()


def test_help_has_every_command_and_setting():
    done = run("help")
    assert done.returncode == 0
    text = done.stdout.decode()
    for word in ("serve", "check", "send", "compose", "version", "POSTERN_RELAY", "POSTERN_LISTEN",
                 "POSTERN_API_KEYS", "POSTERN_FROM", "POSTERN_TIMEOUT"):
        assert word in text


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["send", "--nonsense"],
                                       ["serve", "x"], ["compose", "--nonsense"]])
def test_what_is_not_known_is_a_usage_fault(arguments):
    done = run(*arguments)
    assert done.returncode == 64 and done.stderr and not done.stdout, done


def test_compose_prints_the_message():
    done = run("compose", stdin=json.dumps(mail(subject="您的订单")).encode())
    assert done.returncode == 0, done
    assert read_with_python(done.stdout)["subject"] == "您的订单"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", json.dumps(mail(to="x")).encode()])
def test_compose_tells_what_is_not_valid(body):
    done = run("compose", stdin=body)
    assert done.returncode == 65 and done.stderr and not done.stdout, done


def test_send_takes_a_request_on_stdin(postfix):
    recipient = "cli-stdin@" + HOME
    done = run("send", stdin=json.dumps(mail(to=recipient)).encode(), relay=postfix.starttls_url())
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["status"] == "sent"
    postfix.mail.wait(recipient)


@pytest.mark.parametrize("script, code", [
    ({"mail": "550 5.1.8 no"}, 1), ({"mail": "451 4.3.0 later"}, 75), ({"body": drop}, 76)],
    ids=["refused", "later", "unknown"])
def test_sends_exit_code_tells_what_to_do(script, code):
    with ScriptedServer(**script) as relay:
        done = run("send", stdin=json.dumps(mail()).encode(), relay=relay.url())
        assert done.returncode == code, done


def test_send_without_a_relay_is_a_configuration_fault():
    assert run("send", stdin=json.dumps(mail()).encode()).returncode == 78


def test_check_walks_the_relay_and_says_each_step(postfix):
    done = run("check", relay=postfix.starttls_url())
    assert done.returncode == 0, done
    text = (done.stdout + done.stderr).decode().lower()
    for stage in ("resolve", "connect", "greeting", "ehlo", "starttls", "auth"):
        assert stage in text
    assert "correct horse" not in text


def test_check_says_where_it_stops(postfix):
    done = run("check", relay=postfix.starttls_url(password="wrong-password"))
    text = (done.stdout + done.stderr).decode()
    assert done.returncode == 1 and "535" in text and "wrong-password" not in text, done


def test_check_of_a_relay_that_is_down():
    done = run("check", relay=f"smtp://127.0.0.1:{free_port()}?tls=none")
    assert done.returncode in (1, 75) and b"connect" in done.stdout + done.stderr, done


def test_health_asks_the_running_instance():
    with Postern() as postern:
        assert run("health", listen=postern.settings["listen"]).returncode == 0
    assert run("health", listen=postern.settings["listen"]).returncode == 1


def test_the_ids_of_two_runs_differ():
    body = json.dumps(mail()).encode()
    ids = {re.search(rb"Message-ID: (\S+)", run("compose", stdin=body).stdout, re.I)[1]
           for _ in range(3)}
    assert len(ids) == 3
