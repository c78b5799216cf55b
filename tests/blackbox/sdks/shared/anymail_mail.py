"""What programs with django-anymail have in common: anymail_send.py of each provider."""

import base64
from email.mime.base import MIMEBase

import django
from anymail.exceptions import AnymailError
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from lines import serve


def begin(provider):
    settings.configure(EMAIL_BACKEND=f"anymail.backends.{provider}.EmailBackend", USE_TZ=True)
    django.setup()


def _picture(file):
    made = MIMEBase(*file["type"].split("/"))
    made.set_payload(file["content"])
    made["Content-Transfer-Encoding"] = "base64"
    made.add_header("Content-Disposition", "inline", filename=file["filename"])
    made["Content-ID"] = f"<{file['cid']}>"
    return made


def message(mail, connection):
    """mail: with mailboxes as they are written."""
    made = EmailMultiAlternatives(
        mail.get("subject", ""), mail.get("text", ""), mail["from"], mail.get("to", []), cc=mail.get("cc", []),
        bcc=mail.get("bcc", []), reply_to=mail.get("reply_to", []), headers=mail.get("headers"), connection=connection)
    if "html" in mail:
        made.attach_alternative(mail["html"], "text/html")
    for file in mail.get("attachments", []):
        if "cid" in file:
            made.attach(_picture(file))
        else:
            made.attach(file["filename"], base64.b64decode(file["content"]), file["type"])
    return made


def serve_calls(provider, key):
    """{"url", "key", "mail", "more"} -> {"value": {address: [status, id]}} or {"failure"}; key: the setting it is called."""
    begin(provider)

    def send(job):
        made = message(job["mail"], get_connection(api_url=job["url"] + "/", **{key: job["key"]}))
        for name, value in job.get("more", {}).items():
            setattr(made, name, value)
        try:
            made.send()
        except AnymailError as refused:
            return {"failure": {"class": type(refused).__name__, "message": str(refused),
                                "status": getattr(refused, "status_code", None)}}
        return {"value": {address: [one.status, one.message_id]
                          for address, one in made.anymail_status.recipients.items()}}

    serve(send)
