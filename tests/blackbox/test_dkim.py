"""DKIM: what Postern signs passes at verifiers that aren't ours, whichever way the message goes; and what postern dkim
says of what others have signed."""

import base64
import json
import os
import random
import re
import signal
import socket
import struct
import threading

import dkim
import pytest

from . import dkim_keys
from .places import scratch
from .postern import Postern, mail, run
from .process import wait_until
from .queued import FAST, end
from .scripted import ScriptedServer

DOMAIN = "shop.test"
MANY = 240
MIB = 1 << 20

# --- messages ---

WORDS = ["order", "您的订单", "Grüße", "a  b", "tab\there", ".", "..", "From here", "=?utf-8?q?x?=", "x" * 90,
         "https://shop.test/a?b=c&d=é", "🎉", "end \t ", "-- ", ">quoted"]
ENDS = ["", "\n", "\n\n\n\n", " \n \n\t\n", " ", "\n.\n", "\r\n\r\n", "\n.."]


def text(rng, lines):
    made = [" ".join(rng.choices(WORDS, k=rng.randrange(8))) for _ in range(rng.randrange(lines))]
    return rng.choice(["", "\n\n", " "]) + "\n".join(made) + rng.choice(ENDS)


def document(rng):
    """Anything that a message can be."""
    made = {"from": {"email": f"a@{DOMAIN}", "name": rng.choice(["Shop", "店铺", "A, \"B\"", "x " * 60])},
            "to": [f"t{n}@example.net" for n in range(rng.choice([1, 2, 30]))],
            "subject": rng.choice([" ".join(rng.choices(WORDS, k=rng.randrange(30))).strip(), None])}
    kind = rng.randrange(3)
    if kind != 1:
        made["text"] = text(rng, 30)
    if kind != 0:
        made["html"] = f"<html>\n  <body>\n    <p>{text(rng, 40)}</p>\n\n\n  </body>\n</html>" + rng.choice(ENDS)
    if rng.random() < 0.3:
        made["cc"] = [{"email": "c@example.net", "name": "您 好"}, "d@example.net"]
    if rng.random() < 0.3:
        made["reply_to"] = [f"r@{DOMAIN}"]
    made["headers"] = {name: value for name, value in {
        "List-Unsubscribe": f"<https://{DOMAIN}/u/{rng.random()}>, <mailto:u@{DOMAIN}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "List-Id": f"<news.{DOMAIN}>",
        "In-Reply-To": "<1@example.net>", "References": " ".join(f"<{n}@example.net>" for n in range(20)),
        "X-Folded": "word " * 100}.items() if rng.random() < 0.4}
    if rng.random() < 0.3:
        made["attachments"] = [{"filename": "a b.bin", "content": base64.b64encode(
            rng.randbytes(rng.choice([0, 1, 57, 5000, 300_000]))).decode()}]
    return {name: value for name, value in made.items() if value not in (None, {})}


# --- keys and configuration ---

@pytest.fixture(scope="module")
def keys():
    """({selector: path}, {name in DNS: record})"""
    folder = scratch("dkim")
    made = {selector: dkim_keys.make_key(folder, DOMAIN, selector, *options)
            for selector, options in {"r1": [], "e1": ["--type", "ed25519"], "r2": ["--bits", "4096"],
                                      "e2": ["--type", "ed25519"]}.items()}
    return ({selector: str(path) for selector, (path, _, _) in made.items()},
            {name: record for _, name, record in made.values()})


def config(domains):
    path = scratch("config") / "postern.json"
    path.write_text(json.dumps({"dkim": domains}))
    return path


def entries(keys, *selectors):
    return [{"selector": selector, "key_file": keys[0][selector]} for selector in selectors]


@pytest.fixture(scope="module")
def both(keys):
    """A configuration with an RSA key and an Ed25519 key for the domain."""
    return config({DOMAIN: entries(keys, "r1", "e1")})


def judge(messages, records):
    """Each verifier's word on each message must be that both signatures pass."""
    folder = scratch("signed")
    for name, message in messages.items():
        (folder / f"{name}.eml").write_bytes(message)
    for by in (dkim_keys.by_dkimpy, dkim_keys.by_opendkim, dkim_keys.by_mailauth):
        wrong = {name: found for name, found in by(folder, records).items() if found != [True, True]}
        assert not wrong, (by.__name__, wrong)


# --- what is signed passes, whichever way it goes ---

def test_what_is_signed_passes_at_three_verifiers(keys, both):
    rng = random.Random(20260)
    documents = [document(rng) for _ in range(MANY)]
    messages = {}
    with ScriptedServer() as relay, Postern(relay=relay.url(), config=both, data=scratch("data"), **FAST) as postern:
        for number, one in enumerate(documents):
            if number % 4 < 2:
                answer = postern.post("/v1/compose", one)
                assert answer.status == 200, answer
                messages[f"composed-{number}"] = answer.body
            else:
                answer = postern.post(("/v1/send", "/v1/messages")[number % 2], one)
                assert answer.status in (200, 202), answer
                if answer.status == 202:
                    assert end(postern, answer.json["id"])["status"] == "sent"
        sent = {f"sent-{number}": received.message for number, received in enumerate(relay.complete)}
    assert len(sent) == MANY // 2
    judge(messages | sent, keys[1])


def large(octets):
    content = base64.b64encode(random.Random(octets).randbytes(octets)).decode()
    return mail(**{"from": f"a@{DOMAIN}"}, attachments=[{"filename": "large.bin", "content": content}])


def test_25_mb_are_signed(keys, both):
    with Postern(config=both) as postern:
        answer = postern.post("/v1/compose", large(18 * MIB))
        assert len(answer.body) == int(answer.headers["Content-Length"])
    judge({"composed": answer.body}, keys[1])


def test_a_large_message_is_signed_on_each_way(keys, both):
    """Not by the threads that serve: the queue's, or a worker."""
    document = large(2 * MIB)
    with ScriptedServer() as relay:
        with Postern(relay=relay.url(), config=both) as postern:
            answer = postern.send(document)
            assert answer.status == 200 and answer.json["size"] == len(relay.complete[-1].message), answer
        with Postern(relay=relay.url(), config=both, data=scratch("data"), **FAST) as postern:
            answer = postern.send(document, headers={"Idempotency-Key": "large-1"})
            assert answer.status == 200, answer
            assert end(postern, postern.post("/v1/messages", document).json["id"])["status"] == "sent"
        sent = {f"sent-{number}": received.message for number, received in enumerate(relay.complete)}
    assert len(sent) == 3
    judge(sent, keys[1])


def test_the_size_that_the_relay_is_told_counts_the_signatures(keys, both):
    with ScriptedServer() as relay, Postern(relay=relay.url(), config=both) as postern:
        assert postern.send(mail(**{"from": f"a@{DOMAIN}"})).status == 200
        [received] = relay.complete
        [said] = re.findall(r"SIZE=(\d+)", "\n".join(relay.commands))
        assert int(said) == len(received.message)


def test_a_key_of_4096_bits_signs_too(keys):
    signing = config({DOMAIN: entries(keys, "r2", "e2")})
    with Postern(config=signing) as postern:
        judge({"m": postern.post("/v1/compose", mail(**{"from": f"a@{DOMAIN}"})).body}, keys[1])


def test_the_command_line_signs(keys, both):
    done = run("compose", "--from", f"a@{DOMAIN}", "--to", "b@example.net", "--text", "hello", config=both)
    assert done.returncode == 0, done
    judge({"m": done.stdout}, keys[1])


def test_only_the_domain_that_is_written_signs(keys):
    signing = config({"Shop.Test": entries(keys, "r1"), "news.shop.test": [
        {"selector": "e1", "key_file": keys[0]["e1"], "domain": "shop.test"}]})
    with Postern(config=signing) as postern:
        for address, signed in {"a@shop.test": "d=shop.test; s=r1;", "a@SHOP.test": "d=shop.test; s=r1;",
                                "a@news.shop.test": "d=shop.test; s=e1;", "a@other.shop.test": None,
                                "a@xshop.test": None, "a@test": None}.items():
            message = postern.post("/v1/compose", mail(**{"from": address})).body.decode()
            assert message.count("DKIM-Signature:") == (signed is not None), address
            assert signed is None or signed in re.sub(r"\s+", " ", message), message


def test_a_request_can_t_bring_a_signature(both):
    with Postern(config=both) as postern:
        answer = postern.post("/v1/compose", mail(**{"from": f"a@{DOMAIN}"}, headers={"DKIM-Signature": "v=1"}))
        assert answer.status == 422, answer


# --- keys are read strictly, and again on SIGHUP ---

def test_keys_that_won_t_do_are_faults_at_the_start(keys):
    folder = scratch("wrong")
    good = keys[0]["r1"]
    (folder / "short.pem").write_bytes(os.popen("openssl genrsa 1024 2>/dev/null").read().encode())
    (folder / "ec.pem").write_bytes(os.popen("openssl ecparam -genkey -noout -name prime256v1").read().encode())
    (folder / "locked.pem").write_bytes(os.popen(f"openssl pkey -in {good} -aes128 -passout pass:x").read().encode())
    (folder / "public.pem").write_bytes(os.popen(f"openssl pkey -in {good} -pubout").read().encode())
    (folder / "text.pem").write_text("hello")
    entry = {"selector": "s1", "key_file": good}
    for domains, word in [
            ({DOMAIN: [entry | {"key_file": str(folder / "short.pem")}]}, "less than 2048"),
            ({DOMAIN: [entry | {"key_file": str(folder / "ec.pem")}]}, "neither RSA nor Ed25519"),
            ({DOMAIN: [entry | {"key_file": str(folder / "locked.pem")}]}, "encrypted"),
            ({DOMAIN: [entry | {"key_file": str(folder / "public.pem")}]}, "no private key"),
            ({DOMAIN: [entry | {"key_file": str(folder / "text.pem")}]}, "no private key"),
            ({DOMAIN: [entry | {"key_file": str(folder / "none.pem")}]}, "No such file"),
            ({DOMAIN: [entry | {"selector": "a b"}]}, "selector"),
            ({DOMAIN: [entry | {"selector": ""}]}, "selector"),
            ({DOMAIN: [entry | {"domain": "example.com"}]}, "one above"),
            ({DOMAIN: [entry | {"other": "x"}]}, "strings only"),
            ({DOMAIN: [{"selector": "s1"}]}, "key_file"),
            ({DOMAIN: [entry, entry]}, "this selector"),
            ({DOMAIN: [entry | {"selector": f"s{n}"} for n in range(5)]}, "more than 4"),
            ({DOMAIN: [entry], "SHOP.test": [entry]}, "twice"),
            ({DOMAIN: []}, "list of keys"), ({DOMAIN: entry}, "list of keys"), ({"*.shop.test": [entry]}, "dkim"),
            ([], "object")]:
        done = run("serve", config=config(domains))
        assert done.returncode == 78 and word in done.stderr.decode(), (domains, done)
        assert "BEGIN" not in done.stderr.decode()


def test_a_key_that_everybody_can_read_is_told_of(keys):
    path = scratch("open") / "key.pem"
    path.write_bytes(open(keys[0]["e1"], "rb").read())
    path.chmod(0o644)
    with Postern(config=config({DOMAIN: [{"selector": "e1", "key_file": str(path)}]})) as postern:
        assert any(line["event"] == "dkim" and str(path) in line.get("message", "") for line in postern.log_lines())


def selectors(postern):
    message = postern.post("/v1/compose", mail(**{"from": f"a@{DOMAIN}"})).body.decode()
    return re.findall(r"[ ;]s=(\w+);", message)


def test_sighup_takes_the_keys_that_are_there_now(keys):
    path = config({DOMAIN: entries(keys, "r1")})
    with Postern(config=path) as postern:

        def reload(domains, word):
            """Writes, signals, and waits for the line that says what became of it."""
            before = postern.log().count(word)
            path.write_text(json.dumps({"dkim": domains}) if isinstance(domains, dict) else domains)
            os.kill(postern.pid, signal.SIGHUP)
            wait_until(lambda: postern.log().count(word) > before, 60, word)

        assert selectors(postern) == ["r1"]
        reload({DOMAIN: entries(keys, "e2", "r2")}, '"message":"reloaded"')
        assert selectors(postern) == ["e2", "r2"]
        reload({DOMAIN: [{"selector": "x", "key_file": "/nonexistent"}]}, "the keys from before stay")
        assert selectors(postern) == ["e2", "r2"]
        reload("{", "the keys from before stay")
        assert selectors(postern) == ["e2", "r2"]
        reload({}, '"message":"reloaded"')
        assert selectors(postern) == []
        reload({DOMAIN: entries(keys, "e1")}, '"message":"reloaded"')
        assert selectors(postern) == ["e1"]


def test_keys_change_while_mails_are_signed(keys):
    path = config({DOMAIN: entries(keys, "e1")})
    with Postern(config=path, http_threads=4) as postern:
        done, found = threading.Event(), set()

        def compose():
            while not done.is_set():
                found.add(tuple(selectors(postern)))

        threads = [threading.Thread(target=compose) for _ in range(4)]
        for thread in threads:
            thread.start()
        for turn in range(40):
            path.write_text(json.dumps({"dkim": {DOMAIN: entries(keys, ("e2", "e1")[turn % 2])}}))
            os.kill(postern.pid, signal.SIGHUP)
            wait_until(lambda: postern.log().count('"message":"reloaded"') > turn, 60, "a reload")
        done.set()
        for thread in threads:
            thread.join()
    assert found == {("e1",), ("e2",)}


# --- postern dkim ---

def test_keygen_makes_a_key_for_its_owner_alone_and_overwrites_none(keys):
    folder = scratch("keygen")
    path, name, record = dkim_keys.make_key(folder, "Bücher.example", "s1")
    assert path.stat().st_mode & 0o777 == 0o600
    assert name == "s1._domainkey.xn--bcher-kva.example"
    assert record.startswith("v=DKIM1; k=rsa; p=MII")
    before = path.read_bytes()
    done = run("dkim", "keygen", "--out", str(path), "example.com", "s1")
    assert done.returncode == 74 and path.read_bytes() == before, done
    link = folder / "link.pem"
    link.symlink_to(folder / "elsewhere.pem")
    assert run("dkim", "keygen", "--out", str(link), "example.com", "s1").returncode == 74
    assert not (folder / "elsewhere.pem").exists()


@pytest.mark.parametrize("arguments", [[], ["keygen"], ["keygen", "example.com"], ["keygen", "a b", "s"],
                                       ["keygen", "example.com", "-s"], ["keygen", "--bits", "1024", "example.com", "s"],
                                       ["keygen", "--type", "dsa", "example.com", "s"], ["verify"], ["nonsense"],
                                       ["keygen", "example.com", "s", "x"]])
def test_what_dkim_doesn_t_take_is_a_usage_fault(arguments):
    done = run("dkim", *arguments)
    assert done.returncode == 64 and done.stderr and not done.stdout, done


class Dns:
    """Answers TXT questions over UDP from {name: record}; all else has no such name. None: it fails."""

    def __init__(self, records):
        self.records = records
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            question, record = query[12:at + 5], self.records.get(".".join(labels), "")
            code = 2 if record is None else 0 if record else 3
            answer = b""
            if record:
                strings = [record[n:n + 255].encode() for n in range(0, len(record), 255)]
                data = b"".join(bytes([len(s)]) + s for s in strings)
                answer = b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 60, len(data)) + data
            self.socket.sendto(query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, bool(record), 0, 0) + question +
                               answer, peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def verify(message, *options):
    done = run("dkim", "verify", *options, "-", stdin=message)
    return done.returncode, done.stdout.decode().splitlines()


def test_verify_asks_dns(keys, both):
    with Postern(config=both) as postern:
        message = postern.post("/v1/compose", mail(**{"from": f"a@{DOMAIN}"})).body
    one, other = (name for name in keys[1] if name[:2] in ("r1", "e1"))
    with Dns(keys[1]) as dns:
        code, lines = verify(message, "--server", dns.address)
        assert code == 0 and [line[:5] for line in lines] == ["pass:", "pass:"], lines
        assert verify(message.replace(b"\r\n", b"\n"), "--server", dns.address)[0] == 0
        assert verify(message + b"more\r\n", "--server", dns.address)[0] == 1
        assert verify(b"Subject: x\r\n\r\nhello\r\n", "--server", dns.address)[0] == 1
        # Without --server the setting's is asked, and settings that are wrong are told.
        assert run("dkim", "verify", "-", stdin=message, dns=dns.address).returncode == 0
        assert run("dkim", "verify", "-", stdin=message, dns="nonsense").returncode == 78
        assert run("dkim", "verify", "--server", dns.address, "-", stdin=message, dns="nonsense").returncode == 0
    with Dns({one: keys[1][one]}) as dns:
        code, lines = verify(message, "--server", dns.address)
        assert code == 1 and sorted(line.partition(":")[0] for line in lines) == ["pass", "permerror"], lines
    with Dns({one: keys[1][one], other: None}) as dns:
        code, lines = verify(message, "--server", dns.address)
        assert code == 75 and sorted(line.partition(":")[0] for line in lines) == ["pass", "temperror"], lines


BODIES = [b"", b"\r\n", b"\r\n\r\n\r\n", b"a", b"a ", b" a \t b\r\n\r\n", b"x\r\n\r\n\r\ny\r\n", b"\t\r\n \r\nx", b" ",
          b".\r\n..\r\n", "您好  \r\n".encode() * 50, b"a\rb\r\n", b"line\r\n" * 9000]


@pytest.mark.parametrize("algorithm", ["rsa-sha256", "ed25519-sha256"])
@pytest.mark.parametrize("head", ["simple", "relaxed"])
@pytest.mark.parametrize("body", ["simple", "relaxed"])
def test_verify_takes_what_dkimpy_signs(keys, algorithm, head, body):
    selector = "r1" if algorithm.startswith("rsa") else "e1"
    pem = open(keys[0][selector], "rb").read()
    if selector == "e1":  # it wants the 32 octets
        pem = base64.b64encode(base64.b64decode(pem.split(b"-----")[2])[-32:])
    [record] = [text for name, text in keys[1].items() if name.startswith(selector)]
    for number, content in enumerate(BODIES):
        if body == "relaxed" and content[-1:] == b" ":
            continue  # blanks at the end of a line that isn't ended: dkimpy keeps them, RFC 6376 section 3.4.4 doesn't
        message = (b"From: a@shop.test\r\nTO:  b@example.net\r\nSubject: a\r\n\t folded   one \r\nTo: again@x\r\n"
                   b"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\n") + content
        signature = dkim.sign(message, selector.encode(), b"shop.test", pem,
                              canonicalize=(head.encode(), body.encode()), signature_algorithm=algorithm.encode(),
                              include_headers=[b"from", b"to", b"to", b"subject", b"date", b"from"])
        whole = signature + message
        code, lines = verify(whole, "--record", record)
        assert code == 0 and lines[0].startswith("pass:"), (number, lines)
        code, lines = verify(whole.replace(b"a@shop", b"b@shop", 1), "--record", record)
        assert code == 1 and lines[0].startswith("fail:"), (number, lines)
