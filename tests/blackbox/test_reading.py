"""Composed mail, read back by three parsers that aren't ours."""

import re

import pytest

from . import places
from .cases import CASES, expected
from .readers import read_with_gmime, read_with_mailparser, read_with_python


@pytest.fixture(scope="module")
def composed(bare):
    """{case: bytes}, composed once."""
    messages = {}
    for name, document in CASES.items():
        answer = bare.post("/v1/compose", document)
        assert (answer.status, answer.type) == (200, "message/rfc822"), (name, answer)
        messages[name] = answer.body
    return messages


@pytest.fixture(scope="module")
def by_mailparser(composed):
    directory = places.scratch("eml")
    stems = {name: re.sub(r"\W+", "_", name) for name in composed}
    for name, message in composed.items():
        (directory / f"{stems[name]}.eml").write_bytes(message)
    views = read_with_mailparser(directory)
    return {name: views[stem] for name, stem in stems.items()}


def assert_same(found, document):
    wanted = expected(document)
    if "text" not in document:  # then one was made from the HTML
        assert found["text"]
        found = found | {"text": None}
    # A part without octets and a missing one are the same to some readers.
    for body in ("text", "html"):
        found, wanted = found | {body: found[body] or None}, wanted | {body: wanted[body] or None}
    assert found == wanted


each_case = pytest.mark.parametrize("case", CASES)


@each_case
def test_python_reads_what_was_asked_for(composed, case):
    assert_same(read_with_python(composed[case]), CASES[case])


@each_case
def test_gmime_reads_what_was_asked_for(composed, case):
    assert_same(read_with_gmime(composed[case]), CASES[case])


@each_case
def test_mailparser_reads_what_was_asked_for(by_mailparser, case):
    assert_same(by_mailparser[case], CASES[case])


@each_case
def test_every_line_is_as_the_standards_want_it(composed, case):
    message = composed[case]
    assert message.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", message), "a bare CR or LF, or a NUL"
    lines = message.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    header, body = message.split(b"\r\n\r\n", 1)
    assert max(map(len, body.split(b"\r\n"))) <= 78
    assert message.isascii()
    names = [line.partition(b":")[0].lower() for line in header.split(b"\r\n")
             if line[:1] not in b" \t"]
    once = [b"date", b"from", b"to", b"cc", b"reply-to", b"message-id", b"subject", b"mime-version",
            b"content-type", b"content-transfer-encoding"]
    assert all(names.count(name) <= 1 for name in once)
    assert {b"date", b"from", b"to", b"message-id", b"mime-version"} <= set(names)
    assert b"bcc" not in names and b"hidden@" not in message


@each_case
def test_header_lines_are_folded_at_78_where_they_can_be(composed, case):
    header = composed[case].split(b"\r\n\r\n", 1)[0]
    for line in header.split(b"\r\n"):
        assert len(line) <= 78 or b" " not in line.strip().partition(b": ")[2], line


def structure(message):
    """The tree of types: ("multipart/mixed", [...])."""
    kind = message.get_content_type()
    return (kind, [structure(p) for p in message.iter_parts()]) if message.is_multipart() else kind


@pytest.mark.parametrize("case, tree", {
    "plain": "text/plain",
    "both": ("multipart/alternative", ["text/plain", "text/html"]),
    "html only": ("multipart/alternative", ["text/plain", "text/html"]),
    "no name": ("multipart/mixed", ["text/plain", "application/pdf"]),
    "chinese attachment": ("multipart/mixed", [
        ("multipart/alternative", ["text/plain", "text/html"]), "application/pdf"]),
    "inline image, attachment and text": ("multipart/mixed", [
        ("multipart/related", [("multipart/alternative", ["text/plain", "text/html"]),
                               "image/png"]), "application/pdf"]),
}.items())
def test_there_is_no_level_that_is_not_needed(composed, case, tree):
    import email
    import email.policy
    message = email.message_from_bytes(composed[case], policy=email.policy.default)
    assert structure(message) == tree


def test_a_file_name_has_the_extended_form_and_a_fallback(composed):
    message = composed["chinese attachment"]
    assert b"filename*=" in message
    assert re.search(rb'filename="=\?utf-8\?[bq]\?', message, re.IGNORECASE)


def test_the_text_is_made_from_the_html(bare):
    html = ('<h1>Order</h1><p>Dear <b>Li</b>,<br>see <a href="https://x.test/o">your order</a>.</p>'
            "<ul><li>one</li><li>two</li></ul><table><tr><td>a</td><td>b</td></tr></table>"
            "<script>evil()</script><style>p{}</style>")
    document = CASES["html only"] | {"html": html}
    text = read_with_python(bare.post("/v1/compose", document).body)["text"]
    for wanted in ("Order", "Dear Li,\nsee your order <https://x.test/o>.", "- one\n- two", "a | b"):
        assert wanted in text
    assert "evil" not in text and "p{}" not in text
