"""Sends mail with postmarker; sdks.py runs it. As Node's, but for the names of the calls."""

import json
import sys

from postmarker.core import PostmarkClient
from postmarker.exceptions import ClientError


def send(job):
    client = PostmarkClient(server_token=job["key"], root_api_url=job["url"])
    call = getattr(client.emails, job["call"])
    try:
        if job["call"] in ("send", "send_with_template"):
            return {"value": call(**job["arguments"][0])}
        return {"value": call(*job["arguments"][0])}
    except ClientError as refused:
        return {"failure": {"class": type(refused).__name__, "code": refused.error_code, "message": str(refused)}}


for line in sys.stdin:
    print(json.dumps(send(json.loads(line))), flush=True)
