"""Sends mail with Mailgun's own SDK; sdks.py runs it, and says what a job is."""

import base64
import json
import warnings
from email.utils import format_datetime, quote
from datetime import datetime, timezone

from lines import serve
from mailgun.client import Client

warnings.simplefilter("ignore")


def mailbox(one):
    name, email = one
    return f'"{quote(name)}" <{email}>' if name else email


def fields(job):
    mail = job["mail"]
    made = {"to": [mailbox(one) for one in mail["to"]]}
    if "from" in mail:
        made["from"] = mailbox(mail["from"])
    for name in ("cc", "bcc"):
        if name in mail:
            made[name] = [mailbox(one) for one in mail[name]]
    for name in ("subject", "text", "html", "template"):
        if name in mail:
            made[name] = mail[name]
    if "reply_to" in mail:
        made["h:Reply-To"] = ", ".join(mailbox(one) for one in mail["reply_to"])
    made.update({f"h:{name}": value for name, value in mail.get("headers", {}).items()})
    made.update({f"v:{name}": value for name, value in mail.get("metadata", {}).items()})
    if "tags" in mail:
        made["o:tag"] = mail["tags"]
    if "send_at" in mail:
        made["o:deliverytime"] = format_datetime(datetime.fromtimestamp(mail["send_at"], timezone.utc))
    if mail.get("test"):
        made["o:testmode"] = "yes"
    if "data" in mail:
        made["t:variables"] = json.dumps(mail["data"])
    if job.get("separate"):
        made["recipient-variables"] = json.dumps(mail.get("variables", {}))
    return made | mail.get("more", {})


def files(job):
    mail = job["mail"]
    made = [("inline" if "cid" in file else "attachment",
             (file.get("cid") or file["filename"], base64.b64decode(file["content"]), file["type"]))
            for file in mail.get("attachments", [])]
    if mail.get("as") in ("file", "stream"):
        made.append(("message", ("MimeMessage", base64.b64decode(mail["mime"]))))
    return made or None


def send(job):
    client = Client(auth=(job.get("user", "api"), job["key"]), api_url=job["url"])
    endpoint = client.mimemessage if "mime" in job["mail"] else client.messages
    data = fields(job)
    if job["mail"].get("as") == "text":
        data["message"] = base64.b64decode(job["mail"]["mime"])
    response = endpoint.create(data=data, files=files(job), domain=job["domain"])
    body = response.json()
    if response.status_code >= 400:
        return {"status": response.status_code, "details": body["message"], "text": response.reason}
    return {"status": response.status_code, **body}


serve(send)
