"""Sends mail with Resend's own SDK; sdks.py runs it. As Node's, but for the names of the calls."""

import base64
import json
import sys

import resend
from resend.exceptions import ResendError


def octets(job, mail):
    """Files as the SDK's documentation has them: a list of numbers."""
    if job.get("buffers") and isinstance(mail, dict):
        for file in mail.get("attachments", []):
            file["content"] = list(base64.b64decode(file["content"]))
    return mail


def send(job):
    resend.api_key, resend.api_url = job["key"], job["url"]
    group, name = job["call"].split(".")
    call = getattr({"emails": resend.Emails, "batch": resend.Batch}[group], name)
    given = job["arguments"][0]
    given = [octets(job, one) for one in given] if isinstance(given, list) else octets(job, given)
    try:
        value = call(given, job["options"]) if job.get("options") else call(given)
    except ResendError as refused:
        return {"failure": {"class": type(refused).__name__, "statusCode": int(refused.code),
                            "name": refused.error_type, "message": refused.message}}
    return {"value": {key: member for key, member in value.items() if key != "http_headers"}}


for line in sys.stdin:
    print(json.dumps(send(json.loads(line))), flush=True)
