"""Before anything is measured: whether each peer really sends the mail that was asked for, to all recipients."""

import base64
import email
import email.policy
import json
import pathlib
import tempfile

from tests.bench import peers, relays
from tests.bench.procs import Trouble
from tests.bench.works import post

VERIFIED = ("3KB", "5to", "100KB")


def verify(works, progress):
    """Each peer, each kind of mail, once; a mail at the relay is parsed with Python's email."""
    for peer in peers.ALL:
        progress(f"checking what {peer.title} sends")
        for key in VERIFIED:
            if peer.serve:
                verify_server(peer, works[key])
            else:
                verify_floor(peer, works[key])


def verify_server(peer, work):
    """One request, one mail with its content."""
    with tempfile.TemporaryDirectory() as folder:
        with relays.own_sink("-dump", folder) as relay, peer.start(relay) as (_, address):
            post(f"http://{address}/v1/send", work.body.read_bytes())
        mails = list(pathlib.Path(folder).glob("*.eml"))
        if len(mails) != 1:
            raise Trouble(f"{peer.title}: one mail was sent, the relay got {len(mails)}")
        faults = compare(work.request, email.message_from_bytes(mails[0].read_bytes(), policy=email.policy.default))
    if faults:
        raise Trouble(f"{peer.title}, {work.title}: the mail is not what was asked for: {', '.join(faults)}")


def verify_floor(peer, work, mails=20):
    """The numbers and the size."""
    with relays.own_sink() as relay:
        peer.send(relay, work, mails)
    wanted = {"mails": mails, "recipients": mails * work.recipients}
    got = {k: relay.count[k] for k in wanted}
    if got != wanted or abs(relay.count["octets"] / mails / work.size - 1) > 0.2:
        raise Trouble(f"{peer.title}, {work.title}: {json.dumps(relay.count)} instead of {wanted}, each of {work.size}")


def compare(request, mail):
    """What differs."""
    envelope = mail.get_all("X-Envelope", [])
    html = mail.get_body(("html",))
    text = mail.get_body(("plain",))
    checks = {
        "envelope sender": envelope[:1] != [] and "<shop@example.com>" in envelope[0],
        "envelope recipients": [address(e) for e in envelope[1:]] == [address(t) for t in request["to"]],
        "From": mail["From"] == request["from"],
        "To": [a.addr_spec for a in mail["To"].addresses] == [address(t) for t in request["to"]],
        "Subject": mail["Subject"] == request["subject"],
        "Date": mail["Date"] is not None,
        "Message-ID": mail["Message-ID"] is not None,
        "html": html is not None and html.get_content().strip() == request["html"].strip(),
        "text": text is not None and "Article 21" in text.get_content() and "<td" not in text.get_content(),
        "attachments": [(a.get_filename(), a.get_content()) for a in mail.iter_attachments()]
                       == [(a["filename"], base64.b64decode(a["content"])) for a in request.get("attachments", [])],
    }
    return [name for name, good in checks.items() if not good]


def address(mailbox):
    """What is between < and >."""
    return mailbox.partition("<")[2].partition(">")[0]
