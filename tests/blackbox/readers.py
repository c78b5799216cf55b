"""Composed mail read back by parsers that aren't ours: Python's email, GMime, npm's mailparser.

Each gives the same plain view of a message: a dict with subject, from, to, cc, reply_to (lists of
[name, address]), text, html (None if absent; "\\n" lines, none at the end), attachments (dicts:
filename, type, disposition, cid, size, sha256) and headers (the values of X-…, names in lower case).
"""

import email
import email.header
import email.policy
import email.utils
import hashlib
import json
import subprocess
from pathlib import Path

import gi

from .places import TOOLS

gi.require_version("GMime", "3.0")
from gi.repository import GMime  # noqa: E402 (the version has to be said first)

GMime.init()
_ADDRESSES = {"from": "From", "to": "To", "cc": "Cc", "reply_to": "Reply-To"}


def body_text(text):
    return text.replace("\r\n", "\n").rstrip("\n")


def part(filename, content_type, disposition, cid, content):
    return {"filename": filename, "type": content_type, "disposition": disposition,
            "cid": cid and cid.strip("<>"), "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest()}


# --- Python's email ---

def read_with_python(raw):
    message = email.message_from_bytes(raw, policy=email.policy.default)
    older = email.message_from_bytes(raw)
    view = {"subject": message["Subject"], "text": None, "html": None, "attachments": []}
    for key, field in _ADDRESSES.items():
        view[key] = _python_addresses(message[field], older[field])
    for leaf in message.walk():
        if leaf.is_multipart():
            continue
        kind, disposition = leaf.get_content_type(), leaf.get_content_disposition()
        if disposition is None and kind in ("text/plain", "text/html"):
            view[kind[5:].replace("plain", "text")] = body_text(leaf.get_content())
        else:
            view["attachments"].append(part(leaf.get_filename(), kind, disposition,
                                            leaf["Content-ID"], leaf.get_payload(decode=True)))
    view["headers"] = {name.lower(): value for name, value in message.items()
                       if name.startswith("X-")}
    return view


def _python_addresses(modern, raw):
    """Python 3.11's address parser keeps the blanks between the encoded-words of a name, which RFC 2047
    section 6.2 drops; its older decoder does it right, and is asked where there are any."""
    if modern is None:
        return []
    found = [[a.display_name, a.addr_spec] for a in modern.addresses]
    if "=?" in str(raw):
        names = [name for name, _ in email.utils.getaddresses([str(raw)])]
        for entry, name in zip(found, names, strict=True):
            entry[0] = str(email.header.make_header(email.header.decode_header(name)))
    return found


# --- GMime ---

def read_with_gmime(raw):
    stream = GMime.StreamMem.new_with_buffer(raw)
    message = GMime.Parser.new_with_stream(stream).construct_message(None)
    view = {"subject": message.get_subject(), "text": None, "html": None, "attachments": []}
    for key, getter in (("from", message.get_from), ("to", message.get_to),
                        ("cc", message.get_cc), ("reply_to", message.get_reply_to)):
        view[key] = _gmime_addresses(getter())
    walk = GMime.PartIter.new(message.get_mime_part())
    while walk.is_valid():
        leaf = walk.get_current()
        if isinstance(leaf, GMime.Part):
            _gmime_leaf(leaf, view)
        if not walk.next():
            break
    headers = message.get_header_list()
    fields = [headers.get_header_at(i) for i in range(headers.get_count())]
    view["headers"] = {field.get_name().lower(): field.get_value() for field in fields
                       if field.get_name().startswith("X-")}
    return view


def _gmime_addresses(addresses):
    if addresses is None:
        return []
    found = [addresses.get_address(i) for i in range(addresses.length())]
    return [[a.get_name() or "", a.get_idn_addr()] for a in found]


def _gmime_leaf(leaf, view):
    kind = leaf.get_content_type().get_mime_type().lower()
    disposition = leaf.get_disposition()
    content = _gmime_content(leaf)
    if disposition is None and kind in ("text/plain", "text/html"):
        view[kind[5:].replace("plain", "text")] = body_text(content.decode("utf-8"))
    else:
        view["attachments"].append(part(leaf.get_filename(), kind, disposition,
                                        leaf.get_content_id(), content))


def _gmime_content(leaf):
    wrapper = leaf.get_content()
    if wrapper is None:
        return b""
    out = GMime.StreamMem.new()
    out.set_owner(False)
    wrapper.write_to_stream(out)
    return bytes(out.get_byte_array())


# --- mailparser ---

def read_with_mailparser(directory):
    """Reads every .eml of a directory in one Node process: {file's stem: view}."""
    script = Path(__file__).with_name("mailparser.js")
    done = subprocess.run(["node", script, directory], check=True, capture_output=True,
                          env={"NODE_PATH": str(TOOLS / "node" / "node_modules"),
                               "PATH": "/usr/local/bin:/usr/bin:/bin"})
    views = json.loads(done.stdout)
    for view in views.values():
        for body in ("text", "html"):
            view[body] = view[body] and body_text(view[body])
        for key in _ADDRESSES:  # it shows domains as people write them
            view[key] = [[name, _a_labels(address)] for name, address in view[key]]
    return views


def _a_labels(address):
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"
