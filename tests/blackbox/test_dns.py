"""What DNS says of a sender's domain, asked of a real server."""

import json
import os
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from . import dkim_keys
from .nsd import Between, Nsd
from .places import BINARY, REPO, scratch
from .postern import Postern, mail, run
from .scripted import ScriptedServer

RELAY = "198.51.100.7"
CHECKS = ["spf", "dkim", "dmarc", "mx", "mta_sts", "tls_rpt", "bimi"]
NETWORKS = " ".join(f"ip4:203.0.113.{n}" for n in range(250))  # 4 KB


def strings(text):
    return " ".join(f'"{text[i:i + 250]}"' for i in range(0, len(text), 250))


def txt(name, text):
    return f"{name} IN TXT {strings(text)}\n"


def spf(name, policy, mx=True):
    return txt(name, policy) + (f"{name} IN MX 10 mx.good\n" if mx else "")


@pytest.fixture(scope="module")
def keys():
    """(configuration, {selector: record})"""
    folder = scratch("dns-keys")
    made = {}
    for selector, domain in [("s1", "good.test"), ("other", "good.test")]:
        made[selector] = dkim_keys.make_key(folder, domain, selector)
    return folder, made


def record_of(keys, selector):
    return keys[1][selector][2]


@pytest.fixture(scope="module")
def dns(keys):
    s1, other = record_of(keys, "s1"), record_of(keys, "other")
    zone = "".join([
        f"relay IN A {RELAY}\nrelay IN AAAA 2001:db8::7\nmx.good IN A {RELAY}\n",
        # A domain that has it all.
        spf("good", f"v=spf1 a:relay.test ip4:{RELAY} -all"), txt("s1._domainkey.good", s1),
        txt("_dmarc.good", "v=DMARC1; p=reject; rua=mailto:reports@good.test"),
        txt("_mta-sts.good", "v=STSv1; id=1;"), f"mta-sts.good IN A {RELAY}\n",
        txt("_smtp._tls.good", "v=TLSRPTv1; rua=mailto:tls@good.test"),
        txt("default._bimi.good", "v=BIMI1; l=https://good.test/logo.svg"),
        # Keys.
        txt("other._domainkey.good", s1), txt("gone._domainkey.good", "v=DKIM1; p="),
        txt("testing._domainkey.good", other + "; t=y"), txt("bad._domainkey.good", "v=DKIM1; p=AAAA"),
        txt("two._domainkey.good", s1), txt("two._domainkey.good", other),
        "alias._domainkey.good IN CNAME s1._domainkey.good\n",
        # Policies.
        "bare IN TXT \"something else\"\n",
        spf("open", "v=spf1 +all"), spf("loop", "v=spf1 include:loop.test -all"),
        spf("many", "v=spf1 " + " ".join(f"a:n{n}.many.test" for n in range(11)) + f" ip4:{RELAY} -all"),
        "".join(f"n{n}.many IN A 203.0.113.1\n" for n in range(11)),
        spf("dangling", "v=spf1 include:none.test -all"), spf("void", "v=spf1 a:v1.test a:v2.test a:v3.test -all"),
        spf("syntax", "v=spf1 ip4:1.2.3 -all"), spf("twice", "v=spf1 -all"), txt("twice", "v=spf1 ~all"),
        spf("other", "v=spf1 ip4:203.0.113.9 -all"), spf("neutral", f"v=spf1 a:relay.test ip4:{RELAY}"),
        spf("large", f"v=spf1 {NETWORKS} a:relay.test -all"), spf("servfail", "v=spf1 include:x.broken -all"),
        "alias IN CNAME good\n",
        # DMARC.
        txt("_dmarc.other", "v=DMARC1; p=none; rua=mailto:r@elsewhere.test"), txt("_dmarc.open", "v=DMARC1; p=reject"),
        txt("_dmarc.twice", "v=DMARC1; p=reject"), txt("_dmarc.twice", "v=DMARC1; p=none"),
        txt("_dmarc.syntax", "v=DMARC1; p=all"), spf("mail.good", "v=spf1 a:relay.test -all"),
        # Mail.
        "null IN MX 0 .\n", "implicit IN A 203.0.113.1\n", "lost IN MX 10 nowhere.test.\n",
        "mixed IN MX 0 .\nmixed IN MX 10 mx.good.test.\n", txt("_mta-sts.lost", "v=STSv1; id=1"),
    ]).replace("mx.good\n", "mx.good.test.\n").replace("CNAME good\n", "CNAME good.test.\n").replace(
        "CNAME s1._domainkey.good\n", "CNAME s1._domainkey.good.test.\n")
    server = Nsd({"test": zone, "broken": None})
    yield server
    server.stop()


@pytest.fixture(scope="module")
def settings(keys, dns):
    folder, made = keys
    path = folder / "postern.json"
    path.write_text(json.dumps({"dkim": {"good.test": [{"selector": "s1", "key_file": str(made["s1"][0])}]}}))
    return {"relay": "smtp://relay.test:2525", "dns": dns.address, "config": path}


@pytest.fixture(scope="module")
def postern(settings):
    p = Postern(**settings)
    yield p
    p.stop()


def check(postern, domain, **more):
    """(the answer, {check: finding}, of DKIM the first)"""
    answer = postern.post("/v1/check", {"domain": domain, **more})
    assert answer.status == 200, answer
    found = {}
    for one in answer.json["checks"]:
        found.setdefault(one["check"], one)
    return answer.json, found


def said(finding):
    return " ".join(finding["why"])


def test_a_domain_that_has_it_all(postern, keys):
    answer, found = check(postern, "Good.Test")
    assert answer["verdict"] == "ok", answer
    assert [one["check"] for one in answer["checks"]] == CHECKS
    assert {one["verdict"] for one in answer["checks"]} == {"ok"}
    assert not any("publish" in one for one in answer["checks"])
    assert answer["domain"] == "good.test"
    assert answer["relay"]["addresses"] == [RELAY, "2001:db8::7"]
    assert "may send from others" in answer["relay"]["note"]
    assert [r["result"] for r in found["spf"]["results"]] == ["pass", "pass"]
    assert (found["spf"]["lookups"], found["spf"]["void_lookups"]) == (1, 0)
    assert found["dkim"]["seen"] == [record_of(keys, "s1")]
    assert (found["dkim"]["ours"], found["dkim"]["bits"], found["dkim"]["selector"]) == (True, 2048, "s1")
    assert (found["dmarc"]["policy"], found["dmarc"]["percent"]) == ("reject", 100)
    assert found["dmarc"]["alignment"] == {"dkim": True, "spf": True}


def test_a_domain_that_has_nothing(postern):
    answer, found = check(postern, "nothing.test")
    assert answer["verdict"] == "fault"
    assert {one["check"]: one["verdict"] for one in answer["checks"]} == dict.fromkeys(CHECKS, "missing") | {
        "mx": "fault"}
    assert found["spf"]["publish"] == f"v=spf1 ip4:{RELAY} ip6:2001:db8::7 ~all"
    assert found["dmarc"]["publish"].startswith("v=DMARC1; p=none; rua=mailto:")
    assert found["dmarc"]["name"] == "_dmarc.nothing.test"
    assert "keygen nothing.test" in said(found["dkim"])
    assert found["mta_sts"]["publish"].startswith("v=STSv1; id=")


@pytest.mark.parametrize("domain, verdict, word", [
    ("bare.test", "missing", "no such record"),
    ("open.test", "fault", "+all"),
    ("loop.test", "fault", "more than"),
    ("many.test", "fault", "11 lookups"),
    ("dangling.test", "fault", "none.test, which is included, has no policy"),
    ("void.test", "fault", "3 of its lookups find nothing"),
    ("syntax.test", "fault", "ip4:1.2.3"),
    ("twice.test", "fault", "2 such records"),
    ("other.test", "fault", f"Mail from {RELAY} gets fail"),
    ("neutral.test", "warning", "~all or -all"),
    ("servfail.test", "unknown", "no answer about x.broken"),
    ("x.broken", "unknown", "no answer about x.broken"),
    ("alias.test", "ok", ""),
])
def test_policies(postern, domain, verdict, word):
    _, found = check(postern, domain)
    assert (found["spf"]["verdict"], word in said(found["spf"])) == (verdict, True), found["spf"]
    assert ("publish" in found["spf"]) == (verdict != "ok")


def test_a_record_that_needs_tcp(postern):
    _, found = check(postern, "large.test")
    assert found["spf"]["verdict"] == "ok", found["spf"]
    assert found["spf"]["seen"][0].startswith(f"v=spf1 {NETWORKS}"[:4000])


def test_addresses_that_are_named(postern):
    answer, found = check(postern, "other.test", addresses=["203.0.113.9"])
    assert found["spf"]["verdict"] == "ok"
    assert answer["relay"]["addresses"] == ["203.0.113.9"]
    _, found = check(postern, "other.test", addresses=["203.0.113.9", "2001:db8::1"])
    assert [r["result"] for r in found["spf"]["results"]] == ["pass", "fail"]
    assert found["spf"]["verdict"] == "fault"


@pytest.mark.parametrize("selector, verdict, word", [
    ("other", "ok", ""), ("alias", "ok", ""), ("none", "missing", "no such record"), ("gone", "fault", "revoked"),
    ("testing", "warning", "t=y"), ("bad", "fault", "no key of its type"), ("two", "fault", "2 such records"),
])
def test_selectors(postern, selector, verdict, word):
    answer, _ = check(postern, "good.test", selectors=[selector])
    own, asked = [one for one in answer["checks"] if one["check"] == "dkim"]
    assert own["verdict"] == "ok"
    assert (asked["selector"], asked["ours"], asked["verdict"]) == (selector, False, verdict)
    assert word in said(asked)


def test_another_key_than_the_one_that_signs(keys, dns):
    folder, made = keys
    path = folder / "wrong.json"
    path.write_text(json.dumps({"dkim": {"good.test": [{"selector": "other", "key_file": str(made["other"][0])}]}}))
    done = run("check", "--domain", "good.test", "--json", dns=dns.address, config=path)
    dkim = [one for one in json.loads(done.stdout)["checks"] if one["check"] == "dkim"]
    assert [one["verdict"] for one in dkim] == ["fault"]
    assert "signatures fail" in said(dkim[0])
    assert dkim[0]["publish"] == record_of(keys, "other")
    assert done.returncode == 1


def test_dmarc(postern):
    _, found = check(postern, "mail.good.test")  # of the organizational domain
    assert (found["dmarc"]["name"], found["dmarc"]["policy"]) == ("_dmarc.good.test", "reject")
    assert "organizational" in said(found["dmarc"])
    _, found = check(postern, "other.test")
    assert "other.test._report._dmarc.elsewhere.test" in said(found["dmarc"])
    assert found["dmarc"]["alignment"] == {"dkim": False, "spf": False}
    _, found = check(postern, "open.test")
    assert "rua=" in said(found["dmarc"])
    for domain in ("twice.test", "syntax.test"):
        _, found = check(postern, domain)
        assert found["dmarc"]["verdict"] == "fault" and "publish" in found["dmarc"]


@pytest.mark.parametrize("domain, verdict, word", [
    ("null.test", "fault", "RFC 7505"), ("mixed.test", "fault", "beside others"), ("implicit.test", "warning", "no MX"),
    ("lost.test", "fault", "nowhere.test has no address"), ("x.broken", "unknown", "no answer"),
])
def test_exchangers(postern, domain, verdict, word):
    _, found = check(postern, domain)
    assert (found["mx"]["verdict"], word in said(found["mx"])) == (verdict, True), found["mx"]


def test_a_policy_host_that_is_not(postern):
    _, found = check(postern, "lost.test")
    assert found["mta_sts"]["verdict"] == "fault"
    assert "mta-sts.lost.test has no address" in said(found["mta_sts"])


@pytest.mark.parametrize("document, pointer, code", [
    ({"domain": "a b"}, "/domain", "domain"), ({"domain": 1}, "/domain", "wrong_type"),
    ({"domain": "localhost"}, "/domain", "domain"), ({"domain": "[192.0.2.1]"}, "/domain", "domain"),
    ({"domain": "a.test", "selectors": ["a b"]}, "/selectors/0", "selector"),
    ({"domain": "a.test", "selectors": ["s"] * 17}, "/selectors/16", "selector"),
    ({"domain": "a.test", "addresses": ["relay.test"]}, "/addresses/0", "address"),
    ({"domain": "a.test", "from": "a@a.test"}, "/from", "conflict"), ({"selectors": ["s"]}, "/selectors", "conflict"),
    ({"domain": "a.test", "relay": "x"}, "/relay", "unknown_relay"),
])
def test_requests_that_are_refused(postern, document, pointer, code):
    answer = postern.post("/v1/check", document)
    assert answer.status == 422
    assert [(e["pointer"], e["code"]) for e in answer.json["errors"]] == [(pointer, code)]


def test_answers_are_kept(settings, dns):
    between = Between(dns.port)
    postern = Postern(**settings | {"dns": between.address})
    try:
        first, _ = check(postern, "good.test")
        asked = between.count
        assert asked > 5
        again, _ = check(postern, "good.test")
        assert between.count == asked
        assert again["checks"] == first["checks"]
    finally:
        postern.stop()
        between.stop()


def test_a_silent_server_delays_nobody_else(settings):
    silent = Between()
    with ScriptedServer() as relay, ThreadPoolExecutor(20) as pool:
        postern = Postern(**settings | {"dns": silent.address, "timeout": "3s", "relay": relay.url()})
        try:
            asked = [pool.submit(postern.post, "/v1/check", {"domain": "good.test"}) for _ in range(20)]
            time.sleep(0.3)
            assert postern.send(mail()).status == 200
            answers = [one.result() for one in asked]
            assert {a.status for a in answers} == {200, 503}
            for answer in [a for a in answers if a.status == 200]:
                assert answer.json["verdict"] == "unknown"
                assert {one["verdict"] for one in answer.json["checks"]} == {"unknown"}
        finally:
            postern.stop()
            silent.stop()


def test_the_command(settings, keys):
    done = run("check", "--domain", "good.test", **settings)
    out = done.stdout.decode()
    assert done.returncode == 0, out
    assert out.startswith("good.test: ok\nrelay default: relay.test, 198.51.100.7, 2001:db8::7\n")
    assert "dkim     ok       s1._domainkey.good.test\n" in out
    done = run("check", "-d", "nothing.test", "--selector", "s9", **settings)
    out = done.stdout.decode()
    assert done.returncode == 1
    assert f'publish: nothing.test. IN TXT "v=spf1 ip4:{RELAY} ip6:2001:db8::7 ~all"\n' in out
    assert "publish: nothing.test. IN MX 10 mx.nothing.test.\n" in out
    assert "s9._domainkey.nothing.test" in out
    assert run("check", "-d", "x.broken", "-s", "s1", **settings).returncode == 75
    assert run("check", "--selector", "s9", **settings).returncode == 64
    assert run("check", "-d", "no domain", **settings).returncode == 64
    assert run("check", "-d", "good.test", dns="nonsense:x").returncode == 78


def test_without_a_relay(dns):
    done = run("check", "-d", "neutral.test", "--json", dns=dns.address)
    answer = json.loads(done.stdout)
    assert answer["relay"] == {"name": None, "host": None, "provider": None, "addresses": [],
                               "note": answer["relay"]["note"]}
    assert answer["checks"][0]["results"] == []


def test_a_provider_whose_policy_is_included(dns):
    done = run("check", "-d", "nothing.test", "--json", dns=dns.address, relay="sendgrid://key@")
    spf = json.loads(done.stdout)["checks"][0]
    assert spf["publish"] == "v=spf1 include:sendgrid.net ~all"
    assert not any("bounces" in note for note in spf["why"])


@pytest.mark.parametrize("relay, policy, bounces", [
    ("ses://u:p@?region=eu-west-1", "amazonses.com", True),
    ("zoho-pro://a%40good.test:p@", "zohomail.com", False),
    ("zoho-pro://a%40good.test:p@?region=eu", "zohomail.eu", False),
    ("zoho-pro://a%40good.test:p@?region=in", None, False)])
def test_what_providers_have_their_customers_include(dns, relay, policy, bounces):
    done = run("check", "-d", "nothing.test", "--json", dns=dns.address, relay=relay)
    spf = json.loads(done.stdout)["checks"][0]
    assert spf["publish"] == f"v=spf1 include:{policy} ~all" if policy else "include" not in spf["publish"]
    assert any("domain of its own" in note for note in spf["why"]) == bounces


def test_the_walk_from_550_to_delivered():
    """The README's commands as they are, but for the domain, the folder of the key and the addresses; what they say is to be
    published is published."""
    text = (REPO / "README.md").read_text().split("## From 550 to delivered")[1].split("```")[1]
    commands = "\n".join(line[2:] for line in text.splitlines() if line.startswith("$ "))
    folder = scratch("walk")
    commands = commands.replace("example.com", "walk.test").replace("/etc/postern", f"{folder}/keys")
    before, again, after = re.fullmatch(r"(.*?check --domain[^\n]*)\n([^\n]*check --domain[^\n]*)\n(.*)", commands,
                                        re.DOTALL).groups()
    zone = f"relay IN A {RELAY}\nmx.walk IN A {RELAY}\nwalk IN MX 10 mx.walk.test.\n"

    def walk(script, **settings):
        environment = {f"POSTERN_{name.upper()}": value for name, value in settings.items()}
        return subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60,
                              env=environment | {"PATH": f"{BINARY.parent}:{os.environ['PATH']}"})
    settings = {"relay": "smtp://relay.test:2525", "config": "postern.json"}
    server = Nsd({"test": zone})
    try:
        done = walk(before, dns=server.address, **settings)
    finally:
        server.stop()
    assert done.returncode == 1 and done.stdout.count("walk.test: missing") == 1, done
    for check in ("spf", "dkim", "dmarc"):
        assert re.search(rf"^{check} +missing ", done.stdout, re.MULTILINE), done
    zone += "".join(f"{name} {record}\n" for name, record in re.findall(r"publish: (\S+) (IN TXT .*)", done.stdout)
                    if re.search("v=(spf1|DKIM1|DMARC1)", record))
    server = Nsd({"test": zone})
    try:
        done = walk(again, dns=server.address, **settings)
    finally:
        server.stop()
    assert done.returncode == 0 and done.stdout.startswith("walk.test: ok\n"), done
    with ScriptedServer() as relay:
        done = walk(after, **settings | {"relay": relay.url()})
        assert done.returncode == 0 and '"status":"sent"' in done.stdout, done
        assert relay.complete[0].message.startswith(b"DKIM-Signature:") and b"Hello" in relay.complete[0].message
