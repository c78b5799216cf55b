"""SpamAssassin and Rspamd, of Debian, on what a mail says alone: no network, no DNS, nothing learnt."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

STARTS_WITHIN = 300  # seconds: Rspamd makes its tables of regular expressions first
ANSWERS_WITHIN = 60


def version_of(package):
    return subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True,
                          check=True).stdout


def message_id(message):
    return re.search(rb"^Message-ID: *(<[^>]*>)", message, re.M | re.I).group(1).decode()


class Spamassassin:
    """One run for all mails: to start it takes seconds, to look at a mail a fraction of one."""

    title = "SpamAssassin"
    # A line of each mail's that names the mail and what it has.
    settings = ["use_bayes 0", "report_safe 0", "fold_headers 0",
                "add_header all Looked _HEADER(Message-ID)_ _TESTSSCORES(,)_"]
    line = re.compile(rb"^X-Spam-Looked: (<[^>]*>) +(\S+)", re.M)

    def __init__(self):
        self.version = version_of("spamassassin")

    def look(self, mails):
        """name -> message: name -> {symbol: score}"""
        with tempfile.TemporaryDirectory(prefix="spamassassin-") as folder:
            names = {}
            for number, (name, message) in enumerate(mails.items()):
                names[message_id(message)] = name
                pathlib.Path(folder, f"{number:05}").write_bytes(message)
            settings = [f"--cf={line}" for line in self.settings]
            done = subprocess.run(["spamassassin", "--local", "--nocreate-prefs", *settings, folder],
                                  capture_output=True, check=True, env={**os.environ, "HOME": folder})
        found = {}
        for identity, symbols in self.line.findall(done.stdout):
            pairs = (pair.split("=") for pair in symbols.decode().split(",") if "=" in pair)
            found.setdefault(names.get(identity.decode()), {symbol: float(score) for symbol, score in pairs})
        return found

    def stop(self):
        pass


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=ANSWERS_WITHIN)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Rspamd:
    """A server of our own on a socket, started once, with nothing that needs a network."""

    title = "Rspamd"
    off = ("rbl", "fuzzy_check", "greylist", "ratelimit", "history_redis", "dmarc", "spf", "asn", "arc", "dkim",
           "dkim_signing", "mx_check", "neural", "replies", "bayes_expiry", "url_redirector", "reputation", "surbl",
           "once_received", "hfilter", "rspamd_update", "antivirus", "external_services", "dcc", "bimi", "p0f")

    def __init__(self):
        self.version = version_of("rspamd")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rspamd-"))
        self.socket = self.folder / "worker.sock"
        self.configure(self.folder / "etc")
        variables = [word for name, place in (("CONFDIR", self.folder / "etc"), ("LOCAL_CONFDIR", self.folder / "etc"),
                                              ("DBDIR", self.folder), ("RUNDIR", self.folder), ("LOGDIR", self.folder))
                     for word in ("--var", f"{name}={place}")]
        with (self.folder / "out").open("wb") as out:
            self.child = subprocess.Popen(
                ["rspamd", "-f", "--insecure", "-c", self.folder / "etc" / "rspamd.conf", *variables],
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True)

    def configure(self, etc):
        shutil.copytree("/etc/rspamd", etc)
        local = etc / "local.d"
        local.mkdir(exist_ok=True)
        # Without check_all_filters it stops at what is spam already. Hyperscan takes minutes to be made ready.
        (local / "options.inc").write_text(
            f'pidfile = "{self.folder}/pid";\nfilters = "chartable,regexp";\ncheck_all_filters = true;\n'
            'disable_hyperscan = true;\nlocal_addrs = [];\n'
            'dns { nameserver = ["127.0.0.1:1"]; timeout = 0.01s; retransmits = 1; }\n'
            f'hs_cache_dir = "{self.folder}";\ntempdir = "{self.folder}";\n')
        (local / "worker-normal.inc").write_text(f'bind_socket = "{self.socket} mode=0666";\ncount = 1;\n')
        for worker in ("controller", "proxy", "fuzzy"):
            (local / f"worker-{worker}.inc").write_text("enabled = false;\n")
        for module in self.off:
            (local / f"{module}.conf").write_text("enabled = false;\n")
        (local / "logging.inc").write_text(f'type = "file";\nfilename = "{self.folder}/log";\nlevel = "warning";\n')

    def wait(self):
        until = time.monotonic() + STARTS_WITHIN
        while not self.socket.exists():
            if self.child.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"rspamd doesn't start: {(self.folder / 'out').read_text()[-1000:]}")
            time.sleep(0.1)

    def look(self, mails):
        self.wait()
        return {name: self.look_at(message) for name, message in mails.items()}

    def look_at(self, message):
        connection = Unix(self.socket)
        try:
            connection.request("POST", "/checkv2", message)
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return {symbol: told["score"] for symbol, told in answer["symbols"].items()}

    def stop(self):
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGTERM)
            self.child.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)
