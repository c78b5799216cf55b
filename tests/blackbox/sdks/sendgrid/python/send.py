"""Sends mail with SendGrid's own SDK; sdks.py runs it, and says what a job is."""

from lines import serve
from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import (
    Attachment, Bcc, Category, Cc, ContentId, CustomArg, Disposition, FileContent, FileName, FileType, From, Header,
    Mail, MailSettings, ReplyTo, SandBoxMode, SendAt, TemplateId, To)


def mailboxes(kind, listed):
    return [kind(email, name or None) for name, email in listed]


def message(job):
    mail = job["mail"]
    made = Mail(from_email=mailboxes(From, [mail["from"]])[0], to_emails=mailboxes(To, mail["to"]),
                subject=mail.get("subject"), plain_text_content=mail.get("text"), html_content=mail.get("html"),
                is_multiple=job.get("separate", False))
    if "cc" in mail:
        made.cc = mailboxes(Cc, mail["cc"])
    if "bcc" in mail:
        made.bcc = mailboxes(Bcc, mail["bcc"])
    if len(mail.get("reply_to", [])) == 1:
        made.reply_to = mailboxes(ReplyTo, mail["reply_to"])[0]
    elif "reply_to" in mail:
        made.reply_to_list = mailboxes(ReplyTo, mail["reply_to"])
    for file in mail.get("attachments", []):
        made.add_attachment(Attachment(
            FileContent(file["content"]), FileName(file["filename"]), FileType(file["type"]),
            Disposition("inline" if "cid" in file else "attachment"),
            ContentId(file["cid"]) if "cid" in file else None))
    for name, value in mail.get("headers", {}).items():
        made.add_header(Header(name, value))
    for category in mail.get("categories", []):
        made.add_category(Category(category))
    for name, value in mail.get("custom_args", {}).items():
        made.add_custom_arg(CustomArg(name, value))
    if "send_at" in mail:
        made.send_at = SendAt(mail["send_at"])
    if "template" in mail:
        made.template_id = TemplateId(mail["template"])
    if "data" in mail:
        for personalization in made.personalizations:
            personalization.dynamic_template_data = mail["data"]
    if mail.get("sandbox"):
        made.mail_settings = MailSettings(sandbox_mode=SandBoxMode(True))
    return {**made.get(), **mail.get("more", {})}


def send(job):
    client = SendGridAPIClient(job["key"], host=job["url"])
    try:
        response = client.send(message(job))
    except HTTPError as refused:
        return {"status": refused.status_code, "errors": refused.to_dict["errors"], "text": str(refused)}
    return {"status": response.status_code, "id": response.headers["X-Message-Id"] or "",
            "body": response.body.decode()}


serve(send)
