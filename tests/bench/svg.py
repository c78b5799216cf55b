"""Draws the scenes as bars: python3 -m tests.bench.svg build/bench.json docs/bench.svg"""

import json
import pathlib
import sys
from xml.sax.saxutils import escape

from tests.bench.table import number

# Scene, figure, title, whether more is better.
PANELS = [
    ("3KB", "mails_per_s", "3 KB HTML mail: mails per second", True),
    ("3KB", "cpu_us", "3 KB HTML mail: CPU µs per mail", False),
    ("3KB-tls", "cpu_us", "Over TLS, sessions reused: CPU µs per mail", False),
    ("3KB-tls-new", "cpu_us", "TLS and login for each mail: CPU µs per mail", False),
    ("3KB-far", "mails_per_s", "Relay 50 ms away, pools of 8: mails per second", True),
    ("5to", "cpu_us", "3 KB to 5 recipients: CPU µs per mail", False),
    ("100KB", "cpu_us", "100 KB attachment: CPU µs per mail", False),
    ("25MB", "mails_per_s", "25 MB attachment: mails per second", True),
    ("25MB", "cpu_us", "25 MB attachment: CPU µs per mail", False),
    ("25MB", "peak_mb", "25 MB attachment, 2 clients: peak memory, MB", False),
]
# Part, number of the column, title, whether more is better; a row without that figure has no bar.
PART_PANELS = [("dkim", 1, "3 KB HTML mail signed with DKIM: CPU µs per mail", False)]
COLUMNS, PANEL_WIDTH, GAP, MARGIN = 2, 460, 30, 24
NAMES, BARS, BAR, STEP, HEAD, TOP = 178, 210, 15, 22, 34, 62
OURS, SERVER, FLOOR, INK, FAINT = "#c2410c", "#64748b", "#cbd5e1", "#1e293b", "#64748b"
STYLE = "font-family:system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"


def text(x, y, content, size=12, fill=INK, extra=""):
    """One line of text."""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}"{extra}>{escape(content)}</text>'


def colour(row):
    """Postern stands out; what has no HTTP to do is paler than what has."""
    if row["peer"] == "postern":
        return OURS
    return SERVER if row["server"] else FLOOR


def bar(row, value, most, y):
    """Name, bar, figure."""
    width = max(1, BARS * value / most)
    bold = ' font-weight="600"' if row["peer"] == "postern" else ""
    name = row["title"].replace(" net/http + net/smtp, pool", ", pool of sessions").replace("Node.js ", "")
    return [text(NAMES - 8, y + 12, name, 12, INK, f' text-anchor="end"{bold}'),
            f'<rect x="{NAMES}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" fill="{colour(row)}"/>',
            text(NAMES + width + 6, y + 12, number(value), 12, INK, bold)]


def panel(scene, key, title, more):
    """One figure of one scene: its lines, its height."""
    rows = [r for r in scene["rows"] if r.get(key) is not None]
    most = max(r[key] for r in rows)
    lines = [text(0, 12, title, 13, INK, ' font-weight="600"'),
             text(PANEL_WIDTH, 12, "more is better" if more else "less is better", 10, FAINT, ' text-anchor="end"')]
    for number_, row in enumerate(rows):
        lines += bar(row, row[key], most, HEAD - 8 + number_ * STEP)
    return lines, HEAD + len(rows) * STEP


def panels(results):
    """Those whose scene was measured."""
    scenes = {s["key"]: s for s in results["scenes"]}
    parts = {p["key"]: p for p in results.get("parts", [])}
    return ([panel(scenes[scene], *rest) for scene, *rest in PANELS if scene in scenes]
            + [panel(rows_of(parts[part], column), column, *rest) for part, column, *rest in PART_PANELS if part in parts])


def rows_of(part, column):
    """A part, of which all rows are Postern's, as a scene."""
    return {"rows": [{"peer": "postern", "title": row["title"], column: row["cells"][column]} for row in part["rows"]]}


def place(drawn):
    """Puts panels in rows; gives the lines and the height of all."""
    lines, y = [], TOP
    for begin in range(0, len(drawn), COLUMNS):
        line = drawn[begin:begin + COLUMNS]
        for column, (content, _) in enumerate(line):
            x = MARGIN + column * (PANEL_WIDTH + GAP)
            lines += [f'<g transform="translate({x},{y})">', *content, "</g>"]
        y += max(height for _, height in line) + 14
    return lines, y


def draw(results):
    """The picture."""
    lines, height = place(panels(results))
    width = 2 * MARGIN + COLUMNS * PANEL_WIDTH + (COLUMNS - 1) * GAP
    machine = results["machine"]
    about = (f"{machine['cpu']}, {machine['cores']} cores for everything: clients, gateway and relay. "
             f"Median of {results['rounds']} interleaved rounds. make bench")
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'style="{STYLE}" role="img" aria-label="Postern beside its peers">',
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        text(MARGIN, 30, "Postern beside its peers", 18, INK, ' font-weight="700"'),
        text(MARGIN, 48, about, 11, FAINT), *lines, "</svg>", ""])


if __name__ == "__main__":
    pathlib.Path(sys.argv[2]).write_text(draw(json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))),
                                         encoding="utf-8")
