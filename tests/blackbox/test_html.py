"""mime/html against html5lib's tokenizer, and its named references against Python's.

What is compared is what the standard says; where html5lib keeps an older one, it is said at the case.
"""

import html.entities
import json
import random
import subprocess

import pytest

from .places import BUILD
from .postern import WRAPPER

html5lib = pytest.importorskip("html5lib")
from html5lib._tokenizer import HTMLTokenizer  # noqa: E402
from html5lib.constants import tokenTypes  # noqa: E402

PROGRAM = BUILD / "tests" / "html_tokens"
KINDS = {number: name for name, number in tokenTypes.items()}
CONTENT = {"title": "rcdataState", "textarea": "rcdataState", "script": "scriptDataState",
           "plaintext": "plaintextState"} | dict.fromkeys(
               ("style", "xmp", "iframe", "noembed", "noframes"), "rawtextState")


def read(documents):
    """Each document's tokens (in the form that expected() gives) and its text."""
    done = subprocess.run([*WRAPPER, str(PROGRAM)], input=json.dumps(documents).encode(),
                          capture_output=True, check=True, timeout=600)
    return [(joined(map(own, tokens)), text) for tokens, text in json.loads(done.stdout)]


def own(token):
    if token[0] == "start":
        attributes = {}
        for name, value in token[2]:
            attributes.setdefault(name, value)
        return ["start", token[1], attributes, token[3]]
    return token


def joined(tokens):
    """Neighbouring texts as one."""
    result = []
    for token in tokens:
        if token[0] == "text" and result and result[-1][0] == "text":
            result[-1] = ["text", result[-1][1] + token[1]]
        elif token != ["text", ""]:
            result.append(token)
    return result


def expected(document):
    tokenizer = HTMLTokenizer(document)
    result = []
    for token in tokenizer:
        kind = KINDS[token["type"]]
        if kind in ("Characters", "SpaceCharacters"):
            result.append(["text", token["data"]])
        elif kind in ("StartTag", "EmptyTag"):
            pairs = token["data"]
            attributes = {}
            for name, value in (pairs.items() if isinstance(pairs, dict) else pairs):
                attributes.setdefault(name, value)
            result.append(["start", token["name"].lower(), attributes, token["selfClosing"]])
            if token["name"].lower() in CONTENT:
                tokenizer.state = getattr(tokenizer, CONTENT[token["name"].lower()])
        elif kind == "EndTag":
            result.append(["end", token["name"].lower()])
        elif kind == "Comment":
            result.append(["comment", token["data"]])
        elif kind == "Doctype":
            result.append(["doctype"])
    return joined(result)


NASTY = [
    "", "text", "a<b", "a < b", "<", "a<", "</", "<!", "<!-", "<?", "</>", "a</>b", "<>", "</ a>b", "<3 <- <=",
    "<a", "<a ", "<a b", "<a b=", "<a b='", "<a b=\"c", "<a b=c", "</a", "</a b", "x<a", "<a/", "<p></p",
    "<a>", "<A HREF=X>", "<a b>", "<a b=c d='e' f=\"g\" h>", "<a b = c>", "<a b='c'd=\"e\"f>", "<a b=c/>",
    "<a/>", "<a />", "<a / >", "<a/b>", "<a /b=c/ d>", "<br/>", "<a =b>", "<a ==b>", "<a b==c>", "<a b=>", "<a b=/>",
    "<a b='/'>", "<a \"b>c", "<a b\"c='d'>", "<a b=c\"d'e<f`g>", "<a b b=2 B=3 c>", "<a\nb\tc\fd\re>", "<a\0b c\0d=e\0f>",
    "<a b='1\r\n2\r3\n4'>", "<a b='&amp;&lt&gt;'>", "<a b='?x=1&copy=2&copy;&copy'>", "<a b=&amp>", "<a b=&ampx>",
    "<a b='&notit; &notin &notin; &not= &not'>", "<a b='&#65;&#x41&#;&#x;&#xzz'>", "<a b=\"&\">", "</a b=c/>x",
    "<a-b:c d-e:f=1>", "<a<b>c", "<é>", "<aé>", "<a é=ü>",
    "<!---->", "<!-->x", "<!--->x", "<!----->", "<!--a-->", "<!--a--!>b", "<!--a--!x-->b", "<!--a--!-->b", "<!--a->b-->c",
    "<!--a--b-->", "<!--a--->", "<!--a", "<!--a-", "<!--a--", "<!--a--!", "<!--a---", "<!--", "<!---", "<!----", "<!----!",
    "<!----!>", "<!---!>x-->", "<!--<!-->x", "<!--<!--->", "<!--<!--x-->y", "<!--a\0b\rc\r\nd-->", "<!-- > -- > -->", "<!--!>-->",
    "<!x>y", "<!>y", "<!x", "<!-x->y", "<?xml version='1.0'?>x", "<?>", "</?x>y", "</3>y", "</ x", "<![CDATA[a>b]]>c", "<![cdata[x]]>",
    "<!doctype html>x", "<!DOCTYPE>x", "<!doctype", "<!doctypehtml>x", "<!doctype html public '>'>x", "<!doctype html system \"a\"\">x",
    "&amp;", "&amp", "&ampx", "&AMP;", "&Amp;", "&", "a&", "& b", "&&amp;", "&;", "&lt;p&gt;", "&ltp&gtq", "&notit;", "&notin;", "&notin", "&no",
    "&eacute;&Eacute&eacutex", "&CounterClockwiseContourIntegral;", "&CounterClockwiseContourIntegralx;", "&NotEqualTilde;&nGt;&bne;",
    "&nosuch;", "&nosuchreferencethatislongerthanthelongestone;", "&amp;amp;", "&\0amp;", "&am\rp;", "&frac12&frac123", "&sup1;&sup1x&there4;",
    "&#65;", "&#65", "&#65x", "&#x41;", "&#X41;", "&#x41g", "&#0;", "&#x0;", "&#128;&#x80;&#x9f;&#129;&#159", "&#xD800;&#xDFFF;&#x110000;&#x10FFFF;",
    "&#99999999999999999999;", "&#xfffffffffffffff;", "&#", "&#;", "&#x", "&#x;", "&#xg;", "&#a;", "&#13;&#10;&#x9;", "&#xFDD0;&#xFFFE;&#1;&#127;", "&#00065;",
    "a\rb", "a\r\nb", "a\r\r\nb", "a\n\rb", "\r", "\r\n", "a\r", "\r\r", "<p>\r\n</p>\r\n", "a\0b", "\0", "é\r\nü", "&amp;\r\n&amp;\r",
    "<title>a<b>&amp;c</title>d", "<title>a</titlex>b</title >c", "<title>a</title", "<title>a</title ", "<title>a</TITLE/>b", "<title>", "<title>&lt",
    "<title>a\0b\r\nc</title>", "<title/>x</title>y", "<textarea>\n<p>&eacute</textarea>x", "<textarea>a</title></textarea>b", "<title>&#</title>&#",
    "<style>a&amp;<b></style>c", "<style>a</style b=c>d", "<style></style><style></styl", "<xmp><p></xmp>a", "<iframe><p></iframe>a", "<noembed></noembedx></noembed>",
    "<noframes>a<!--</noframes>-->", "<style>\0\r\n\r</style>", "<plaintext>a</plaintext>&amp;\0\r\nb", "<STYLE>x</style>y", "<style></style", "<style><", "<style></",
    "<script>a<b&amp;</script>c", "<script></scriptx></script>d", "<script><!--</script>a", "<script><!--<script></script>a</script>b", "<script><!--<script>--></script>a",
    "<script><!--<script></script>--></script>a", "<script><!--<scriptx></script>a", "<script><!--<script/</script>a</script>b", "<script><!--x--></script>a",
    "<script><!--<SCRIPT ></SCRIPT ></script>a", "<script><!--></script>a", "<script><!--><script></script>a", "<script><!---><script></script>a", "<script><!-<script></script>a",
    "<script><!--<script><script></script></script>a", "<script><!--<script>-></script></script>a", "<script><!--<script><!--></script></script>a",
    "<script><!-- - -- -- > <script></script></script>a", "<script><!--<script></script", "<script><!--", "<script><!--</script", "<script><!--\0<script>\0\r\n</script>\0</script>",
    "<script><!--<</script>a", "<script><!--</x</script>a", "<script><!--<script<</script>a</script>b", "<script>--></script>a", "<script><!--<script>--><!--</script>a",
    "<script><!--<script>--!></script></script>a", "<script><!--<script></scriptx></script></script>a",
]


@pytest.fixture(scope="module", autouse=True)
def program():
    assert PROGRAM.exists(), f"there is no {PROGRAM}: make unit-programs"


def differences(documents):
    return [f"{document!r}\n    got  {got}\n    want {want}"
            for document, (got, _) in zip(documents, read(documents))
            if got != (want := expected(document))]


def test_nasty_documents_have_the_standard_s_tokens():
    different = differences(NASTY)
    assert not different, "\n".join(different)


PIECES = ["<", ">", "/", "</", "<!--", "-->", "--!>", "--", "-", "!", "<!", "?", "=", '"', "'", " ", "\n", "\r", "\r\n", "&", ";", "&#", "&#x",
          "&amp", "&notin", "&copy", "a", "b", "script", "<script>", "</script>", "<script", "</script", "<title>", "</title>", "<style>", "</style>",
          "<textarea>", "</textarea ", "<a ", "<p>", "x=", "x", "1", "é", "😀", "<!doctype", "[CDATA[", "]]>", "\f", "<plaintext>", "&#128", "\0"]


def test_random_documents_have_the_standard_s_tokens():
    dice = random.Random(20)
    documents = ["".join(dice.choice(PIECES) for _ in range(dice.randrange(1, 30))) for _ in range(4000)]
    different = differences(documents)
    assert not different, f"{len(different)} differ:\n" + "\n".join(sorted(different, key=len)[:5])


def test_every_named_reference_is_python_s():
    names = list(html.entities.html5)
    got = [text for text, in (tokens for tokens, _ in read([f"&{name}" for name in names]))]
    assert got == [["text", html.entities.html5[name]] for name in names]


def test_a_name_that_is_no_reference_stays():
    names = {name.rstrip(";") for name in html.entities.html5}
    wrong = [name + tail for name in sorted(names) for tail in ("Q;",) if name + "Q" not in names]
    got = read([f"&{name}" for name in wrong])
    bare = [name for name in html.entities.html5 if not name.endswith(";")]
    for name, (tokens, _) in zip(wrong, got):
        longest = max((b for b in bare if name.startswith(b)), key=len, default="")
        want = html.entities.html5[longest] + name[len(longest):] if longest else "&" + name
        assert tokens == [["text", want]]
