"""examples/: what a reader copies does what it says, against a real Postern and real SMTP servers."""

import http.client
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from .honest import KNOWN, STRICT
from .places import REPO, scratch
from .postern import PATIENCE, Postern
from .process import wait_until
from .queued import FAST, end
from .readers import part, read_with_python
from .scripted import ScriptedServer, by_recipient, drop, gate, then

EXAMPLES = REPO / "examples"
KEY = "the-key-of-the-back-gate-0001"
FILENAME = "简历 №1 \"neu\" – Müller's.pdf"
# Longer than an argument of a command line may be; every octet; no multiple of three.
CONTENT = bytes(range(256)) * 700 + b"\x00"
HTML, TEXT, SUBJECT = "<p>谢谢您的订单。</p>", "谢谢您的订单。", "您的订单 №1234"


class Example:
    """file: in examples/; command: what the README puts before it; needs: programs, of which it is the first.

    build: the command that makes a program of it, and the program's, since not every test is to wait for that.
    """

    def __init__(self, name, file, *command, needs=(), lacks=None, build=None):
        self.name, self.file = name, file
        self._command, self._needs, self._lacks = command, needs or command[:1], lacks
        self._build, self._building = build, None

    def __repr__(self):
        return self.name

    def unavailable(self):
        """Why it can't run here; None if it can."""
        for program in self._needs:
            if not shutil.which(program):
                return f"there is no {program} here"
        return self._lacks and self._lacks()

    def prepare(self):
        """Starts to build it."""
        if self._build and not self.unavailable():
            make, _ = self._build
            self._building = subprocess.Popen([*make, str(EXAMPLES / self.file)], env={**os.environ, **GO},
                                              stderr=subprocess.PIPE, text=True)

    def command(self, as_documented=False):
        if self._building:
            said = self._building.communicate(timeout=BUILDING)[1]
            assert self._building.returncode == 0, said
            self._building = None
        return [*self._command, str(EXAMPLES / self.file)] if as_documented or not self._build else self._build[1]

    def start(self, url, *arguments, key=KEY, as_documented=False):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
        environment |= {"POSTERN_URL": url, "LC_ALL": "C.UTF-8", **GO}
        if key:
            environment["POSTERN_API_KEY"] = key
        return subprocess.Popen([*self.command(as_documented), *arguments], env=environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *arguments, **options):
        """Its exit status, what it said on stdout and on stderr."""
        with self.start(*arguments, **options) as process:
            return ended(process)


def ended(process):
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


# --- the runtimes ---

BUILDING = 160  # seconds; Go's library is compiled where nobody has needed it yet
OUT = scratch("examples")
GO = {"GOFLAGS": "", "GO111MODULE": "off", "GOTOOLCHAIN": "local"}
JAVA = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]


def php_lacks():
    modules = subprocess.run(["php", "-m"], capture_output=True, text=True, check=True).stdout.split()
    return None if "curl" in modules else "PHP has no curl here"


ALL = [Example("curl", "send.sh", "sh", needs=("curl", "jq")),
       Example("node", "send.mjs", "node"),
       Example("python", "send.py", sys.executable),
       Example("php", "send.php", "php", lacks=php_lacks),
       Example("java", "Send.java", "java", needs=("java", "javac"),
               build=(["javac", "-encoding", "UTF-8", "-d", str(OUT)], ["java", *JAVA, "-cp", str(OUT), "Send"])),
       Example("go", "send.go", "go", "run", build=(["go", "build", "-o", str(OUT / "send")], [str(OUT / "send")]))]
QUEUE = {"go": "-queue"}


@pytest.fixture(scope="module", autouse=True)
def builds():
    for one in ALL:
        one.prepare()


@pytest.fixture(params=ALL, ids=repr, scope="module")
def example(request):
    reason = request.param.unavailable()
    if reason:
        pytest.skip(reason)
    return request.param


def test_every_example_is_here():
    listed = (EXAMPLES / "README.md").read_text()
    files = {path.name for path in EXAMPLES.iterdir()} - {"README.md"}
    assert files == {one.file for one in ALL}
    assert files <= set(re.findall(r"\]\(([^)]*)\)", listed))


# --- what they speak with ---

@pytest.fixture(scope="module")
def postern(aiosmtpd):
    with Postern(relay=aiosmtpd.starttls_url(), data=scratch("data"), api_keys=KEY, key=KEY, **FAST) as running:
        yield running


@pytest.fixture(scope="module")
def file():
    path = scratch("files") / FILENAME
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def small():
    path = scratch("files") / "a.txt"
    path.write_text("a")
    return path


def url(postern):
    return f"http://127.0.0.1:{postern.port}"


def sends(postern):
    """How often /v1/send was asked."""
    return sum(line["event"] == "request" and line["route"] == "/v1/send" for line in postern.log_lines())


class Between:
    """A proxy that keeps what a Postern was asked and has answered; so many answers it loses."""

    def __init__(self, postern, lose=0):
        self.keys, self.bodies, self.answers = [], [], []
        self._lose = lose
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                connection = http.client.HTTPConnection("127.0.0.1", postern.port, timeout=PATIENCE)
                connection.request("POST", self.path, body, dict(self.headers))
                response = connection.getresponse()
                content = response.read()
                connection.close()
                between.keys.append(self.headers["Idempotency-Key"])
                between.bodies.append(body)
                between.answers.append((response.status, dict(response.headers)))
                self.close_connection = True
                if between._lose:
                    between._lose -= 1
                    return
                self.send_response(response.status)
                for name, value in response.getheaders():
                    self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


# --- what is sent ---

def check_mail(delivered, *recipients):
    view = read_with_python(delivered.message())
    assert view["subject"] == SUBJECT
    assert view["from"] == [["Shop", "shop@example.com"]] and view["to"] == [["", one] for one in recipients]
    assert (view["html"], view["text"]) == (HTML, TEXT)
    assert view["attachments"] == [part(FILENAME, "application/pdf", "attachment", None, CONTENT)]


def test_sends_and_tells_what_the_relay_said(example, postern, aiosmtpd, file):
    recipient = f"{example}@postern.test"
    code, out, err = example.run(url(postern), file, recipient, as_documented=True)
    assert (code, err) == (0, ""), (out, err)
    delivered = aiosmtpd.mail.wait(recipient)
    assert re.fullmatch(r"Sent by relay default: 250 2\.0\.0 queued as [0-9a-f]{32}\n", out)
    check_mail(delivered, recipient)


def test_hands_to_the_queue(example, postern, aiosmtpd, file):
    recipients = [f"{example}-{n}@postern.test" for n in range(2)]
    code, out, err = example.run(url(postern), QUEUE.get(example.name, "--queue"), file, *recipients)
    assert (code, err) == (0, ""), (out, err)
    [name] = set(re.findall(r"\b[0-9A-HJKMNP-TV-Z]{26}\b", out))
    assert end(postern, name)["status"] == "sent"
    for recipient in recipients:
        check_mail(aiosmtpd.mail.wait(recipient), *recipients)


def test_tells_who_was_left_out(example, postern, aiosmtpd, small):
    """By the relay at first; then it is known to Postern."""
    gone = f"{example}-gone@{STRICT}"
    for queue, why in ([], "550 5.1.1 User unknown"), ([], "suppressed"), ([QUEUE.get(example.name, "--queue")], None):
        code, out, err = example.run(url(postern), *queue, small, KNOWN, gone)
        assert code == 1 and (" 250 2.0.0 " in out or queue), (out, err)
        assert err == f"  not to {gone}{f': {why}' if why else ''}\n"


# --- what is not ---

def test_a_file_that_is_not_there_sends_nothing(example, postern):
    before = sends(postern)
    code, out, err = example.run(url(postern), scratch("files") / "absent.pdf", KNOWN)
    assert code == 1 and not out and "absent.pdf" in err, (code, out, err)
    assert sends(postern) == before


def test_tells_every_fault_of_the_request(example, postern):
    name = scratch("files") / "a\nb.txt"
    name.write_text("a")
    before = sends(postern)
    code, out, err = example.run(url(postern), name, "nobody", KNOWN, "no one@x.test")
    assert (code, out) == (1, "")
    first, *faults = err.splitlines()
    assert first.startswith("422 The message is not valid: ")
    assert {fault.partition(": ")[0] for fault in faults} == {"  /to/0", "  /to/2", "  /attachments/0/filename"}, err
    assert all(fault.partition(": ")[2] for fault in faults)
    assert sends(postern) == before + 1


def test_tells_why_the_relay_refused(example, postern, small):
    before = sends(postern)
    code, out, err = example.run(url(postern), small, f"{example}-nobody@{STRICT}")
    assert (code, out) == (1, "")
    assert err.startswith("422 ") and "\n  The relay said: 550 5.1.1 User unknown\n" in err
    assert sends(postern) == before + 1


def test_tells_that_the_key_is_wrong(example, postern, small):
    with Between(postern) as between:
        for key in (None, "the-key-of-somebody-else"):
            code, out, err = example.run(between.url, small, KNOWN, key=key)
            assert (code, out) == (1, "") and err.startswith("401 An API key is required: "), err
    assert len(between.keys) == 2
    assert len(set(between.bodies)) == 1  # as it must be, where a key is to say that it is the same mail


def test_tells_that_the_gateway_has_no_access(example, aiosmtpd, small):
    """A 502 is the relay's 5yz, too, and no reason to try again."""
    relay = aiosmtpd.starttls_url(password="wrong")
    with Postern(relay=relay, data=scratch("data")) as postern, Between(postern) as between:
        code, out, err = example.run(between.url, small, KNOWN, key=None)
    assert (code, out) == (1, "")
    assert err.startswith("502 ") and "\n  The relay said: 535 5.7.8 " in err
    assert [status for status, _ in between.answers] == [502]


def test_tells_that_it_may_have_been_sent(example, small):
    with ScriptedServer(body=drop) as relay, Postern(relay=relay.url(), data=scratch("data")) as postern:
        code, out, err = example.run(url(postern), small, KNOWN, key=None)
    assert (code, out) == (1, "") and err.startswith("504 ")
    assert err.endswith("  It may have been sent all the same.\n")
    assert len(relay.complete) == 1


# --- what is worth another try ---

def test_tries_again_where_postern_is_busy(example, small):
    held, asked = threading.Event(), threading.Event()
    busy = by_recipient({"first@postern.test": then(lambda *_: asked.set(), gate(held, "250 2.1.5 ok"))})
    with ScriptedServer(rcpt=busy) as relay:
        with Postern(relay=relay.url(), data=scratch("data"), max_inflight=1) as postern, Between(postern) as between:
            with example.start(url(postern), small, "first@postern.test", key=None) as first:
                assert asked.wait(PATIENCE), ended(first)
                with example.start(between.url, small, KNOWN, key=None) as second:
                    wait_until(lambda: between.answers, PATIENCE, "the first answer")
                    held.set()
                    code, out, err = ended(second)
                assert ended(first)[0] == 0
    assert code == 0 and out.startswith("Sent by relay default: 250 2.0.0 queued as "), (out, err)
    first, *rest = err.splitlines()
    assert first.startswith("503 Too much is in flight: ") and "  The next attempt is in 1" in rest[0]
    *before, (status, _) = between.answers
    assert status == 200 and before and all(s == 503 and h["Retry-After"] == "1" for s, h in before)
    assert len(set(between.keys)) == 1 and re.fullmatch('"[0-9a-f-]{32,36}"', between.keys[0])
    assert sorted(mail.recipients[0] for mail in relay.complete) == ["first@postern.test", KNOWN]


def test_an_answer_that_is_lost_makes_no_second_mail(example, small):
    with ScriptedServer() as relay:
        with Postern(relay=relay.url(), data=scratch("data")) as postern, Between(postern, lose=1) as between:
            code, out, err = example.run(between.url, small, KNOWN, key=None)
    assert code == 0 and out == "Sent by relay default: 250 2.0.0 queued as 1\n", (out, err)
    assert err.startswith("0 No answer: ") and "  It may have been sent all the same.\n" in err
    assert [status for status, _ in between.answers] == [200, 200]
    assert between.answers[1][1]["Idempotency-Replayed"] == "true"
    assert len(relay.complete) == 1
