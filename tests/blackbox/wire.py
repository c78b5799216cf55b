"""HTTP by hand, for what an HTTP client wouldn't send."""

import json

from .postern import Answer, mail


class Wire:
    """A raw connection to a Postern: writes octets, reads whole answers."""

    def __init__(self, postern):
        self.socket = postern.socket()
        self._file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def answer(self):
        """The next answer; None if the connection was closed instead."""
        try:
            status = self._file.readline()
            if not status:
                return None
            headers = {}
            while (line := self._file.readline().rstrip(b"\r\n")):
                name, _, value = line.decode().partition(":")
                headers[name.title()] = value.strip()
            body = self._file.read(int(headers.get("Content-Length", 0)))
        except ConnectionResetError:
            return None
        return Answer(int(status.split()[1]), headers, body)

    def closed(self):
        """Waits for the other side's end."""
        try:
            return self._file.read() == b""
        except ConnectionResetError:
            return True

    def close(self):
        self._file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def post(path="/v1/compose", body=None, headers=(), length=None):
    """A request as octets."""
    body = json.dumps(mail()).encode() if body is None else body
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json",
             f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(chunks, path="/v1/compose", end=True):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json",
             "Transfer-Encoding: chunked"]
    data = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data + (b"0\r\n\r\n" if end else b"")
