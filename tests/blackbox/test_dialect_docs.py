"""docs/dialects*.md list every member that a dialect's tables know, and say of each what the program does.

A table of dialect/NAME.c (an array of dialect_member) has its like in one of them, below a line that names it:

    <!-- dialect/sendgrid_read.c: mail_members -->

Its rows are "| `member` | honoured, ignored or refused | … |"; of those that are ignored or refused the last cell is the
table's own note.
"""

import re

import pytest

from .places import REPO

WORDS = {"DIALECT_COPY": "honoured", "DIALECT_READ": "honoured", "DIALECT_ELSEWHERE": "honoured",
         "DIALECT_IGNORE": "ignored", "DIALECT_REFUSE": "refused"}
FIELDS = ["name", "use", "to", "read", "note"]
_TABLE = re.compile(r"dialect_member (\w+)\[\] = \{\n(.*?)\n\};", re.S)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{},=]|\.?\w+')


def _unquoted(tokens, defined):
    """The text of adjacent string literals; None of what is none."""
    parts = [defined.get(token, token) for token in tokens]
    if not parts or not all(part.startswith('"') for part in parts):
        return None
    return "".join(part[1:-1] for part in parts).replace('\\"', '"').replace("\\\\", "\\")


def _row(tokens):
    """The fields of an initializer, in order or by their names: {field: tokens}."""
    fields, at = {}, 0
    found = []
    for token in [*tokens, ","]:
        if token != ",":
            found.append(token)
            continue
        if "=" in found:
            at = FIELDS.index(found[0].lstrip("."))
            found = found[found.index("=") + 1:]
        if found:
            fields[FIELDS[at]] = found
            at += 1
        found = []
    return fields


def _rows(text, defined):
    """[(name, word, note)] of a table's text."""
    inside = None
    for token in _TOKEN.findall(text):
        if token == "{":
            inside = []
        elif token == "}":
            fields = _row(inside)
            if fields["name"] != ["NULL"]:
                yield (_unquoted(fields["name"], defined), WORDS[fields["use"][0]],
                       _unquoted(fields.get("note", []), defined))
        else:
            inside.append(token)


def _tables():
    """{"dialect/sendgrid_read.c: mail_members": [(name, word, note)]}"""
    for source in sorted((REPO / "dialect").glob("*.c")):
        text = re.sub(r"/\*.*?\*/", "", source.read_text(), flags=re.S).replace("\\\n", " ")
        defined = dict(re.findall(r'^#define (\w+)\s+("(?:[^"\\]|\\.)*")\s*$', text, re.M))
        rows = dict(re.findall(r"^#define (\w+)\s+(\{.*\})\s*$", text, re.M))
        for name, body in _TABLE.findall(text):
            for word, shared in rows.items():
                body = re.sub(rf"^ *{word},$", lambda _, shared=shared: shared, body, flags=re.M)
            yield f"dialect/{source.name}: {name}", list(_rows(body, defined))


TABLES = dict(_tables())


def _documented():
    """The same of the documents."""
    found, name = {}, None
    documents = sorted((REPO / "docs").glob("dialects*.md"))
    for line in (line for document in documents for line in document.read_text().splitlines()):
        mark = re.fullmatch(r"<!-- (dialect/.*) -->", line)
        row = re.fullmatch(r"\| `([^`]+)` \| (\w+) \| ?(.*) ?\|", line)
        if mark:
            name = mark[1]
            assert name not in found, f"{name} is there twice"
            found[name] = []
        elif row and name:
            found[name].append((row[1], row[2], row[3].strip().replace("`", "")))
        elif line.startswith("#"):
            name = None
    return found


def test_there_are_tables():
    assert "dialect/sendgrid_read.c: mail_members" in TABLES
    assert all(TABLES.values()), TABLES


def test_the_documents_know_no_other_tables():
    assert set(_documented()) <= set(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_the_documents_say_what_the_program_does(table):
    documented = _documented().get(table)
    assert documented is not None, f"docs/dialects*.md have no table of {table}"
    assert [(name, word) for name, word, _ in documented] == [(name, word) for name, word, _ in TABLES[table]]
    for (name, word, note), (_, _, said) in zip(TABLES[table], documented, strict=True):
        if word == "honoured":
            continue
        assert note, f"{name} of {table} has no note"
        assert said == note.replace("`", ""), f"{name} of {table}"
