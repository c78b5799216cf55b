"""A table of messages, and what every reader must find in them."""

import base64
import hashlib

from .postern import mail
from .readers import body_text

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
                       "awAAAABJRU5ErkJggg==")
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def attachment(filename=None, content=b"", **members):
    document = {"filename": filename, "content": base64.b64encode(content).decode()} | members
    return {name: value for name, value in document.items() if value is not None}


BIG = bytes(range(256)) * 4096 * 25

CASES = {
    "plain": mail(text="Thank you.\n"),
    "html only": mail(text=None, html="<p>Thank <b>you</b></p>"),
    "both": mail(html="<p>Thank you</p>"),
    "chinese": mail(**{"from": "小店 <shop@postern.test>"}, to="李雷 <li@postern.test>",
                    subject="您的订单已经发货，请注意查收。" * 3, text="谢谢您的订单。\n祝好\n",
                    html="<p>谢谢您的订单。</p>"),
    "emoji": mail(to={"email": "li@postern.test", "name": "👩‍👩‍👧‍👦 Family 🏳️‍🌈"},
                  subject="🎉" * 40, text="👍🏽 done\n"),
    "right to left": mail(**{"from": "חנות <shop@postern.test>"}, subject="שלום עולם ومرحبا بالعالم",
                          text="مرحبا\nשלום\n", to="محمد علي <m@postern.test>"),
    "long words": mail(subject="x" * 300, text="x" * 998 + "\n" + "y" * 5000 + "\n"),
    "lines of 998": mail(text=("z" * 998 + "\n") * 5),
    "dots": mail(text=".\n..\n...\n.dot\n\n.\n", html=".<br>\n.\n..\n"),
    "from lines": mail(text="From here\n>From there\nFrom \n"),
    "blanks at line ends": mail(text="two  \ntab\t\n \n-- \nsignature\n"),
    "equals signs": mail(text="=3D =\n=\nnot=20encoded =?utf-8?q?x?=\n"),
    "line ends": mail(text="unix\nwindows\r\nboth\n\r\nend"),
    "no end of line": mail(text="no end"),
    "empty text": mail(text=""),
    "empty html and text": mail(text="", html=""),
    "boundary in the text": mail(text="--=_\n--=_postern--\n", html="<p>--=_</p>"),
    "quoted names": mail(**{"from": {"email": "shop@postern.test", "name": 'Shop, "The" \\ Best'}},
                         to=[{"email": "a@postern.test", "name": "O'Neil (Sales) <x>"},
                             '"Doe, Jane" <j@postern.test>', "plain@postern.test",
                             {"email": "dots@postern.test", "name": "J. R. R. Tolkien"}]),
    "name looks encoded": mail(to={"email": "a@postern.test", "name": "=?utf-8?q?spoof?="}),
    "long names": mail(to=[{"email": f"r{i}@postern.test", "name": f"收件人 {i} " + "长" * 30}
                           for i in range(20)]),
    "reply_to and cc": mail(cc=["c1@postern.test", "抄送 <c2@postern.test>"],
                            reply_to="Help <help@postern.test>"),
    "bcc": mail(bcc="hidden@postern.test"),
    "idn": mail(to="x@bücher.example"),
    "long subject": mail(subject=" ".join(["A rather long subject that has to be folded"] * 8)),
    "subject with blanks": mail(subject="two  blanks   inside"),
    "subject looks encoded": mail(subject="=?utf-8?b?c3Bvb2Y=?= really"),
    "no subject": mail(subject=None),
    "own headers": mail(headers={"X-Order": "1234", "X-Name": "张三 ordered",
                                 "X-Long": "word " * 60 + "end"}),
    "chinese attachment": mail(html="<p>x</p>", attachments=[attachment("简历.pdf", PDF)]),
    "names of files": mail(attachments=[
        attachment("plain.txt", b"text\n"), attachment("two words.pdf", PDF),
        attachment('quo"te\\slash.pdf', PDF), attachment("é'%*;=.pdf", PDF),
        attachment("📎.png", PNG), attachment("很长的文件名" * 20 + ".pdf", PDF),
        attachment("long-" * 30 + ".pdf", PDF)]),
    "no name": mail(attachments=[attachment(None, PDF, content_type="application/pdf")]),
    "empty attachment": mail(attachments=[attachment("empty.txt", b"", content_type="text/plain")]),
    "one byte": mail(attachments=[attachment("one.bin", b"\0")]),
    "text attachments": mail(text="body\n", html="<p>body</p>", attachments=[
        attachment("a.txt", "ä\r\nb\n".encode(), content_type="text/plain; charset=utf-8"),
        attachment("b.html", b"<p>not the body</p>", content_type="text/html")]),
    "url-safe base64": mail(attachments=[
        {"filename": "u.bin", "content": base64.urlsafe_b64encode(bytes(range(256))).decode()}]),
    "base64 without padding": mail(attachments=[{"filename": "p.bin", "content": "AAECAw"}]),
    "base64 in lines": mail(attachments=[
        {"filename": "l.bin", "content": base64.encodebytes(bytes(range(256))).decode()}]),
    "inline image": mail(html='<p>Logo: <img src="cid:logo@x"></p>', attachments=[
        attachment("logo.png", PNG, content_type="image/png", content_id="logo@x",
                   disposition="inline")]),
    "inline image, attachment and text": mail(
        html='<img src="cid:logo">', attachments=[
            attachment("logo.png", PNG, content_id="logo", disposition="inline"),
            attachment("简历.pdf", PDF)]),
    "20 attachments": mail(attachments=[attachment(f"文件 {i}.bin", bytes([i]) * i * 100)
                                        for i in range(20)]),
    "25 megabytes": mail(attachments=[attachment("big.bin", BIG)]),
}

# Types that the program is to know by a file name's ending.
_TYPES = {"pdf": "application/pdf", "png": "image/png", "txt": "text/plain", "html": "text/html",
          "bin": "application/octet-stream"}


def expected(document):
    """The view (see readers.py) of the message that a request asks for. A text that the program
    makes from the HTML is not looked at here: view["text"] is then None."""
    return {
        "subject": document.get("subject"),
        **{key: [_mailbox(m) for m in _listed(document.get(key))]
           for key in ("from", "to", "cc", "reply_to")},
        **{key: body_text(document[key]) if key in document else None for key in ("text", "html")},
        "attachments": [_part(a) for a in document.get("attachments", ())],
        "headers": {name.lower(): value for name, value in document.get("headers", {}).items()},
    }


def _listed(value):
    return [] if value is None else value if isinstance(value, list) else [value]


def _mailbox(value):
    if isinstance(value, dict):
        name, address = value["name"], value["email"]
    else:
        name, _, address = value.rpartition("<")
        name, address = name.strip().strip('"'), address.rstrip(">")
    return [name, address.replace("bücher", "xn--bcher-kva")]


def _part(given):
    content = given["content"].replace("\n", "").replace("-", "+").replace("_", "/")
    content = base64.b64decode(content + "=" * (-len(content) % 4))
    name = given.get("filename")
    guessed = _TYPES[name.rpartition(".")[2]] if name else None
    return {"filename": name, "type": given.get("content_type", guessed).partition(";")[0],
            "disposition": given.get("disposition", "attachment"), "cid": given.get("content_id"),
            "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
