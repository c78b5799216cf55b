"""Whether what was accepted arrives: clients that post without end, a sink that records, and the account of both."""

import http.client
import itertools
import json
import random
import sys
import threading
import time
from collections import Counter, defaultdict

from .places import REPO, scratch
from .postern import mail
from .process import Child, accepts, free_port, wait_until

ROUTE = "/v1/messages"
_again = itertools.count()


class Sink:
    """recorder.py, in a process of its own. It can be stopped and started again, and goes on in the same file."""

    def __init__(self, host="127.0.0.1", delay_ms=0, running=True):
        self.host, self.port, self.delay_ms = host, free_port(), delay_ms
        self.file = scratch("sink") / "messages"
        self.file.touch()
        self._child = None
        if running:
            self.start()

    @property
    def relay(self):
        return f"smtp://{self.host}:{self.port}?tls=none"

    def start(self):
        self._child = Child([sys.executable, "-m", "tests.blackbox.recorder", f"{self.host}:{self.port}", self.file,
                             self.delay_ms], env={"PYTHONPATH": str(REPO), "PYTHONDONTWRITEBYTECODE": "1"})
        wait_until(lambda: accepts(self.port, self.host), what="the sink")

    def stop(self):
        if self._child:
            self._child.stop()

    def messages(self):
        """{X-Load: [(began, ended, Message-ID), …]}"""
        found = defaultdict(list)
        with open(self.file, encoding="ascii") as file:
            for line in file:
                if line.endswith("\n"):
                    began, ended, key, message = line.split()
                    found[key].append((float(began), float(ended), message))
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Posters:
    """Clients that post mail after mail, each with a number of its own in X-Load, to the places in turn.

    Every second mail has an Idempotency-Key; of these each is posted, with the same key, until it is accepted,
    whatever happens in between; and now and then once more after that. The others are posted once.
    """

    def __init__(self, places, clients=8, timeout=20, pause=0.0, **members):
        self.places, self.timeout, self.pause, self.members = places, timeout, pause, members
        self.accepted = {}  # X-Load: id
        self.keyed = set()
        self.faults = []  # sentences
        self.statuses = Counter()  # 0: no answer
        self.repeated = 0  # requests with a key that was used before
        self._prefix = f"L{next(_again)}-{random.randrange(1 << 30):x}"
        self._over = threading.Event()
        self._hurry = False
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(clients)]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        """Lets each client bring its last mail home."""
        self._over.set()
        for thread in self._threads:
            thread.join(120)
            if thread.is_alive():
                self.faults.append("a client did not end: what it posts is not accepted")

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind:
            self._hurry = True
        self.stop()

    def post(self, key, keyed=False):
        """One mail, outside of the load; the status and the document of the answer."""
        connection = http.client.HTTPConnection(*self.places[0], timeout=self.timeout)
        try:
            return self._request(connection, key, keyed)
        finally:
            connection.close()

    # ---- a client ----

    def _run(self, client):
        places = itertools.cycle(self.places[client % len(self.places):] + self.places[:client % len(self.places)])
        connection = None
        number = 0
        while not self._over.is_set():
            key = f"{self._prefix}-{client}-{number}"
            number += 1
            connection = self._mail(connection, places, key, keyed=number % 2 == 0)
            if number % 50 == 0 and connection:  # another place, now and then
                connection.close()
                connection = None
            if self.pause:
                time.sleep(self.pause)

    def _mail(self, connection, places, key, keyed):
        """Posts it; the connection to go on with, None: a new one."""
        if keyed:
            self.keyed.add(key)
        end = None
        answers = 0
        while True:
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(*next(places), timeout=self.timeout)
                status, document = self._request(connection, key, keyed)
            except (OSError, http.client.HTTPException):
                connection.close()
                connection, status, document = None, 0, None
            self.statuses[status] += 1
            if status == 202:
                answers += 1
                if not keyed or answers > 1 or random.random() < 0.8:
                    return connection
            elif status not in (0, 409, 503):
                self.faults.append(f"{key}: {status} {document}")
                return connection
            if status != 202:
                if status == 503 and connection:  # as a balancer does, that takes another one
                    connection.close()
                    connection = None
                if not keyed:
                    time.sleep(0.02)
                    return connection
                if self._over.is_set():
                    end = end or time.monotonic() + 90
                    if self._hurry or time.monotonic() > end:
                        self.faults.append(f"{key} is not accepted: {status} {document}")
                        return connection
                time.sleep(0.02)
            self.repeated += 1

    def _request(self, connection, key, keyed):
        headers = {"Content-Type": "application/json"}
        if keyed:
            headers["Idempotency-Key"] = f'"{key}"'
        connection.request("POST", ROUTE, json.dumps(mail(headers={"X-Load": key}, **self.members)), headers)
        response = connection.getresponse()
        body = response.read()
        if response.status == 202:
            self._take(key, json.loads(body)["id"])
        return response.status, body.decode(errors="replace")[:500]

    def _take(self, key, name):
        if self.accepted.setdefault(key, name) != name:
            self.faults.append(f"{key} was accepted as {self.accepted[key]}, and again as {name}")


class Account:
    """What became of the mails of some posters at a sink."""

    def __init__(self, posters, messages):
        self.accepted = len(posters.accepted)
        self.lost = sorted(set(posters.accepted) - set(messages))
        self.unasked = sorted(key for key in messages if key not in posters.accepted)
        self.twice = self.two_messages = 0
        self.overlapping = []
        self.again = []  # (seconds after the time before, when that was) of each that came once more
        for key, came in messages.items():
            each = Counter(message for _, _, message in came)
            self.twice += sum(n - 1 for n in each.values())
            self.two_messages += len(each) - 1
            came.sort()
            self.overlapping += [key for a, b in zip(came, came[1:]) if b[0] < a[1]]
            self.again += [(b[0] - a[1], a[1]) for a, b in zip(came, came[1:])]

    def __str__(self):
        return (f"{self.accepted} accepted, {len(self.lost)} lost, {self.twice} came twice, {self.two_messages} keys "
                f"made two messages, {len(self.overlapping)} were sent twice at once; {len(self.unasked)} came that "
                "the client had no answer for")

    def check(self, twice_at_most):
        """Nothing lost, no key with two messages, none at the same time, and no more than so many came twice."""
        assert self.accepted
        assert not self.lost, f"{self}: {self.lost[:10]}"
        assert not self.two_messages, str(self)
        assert not self.overlapping, f"{self}: {self.overlapping[:10]}"
        assert self.twice <= twice_at_most, (f"{self}, at most {twice_at_most} were under way; "
                                             f"seconds in between, and when: {self.again}")


def drained(posters, sink, patience=30):
    """Waits until all that was accepted is at the sink, as long as more comes; the account."""
    size, since = -1, time.monotonic()
    while True:
        account = Account(posters, sink.messages())
        if not account.lost:
            return account
        now = sink.file.stat().st_size
        if now != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > patience:
            return account
        time.sleep(0.2)
