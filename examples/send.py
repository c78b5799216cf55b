#!/usr/bin/env python3
"""Sends a mail with an attachment through Postern.

    python3 send.py [--queue] FILE TO...

POSTERN_URL says where Postern is, POSTERN_API_KEY who asks. The exit status is 0 if the mail was sent (with --queue:
is kept, and will be) to everyone.
"""

import base64
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ.get("POSTERN_URL", "http://127.0.0.1:8025")
KEY = os.environ.get("POSTERN_API_KEY")
ATTEMPTS = 5
TIMEOUT = 90  # seconds: more than Postern gives a relay (POSTERN_TIMEOUT)


def message(file, recipients):
    with open(file, "rb") as attachment:
        content = base64.b64encode(attachment.read()).decode()
    return {
        "from": "Shop <shop@example.com>",
        "to": recipients,
        "subject": "您的订单 №1234",
        "html": "<p>谢谢您的订单。</p>",
        "text": "谢谢您的订单。",
        "attachments": [{"filename": os.path.basename(file), "content": content}],
    }


def attempt(path, body, key):
    """One request: its status (0: nothing of Postern's came), the answer, and the seconds of Retry-After."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": f'"{key}"'}
    if KEY:
        headers["Authorization"] = f"Bearer {KEY}"
    try:
        try:
            response = urllib.request.urlopen(urllib.request.Request(URL + path, body, headers), timeout=TIMEOUT)
        except urllib.error.HTTPError as error:  # a response like others
            response = error
        with response:
            return response.status, json.load(response), int(response.headers.get("Retry-After", 0))
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: no JSON, a proxy's
        return 0, {"title": "No answer", "detail": repr(error), "retryable": True, "outcome": "unknown"}, 0


def post(path, document):
    """The answer, when there is one that another attempt wouldn't change."""
    body = json.dumps(document).encode()
    # By its key Postern knows a mail that comes again, and sends it once. Better than chance is what the mail is about
    # ("order-1234-thanks"): then it is sent once if this program is started again, too.
    key = uuid.uuid4()
    for n in range(ATTEMPTS):
        status, answer, retry_after = attempt(path, body, key)
        if status in (200, 202, 207):
            break
        tell(status, answer)
        if not answer["retryable"] or n + 1 == ATTEMPTS:
            break
        wait = max(retry_after, 2 ** n)
        print(f"  The next attempt is in {wait} s.", file=sys.stderr)
        time.sleep(wait)
    return status, answer


def tell(status, problem):
    print(f"{status} {problem['title']}: {problem['detail']}", file=sys.stderr)
    for fault in problem.get("errors", []):  # every fault of the request, and where it is
        print(f"  {fault['pointer']}: {fault['detail']}", file=sys.stderr)
    if "smtp" in problem:
        print(f"  The relay said: {reply(problem['smtp'])}", file=sys.stderr)
    if "hint" in problem:
        print(f"  {problem['hint']}", file=sys.stderr)
    if problem["outcome"] == "unknown":
        print("  It may have been sent all the same.", file=sys.stderr)


def reply(smtp):
    return f"{smtp['code']} {smtp['enhanced'] or ''} {smtp['message']}"


def main(queue, file, *recipients):
    status, answer = post("/v1/messages" if queue else "/v1/send", message(file, recipients))
    if status == 202:
        print(f"Kept as {answer['id']}: GET /v1/messages/{answer['id']} says what becomes of it.")
    elif status in (200, 207):
        print(f"Sent by relay {answer['relay']}: {reply(answer['smtp'])}")
    left_out = answer.get("suppressed", [])  # of 202: addresses that are known to be gone
    for one in answer.get("rejected", []):
        left_out.append(f"{one['email']}: {reply(one['smtp']) if 'smtp' in one else one['code']}")
    for one in left_out:
        print(f"  not to {one}", file=sys.stderr)
    return 1 if left_out or status not in (200, 202) else 0


if __name__ == "__main__":
    arguments = [one for one in sys.argv[1:] if one != "--queue"]
    if len(arguments) < 2:
        sys.exit(__doc__)
    sys.exit(main("--queue" in sys.argv, *arguments))
