"""Settings: what starts, what doesn't, and what is said then."""

import json

import pytest

from .honest import PASSWORD
from .places import scratch
from .postern import Postern, command, environment, mail, run
from .process import Child, accepts, wait_until
from .scripted import USER, ScriptedServer


def complaints(**settings):
    """The lines with which it refuses to start; each names its setting."""
    done = run("serve", **settings)
    assert done.returncode == 78, done  # EX_CONFIG
    lines = done.stderr.decode().splitlines()
    assert lines
    return lines


@pytest.mark.parametrize("setting, value", [
    ("listen", "x"), ("listen", "127.0.0.1"), ("listen", "127.0.0.1:99999"), ("listen", "unix:"),
    ("listen", ""), ("max_body", "40M"), ("max_body", "-1"), ("max_body", "x"), ("timeout", "60"),
    ("timeout", "0s"), ("max_recipients", "0"), ("max_recipients", "1.5"), ("max_inflight", "x"),
    ("log", "xml"), ("log_addresses", "yes"), ("auth", "no"), ("api_keys", "short"),
    ("api_keys", "sha256:xyz"), ("from", "not an address"), ("relay", "ftp://x"), ("relay", "smtp://"),
    ("relay", "smtp://host:99999"), ("relay", "smtp://h?tls=maybe"), ("relay", "smtp://h?typo=1"),
    ("relay", "smtp://h?sessions=0"), ("relay", "smtp://:pw@host"), ("relay", "gmali://u:p@"),
    ("tls_cert", "/nonexistent"), ("config", "/nonexistent"), ("relay_file", "/nonexistent"),
    ("typo", "1"), ("relays", "x"), ("http_threads", "0")])
def test_a_setting_that_is_wrong_stops_the_start(setting, value):
    lines = complaints(**{setting: value})
    named = {"relay_file": "POSTERN_RELAY", "tls_cert": "POSTERN_TLS"}.get(
        setting, f"POSTERN_{setting.upper()}")
    assert all(named in line for line in lines), lines


def test_every_fault_has_a_line_of_its_own():
    lines = complaints(listen="x", max_body="40M", timeout="soon", typo="1", log="xml")
    assert len(lines) == 5
    for name in ("LISTEN", "MAX_BODY", "TIMEOUT", "TYPO", "LOG"):
        assert sum(f"POSTERN_{name} " in line or f"POSTERN_{name}:" in line for line in lines) == 1


def test_a_typo_is_met_with_a_suggestion():
    assert "POSTERN_TIMEOUT" in "\n".join(complaints(timout="5s"))


@pytest.mark.parametrize("relay", [
    "smtp://user:very-secret-word@host:99999", "smtp://user:very-secret-word@host?typo=1",
    "smtp://user:very-secret-word@relay.example?tls=none", "nonsense://user:very-secret-word@host",
    "smtp://user:very-secret-word%zz@host", "user:very-secret-word@host"])
def test_no_fault_repeats_a_password(relay):
    assert "very-secret-word" not in "\n".join(complaints(relay=relay))


def test_credentials_in_clear_need_loopback():
    assert complaints(relay=f"smtp://u:{'p' * 12}@relay.example:25?tls=none")


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "0.0.0.0:8025"])
def test_a_public_address_needs_keys(listen):
    assert "POSTERN_API_KEYS" in "\n".join(complaints(listen=listen))


def test_a_public_address_with_keys_or_with_auth_off_starts():
    from .process import free_port
    for guard in ({"api_keys": "k3y-of-the-back-gate-0001"}, {"auth": "off"}):
        port = free_port()
        with Postern(listen=f"0.0.0.0:{port}", port=port, **guard) as postern:
            assert postern.get("/healthz").status == 200


def test_an_address_in_use_is_told(bare):
    done = run("serve", listen=f"127.0.0.1:{bare.port}")
    assert done.returncode not in (0, 78) and str(bare.port) in done.stderr.decode()


@pytest.mark.parametrize("ending", ["", "\n"])
def test_a_secret_may_come_from_a_file(tmp_path, ending):
    with ScriptedServer(users={USER: PASSWORD}) as relay:
        (tmp_path / "relay").write_text(relay.url(password=PASSWORD) + ending)
        (tmp_path / "keys").write_text("k3y-of-the-back-gate-0001" + ending)
        with Postern(relay_file=tmp_path / "relay", api_keys_file=tmp_path / "keys",
                     key="k3y-of-the-back-gate-0001", secrets=[PASSWORD]) as postern:
            assert postern.send(mail()).status == 200
        assert relay.sessions[0].login


def test_a_setting_and_its_file_together_are_a_fault(tmp_path):
    (tmp_path / "relay").write_text("smtp://host")
    assert complaints(relay="smtp://host", relay_file=tmp_path / "relay")


def test_the_file_has_relays_and_settings_and_the_environment_wins(tmp_path):
    with ScriptedServer(greeting="220 first") as first, ScriptedServer() as second:
        config = tmp_path / "postern.json"
        config.write_text(json.dumps({
            "relays": {"default": first.url(), "bulk": {"url": second.url()}},
            "max_recipients": 5, "max_body": "1MiB", "from": ["shop@postern.test"]}))
        with Postern(config=config, max_recipients=1) as postern:
            assert postern.send(mail()).json["relay"] == "default"
            assert postern.send(mail(relay="bulk")).json["relay"] == "bulk"
            assert postern.send(mail(to=["a@b.c", "d@e.f"])).status == 422
            assert postern.send(mail(**{"from": "x@y.z"})).status == 403
        assert len(first.mails) == 1 and len(second.mails) == 1
        with Postern(config=config, relay=second.url()) as postern:
            assert postern.send(mail()).status == 200
        assert len(second.mails) == 2


@pytest.mark.parametrize("content", ["", "[]", "{", '{"typo": 1}', '{"max_body": []}',
                                     '{"relays": {"x": 5}}', '{"max_recipients": "many"}',
                                     '{"relays": {"x": {"url": "smtp://h", "typo": 1}}}',
                                     '{"listen": "a:1", "listen": "b:1"}'])
def test_a_file_that_is_wrong_stops_the_start(tmp_path, content):
    (tmp_path / "postern.json").write_text(content)
    assert complaints(config=tmp_path / "postern.json")


def test_what_kubernetes_sets_is_nobodys_mistake():
    with Postern(service_host="10.0.0.1", service_port="8025",
                 port_8025_tcp="tcp://10.0.0.1:8025") as postern:
        assert postern.get("/healthz").status == 200


def test_port_0_is_any_free_one_and_the_log_names_it():
    log = scratch("log") / "stderr"
    with log.open("wb") as output:
        child = Child(command("serve"), env=environment({"listen": "127.0.0.1:0"}), stderr=output)
    line = wait_until(lambda: next(iter(log.read_text().splitlines()), None), 60, "the first line")
    address = json.loads(line)["listen"]
    assert accepts(int(address.rpartition(":")[2]))
    assert child.stop() == 0


def test_without_descriptors_for_all_threads_it_says_so_and_ends():
    """Whichever thread it is that can't be started: those before it run already."""
    settings = environment({"listen": "127.0.0.1:0", "http_threads": 6})
    told = []
    for limit in range(16, 200, 3):
        log = scratch("log") / "stderr"
        with log.open("wb") as output:
            child = Child(["prlimit", f"--nofile={limit}", *command("serve")], env=settings,
                          stderr=output)
        wait_until(lambda: not child.running() or '"event":"start"' in log.read_text(), 60,
                   "the start, or the end")
        if child.running():
            assert child.stop() == 0
            break
        told.append(log.read_text())
        assert child.wait(60) != 0
    assert any("The HTTP server could not start" in text for text in told), told
