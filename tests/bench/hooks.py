"""Webhooks: GitHub's push of 10 KB, verified, rendered and queued; beside it the same in Node.js."""

import email
import email.policy
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import tempfile
import time
import urllib.request

from tests.bench import load, peers, queued, relays
from tests.bench.measure import cpu_seconds, median
from tests.bench.procs import OUT, ROOT, Trouble, log_file, running, wait_for

ROUNDS = 5
SECONDS = 2
CLIENTS = 64
OCTETS = 10 * 1024
SECRET = "It's a Secret to Everybody"
PATH = "/v1/hooks/push"
TEMPLATES = ROOT / "tests" / "bench" / "hook-templates"
COLUMNS = ["per second", "CPU µs/hook", "p50 ms", "p99 ms"]


def payload():
    """A push as GitHub sends it: a repository with its 60 members, and commits until it is 10 KB."""
    urls = ("keys collaborators hooks issue_events assignees branches tags blobs git_tags git_refs trees statuses "
            "languages stargazers contributors subscribers subscription commits git_commits comments issue_comment "
            "contents compare merges archive downloads issues pulls milestones notifications labels releases").split()
    home = "https://github.com/octo-org/web-shop"
    repository = {"id": 35129377, "name": "web-shop", "full_name": "octo-org/web-shop", "private": True,
                  "html_url": home, "default_branch": "main", "description": "The shop, & what belongs to it",
                  **{f"{name}_url": f"https://api.github.com/repos/octo-org/web-shop/{name}{{/sha}}" for name in urls}}
    push = {"ref": "refs/heads/main", "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
            "after": f"{1:040x}", "created": False, "deleted": False, "forced": False, "base_ref": None,
            "compare": f"{home}/compare/6113728f27ae...000000000001", "repository": repository,
            "pusher": {"name": "octocat", "email": "octocat@example.com"},
            "sender": {"login": "octocat", "id": 583231, "type": "User"}, "commits": []}
    while len(json.dumps(push)) < OCTETS:
        number = len(push["commits"]) + 1
        push["commits"].append({
            "id": f"{number:040x}", "tree_id": f"{number:040x}", "distinct": True,
            "message": f"Orders: <b>no</b> \"double\" booking & clearer totals ({number})",
            "timestamp": f"2024-05-14T09:{number:02}:05+02:00", "url": f"{home}/commit/{number:040x}",
            "author": {"name": "李雷", "email": "li@example.net", "username": "lilei"},
            "committer": {"name": "GitHub", "email": "noreply@github.com", "username": "web-flow"},
            "added": [f"src/orders/total-{number}.ts"], "removed": [],
            "modified": ["README.md", "src/orders/index.ts", f"test/orders-{number}.test.ts"]})
    return push


class Hook:
    """The work: its body in a file, and the headers that the load adds."""

    def __init__(self):
        text = json.dumps(payload(), ensure_ascii=False).encode()
        self.body = OUT / "work-hook.json"
        self.body.write_bytes(text)
        digest = hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
        self._loads = 0
        self.signature = f"X-Hub-Signature-256: sha256={digest}"

    def load(self, address, **how_many):
        """Every delivery has an id of its own, also among the loads."""
        self._loads += 1
        return load.run(address, self, CLIENTS, path=PATH, **how_many, header=[
            self.signature, "X-GitHub-Event: push", f"X-GitHub-Delivery: {self._loads:08x}-cc78-11e3-81ab-{{n}}"])

    def once(self, address):
        """One of them."""
        name, _, value = self.signature.partition(": ")
        request = urllib.request.Request(f"http://{address}{PATH}", self.body.read_bytes(), {
            "Content-Type": "application/json", name: value, "X-GitHub-Event": "push", "X-GitHub-Delivery": "once"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            if answer.status != 202:
                raise Trouble(f"a webhook was answered with {answer.status}")


def configured(folder, template=None):
    """Postern's settings; `template` None: the one that is built in."""
    message = {"from": "GitHub <hooks@example.com>", "to": "team@example.net",
               **({"template": template} if template else {})}
    file = folder / "postern.json"
    file.write_text(json.dumps({"hooks": {"push": {"profile": "github", "secret": SECRET, "message": message}}}))
    data = folder / "data"
    data.mkdir()
    return {"POSTERN_CONFIG": str(file), "POSTERN_DATA": str(data), "POSTERN_TEMPLATES": str(TEMPLATES)}


def node(relay):
    """peers/node/hook.js: (command, address, environment)."""
    address = peers.local()
    return ([shutil.which("node"), OUT / "node" / "hook.js"], address, {
        "PATH": os.environ["PATH"], "RELAY": relay.address, "LISTEN": address.rsplit(":", 1)[1], "SECRET": SECRET,
        "SESSIONS": str(peers.SESSIONS), "TEMPLATE": str(TEMPLATES / "push"), "NODE_ENV": "production"})


class NodePeer:
    """Starts it, as peers.postern() starts Postern."""

    def __init__(self, relay):
        self._relay = relay

    def __enter__(self):
        argv, address, environment = node(self._relay)
        self._log = log_file("node-hook")
        self._running = running(argv, env=environment, stderr=self._log, stdout=self._log)
        process = self._running.__enter__()
        wait_for(address, process)
        return process, address

    def __exit__(self, *why):
        self._running.__exit__(*why)
        self._log.close()


def measure(started, hook, drain):
    """Warmed up, then loaded; `drain` waits until so many are really out, which is in the account, too."""
    with started as (process, address):
        warmed = queued.kept(hook.load(address, d="1s"))
        if drain:
            queued.follow(address, warmed["mails"])
        before = cpu_seconds(process.pid)
        figures = queued.kept(hook.load(address, d=f"{SECONDS}s"))
        if drain:
            queued.follow(address, warmed["mails"] + figures["mails"])
        return queued.cells(figures, cpu_seconds(process.pid) - before)


def one_round(hook, relay):
    """The rows of a round: {title: cells}."""
    rows = {}
    ways = {"Postern: verified, rendered, queued": ("push", True), "… and sent": ("push", False),
            "… with the template that is built in": (None, True)}
    for title, (template, only_queued) in ways.items():
        with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
            settings = configured(pathlib.Path(folder), template)
            if only_queued:  # to a relay that is given next to nothing
                settings["POSTERN_RELAY"] = peers.postern_url(relay) + "&rate=1/h"
            started = peers.postern(None if only_queued else relay, **settings)
            rows[title] = measure(started, hook, not only_queued)
    rows["Node.js: verified, rendered, sent"] = measure(NodePeer(relay), hook, False)
    return rows


def mail_of(started_on, hook):
    """The mail that comes of one delivery."""
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        dump = pathlib.Path(folder) / "dump"
        dump.mkdir()
        with relays.own_sink("-dump", dump) as relay, started_on(relay, pathlib.Path(folder)) as (_, address):
            hook.once(address)
            end = time.monotonic() + 20
            while not (found := list(dump.glob("*.eml"))) and time.monotonic() < end:
                time.sleep(0.05)
        if len(found) != 1:
            raise Trouble(f"of one webhook came {len(found)} mails")
        mail = email.message_from_bytes(found[0].read_bytes(), policy=email.policy.default)
        return [mail["Subject"], *(mail.get_body((kind,)).get_content().strip() for kind in ("html", "plain"))]


def verify(hook):
    """Both make the same mail."""
    ours = mail_of(lambda relay, folder: peers.postern(relay, **configured(folder, "push")), hook)
    theirs = mail_of(lambda relay, _: NodePeer(relay), hook)
    same = [a.replace("&#39;", "'").replace("&#x2F;", "/").replace("&#x3D;", "=") for a in theirs]
    if ours != same or "&lt;b&gt;no" not in ours[1]:
        raise Trouble(f"the mails of Postern and Node.js differ:\n{ours}\n{same}")


def hooks(_chosen, progress):
    """All rounds, in turns; the medians."""
    hook = Hook()
    progress("hooks: checking what they send")
    verify(hook)
    rounds = []
    with relays.smtp_sink() as relay:
        for number in range(ROUNDS):
            progress(f"hooks: round {number + 1} of {ROUNDS}")
            rounds.append(one_round(hook, relay))
    rows = [{"title": title, "cells": [median(r[title][i] for r in rounds) for i in range(len(COLUMNS))],
             "rounds": [r[title] for r in rounds]} for title in rounds[0]]
    return {"key": "hooks", "title": f"GitHub's push, {hook.body.stat().st_size:,} B", "columns": COLUMNS, "rows": rows}
