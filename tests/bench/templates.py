"""How fast the template engine is, beside mustache.js: one mail, the same in both."""

import json
import os

from tests.bench.build import call
from tests.bench.procs import OUT, ROOT, Trouble

ITEMS = 12
STYLE = "font-family: system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; font-size: 15px; line-height: 1.5; color: #1f2328"
CELL = "padding: 8px 12px; border-bottom: 1px solid #d0d7de; vertical-align: top; word-break: break-word"


def source():
    """An order's mail: about 60 tags, sections, one column of tables with styles in place, as mail clients want it."""
    fields = "".join(f"""      <tr>
        <th align="left" style="{CELL}">{{{{labels.field_{i}}}}}</th>
        <td style="{CELL}">{{{{order.field_{i}}}}}</td>
      </tr>
""" for i in range(20))
    return f"""<!doctype html>
<html lang="{{{{lang}}}}">
<head><meta charset="utf-8"><title>{{{{subject}}}}</title></head>
<body style="margin: 0; padding: 24px; background: #f6f8fa; {STYLE}">
  <h1 style="font-size: 20px">{{{{greeting}}}}, {{{{customer.name}}}}</h1>
  {{{{#paid}}}}
  <p style="color: #1a7f37">Paid with {{{{payment.method}}}} on {{{{payment.date}}}}</p>
  {{{{/paid}}}}
  {{{{^paid}}}}
  <p style="color: #cf222e">Not paid yet: <a href="{{{{payment.url}}}}">pay {{{{total}}}}</a></p>
  {{{{/paid}}}}
  <table role="presentation" width="100%" cellspacing="0" cellpadding="0">
{fields}    {{{{#items}}}}
    <tr>
      <td style="{CELL}"><a href="{{{{url}}}}">{{{{title}}}}</a><br>{{{{{{note}}}}}}</td>
      <td align="right" style="{CELL}">{{{{count}}}} × {{{{price}}}} {{{{currency}}}}</td>
    </tr>
    {{{{/items}}}}
  </table>
  {{{{! what only some have }}}}
  {{{{#coupon}}}}<p>Coupon {{{{code}}}}: {{{{value}}}}</p>{{{{/coupon}}}}
  <p style="font-size: 12px">{{{{company.name}}}}, {{{{company.street}}}}, {{{{company.city}}}}</p>
</body>
</html>
"""


def data():
    """What it shows; some of it has what HTML escapes."""
    fields = {f"field_{i}": f"Value {i} of \"this & that\" <{i}>" for i in range(20)}
    items = [{"url": f"https://shop.example/p/{i}?a=1&b=2", "title": f"Boots & shoes, size {38 + i}", "count": i + 1,
              "note": "<i>brown</i>", "price": 19.5 + i} for i in range(ITEMS)]
    return {"lang": "en", "subject": "Your order", "greeting": "Hello", "customer": {"name": "Zoë O'Neil"},
            "paid": True, "payment": {"method": "card", "date": "2026-01-02", "url": "https://pay.example/"},
            "total": "100.00", "labels": {k: k.replace("_", " ") for k in fields}, "order": fields, "items": items,
            "currency": "EUR", "coupon": False,
            "company": {"name": "Example & Sons", "street": "1 Main Street", "city": "Springfield"}}


def rate(argv):
    """Octets of a rendering, and MB/s."""
    octets, mb = call(argv, ROOT).split()
    return int(octets), float(mb)


def template(_chosen, progress):
    """The part of the table."""
    progress("rendering a template")
    mustache, values = OUT / "mail.mustache", OUT / "mail.json"
    mustache.write_text(source(), encoding="utf-8")
    values.write_text(json.dumps(data()), encoding="utf-8")
    build = ROOT / os.environ.get("BUILD", "build")
    program = build / "tests" / "bench" / "template"
    call(["make", "-s", f"BUILD={build.relative_to(ROOT)}", program.relative_to(ROOT)], ROOT)
    ours, theirs = rate([program, mustache, values]), rate(["node", OUT / "node" / "template.js", mustache, values])
    # ' is &#39; in both, but mustache.js also escapes / ` and =
    if not 0.9 < ours[0] / theirs[0] <= 1:
        raise Trouble(f"the template's renderings have {ours[0]} and {theirs[0]} octets")
    rows = [{"title": "Postern", "cells": [ours[1], ours[0] / 1000, "1×"]},
            {"title": "mustache.js", "cells": [theirs[1], theirs[0] / 1000, f"{ours[1] / theirs[1]:.1f}×"]}]
    return {"key": "template", "title": "A template rendered", "rows": rows,
            "columns": ["MB/s of CPU", "KB", "ours faster"]}
