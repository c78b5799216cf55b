"""The end of the line: an SMTP server that takes everything and writes down what came, when, and how often.

    python3 -m tests.blackbox.recorder HOST:PORT FILE [MILLISECONDS]

A line of FILE for each message: when its MAIL came and when it is answered (seconds of the monotonic clock), its X-Load
header and its Message-ID. It is written before the client is told 250, so that what was told is there; the reply is
held back for up to MILLISECONDS, a random time, so that messages are under way for a while. Nothing else is kept of it.
"""

import asyncio
import os
import random
import re
import sys
import time

_HEADER = re.compile(rb"^(x-load|message-id):\s*(\S+)", re.I | re.M)
_LIMIT = 1 << 26


class _Session:
    def __init__(self, reader, writer, file, delay):
        self.reader, self.writer, self.file, self.delay = reader, writer, file, delay
        self.began = None

    async def run(self):
        self.say(220, "recorder.test ESMTP")
        while True:
            line = await self.reader.readline()
            verb = line.split(b" ")[0].strip().upper()
            if not line.endswith(b"\n"):
                return
            if verb == b"DATA":
                self.say(354, "go on")
                await self.body()
            elif verb == b"EHLO":
                self.writer.write(b"250-recorder.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")
            elif verb == b"QUIT":
                self.say(221, "bye")
                await self.writer.drain()
                return
            else:
                if verb == b"MAIL":
                    self.began = time.monotonic()
                self.say(250, "2.0.0 OK")

    def say(self, code, text):
        self.writer.write(f"{code} {text}\r\n".encode())

    async def body(self):
        content = await self.reader.readuntil(b"\r\n.\r\n")
        found = {name.lower(): value for name, value in _HEADER.findall(content.partition(b"\r\n\r\n")[0])}
        wait = random.uniform(0, self.delay)
        ended = time.monotonic() + wait
        os.write(self.file, b"%.6f %.6f %s %s\n" % (self.began, ended, found.get(b"x-load", b"-"),
                                                    found.get(b"message-id", b"-")))
        if wait:
            await asyncio.sleep(wait)
        self.say(250, "2.0.0 recorded")


async def serve(host, port, path, delay):
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    async def one(reader, writer):
        try:
            await _Session(reader, writer, file, delay).run()
        except (OSError, asyncio.IncompleteReadError):
            pass  # it went away in the middle: what it had not ended it will bring again
        finally:
            writer.close()

    server = await asyncio.start_server(one, host, port, limit=_LIMIT, backlog=1000)
    async with server:
        await server.serve_forever()


def main(argv):
    host, _, port = argv[0].rpartition(":")
    asyncio.run(serve(host, int(port), argv[1], float(argv[2]) / 1e3 if len(argv) > 2 else 0))


if __name__ == "__main__":
    main(sys.argv[1:])
