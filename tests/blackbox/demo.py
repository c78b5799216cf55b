"""make demo: a real SMTP server with TLS and AUTH, Postern on it, and one mail all the way through.

    tests/demo.sh start     starts both, sends, shows, and leaves them running
    tests/demo.sh stop      stops both and removes what they left
"""

import base64
import email
import email.policy
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from .honest import HOME, USER
from .places import BINARY, BUILD
from .postfix import Postfix
from .process import accepts, free_port, wait_until

DIR = BUILD / "demo"
STATE = DIR / "state.json"
RECIPIENT = f"li.lei@{HOME}"
PORT = 8025


# --- what is running ---

def main(what):
    if what == "start":
        stop(quietly=True)
        return start()
    if what == "stop":
        return stop()
    if what == "aiosmtpd":  # the stand-in for Postfix, a process of its own
        return serve_aiosmtpd()
    print(__doc__, file=sys.stderr)
    return 64


def start():
    DIR.mkdir(parents=True, exist_ok=True)
    # Postfix's users must be able to enter it, which they may not in somebody's home.
    state = {"mail": tempfile.mkdtemp(prefix="postern-demo-"), "port": choose_port()}
    Path(state["mail"]).chmod(0o755)
    relay = start_relay(state)
    start_postern(state, relay)
    return 0 if show_one_mail(state, relay) else 1


def start_relay(state):
    reason = Postfix.unavailable()
    headline("An SMTP server")
    if reason:
        from .aio import AioServer
        relay = AioServer(state["mail"])
        print(f"{reason}, so aiosmtpd stands in for it: a server in Python, with TLS and AUTH too.")
        keep(state | {"relay_ports": relay.ports, "relay_pid": None})
        log = (DIR / "relay.log").open("wb")
        child = subprocess.Popen([sys.executable, "-m", "tests.blackbox.demo", "aiosmtpd"],
                                 stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                 start_new_session=True)
        state.update(relay_ports=relay.ports, relay_pid=child.pid)
        keep(state)
        wait_until(lambda: all(map(accepts, relay.ports.values())), what="aiosmtpd to listen")
    else:
        relay = Postfix(state["mail"])
        state["relay_ports"] = relay.ports
        keep(state)
        relay.start(background=True)
    print(f"{relay.name} listens on 127.0.0.1:{relay.ports['submission']} (STARTTLS and AUTH "
          f"required) and\n127.0.0.1:{relay.ports['smtps']} (implicit TLS), with a certificate of "
          f"the throwaway CA\n{relay.ca}")
    return relay


def serve_aiosmtpd():
    from .aio import AioServer
    state = json.loads(STATE.read_text())
    AioServer(state["mail"], ports=state["relay_ports"]).start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


def start_postern(state, relay):
    settings = {"POSTERN_RELAY": relay.starttls_url(), "POSTERN_FROM": USER,
                "POSTERN_LISTEN": f"127.0.0.1:{state['port']}"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
    log = (DIR / "postern.log").open("wb")
    child = subprocess.Popen([BINARY], env=kept | settings, stdin=subprocess.DEVNULL, stdout=log,
                             stderr=log, start_new_session=True)
    state["postern_pid"] = child.pid
    keep(state)
    try:
        wait_until(lambda: child.poll() is not None or accepts(state["port"]), 30, "Postern to start")
    finally:
        if child.poll() is not None:
            sys.exit(f"Postern did not start:\n{(DIR / 'postern.log').read_text()}")
    headline("Postern on it")
    shown = settings["POSTERN_RELAY"].replace(relay_password(settings["POSTERN_RELAY"]), "********")
    for name, value in (settings | {"POSTERN_RELAY": shown}).items():
        print(f"{name}={value}")
    print(f"{BINARY} serve     (process {child.pid})")


def relay_password(url):
    return url.partition("://")[2].rpartition("@")[0].partition(":")[2]


def choose_port():
    return free_port() if accepts(PORT) else PORT


def keep(state):
    STATE.write_text(json.dumps(state))


def stop(quietly=False):
    if not STATE.exists():
        if not quietly:
            print("No demo is running.")
        return 0
    state = json.loads(STATE.read_text())
    end(state.get("postern_pid"), "postern")
    if state.get("relay_pid"):
        end(state["relay_pid"], "tests.blackbox.demo")
    elif "relay_ports" in state:
        Postfix(state["mail"], ports=state["relay_ports"]).stop()
    shutil.rmtree(state["mail"], ignore_errors=True)
    shutil.rmtree(DIR, ignore_errors=True)
    if not quietly:
        print("The demo is stopped.")
    return 0


def end(pid, name):
    """Stops a process, if it is still the one that was started."""
    def alive():
        try:
            return name in Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            return False
    if pid and alive():
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not alive(), 75, f"process {pid} to end")


# --- the mail ---

def show_one_mail(state, relay):
    url = f"http://127.0.0.1:{state['port']}/v1/send"
    attachment = small_pdf("Curriculum vitae")
    request = {"from": f"Shop <{USER}>", "to": f"李雷 <{RECIPIENT}>", "subject": "您的订单 1234 🎉",
               "html": "<h1>谢谢！</h1><p>Your order <b>1234</b> is on its way: "
                       '<a href="https://shop.example/1234">follow it</a>.</p>',
               "attachments": [{"filename": "简历.pdf", "content_type": "application/pdf",
                                "content": base64.b64encode(attachment).decode()}]}
    (DIR / "request.json").write_text(json.dumps(request, ensure_ascii=False, indent=2))
    headline("The request")
    print(f"curl -H 'Content-Type: application/json' --data @build/demo/request.json {url}\n")
    content = request["attachments"][0]
    content["content"] = f"{content['content'][:24]}… ({len(attachment)} octets)"
    print(json.dumps(request, ensure_ascii=False, indent=2))

    headline("The answer")
    done = subprocess.run(["curl", "-sS", "-w", "%{stderr}HTTP %{http_code}", "-H",
                           "Content-Type: application/json", "--data",
                           f"@{DIR / 'request.json'}", url], capture_output=True, text=True,
                          check=True)
    print(f"{done.stderr.strip()}\n{json.dumps(json.loads(done.stdout), ensure_ascii=False, indent=2)}")
    if not done.stderr.endswith("HTTP 200"):
        return False
    headline("The message, as it was delivered")
    delivered = relay.mail.wait(RECIPIENT).raw
    arrived = show_message(delivered, attachment)
    headline("Both are still running")
    print(f"Send more:      see the request above; it is in {DIR / 'request.json'}\n"
          f"Walk the relay: curl -sS -X POST http://127.0.0.1:{state['port']}/v1/check\n"
          f"Metrics:        curl -sS http://127.0.0.1:{state['port']}/metrics\n"
          f"Postern's log:  {DIR / 'postern.log'}\n"
          f"Mail arrives in {relay.mail.path / 'new'}\n"
          f"Stop both:      make demo-stop")
    return arrived


def show_message(raw, attachment):
    header, _, body = raw.partition(b"\n\n")
    print(header.decode())
    print(f"\n… and {len(body)} octets of body. Read back by Python's email:\n")
    message = email.message_from_bytes(raw, policy=email.policy.default)
    print(f"Subject: {message['Subject']}\nTo:      {message['To']}\n")
    arrived = False
    for depth, part in tree(message):
        line = "  " * depth + part.get_content_type()
        if part.get_filename():
            same = part.get_payload(decode=True) == attachment
            arrived = arrived or (same and part.get_filename() == "简历.pdf")
            line += f"  {part.get_filename()}, {len(attachment)} octets, " + (
                "the same as were sent" if same else "NOT what was sent")
        print(line)
        if part.get_filename():
            print(textwrap.indent(raw_fields(raw), "  " * depth + "  | "))
        if part.get_content_type() == "text/plain":
            print(textwrap.indent(part.get_content().strip(), "  " * depth + "  | "))
    return arrived


def raw_fields(raw):
    """The header of the attachment as it came: the parsed one is unfolded and decoded."""
    headers = [part.partition(b"\n\n")[0] for part in raw.split(b"\n--")]
    found = next(header for header in headers if b"\nContent-Disposition: attachment" in header)
    return found.partition(b"\n")[2].decode()


def tree(part, depth=0):
    yield depth, part
    for child in part.iter_parts() if part.is_multipart() else ():
        yield from tree(child, depth + 1)


def small_pdf(text):
    """A PDF of one page that says so."""
    page = f"BT /F1 24 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
               b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
               b"/Resources<</Font<</F1 5 0 R>>>>>>",
               b"<</Length %d>>stream\n%s\nendstream" % (len(page), page),
               b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    pdf, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return pdf + (b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R>>\nstartxref\n"
                  b"%d\n%%%%EOF\n" % (len(objects) + 1, table, len(objects) + 1, len(pdf)))


def headline(text):
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or ["help"]))
