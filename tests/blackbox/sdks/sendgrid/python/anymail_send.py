"""Sends mail with Django through django-anymail's backend for SendGrid; sdks.py runs it, and says what a job is."""

import base64
import json
import sys
import warnings
from datetime import datetime, timezone
from email.mime.base import MIMEBase
from email.utils import formataddr

import django
from anymail.exceptions import AnymailRequestsAPIError, AnymailWarning
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

warnings.simplefilter("ignore", AnymailWarning)  # that its authors can't try it against SendGrid any more
settings.configure(EMAIL_BACKEND="anymail.backends.sendgrid.EmailBackend", USE_TZ=True)
django.setup()


def addresses(listed):
    return [formataddr((name, email)) if name else email for name, email in listed]


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
        mail.get("subject", ""), mail.get("text", ""), addresses([mail["from"]])[0], addresses(mail["to"]),
        cc=addresses(mail.get("cc", [])), bcc=addresses(mail.get("bcc", [])),
        reply_to=addresses(mail.get("reply_to", [])), headers=mail.get("headers"), connection=connection)
    if "html" in mail:
        made.attach_alternative(mail["html"], "text/html")
    for file in mail.get("attachments", []):
        if "cid" in file:
            made.attach(part(file))
        else:
            made.attach(file["filename"], base64.b64decode(file["content"]), file["type"])
    if job.get("separate"):
        made.merge_data = {}
    for ours, theirs in (("categories", "tags"), ("custom_args", "metadata"), ("template", "template_id"),
                         ("data", "merge_global_data")):
        if ours in mail:
            setattr(made, theirs, mail[ours])
    if "send_at" in mail:
        made.send_at = datetime.fromtimestamp(mail["send_at"], timezone.utc)
    made.esp_extra = dict(mail.get("more", {}))
    if mail.get("sandbox"):
        made.esp_extra["mail_settings"] = {"sandbox_mode": {"enable": True}}
    return made


def send(job):
    connection = get_connection(api_key=job["key"], api_url=job["url"] + "/v3/")
    made = message(job, connection)
    try:
        made.send()
    except AnymailRequestsAPIError as refused:
        return {"status": refused.status_code, "errors": refused.response.json()["errors"], "text": str(refused)}
    answer = made.anymail_status.esp_response
    return {"status": answer.status_code, "id": answer.headers.get("X-Message-Id", ""), "body": answer.text}


for line in sys.stdin:
    print(json.dumps(send(json.loads(line))), flush=True)
