"""The built-in templates with each payload: their samples, the services' other shapes, and hostile ones."""

import copy
import functools
import json
import re
import subprocess

import pytest

from .places import BUILD, REPO, TOOLS
from .postern import WRAPPER

html5lib = pytest.importorskip("html5lib")

TEMPLATES = REPO / "templates"
PAYLOADS = REPO / "tests" / "blackbox" / "payloads"
NAMES = sorted(p.name for p in TEMPLATES.iterdir() if p.is_dir())
# What GitHub documents, and what was received of it (@octokit/webhooks-examples of npm).
DOCUMENTED = TOOLS / "senders/node_modules/@octokit/webhooks-examples/api.github.com/index.json"
CLIPPED = 102 * 1024  # Gmail shows no more of a mail's HTML
KEPT = {"status", "action", "conclusion", "state", "object_kind", "type", "color", "level", "ref", "currency"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{#alerts}}\r\nBcc: victim@example.com\r\n"
TAGS = {"html", "head", "meta", "title", "style", "body", "div", "table", "tbody", "tr", "td", "span", "strong", "h1",
        "h2", "p", "a", "br"}


def payload(path):
    return json.loads(path.read_text())


def cases():
    for name in NAMES:
        yield name, "sample", payload(TEMPLATES / name / "sample.json")
        for path in sorted((PAYLOADS / name).glob("*.json")):
            yield name, path.stem, payload(path)


def documented():
    events = payload(DOCUMENTED) if DOCUMENTED.is_file() else []
    for event in events:
        for number, example in enumerate(event["examples"]):
            if f"github-{event['name']}" in NAMES:
                yield f"github-{event['name']}", f"documented-{number}", example


def changed(value, change, key=""):
    """The same shape with other strings; those that choose what a template shows stay."""
    if isinstance(value, dict):
        return {k: v if k == "postern" else changed(v, change, k) for k, v in value.items()}
    if isinstance(value, list):
        return [changed(v, change, key) for v in value]
    return change(value) if isinstance(value, str) and key not in KEPT else value


def without_strings(value):
    if isinstance(value, dict):
        return {k: without_strings(v) for k, v in value.items()}
    return [without_strings(v) for v in value] if isinstance(value, list) else None


def many(value):
    """Every list a hundred times."""
    if isinstance(value, dict):
        return {k: many(v) for k, v in value.items()}
    return [copy.deepcopy(many(v)) for _ in range(100) for v in value[:2]] if isinstance(value, list) else value


def much(value, items=40):
    """Long lists of long texts."""
    if isinstance(value, dict):
        return {k: much(v, items) for k, v in value.items()}
    return [much(v, 4) for _ in range(items) for v in value[:2]] if isinstance(value, list) else value


LOOKED_AT = {name for path in TEMPLATES.rglob("*.mustache")
             for name in re.findall(r"\w+_(?:url|mrkdwn)\b", path.read_text())}
FORGED = {name: "javascript:alert(1)" if name.endswith("_url") else
          [{"spans": [{"text": "x", "url": "javascript:alert(1)"}]}] for name in sorted(LOOKED_AT)}


def forged(value):
    """With links everywhere that nobody has looked at, under the names of those that somebody has."""
    if isinstance(value, dict):
        return {k: forged(v) for k, v in value.items()} | FORGED
    return [forged(v) for v in value] if isinstance(value, list) else value


def variations():
    for name in NAMES:
        sample = payload(TEMPLATES / name / "sample.json")
        yield name, "of nothing", {}
        yield name, "of null", without_strings(sample)
        yield name, "of long words", changed(sample, lambda s: s if s.startswith("http") else s + "W" * 20000)
        yield name, "of long lines", changed(sample, lambda s: s if s.startswith("http") else s + " of words\n" * 5000)
        yield name, "of many", many(sample) if name != "slack" else sample
        yield name, "of much", changed(much(sample), lambda s: s if s.startswith("http") else s + " wordy" * 600)
        yield name, "hostile", changed(sample, lambda s: s + HOSTILE)
        yield name, "forged", forged(sample)
        yield name, "with hostile links", changed(sample, lambda s: re.sub(r"^https?:", "javascript:alert(1)//", s))
        yield name, "with forged members", {**sample, "externalURL": "x", "externalURL_url": "javascript:alert(1)",
                                            "compare": "x", "compare_url": "javascript:alert(1)"}


def rendered(all_of_them):
    cases_in = [{"template": name, "data": data} for name, _, data in all_of_them]
    done = subprocess.run([*WRAPPER, str(BUILD / "tests" / "template_render"), str(TEMPLATES)],
                          input=json.dumps(cases_in).encode(), capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr.decode()
    return [(f"{name} {kind}", data, mail)
            for (name, kind, data), mail in zip(all_of_them, json.loads(done.stdout))]


@pytest.fixture(scope="module")
def mails():
    return rendered([*cases(), *documented(), *variations()])


@functools.cache
def parsed(html):
    """html5lib's tree, and what it has against the document."""
    parser = html5lib.HTMLParser(tree=html5lib.treebuilders.getTreeBuilder("etree"), namespaceHTMLElements=False)
    return parser.parse(html), parser.errors


def test_each_has_all_its_files():
    for name in NAMES:
        files = {p.name for p in (TEMPLATES / name).iterdir()}
        assert files == {"subject.mustache", "html.mustache", "text.mustache", "sample.json", "prepare.json"}, name
    assert sorted(p.name for p in PAYLOADS.iterdir()) == NAMES


def test_nothing_is_unescaped_in_html():
    for path in TEMPLATES.rglob("*.mustache"):
        assert not re.search(r"\{\{(\{|&(?!#))", path.read_text()), path


def test_subjects_are_short_lines(mails):
    for what, _, mail in mails:
        assert mail["subject"].strip(), what
        assert len(mail["subject"]) <= 120, (what, mail["subject"])
        assert not re.search(r"[\r\n\0]", mail["subject"]), what


def test_html_is_well_formed(mails):
    for what, _, mail in mails:
        assert mail["html"].startswith("<!DOCTYPE html>\n"), what
        assert not parsed(mail["html"])[1], (what, parsed(mail["html"])[1][:3])


def test_html_is_never_clipped(mails):
    for what, _, mail in mails:
        assert len(mail["html"].encode()) < CLIPPED, (what, len(mail["html"].encode()))


def test_only_the_frames_own_elements_and_attributes_are_there(mails):
    """A payload's markup stays text: no script, no picture, no handler, no style of its own."""
    for what, _, mail in mails:
        for element in parsed(mail["html"])[0].iter():
            if isinstance(element.tag, str):
                assert element.tag in TAGS, (what, element.tag)
                assert not [a for a in element.attrib if a.startswith("on") or a == "src"], what
                if element.tag == "table":
                    assert element.get("role") == "presentation", what


def test_links_lead_to_the_web(mails):
    for what, _, mail in mails:
        for link in parsed(mail["html"])[0].iter("a"):
            assert re.match(r"https?://[^/]|mailto:", link.get("href")), (what, link.get("href"))
            assert "".join(link.itertext()).strip(), what


def test_missing_members_leave_no_traces(mails):
    for what, _, mail in mails:
        words = "".join(parsed(mail["html"])[0].itertext())
        for text in (words, mail["text"]):
            assert not re.search(r"\bnull\b", text), what
            assert "{{" not in text or "hostile" in what, what


def test_text_has_what_html_has(mails):
    for what, _, mail in mails:
        assert mail["text"].strip(), what
        assert not re.search(r"</?(?:td|div|span|p|br)\b", mail["text"]), what
        assert "\n--\nSent by Postern" in mail["text"], what
        assert "\n\n\n\n" not in mail["text"] or re.search("hostile|long lines|empty| of ", what), what
        links = {a.get("href") for a in parsed(mail["html"])[0].iter("a")}
        buttons = [a.get("href") for a in parsed(mail["html"])[0].iter("a") if "inline-block" in a.get("style", "")]
        assert all(b in mail["text"] for b in buttons), (what, links)


def test_samples_show_what_matters():
    mails = {what.split()[0]: mail for what, _, mail in rendered([c for c in cases() if c[1] == "sample"])}
    wanted = {
        "alertmanager": ("[FIRING] HighLatency: 2 alerts", "Requests to web-1 take 1.8 s", "severity = critical"),
        "grafana": ("[FIRING] High memory usage", "91 % of the memory", "value B = 91.239", "zone = us-1"),
        "github-push": ("acme/site: 3 commits on main by octocat", "Opening hours of the summer"),
        "github-pull_request": ("Pull request #12 opened: Contact form: remember", "octocat:keep-text"),
        "github-issues": ("Issue #7 opened: The map on the contact page", "Harbour Street 4"),
        "github-workflow_run": ("[failed] Tests on main (site)", "0d1a26e6"),
        "github-release": ("acme/ferry v2.4.0 published: Ferry 2.4", "ferry-2.4.0.tar.gz"),
        "gitlab-pipeline": ("[failed] acme/ferry: pipeline #1287 on winter-timetable", "script_failure"),
        "gitlab-merge_request": ("Merge request !41 opened: Timetable of the winter", "Ada Novak"),
        "stripe-invoice.paid": ("[PAID] 47.60 EUR from Tom Berg (ACME-0042)", "7.60 EUR"),
        "stripe-invoice.payment_failed": ("[PAYMENT FAILED] 47.60 EUR from Tom Berg", "2024-05-17 08:31 UTC"),
        "sentry": ("[alert] TypeError: Cannot read properties", "release = shop@4.12.0", "TypeError"),
        "slack": ("shop 4.12.1 is live, see run 812", "3 min 12 s"),
        "generic": ("bookings: booking.created", "One wheelchair."),
    }
    assert sorted(mails) == sorted(wanted)
    for name, (subject, *words) in wanted.items():
        assert mails[name]["subject"].startswith(subject), (name, mails[name]["subject"])
        shown = "".join(parsed(mails[name]["html"])[0].itertext())
        assert all(w in mails[name]["text"] and w in shown for w in words), name
        assert payload(TEMPLATES / name / "sample.json")["postern"]["hook"] in mails[name]["html"], name


def test_what_github_documents_is_shown():
    if not DOCUMENTED.is_file():
        pytest.skip("GitHub's examples aren't installed")
    mails = rendered([*documented()])
    assert len(mails) >= 80
    wanted = {"github-push": lambda d: [c["message"].split("\n")[0] for c in d["commits"][:3]],
              "github-pull_request": lambda d: [d["pull_request"]["title"], f"#{d['number']}"],
              "github-issues": lambda d: [d["issue"]["title"], f"#{d['issue']['number']}"],
              "github-workflow_run": lambda d: [d["workflow_run"]["name"], d["workflow_run"]["head_branch"]],
              "github-release": lambda d: [d["release"]["tag_name"]]}
    assert {what.split()[0] for what, _, _ in mails} == set(wanted)
    for what, data, mail in mails:
        words = [data["repository"]["full_name"], *wanted[what.split()[0]](data)]
        shown = " ".join("".join(parsed(mail["html"])[0].itertext()).split())
        for word in (" ".join(w.split()) for w in words):
            assert word in shown and word in " ".join(mail["text"].split()), (what, word)


def test_what_gitlab_and_stripe_document_is_shown():
    """Out of modules that have it as test data: GitLab's two webhooks, and Stripe's invoice in an event of each kind."""
    if not (TOOLS / "documented").is_dir():
        pytest.skip("what GitLab and Stripe document isn't installed (tests/deps.sh test)")
    gitlab = {name: payload(TOOLS / "documented" / f"{name}.json") for name in ("pipeline", "merge_request")}
    resources = payload(TOOLS / "documented" / "fixtures3.json")["resources"]
    stripe = {name: resources["event"] | {"type": name, "data": {"object": resources["invoice"]}}
              for name in ("invoice.paid", "invoice.payment_failed")}
    mails = rendered([*((f"gitlab-{name}", "documented", data) for name, data in gitlab.items()),
                      *((f"stripe-{name}", "documented", data) for name, data in stripe.items())])
    wanted = {"gitlab-pipeline": [gitlab["pipeline"]["project"]["path_with_namespace"], str(gitlab["pipeline"]["object_attributes"]["id"])],
              "gitlab-merge_request": [gitlab["merge_request"]["object_attributes"]["title"], f"!{gitlab['merge_request']['object_attributes']['iid']}"],
              "stripe-invoice.paid": ["10.00", "USD"], "stripe-invoice.payment_failed": ["10.00", "USD"]}
    assert len(mails) == 4
    for what, _, mail in mails:
        shown = " ".join("".join(parsed(mail["html"])[0].itertext()).split())
        for word in wanted[what.split()[0]]:
            assert word in shown and word in " ".join(mail["text"].split()), (what, word, shown)


def test_states_have_their_colours():
    wanted = {("alertmanager", "sample"): "#b42318", ("alertmanager", "resolved"): "#067647",
              ("grafana", "resolved"): "#067647", ("github-pull_request", "merged"): "#6941c6",
              ("github-pull_request", "closed"): "#b42318", ("github-workflow_run", "success"): "#067647",
              ("github-workflow_run", "timed-out"): "#b42318", ("gitlab-pipeline", "success"): "#067647",
              ("sentry", "message"): "#b54708", ("sentry", "metric-resolved"): "#067647"}
    for what, _, mail in rendered([c for c in cases() if c[:2] in wanted]):
        bar = re.search(r'<td bgcolor="(#[0-9a-f]{6})" height="5"', mail["html"])
        assert bar and bar[1] == wanted[tuple(what.split())], what


def contrast(one, other):
    def light(colour):
        parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    bright, dark = sorted((light(one), light(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_every_text_has_contrast():
    """WCAG AA, 4.5: on the card, in a box and on the page, by day and by night."""
    frame = (TEMPLATES / "layout.mustache").read_text()
    night = dict(re.findall(r"\.(\w+) \{(?:color|background): (#[0-9a-f]{6})", frame))
    backgrounds = [night["page"], night["card"], night["box"]]
    for name in ("ink", "soft", "quiet", "link", "good", "bad"):
        assert min(contrast(night[name], b) for b in backgrounds) >= 4.5, name
    sources = "".join(p.read_text() for p in TEMPLATES.rglob("*.mustache"))
    for colour in set(re.findall(r"[;\"]color:(#[0-9a-f]{6})", sources)) - {"#ffffff"}:
        assert min(contrast(colour, b) for b in ("#ffffff", "#f7f8fa", "#f2f4f7")) >= 4.5, colour
    for path in TEMPLATES.glob("*-colour.mustache"):
        for accent in set(re.findall(r"#[0-9a-f]{6}", path.read_text())) - {"#98a2b3"}:
            assert contrast(accent, "#ffffff") >= 4.5, (path, accent)
