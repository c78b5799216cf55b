"""Mail as it was delivered, found by the envelope's recipient."""

import re
from pathlib import Path

from .process import wait_until

_TRACE = rb"Return-Path|X-Original-To|Delivered-To|Received"


class Delivered:
    """One delivered message: its bytes, and whom it was for."""

    def __init__(self, raw):
        self.raw = raw
        header = raw[:raw.find(b"\n\n") + 1].decode()
        self.recipient = re.search(r"^(?:X-Original-To|Delivered-To): (.*)$", header, re.M)[1]

    def message(self):
        """The bytes as they were sent, with CRLF: what the server put on top taken off."""
        fields = re.compile(rb"(?:(?:%s):.*\n(?:[ \t].*\n)*)*" % _TRACE, re.IGNORECASE)
        return self.raw[fields.match(self.raw).end():].replace(b"\n", b"\r\n")


class Maildir:
    """Reads each file of a maildir once."""

    def __init__(self, path):
        self.path = Path(path)
        self._seen = {}

    def all(self):
        new = self.path / "new"
        if new.is_dir():
            for entry in new.iterdir():
                if entry.name not in self._seen:
                    self._seen[entry.name] = Delivered(entry.read_bytes())
        return list(self._seen.values())

    def to(self, recipient):
        return [mail for mail in self.all() if mail.recipient == recipient]

    def wait(self, recipient, timeout=30):
        """The message that came for a recipient; exactly one is expected."""
        found = wait_until(lambda: self.to(recipient), timeout, f"mail for {recipient}")
        assert len(found) == 1, f"{len(found)} messages came for {recipient}"
        return found[0]
