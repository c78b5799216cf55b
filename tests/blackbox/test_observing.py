"""Metrics, logs, and what the process holds on to."""

import json
import re

from .postern import Postern, mail
from .process import wait_until
from .scripted import ScriptedServer, by_recipient, drop, nothing, nth
from .wire import Wire

METRIC = re.compile(r'^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-z_]+="[^"\\\n]*",?)*\})? [-+.0-9eE]+$|NaN|Inf')


def test_metrics_are_prometheus_text_and_count():
    with ScriptedServer(mail=nth("250 ok", "250 ok", "550 5.1.8 no"),
                        rcpt=by_recipient({"no@postern.test": "550 5.1.1 no"})) as relay:
        with Postern(relay=relay.url()) as postern:
            assert postern.send(mail()).status == 200
            assert postern.send(mail(to=["a@b.c", "no@postern.test"])).status == 207
            assert postern.send(mail()).status == 422
            assert postern.post("/v1/send", body=b"{").status == 400
            answer = postern.get("/metrics")
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            for line in answer.body.decode().splitlines():
                assert line.startswith(("# HELP ", "# TYPE ")) or METRIC.match(line), line
            found = postern.metrics()
    sent = {name: value for name, value in found.items()
            if name.startswith("postern_http_requests_total") and "/v1/send" in name and value}
    assert {re.search(r'status="(\d+)"', name)[1]: value for name, value in sent.items()} == {
        "200": 1, "207": 1, "422": 1, "400": 1}
    transactions = {name: value for name, value in found.items()
                    if name.startswith("postern_transactions_total") and value}
    assert sum(transactions.values()) == 3
    assert found['postern_recipients_total{relay="default",result="accepted"}'] == 2
    assert found['postern_transactions_in_flight'] == 0
    assert found['postern_sessions_opened_total{relay="default"}'] == 1
    assert found['postern_sessions_reused_total{relay="default"}'] >= 1


def test_second_tries_are_counted():
    with ScriptedServer(mail=nth("250 ok", drop, "250 ok")) as relay:
        with Postern(relay=relay.url()) as postern:
            assert [postern.send(mail()).status for _ in range(2)] == [200, 200]
            assert postern.metrics()['postern_second_tries_total{relay="default"}'] == 1


def test_a_line_is_logged_for_each_request_and_transaction_and_none_of_what_is_private():
    private = ["private-subject", "private-text", "private.person", "private-name", "cHJpdmF0ZQ"]
    document = mail(to="Private-Name <private.person@postern.test>", subject="private-subject",
                    text="private-text", attachments=[
                        {"filename": "private-name.pdf", "content": "cHJpdmF0ZQ=="}])
    with ScriptedServer() as relay, Postern(relay=relay.url(), secrets=private) as postern:
        answer = postern.send(document)
        assert answer.status == 200
        assert postern.send(mail(to="private.person@")).status == 422
        wait_until(lambda: sum(line.get("route") == "/v1/send" for line in postern.log_lines()) == 2,
                   what="both log lines")
        lines = [line for line in postern.log_lines() if line.get("id") == answer.json["id"]]
        assert {line["event"] for line in lines} >= {"request", "transaction"}
        request = next(line for line in lines if line["event"] == "request")
        assert (request["status"], request["route"]) == (200, "/v1/send")
        transaction = next(line for line in lines if line["event"] == "transaction")
        assert transaction["relay"] == "default" and transaction["code"] == 250


def test_addresses_are_logged_where_that_is_asked_for():
    with ScriptedServer() as relay:
        with Postern(relay=relay.url(), log_addresses="on") as postern:
            assert postern.send(mail()).status == 200
            wait_until(lambda: "shop@postern.test" in postern.log(), what="the address in the log")


def test_text_logs_are_lines_of_text():
    with Postern(log="text") as postern:
        postern.get("/healthz")
        wait_until(lambda: "/healthz" in postern.log(), what="the log line")
        assert not postern.log().startswith("{")


def test_a_log_line_cannot_be_forged():
    with Postern() as postern:
        with Wire(postern) as wire:
            wire.send(b'GET /x%0a{"event":"forged"} HTTP/1.1\r\nHost: x\r\n\r\n')
            wire.answer()
        postern.get("/healthz")
        for line in postern.log().splitlines():
            assert json.loads(line).get("event") != "forged"


def test_500_requests_leave_no_descriptor_open():
    replies = {"mail": nth(*["250 ok"] * 5, "550 5.1.8 no", drop, "250 ok"),
               "idle": nth(nothing, drop, nothing)}
    with ScriptedServer(**replies) as relay:
        with Postern(relay=relay.url(sessions=4), session_idle="300ms", max_body="100KiB") as postern:
            postern.send(mail())
            wait_until(lambda: not relay.open_sessions(), what="the first session to be closed")
            before = postern.open_files()
            documents = [mail(), mail(to="not an address"), mail(text="x" * 200_000),
                         mail(attachments=[{"content": "AAAA" * 1000}]), mail(unknown=1)]
            answers = postern.send_many(documents * 100)
            statuses = {answer.status for answer in answers}
            assert {200, 413, 422} <= statuses <= {200, 413, 422, 503}
            wait_until(lambda: not relay.open_sessions(), what="the sessions to be closed")
            wait_until(lambda: postern.open_files() <= before, what="the descriptors to be closed")
