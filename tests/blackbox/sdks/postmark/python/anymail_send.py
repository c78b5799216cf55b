"""Sends mail with Django through django-anymail; provider_sdks.py runs it.

A line of JSON in, one out: {"url", "key", "mail", "merge"} -> {"value": {address: [status, id]}} or {"failure"}
"""

import base64
import json
import sys
from email.mime.base import MIMEBase

import django
from anymail.exceptions import AnymailError
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

NAME = "postmark"
KEYS = {"postmark": "server_token", "resend": "api_key"}

settings.configure(EMAIL_BACKEND=f"anymail.backends.{NAME}.EmailBackend", USE_TZ=True)
django.setup()


def part(file):
    made = MIMEBase(*file["type"].split("/"))
    made.set_payload(file["content"])
    made["Content-Transfer-Encoding"] = "base64"
    made.add_header("Content-Disposition", "inline", filename=file["filename"])
    made["Content-ID"] = f"<{file['cid']}>"
    return made


def message(job, connection):
    mail = job["mail"]
    made = EmailMultiAlternatives(
        mail.get("subject", ""), mail.get("text", ""), mail["from"], mail.get("to", []), cc=mail.get("cc", []),
        bcc=mail.get("bcc", []), reply_to=mail.get("reply_to", []), headers=mail.get("headers"), connection=connection)
    if "html" in mail:
        made.attach_alternative(mail["html"], "text/html")
    for file in mail.get("attachments", []):
        if "cid" in file:
            made.attach(part(file))
        else:
            made.attach(file["filename"], base64.b64decode(file["content"]), file["type"])
    for name, value in job.get("more", {}).items():
        setattr(made, name, value)
    return made


def send(job):
    connection = get_connection(api_url=job["url"] + "/", **{KEYS[NAME]: job["key"]})
    made = message(job, connection)
    try:
        made.send()
    except AnymailError as refused:
        return {"failure": {"class": type(refused).__name__, "message": str(refused),
                            "status": getattr(refused, "status_code", None)}}
    return {"value": {address: [one.status, one.message_id] for address, one in made.anymail_status.recipients.items()}}


for line in sys.stdin:
    print(json.dumps(send(json.loads(line))), flush=True)
