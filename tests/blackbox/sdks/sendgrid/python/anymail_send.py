"""Sends mail with Django through django-anymail's backend for SendGrid; sdks.py runs it, and says what a job is."""

import warnings
from datetime import datetime, timezone
from email.utils import quote

from anymail.exceptions import AnymailRequestsAPIError, AnymailWarning
from anymail_mail import begin, message
from django.core.mail import get_connection
from lines import serve

warnings.simplefilter("ignore", AnymailWarning)  # that its authors can't try it against SendGrid any more
begin("sendgrid")


def addresses(listed):
    return [f'"{quote(name)}" <{email}>' if name else email for name, email in listed]


def asked(job, connection):
    mail = job["mail"]
    made = message({**mail, "from": addresses([mail["from"]])[0], **{
        name: addresses(mail[name]) for name in ("to", "cc", "bcc", "reply_to") if name in mail}}, connection)
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
    made = asked(job, connection)
    try:
        made.send()
    except AnymailRequestsAPIError as refused:
        return {"status": refused.status_code, "errors": refused.response.json()["errors"], "text": str(refused)}
    answer = made.anymail_status.esp_response
    return {"status": answer.status_code, "id": answer.headers.get("X-Message-Id", ""), "body": answer.text}


serve(send)
