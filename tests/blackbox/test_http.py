"""The HTTP side: routes, limits, keys, slow and rude clients."""

import contextlib
import hashlib
import json
import select
import threading
import time

import pytest

from . import places
from .contract import contract
from .postern import Postern, mail
from .process import wait_until
from .scripted import ScriptedServer, gate
from .wire import Wire, chunked, post

KEY = "k3y-of-the-back-gate-0001"
OTHER = "another-key-of-the-gate-2"
RENDER = "/v1/templates/generic/render"
ROUTES = {"/v1/send": "POST", "/v1/compose": "POST", "/v1/check": "POST",
          "/v1/templates": "GET", RENDER: "POST", "/healthz": "GET",
          "/readyz": "GET", "/metrics": "GET", "/openapi.yaml": "GET"}


# --- routes ---

def test_health_readiness_metrics_and_the_contract_are_served(bare):
    assert bare.get("/healthz").json == {"status": "ok"}
    assert bare.get("/metrics").body.startswith(b"#")
    assert bare.get("/openapi.yaml").body == (places.REPO / "openapi.yaml").read_bytes()
    assert bare.get("/readyz").status == 503  # without a relay


def test_without_a_relay_only_sending_is_refused(bare):
    for path in ("/v1/send", "/v1/check"):
        answer = bare.post(path, mail() if path == "/v1/send" else {})
        assert answer.status == 503 and answer.headers["Retry-After"], answer
        assert answer.json["outcome"] == "not_sent"
    assert bare.post("/v1/compose", mail()).status == 200


def test_head_answers_like_get_without_a_body(bare):
    answer = bare.request("HEAD", "/healthz")
    assert answer.status == 200 and answer.body == b""


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/send/", "/V1/SEND", "/v1/send%00", "/..", "//v1/send",
                                  "/v1/sendx", "/healthz/x", "/%2e%2e/etc/passwd", "/" + "a" * 8000])
def test_an_unknown_path_is_404(bare, path):
    answer = bare.post(path, mail())
    assert answer.status == 404 and answer.type == "application/problem+json", answer


@pytest.mark.parametrize("path, method", ROUTES.items())
def test_another_method_is_405_with_allow(bare, path, method):
    for wrong in ({"GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"} - {method}):
        answer = bare.request(wrong, path, b"{}" if wrong != "GET" else None)
        assert answer.status == 405, answer
        assert method in answer.headers["Allow"]
        assert answer.type == "application/problem+json"


def test_a_query_does_not_matter(bare):
    assert bare.get("/healthz?x=1").status == 200


def test_every_answer_has_an_id_of_its_own(bare):
    answers = [bare.post("/v1/compose", mail()) for _ in range(3)] + [bare.get("/nowhere")]
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 4
    assert answers[-1].json["id"] == answers[-1].headers["X-Request-Id"]


# --- what a body must be ---

@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "",
                                  "application/jsonx", "application/json; charset=latin-1"])
def test_what_is_not_json_is_415(bare, kind):
    for path in ("/v1/compose", "/v1/lint", "/v1/send", "/v1/messages", "/v1/batches", "/v1/suppressions", RENDER):
        answer = bare.post(path, mail(), headers={"Content-Type": kind})
        assert answer.status == 415, answer


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON",
                                  'application/json;charset="UTF-8"'])
def test_json_may_say_that_it_is_utf8(bare, kind):
    assert bare.post("/v1/compose", mail(), headers={"Content-Type": kind}).status == 200


def test_a_compressed_body_is_415(bare):
    answer = bare.post("/v1/compose", mail(), headers={"Content-Encoding": "gzip"})
    assert answer.status == 415, answer


@pytest.mark.parametrize("path", ["/v1/send", "/v1/compose", "/v1/messages", "/v1/batches", "/v1/suppressions",
                                  "/v1/lint", "/v1/hooks/x"])
def test_a_post_without_length_is_411(bare, path):
    with Wire(bare) as wire:
        wire.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\r\n".encode())
        answer = wire.answer()
        assert answer.status == 411
    contract.seen("POST", path, answer)


def test_content_length_and_chunks_together_are_refused(bare):
    with Wire(bare) as wire:
        wire.send(post(headers=["Transfer-Encoding: chunked"], body=b"0\r\n\r\n"))
        answer = wire.answer()
        assert answer is None or answer.status == 400


@pytest.mark.parametrize("length", ["-1", "x", "1x", "99999999999999999999999"])
def test_a_length_that_is_no_number_is_refused(bare, length):
    with Wire(bare) as wire:
        wire.send(post(length=length))
        answer = wire.answer()
        assert answer is None or answer.status in (400, 413), answer
    assert bare.get("/healthz").status == 200


def test_an_empty_body_is_400_or_411(bare):
    assert bare.post("/v1/compose", body=b"").status in (400, 411)


# --- sizes ---

@pytest.fixture(scope="module")
def narrow():
    """Takes bodies of up to 4 KiB, and waits for slow clients for a second."""
    with Postern(max_body="4KiB", read_timeout="1s") as postern:
        yield postern


@pytest.mark.parametrize("path", ["/v1/send", "/v1/compose", "/v1/check", "/v1/messages", "/v1/batches",
                                  "/v1/suppressions", "/v1/lint", "/v1/hooks/x", RENDER])
def test_a_body_that_says_it_is_too_large_is_413_before_it_comes(narrow, path):
    with Wire(narrow) as wire:
        wire.send(post(path, body=b"", length=10_000_000_000))
        answer = wire.answer()
        assert answer.status == 413, answer
        contract.seen("POST", path, answer)


def test_expect_100_is_refused_before_the_body_comes(narrow):
    with Wire(narrow) as wire:
        wire.send(post(body=b"", length=1_000_000, headers=["Expect: 100-continue"]))
        assert wire.answer().status == 413


def test_a_chunked_body_is_counted_as_it_comes(narrow):
    with Wire(narrow) as wire:
        wire.send(chunked([b"x" * 3000, b"x" * 3000], end=False))
        assert wire.answer().status == 413
        assert wire.closed()


def test_a_body_at_the_limit_is_taken_and_one_octet_more_is_not(narrow):
    def sized(size):
        text = "x" * (size - len(json.dumps(mail(text="")).encode()))
        return json.dumps(mail(text=text)).encode()
    assert narrow.post("/v1/compose", body=sized(4096)).status == 200
    assert narrow.post("/v1/compose", body=sized(4097)).status == 413


def test_a_chunked_body_is_a_body(bare):
    body = json.dumps(mail()).encode()
    with Wire(bare) as wire:
        wire.send(chunked([body[i:i + 7] for i in range(0, len(body), 7)]))
        assert wire.answer().status == 200


def test_headers_without_end_are_bounded(bare):
    with Wire(bare) as wire:
        try:
            wire.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
            for i in range(10_000):
                wire.send(b"X-Filler-%d: %s\r\n" % (i, b"y" * 100))
        except OSError:
            pass
        answer = wire.answer()
        assert answer is None or 400 <= answer.status < 500, answer
    assert bare.get("/healthz").status == 200


@pytest.mark.parametrize("octets", [b"\r\n\r\n\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 50,
                                    b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 1000,
                                    b"EHLO relay\r\nMAIL FROM:<>\r\n", b"POST /v1/send HTTP/1.1\r\n" * 9],
                         ids=["blank", "TLS", "no path", "HTTP/9.9", "NULs", "SMTP", "twice"])
def test_what_is_not_http_is_answered_or_closed(bare, octets):
    with Wire(bare) as wire:
        wire.send(octets)
        wire.socket.shutdown(1)
        answer = wire.answer()
        assert answer is None or 400 <= answer.status < 600
    assert bare.get("/healthz").status == 200


# --- connections ---

def test_a_connection_serves_many_requests(bare):
    connection = bare.connect()
    for _ in range(20):
        assert bare.post("/v1/compose", mail(), connection=connection).status == 200
        assert bare.get("/nowhere", connection=connection).status == 404
    connection.close()


def test_a_connection_goes_on_after_a_refused_request(bare):
    connection = bare.connect()
    assert bare.post("/v1/compose", body=b"{", connection=connection).status == 400
    assert bare.post("/v1/compose", mail(to="x"), connection=connection).status == 422
    assert bare.post("/nowhere", mail(), connection=connection).status == 404
    assert bare.post("/v1/compose", mail(), connection=connection).status == 200
    connection.close()


def test_pipelined_requests_are_answered_in_order(bare):
    with Wire(bare) as wire:
        wire.send(b"".join(post(body=json.dumps(mail(subject=f"number {i}")).encode())
                           for i in range(30)))
        for i in range(30):
            answer = wire.answer()
            assert answer.status == 200 and f"Subject: number {i}\r\n".encode() in answer.body


def test_pipelined_requests_wait_for_the_relay_in_order():
    with ScriptedServer() as relay, Postern(relay=relay.url()) as postern, Wire(postern) as wire:
        wire.send(b"".join(post("/v1/send", json.dumps(mail(to=f"r{i}@postern.test")).encode())
                           for i in range(10)))
        assert [wire.answer().json["accepted"] for _ in range(10)] == (
            [[f"r{i}@postern.test"] for i in range(10)])


def test_http_1_0_is_answered_and_closed(bare):
    with Wire(bare) as wire:
        wire.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert wire.answer().status == 200
        assert wire.closed()


# --- connections between two mails (service/park.h) ---

PAUSES = (0, 0.001, 0.004, 0.006, 0.03, 0)  # around PARK_US


@pytest.mark.parametrize("threads", [0, 1])
def test_a_connection_goes_on_after_a_mail_at_once_and_later(threads):
    with ScriptedServer() as relay, Postern(relay=relay.url(), sender_threads=threads) as postern, Wire(postern) as wire:
        for pause in PAUSES * 5:
            time.sleep(pause)
            wire.send(post("/v1/send"))
            assert wire.answer().status == 200
            wire.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert wire.answer().status == 200
        assert len(relay.complete) == 5 * len(PAUSES)


def test_what_is_sent_ahead_of_an_answer_is_not_forgotten():
    """The second request comes while the first mail is at the relay, in one piece or cut."""
    release = threading.Event()
    second = post("/v1/send")
    with ScriptedServer(body=gate(release, "250 ok")) as relay, Postern(relay=relay.url()) as postern:
        for mails, cut in enumerate((len(second), 1, 80), 1):
            release.clear()
            with Wire(postern) as wire:
                wire.send(post("/v1/send"))
                wait_until(lambda: len(relay.complete) == 2 * mails - 1, what="the first mail at the relay")
                wire.send(second[:cut])
                time.sleep(0.02)
                release.set()
                assert wire.answer().status == 200
                wire.send(second[cut:])
                assert wire.answer().status == 200


def test_clients_that_leave_after_a_mail_leave_nothing_behind():
    with ScriptedServer() as relay, Postern(relay=relay.url(sessions=1)) as postern:
        assert postern.send(mail()).status == 200
        before = postern.open_files()
        for pause in PAUSES * 3:
            with Wire(postern) as wire:
                wire.send(post("/v1/send"))
                assert wire.answer().status == 200
                time.sleep(pause)
        wait_until(lambda: postern.open_files() <= before, what="the connections to be closed")


@pytest.mark.parametrize("version, option", [("1.1", "Connection: close"), ("1.0", "X-None: 1")])
def test_a_connection_that_is_not_to_stay_ends_with_its_mail(version, option):
    with ScriptedServer() as relay, Postern(relay=relay.url()) as postern, Wire(postern) as wire:
        wire.send(post("/v1/send", headers=[option]).replace(b"HTTP/1.1", b"HTTP/" + version.encode(), 1))
        assert wire.answer().status == 200
        assert wire.closed()


def test_sigterm_right_behind_a_mail_ends_at_once():
    with ScriptedServer() as relay:
        for pause in PAUSES:
            with Postern(relay=relay.url()) as postern, Wire(postern) as wire, Wire(postern) as other:
                for w in (wire, other):
                    w.send(post("/v1/send"))
                    assert w.answer().status == 200
                time.sleep(pause)
                postern.terminate()
                assert postern.wait() == 0
                assert wire.closed() and other.closed()


@pytest.mark.parametrize("octets", [b"GET /healthz HT", post()[:-1], post()[:80],
                                    chunked([b"{"], end=False)],
                         ids=["in the first line", "in the body", "in the headers", "in the chunks"])
def test_a_client_that_stops_in_the_middle_is_cut_off(narrow, octets):
    with Wire(narrow) as wire:
        wire.send(octets)
        answer = wire.answer()
        assert answer is None or answer.status == 408, answer
        assert wire.closed()
    assert narrow.get("/healthz").status == 200


@pytest.mark.parametrize("path", ["/v1/send", "/v1/compose", "/v1/check", "/v1/messages", "/v1/batches",
                                  "/v1/suppressions", "/v1/hooks/alerts", "/v1/lint", RENDER])
def test_a_client_that_drips_is_cut_off(narrow, path):
    """It does send something again and again, as a slow-loris does."""
    with Wire(narrow) as wire:
        wire.send(post(path, body=b"{", length=3000))
        stop = threading.Event()

        def drip():
            while not stop.wait(0.05):
                try:
                    wire.send(b" ")
                except OSError:
                    return
        dripping = threading.Thread(target=drip)
        dripping.start()
        answer = wire.answer()
        stop.set()
        dripping.join()
        assert answer is None or answer.status == 408, answer
        if answer:
            contract.seen("POST", path, answer)


def test_idle_connections_do_not_keep_others_out(bare):
    idle = [Wire(bare) for _ in range(300)]
    assert bare.post("/v1/compose", mail()).status == 200
    for wire in idle:
        wire.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert all(wire.answer().status == 200 for wire in idle)
    for wire in idle:
        wire.close()


def test_who_waits_for_a_place_gets_the_next_that_is_free():
    """Beyond as many connections as its descriptors allow, clients wait to be accepted."""
    ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with Postern(before=["prlimit", "--nofile=1030"], http_threads=1) as postern, contextlib.ExitStack() as wires:
        there = []
        while True:
            wire = wires.enter_context(Wire(postern))
            wire.send(ask)
            if there and not select.select([wire.socket], [], [], 1)[0]:
                break
            assert wire.answer().status == 200 and len(there) < 1030
            there.append(wire)
        there.pop().close()
        assert wire.answer().status == 200


def test_clients_that_go_away_leave_nothing_behind(bare):
    before = bare.open_files()
    for octets in (b"", b"POST /v1", post()[:100], post(), chunked([b"{"], end=False)):
        for _ in range(20):
            with Wire(bare) as wire:
                wire.send(octets)
    wait_until(lambda: bare.open_files() <= before, what="the connections to be closed")
    assert bare.get("/healthz").status == 200


def test_a_client_that_goes_away_while_the_relay_thinks():
    release = threading.Event()
    with ScriptedServer(body=gate(release, "250 ok")) as relay:
        with Postern(relay=relay.url()) as postern:
            before = postern.open_files()
            for done in range(1, 6):
                with Wire(postern) as wire:
                    wire.send(post("/v1/send"))
                    wait_until(lambda: len(relay.complete) == done, what="the mail at the relay")
            release.set()
            wait_until(lambda: not postern.metrics()["postern_transactions_in_flight"],
                       what="the transactions to end")
            assert postern.send(mail()).status == 200
            wait_until(lambda: postern.open_files() <= before + len(relay.open_sessions()),
                       what="the connections to be closed")
        assert len(relay.complete) == 6


# --- keys ---

def test_without_a_key_nothing_but_health_is_open():
    with Postern(api_keys=KEY) as postern:
        for path, method in ROUTES.items():
            answer = postern.request(method, path, b"{}" if method == "POST" else None,
                                     {"Content-Type": "application/json"})
            if path in ("/healthz", "/readyz", "/openapi.yaml") or path.startswith("/v1/unsubscribe/"):
                assert answer.status != 401
            else:
                assert answer.status == 401, (path, answer)
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_each_configured_key_opens_plain_or_hashed():
    hashed = "sha256:" + hashlib.sha256(OTHER.encode()).hexdigest()
    with Postern(api_keys=f"{KEY},{hashed}", secrets=[OTHER]) as postern:
        for key in (KEY, OTHER):
            assert postern.post("/v1/compose", mail(), key=key).status == 200
        for wrong in (KEY[:-1], KEY + "x", KEY.upper(), hashed, "x" * 100_0, KEY + "," + OTHER):
            answer = postern.post("/v1/compose", mail(), key=wrong)
            assert answer.status == 401, (wrong, answer)


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", f"Basic {KEY}", KEY, f"Bearer  x {KEY}",
                                   f"Bearer {KEY} x"])
def test_what_is_not_a_bearer_of_a_key_is_401(value):
    with Postern(api_keys=KEY) as postern:
        answer = postern.post("/v1/compose", mail(), headers={"Authorization": value})
        assert answer.status == 401, answer


def test_the_scheme_may_be_written_in_any_case():
    with Postern(api_keys=KEY) as postern:
        answer = postern.post("/v1/compose", mail(), headers={"Authorization": f"bearer {KEY}"})
        assert answer.status == 200, answer


def test_a_key_is_asked_for_before_the_body_is_read():
    with Postern(api_keys=KEY) as postern, Wire(postern) as wire:
        wire.send(post(body=b"", length=30_000_000))
        assert wire.answer().status == 401


# --- other ways to listen ---

def test_a_unix_socket(tmp_path):
    path = places.scratch("socket") / "postern.sock"
    with Postern(listen=f"unix:{path}") as postern:
        assert postern.post("/v1/compose", mail()).status == 200
    assert not path.exists()


def test_a_unix_socket_that_was_left_behind_is_replaced():
    path = places.scratch("socket") / "postern.sock"
    left = Postern(listen=f"unix:{path}")
    left.kill()
    assert path.exists()
    with Postern(listen=f"unix:{path}") as postern:
        assert postern.get("/healthz").status == 200


def test_https(authority):
    certificate = authority.good()
    with Postern(tls_cert=certificate.cert, tls_key=certificate.key, tls_ca=authority.ca) as postern:
        connection = postern.connect()
        for _ in range(3):
            assert postern.post("/v1/compose", mail(), connection=connection).status == 200
        connection.close()
        big = mail(text="x" * 3_000_000)
        assert postern.post("/v1/compose", big).status == 200
        with Wire(postern) as wire:  # plain HTTP at the HTTPS port
            wire.send(b"GET /healthz HTTP/1.1\r\n\r\n")
            assert wire.closed()
        assert postern.get("/healthz").status == 200


def test_a_tls_client_that_stops_in_its_greeting_costs_next_to_nothing(authority):
    certificate = authority.good()
    with Postern(tls_cert=certificate.cert, tls_key=certificate.key, tls_ca=authority.ca) as postern:
        with Wire(postern) as wire:
            wire.send(b"\x16\x03\x01\x02\x00\x01\x00")
            before = postern.cpu_seconds()
            time.sleep(2)
            assert postern.cpu_seconds() - before < 1
            assert postern.get("/healthz").status == 200


# --- too much, and the end ---

def test_too_much_in_flight_is_503_at_once():
    release = threading.Event()
    with ScriptedServer(body=gate(release, "250 ok")) as relay:
        with Postern(relay=relay.url(sessions=4), max_inflight=4) as postern:
            import concurrent.futures
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                waiting = [pool.submit(postern.send, mail()) for _ in range(4)]
                wait_until(lambda: len(relay.complete) == 4, what="four mails at the relay")
                for path in ("/v1/send", "/v1/check"):
                    answer = postern.post(path, mail() if path == "/v1/send" else {})
                    assert answer.status == 503 and answer.headers["Retry-After"], answer
                    assert answer.json["retryable"] is True
                assert postern.post("/v1/compose", mail()).status == 200
                release.set()
                assert [w.result().status for w in waiting] == [200] * 4
            assert postern.send(mail()).status == 200
        assert len(relay.complete) == 5


@pytest.mark.parametrize("count, threads", [(200, 2), (400, 1)])  # of so many, those that go on gather
def test_a_draining_instance_answers_all_it_has_and_takes_no_more(count, threads):
    release = threading.Event()
    with ScriptedServer(body=gate(release, "250 ok")) as relay:
        with Postern(relay=relay.url(sessions=8), http_threads=threads) as postern:
            wires = [Wire(postern) for _ in range(count)]
            idle = {path: Wire(postern) for path in ("/v1/compose", "/v1/lint")}
            for i, wire in enumerate(wires):
                wire.send(post("/v1/send", json.dumps(mail(to=f"r{i}@postern.test")).encode()))
            wait_until(lambda: postern.metrics()["postern_transactions_in_flight"] == count,
                       what="all transactions to be in flight")
            postern.terminate()
            wait_until(lambda: not_ready(postern), what="draining to begin")
            for path, wire in idle.items():
                wire.send(post(path))
                refused = wire.answer()
                assert refused.status == 503 and refused.headers["Retry-After"], refused
                contract.seen("POST", path, refused)
            assert postern.running()
            release.set()
            answers = [wire.answer() for wire in wires]
            assert [a and a.status for a in answers] == [200] * count
            assert [a.json["accepted"] for a in answers] == (
                [[f"r{i}@postern.test"] for i in range(count)])
            for wire in [*wires, *idle.values()]:
                wire.close()
            assert postern.wait() == 0
        assert len(relay.complete) == count
        wait_until(lambda: not relay.open_sessions(), what="the sessions to end")
        assert all(session.ended == "QUIT" for session in relay.sessions)


def not_ready(postern):
    """Draining: it says so, or takes no connection any more."""
    try:
        return postern.get("/readyz").status == 503
    except OSError:
        return True


def test_draining_ends_though_the_relay_never_answers():
    from .scripted import hang
    with ScriptedServer(body=hang) as relay:
        with Postern(relay=relay.url(), timeout="1s") as postern, Wire(postern) as wire:
            wire.send(post("/v1/send"))
            wait_until(lambda: relay.complete, what="the mail at the relay")
            postern.terminate()
            assert wire.answer().json["outcome"] == "unknown"
            assert postern.wait() == 0


def test_sigterm_without_work_ends_at_once():
    with Postern() as postern:
        started = time.monotonic()
        postern.terminate()
        assert postern.wait() == 0
        assert time.monotonic() - started < 60  # far below a timeout, far above what it takes


@pytest.mark.parametrize("threads", [0, 1])
def test_who_has_the_answer_finds_the_place_free(threads):
    """The place among those in flight is given back first: one client never meets its own mail."""
    with ScriptedServer() as relay:
        with Postern(relay=relay.url(), max_inflight=1, sender_threads=threads) as postern:
            connection = postern.connect()
            answers = [postern.send(mail(), connection=connection).status for _ in range(2000)]
            connection.close()
    assert answers == [200] * 2000
