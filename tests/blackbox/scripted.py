"""An SMTP server that says what it is told to say, for what no honest server does.

    with ScriptedServer(rcpt=by_recipient({"bob@x.test": say("550 5.1.1 no such user")})) as relay:
        …
        assert relay.mails == []

What it does at a stage is an action: a function of the session and the command's argument. A plain
string is short for say(string). Stages: connect (before the greeting), greeting, ehlo, helo,
starttls, auth, mail, rcpt, data, mid_body (once, after MID_BODY octets), body (the reply to the
dot), idle (after a transaction was answered), rset, noop, quit. What isn't said is honest.

Every session, command and mail that arrived is kept: `sessions`, `commands`, `mails` (each with
whether it was accepted).
"""

import base64
import contextlib
import hashlib
import hmac
import itertools
import socket
import ssl
import struct
import threading
import time

from .urls import relay_url

USER, PASSWORD = "shop@scripted.test", "kept-in-the-vault"
EXTENSIONS = ("PIPELINING", "SIZE 100000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
MID_BODY = 4096


class SessionOver(Exception):
    """The session ends here, by will or because the peer went away."""


# --- actions ---

def say(text):
    """A reply; its lines end with "\\n" here and with CR LF on the wire."""
    return raw(text.replace("\n", "\r\n").encode() + b"\r\n")


def raw(data):
    return lambda session, argument: session.send(data)


def drop(session, argument=None):
    """Closes the connection."""
    raise SessionOver("dropped by the script")


def leave(session, argument=None):
    """Closes it as TLS would have it: with close_notify."""
    with contextlib.suppress(OSError, ssl.SSLError):
        session.socket.settimeout(0.2)  # for an answer that need not come
        session.socket.unwrap()
    raise SessionOver("left by the script")


def reset(session, argument=None):
    """Closes it with RST."""
    session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise SessionOver("reset by the script")


def hang(session, argument=None):
    """Says nothing until the peer has gone."""
    session.drain()
    raise SessionOver("the peer gave up")


def nothing(session, argument=None):
    """Says nothing, and goes on."""


def then(*actions):
    def run(session, argument):
        for action in actions:
            perform(action, session, argument)
    return run


def wait(seconds, action):
    def run(session, argument):
        time.sleep(seconds)
        perform(action, session, argument)
    return run


def gate(event, action):
    """Waits for a threading.Event: the test says when to go on."""
    def run(session, argument):
        event.wait(120)
        perform(action, session, argument)
    return run


def nth(*actions):
    """The first time the first action, and so on; the last one from then on. Over all sessions."""
    lock, remaining = threading.Lock(), list(actions)

    def run(session, argument):
        with lock:
            action = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        perform(action, session, argument)
    return run


def by_recipient(table, otherwise="250 2.1.5 recipient ok"):
    def run(session, argument):
        address = argument[argument.find("<") + 1:argument.find(">")]
        perform(table.get(address, otherwise), session, argument)
    return run


def perform(action, session, argument=""):
    (say(action) if isinstance(action, str) else action)(session, argument)


# --- what came ---

class Mail:
    """A transaction that got as far as its final dot, or as `complete` says, not so far."""

    def __init__(self, sender, recipients):
        self.sender = sender          # the argument of MAIL, parameters and all
        self.recipients = recipients  # addresses that were accepted
        self.wire = b""               # as sent, dot-stuffed
        self.complete = False
        self.accepted = False

    @property
    def message(self):
        return (b"\r\n" + self.wire).replace(b"\r\n..", b"\r\n.")[2:]


class Session:
    def __init__(self, server, connection):
        self.server = server
        self.socket = connection
        self.commands = []
        self.tls = None          # the TLS version once there is one
        self.resumed = False     # by TLS, from an earlier session
        self.login = None        # (mechanism, user) once AUTH succeeded
        self.ended = None        # why, once it has
        self._input = bytearray()
        self._code = ""          # of the last reply
        self._sender, self._recipients = None, []

    # The wire.

    def send(self, data):
        self._code = data[:3].decode("latin-1")
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise SessionOver(f"sending: {error}") from error

    def _receive(self):
        try:
            data = self.socket.recv(1 << 18)
        except OSError as error:
            raise SessionOver(f"receiving: {error}") from error
        if not data:
            raise SessionOver("the peer closed")
        self._input += data

    def drain(self):
        while True:
            self._input.clear()
            self._receive()

    def line(self):
        while b"\n" not in self._input:
            self._receive()
        line, _, rest = bytes(self._input).partition(b"\n")
        self._input = bytearray(rest)
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def secure(self):
        """The server's side of the handshake; what came before it in clear is forgotten."""
        self._input.clear()
        try:
            self.socket = self.server.tls_context.wrap_socket(self.socket, server_side=True)
        except (OSError, ssl.SSLError) as error:
            raise SessionOver(f"handshake: {error}") from error
        self.tls = self.socket.version()
        self.resumed = self.socket.session_reused

    # The dialogue.

    def run(self):
        self._do("connect")
        if self.server.implicit:
            self.secure()
        self._do("greeting")
        while True:
            line = self.line()
            self.commands.append(line)
            verb, _, argument = line.partition(" ")
            handler = getattr(self, f"_{verb.lower()}", None)
            if handler is None or not verb.isalpha():
                self.send(b"500 5.5.2 what?\r\n")
            else:
                handler(argument)

    def _do(self, stage, argument=""):
        """Performs a stage; true if what was said is a yes."""
        self._code = ""
        perform(self.server.script[stage], self, argument)
        return self._code[:1] in ("2", "3")

    def _ehlo(self, argument):
        self._do("ehlo", argument)

    def _helo(self, argument):
        self._do("helo", argument)

    def _starttls(self, argument):
        if self._do("starttls"):
            self.secure()

    def _mail(self, argument):
        if self._do("mail", argument):
            self._sender, self._recipients = argument, []

    def _rcpt(self, argument):
        if self._sender is None and not self.server.forgetful:
            self.send(b"503 5.5.1 MAIL first\r\n")
        elif self._do("rcpt", argument):
            self._recipients.append(argument[argument.find("<") + 1:argument.find(">")])

    def _data(self, argument):
        if not self._recipients and not self.server.forgetful:
            self.send(b"554 5.5.1 no valid recipients\r\n")
        elif self._do("data"):
            mail = Mail(self._sender, self._recipients)
            self.server.keep(mail)
            self._read_body(mail)
            mail.complete = True
            if self._recipients:
                mail.accepted = self._do("body")
            else:  # as an honest server ends a message for nobody
                self.send(b"554 5.5.1 no valid recipients\r\n")
            self._sender, self._recipients = None, []
            self._do("idle")

    def _read_body(self, mail):
        # The CR LF before the first line makes an end at once look like every other end.
        self._input[:0] = b"\r\n"
        looked, cut_in = 0, self.server.script["mid_body"] is nothing
        while (end := self._input.find(b"\r\n.\r\n", looked)) < 0:
            looked = max(0, len(self._input) - 4)
            if not cut_in and len(self._input) > MID_BODY:
                cut_in = True
                self._do("mid_body")
            self._receive()
        mail.wire = bytes(self._input[2:end + 2])
        del self._input[:end + 5]

    def _rset(self, argument):
        self._sender, self._recipients = None, []
        self._do("rset")

    def _noop(self, argument):
        self._do("noop")

    def _quit(self, argument):
        self._do("quit")
        raise SessionOver("QUIT")

    # AUTH: the script's action, or what an honest server does.

    def _auth(self, argument):
        self._do("auth", argument)

    def ask(self, challenge):
        self.send(b"334 " + base64.b64encode(challenge) + b"\r\n")
        return base64.b64decode(self.line())

    def check_login(self, argument):
        mechanism, _, initial = argument.partition(" ")
        self.commands[-1] = f"AUTH {mechanism}"
        method = getattr(self, "_login_" + mechanism.lower().replace("-", "_"), None)
        if method is None:
            self.send(b"504 5.5.4 no such mechanism\r\n")
            return
        user = method(base64.b64decode(initial) if initial else None)
        if user is None:
            self.send(b"535 5.7.8 authentication failed\r\n")
        else:
            self.login = (mechanism, user)
            self.send(b"235 2.7.0 welcome\r\n")

    def _login_plain(self, initial):
        _, user, password = (self.ask(b"") if initial is None else initial).split(b"\0")
        return self._known(user, password)

    def _login_login(self, initial):
        user = self.ask(b"Username:") if initial is None else initial
        return self._known(user, self.ask(b"Password:"))

    def _login_cram_md5(self, initial):
        challenge = b"<1896.697170952@scripted.test>"
        user, _, digest = self.ask(challenge).decode().rpartition(" ")
        password = self.server.users.get(user)
        expected = password and hmac.new(password.encode(), challenge, hashlib.md5).hexdigest()
        return user if digest == expected else None

    def _login_xoauth2(self, initial):
        fields = (self.ask(b"") if initial is None else initial).decode().split("\x01")
        user, token = fields[0].removeprefix("user="), fields[1].removeprefix("auth=Bearer ")
        if self._known(user.encode(), token.encode()):
            return user
        self.ask(b'{"status":"401"}')
        return None

    def _known(self, user, password):
        name = user.decode()
        return name if self.server.users.get(name) == password.decode() else None


class ScriptedServer:
    """Listens on a loopback port from the moment it is made.

    certificate: offers STARTTLS, or with implicit=True speaks TLS from the first byte.
    users: {name: password}; offers AUTH with the mechanisms of `auth_mechanisms`.
    forgetful: takes RCPT without MAIL, and DATA without a recipient.
    """

    def __init__(self, certificate=None, implicit=False, users=None, extensions=EXTENSIONS,
                 auth_mechanisms="PLAIN LOGIN CRAM-MD5", ca=None, forgetful=False, **script):
        self.tls_context = certificate.context() if certificate else None
        self.implicit = implicit
        self.users = users or {}
        self.ca = ca
        self.forgetful = forgetful
        self._extensions = list(extensions)
        self._mechanisms = auth_mechanisms
        queued = itertools.count(1)
        self.script = {
            "connect": nothing, "greeting": "220 scripted.test ESMTP", "ehlo": self._say_hello,
            "helo": "250 scripted.test", "starttls": "220 2.0.0 go ahead",
            "auth": lambda session, argument: session.check_login(argument),
            "mail": "250 2.1.0 sender ok", "rcpt": "250 2.1.5 recipient ok",
            "data": "354 go ahead", "mid_body": nothing,
            "body": lambda session, _: perform(f"250 2.0.0 queued as {next(queued)}", session),
            "idle": nothing, "rset": "250 2.0.0 reset", "noop": "250 2.0.0 ok",
            "quit": "221 2.0.0 bye"}
        unknown = set(script) - set(self.script)
        assert not unknown, f"no such stages: {unknown}"
        self.script.update(script)
        self.sessions, self.mails = [], []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, scheme=None, user=None, password=PASSWORD, **options):
        """As POSTERN_RELAY wants it; logs in if there are users, trusts `ca` if it was given."""
        if user is None and self.users:
            user = next(iter(self.users))
        if not self.tls_context:
            options.setdefault("tls", "none")
        elif self.ca:
            options.setdefault("ca", self.ca)
        return relay_url(scheme or ("smtps" if self.implicit else "smtp"), self.port, user,
                         password, **options)

    @property
    def commands(self):
        """Of all sessions, in the order of sessions."""
        return [line for session in self.sessions for line in session.commands]

    def verbs(self):
        return [line.partition(" ")[0].upper() for line in self.commands]

    @property
    def complete(self):
        """The mails whose final dot arrived: each may have been delivered."""
        return [mail for mail in self.mails if mail.complete]

    def open_sessions(self):
        return [session for session in self.sessions if session.ended is None]

    def keep(self, mail):
        with self._lock:
            self.mails.append(mail)

    def _say_hello(self, session, argument):
        offers = list(self._extensions)
        if self.tls_context and not session.tls:
            offers.append("STARTTLS")
        if self.users:
            offers.append(f"AUTH {self._mechanisms}")
        lines = ["scripted.test", *offers]
        perform("\n".join(f"250{'-' if i + 1 < len(lines) else ' '}{line}"
                          for i, line in enumerate(lines)), session)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            session = Session(self, connection)
            with self._lock:
                self.sessions.append(session)
            threading.Thread(target=self._serve, args=(session,), daemon=True).start()

    def _serve(self, session):
        session.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            session.run()
        except SessionOver as over:
            session.ended = str(over)
        except Exception as error:  # kept for the test's failure message
            session.ended = f"defect: {error!r}"
            raise
        finally:
            with contextlib.suppress(OSError):
                session.socket.close()

    def stop(self):
        """Stops listening and ends all sessions."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for session in self.open_sessions():
            with contextlib.suppress(OSError):
                session.socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
