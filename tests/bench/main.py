"""make bench: the table."""

import argparse
import base64
import json
import os
import time

from tests.bench import parts
from tests.bench.measure import cpu_seconds, median, memory_kb


def small_mail():
    """About 3 KB of JSON: an order confirmation in HTML."""
    rows = "".join(
        f"<tr><td style=\"padding:4px\">Article {i}</td><td>{i} &times; 19.90</td><td>{i * 19.9:.2f} &euro;</td></tr>"
        for i in range(1, 22))
    html = ("<!doctype html><html><body style=\"font-family:sans-serif\"><h1>Thank you for your order</h1>"
            "<p>Dear customer, we have got your order <b>4711</b> and will ship it tomorrow. You can follow it "
            "<a href=\"https://shop.example.com/orders/4711\">on its page</a>.</p><table>" + rows +
            "</table><p>Kind regards, the shop. Questions? Just answer this mail, we read every one of them.</p></body></html>")
    return json.dumps({"from": "Shop <shop@example.com>", "to": "Li Lei <li@example.net>",
                       "subject": "Your order 4711", "html": html}).encode()


def large_mail(octets):
    return json.dumps({"from": "shop@example.com", "to": "li@example.net", "subject": "Report", "text": "Attached.",
                       "attachments": [{"filename": "report.bin",
                                        "content": base64.b64encode(os.urandom(octets)).decode()}]}).encode()


def send_small(seconds, clients):
    body = small_mail()
    with parts.sink() as port, parts.postern(f"smtp://127.0.0.1:{port}?tls=none") as (process, url):
        for _ in range(20):
            parts.post(url + "/v1/send", body)
        before = cpu_seconds(process.pid)
        figures = parts.load(url, body, clients, seconds)
        figures["cpu"] = cpu_seconds(process.pid) - before
        figures["peak_kb"] = memory_kb(process.pid, "VmHWM")
        size = parts.post(url + "/v1/send", body)["size"]
    return figures, size


def source_small(mails, size):
    with parts.sink() as port:
        return parts.smtp_source(port, mails, 8, size)


def row(name, rounds):
    return {
        "name": name,
        "mails_per_s": round(median([r["mails"] / r["seconds"] for r in rounds])),
        "cpu_us_per_mail": round(median([r["cpu"] / r["mails"] * 1e6 for r in rounds]), 1),
        "p50_ms": round(median([r["p50_ms"] for r in rounds]), 2) if "p50_ms" in rounds[0] else None,
        "p99_ms": round(median([r["p99_ms"] for r in rounds]), 2) if "p99_ms" in rounds[0] else None,
        "peak_mb": round(median([r["peak_kb"] for r in rounds]) / 1024, 1) if "peak_kb" in rounds[0] else None,
    }


def memory_of_large(octets):
    body = large_mail(octets)
    with parts.sink() as port, parts.postern(f"smtp://127.0.0.1:{port}?tls=none") as (process, url):
        idle = memory_kb(process.pid, "VmRSS")
        begin = time.monotonic()
        parts.post(url + "/v1/send", body)
        took = time.monotonic() - begin
        peak = memory_kb(process.pid, "VmHWM")
    return {"body_mb": round(len(body) / 2**20, 1), "idle_mb": round(idle / 1024, 1),
            "peak_mb": round(peak / 1024, 1), "seconds": round(took, 2),
            "times_body": round(peak * 1024 / len(body), 2)}


def show(rows):
    print(f"{'':34}{'mails/s':>9}{'CPU µs/mail':>13}{'p50 ms':>9}{'p99 ms':>9}{'peak MB':>9}")
    for r in rows:
        cells = [r[k] if r[k] is not None else "-" for k in ("p50_ms", "p99_ms", "peak_mb")]
        print(f"{r['name']:34}{r['mails_per_s']:>9}{r['cpu_us_per_mail']:>13}{cells[0]:>9}{cells[1]:>9}{cells[2]:>9}")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=5)
    options.add_argument("--clients", type=int, default=64)
    options = options.parse_args()

    sends, sources = [], []
    size = 3000
    for _ in range(options.rounds):
        figures, size = send_small(options.seconds, options.clients)
        sends.append(figures)
        sources.append(source_small(30000, size))
    rows = [row(f"postern, {options.clients} clients, 3 KB", sends), row("smtp-source -d, 8 sessions", sources)]
    show(rows)
    ratio = median([a["cpu"] / a["mails"] / (b["cpu"] / b["mails"]) for a, b in zip(sends, sources)])
    print(f"\nCPU per mail against smtp-source -d: {ratio:.2f}   (JSON body {len(small_mail())} B, message {size} B)")

    memory = memory_of_large(25 * 2**20)
    print(f"25 MB attachment: body {memory['body_mb']} MB, peak {memory['peak_mb']} MB = {memory['times_body']} times, "
          f"{memory['seconds']} s; idle {memory['idle_mb']} MB")
    starts = [parts.start_to_first_answer("smtp://127.0.0.1:25?tls=none") for _ in range(5)]
    print(f"start to first answer: {median(starts):.0f} ms")

    with open(parts.ROOT / "build" / "bench.json", "w", encoding="utf-8") as f:
        json.dump({"rows": rows, "cpu_ratio_to_smtp_source": round(ratio, 2), "large": memory,
                   "start_ms": round(median(starts), 1)}, f, indent=1)


if __name__ == "__main__":
    main()
