"""TLS and logins that fail: always told, never gone around, and no mail without them."""

import ssl

import pytest

from .postern import Postern, mail
from .process import wait_until
from .scripted import (EXTENSIONS, PASSWORD, USER, ScriptedServer, drop, leave, nth, raw, say, then)

USERS = {USER: PASSWORD}


def assert_access_failed(answer, categories, stages, relay, status=502):
    assert answer.status == status, answer
    problem = answer.json
    assert problem["category"] in categories and problem["stage"] in stages, answer
    assert problem["outcome"] == "not_sent"
    assert PASSWORD not in answer.body.decode()
    assert "MAIL" not in relay.verbs() and relay.mails == []


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "implicit TLS"])
@pytest.mark.parametrize("which", ["wrong name", "expired", "unknown CA"])
def test_a_certificate_that_is_not_right(authority, stranger, which, implicit):
    certificate = {"wrong name": authority.wrong_name, "expired": authority.expired,
                   "unknown CA": stranger.good}[which]()
    with ScriptedServer(certificate, implicit, USERS, ca=authority.ca) as relay:
        with Postern(relay=relay.url()) as postern:
            answer = postern.send(mail())
            assert_access_failed(answer, {"tls"}, {"tls", "starttls", "connect"}, relay)
            assert "AUTH" not in relay.verbs()
            assert answer.json["detail"] and answer.json["retryable"] is False


@pytest.mark.parametrize("implicit, version", [
    (True, ssl.TLSVersion.TLSv1_3), (True, ssl.TLSVersion.TLSv1_2), (False, ssl.TLSVersion.TLSv1_2),
    # Not STARTTLS with 1.3: libcurl 7.88 keeps what comes behind the handshake for "smtps", and
    # looks for "smtp" the next time.
], ids=["implicit 1.3", "implicit 1.2", "STARTTLS 1.2"])
def test_a_session_resumes_tls_and_trusts_nobody_the_more_for_it(authority, stranger, implicit,
                                                                 version):
    with ScriptedServer(authority.good(), implicit, USERS, ca=authority.ca, idle=leave) as relay:
        relay.tls_context.minimum_version = relay.tls_context.maximum_version = version
        with Postern(relay=relay.url(), http_threads=1) as postern:
            for _ in range(3):
                assert postern.send(mail()).status == 200
                wait_until(lambda: not relay.open_sessions(), what="the relay to close")
            assert postern.post("/v1/check", {}).status == 200  # walks the whole handshake
            assert [s.resumed for s in relay.sessions] == [False, True, True, False]
            assert all(s.login for s in relay.sessions)
            relay.tls_context = stranger.good().context()
            answer = postern.send(mail())
            assert answer.status == 502 and answer.json["category"] == "tls", answer
        assert len(relay.complete) == 3


def test_the_systems_cas_do_not_know_ours(authority):
    with ScriptedServer(authority.good(), True) as relay:  # no ca= in the URL
        with Postern(relay=relay.url()) as postern:
            assert_access_failed(postern.send(mail()), {"tls"}, {"tls", "connect"}, relay)


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "implicit TLS"])
def test_tls_1_1_is_too_old(authority, implicit):
    with ScriptedServer(authority.good(), implicit, USERS, ca=authority.ca) as relay:
        relay.tls_context.set_ciphers("ALL:@SECLEVEL=0")
        relay.tls_context.minimum_version = ssl.TLSVersion.TLSv1
        relay.tls_context.maximum_version = ssl.TLSVersion.TLSv1_1
        with Postern(relay=relay.url()) as postern:
            answer = postern.send(mail())
            assert_access_failed(answer, {"tls"}, {"tls", "starttls", "connect"}, relay)


def test_starttls_is_not_offered(authority):
    with ScriptedServer(users=USERS) as relay:
        with Postern(relay=relay.url(tls="starttls")) as postern:
            assert_access_failed(postern.send(mail()), {"tls"}, {"starttls"}, relay)
            assert "AUTH" not in relay.verbs()


def test_starttls_is_required_where_the_url_says_nothing(authority):
    with ScriptedServer() as relay:
        url = relay.url().partition("?")[0]
        with Postern(relay=url) as postern:
            assert_access_failed(postern.send(mail()), {"tls"}, {"starttls"}, relay)


@pytest.mark.parametrize("reply", ["454 4.7.0 TLS not available", "501 5.5.4 no"])
def test_starttls_is_refused(authority, reply):
    with ScriptedServer(authority.good(), users=USERS, ca=authority.ca, starttls=reply) as relay:
        with Postern(relay=relay.url()) as postern:
            answer = postern.send(mail())
            # 454 says that later may work.
            assert answer.status in ((502, 503) if reply.startswith("4") else (502,)), answer
            assert_access_failed(answer, {"tls"}, {"starttls"}, relay, answer.status)
            assert answer.json["smtp"]["code"] == int(reply[:3])
            assert "AUTH" not in relay.verbs()


def test_octets_injected_behind_the_220_of_starttls_are_refused(authority):
    injected = raw(b"220 2.0.0 go ahead\r\n250-evil\r\n250 AUTH PLAIN\r\n")
    with ScriptedServer(authority.good(), users=USERS, ca=authority.ca, starttls=injected) as relay:
        with Postern(relay=relay.url()) as postern:
            answer = postern.send(mail())
            assert_access_failed(answer, {"tls", "protocol", "network"}, {"starttls"}, relay,
                                 answer.status)
            assert answer.status in (502, 503)


def test_the_session_ends_in_the_handshake(authority):
    with ScriptedServer(authority.good(), users=USERS, ca=authority.ca,
                        starttls=then("220 go", drop)) as relay:
        with Postern(relay=relay.url()) as postern:
            answer = postern.send(mail())
            assert_access_failed(answer, {"tls", "network"}, {"starttls"}, relay, answer.status)
            assert answer.status in (502, 503)


def test_implicit_tls_to_a_port_in_clear():
    with ScriptedServer() as relay:
        with Postern(relay=relay.url("smtps", tls="implicit"), timeout="10s") as postern:
            assert_access_failed(postern.send(mail()), {"tls"}, {"tls", "connect"}, relay)


def test_starttls_keeps_nothing_of_what_was_offered_in_clear(authority):
    """SIZE and PIPELINING of the first EHLO don't hold after STARTTLS."""
    def hello(session, argument):
        relay.script["ehlo"] = after
        session.send(b"250-x\r\n250-SIZE 10\r\n250 STARTTLS\r\n")
    after = say("250-x\n250 SIZE 100000")
    with ScriptedServer(authority.good(), ca=authority.ca, ehlo=hello) as relay:
        with Postern(relay=relay.url()) as postern:
            assert postern.send(mail()).status == 200


# --- logins ---

@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN", "CRAM-MD5", "LOGIN PLAIN"])
def test_a_login_comes_before_the_first_mail(authority, mechanisms):
    with ScriptedServer(authority.good(), users=USERS, ca=authority.ca,
                        auth_mechanisms=mechanisms) as relay:
        with Postern(relay=relay.url()) as postern:
            assert postern.send(mail()).status == 200
        verbs = relay.verbs()
        assert verbs.index("AUTH") < verbs.index("MAIL")
        assert relay.sessions[0].tls and relay.sessions[0].login[1] == USER


def test_auth_is_not_offered(authority):
    with ScriptedServer(authority.good(), ca=authority.ca) as relay:  # no users, no AUTH
        with Postern(relay=relay.url(user=USER)) as postern:
            assert_access_failed(postern.send(mail()), {"auth"}, {"auth", "ehlo"}, relay)


def test_no_mechanism_that_both_sides_have(authority):
    with ScriptedServer(authority.good(), users=USERS, ca=authority.ca,
                        auth_mechanisms="SCRAM-SHA-512") as relay:
        with Postern(relay=relay.url()) as postern:
            assert_access_failed(postern.send(mail()), {"auth"}, {"auth", "ehlo"}, relay)


def test_helo_alone_is_no_way_around_the_login():
    with ScriptedServer(users=USERS, ehlo="502 5.5.1 what?") as relay:
        with Postern(relay=relay.url()) as postern:
            answer = postern.send(mail())
            assert_access_failed(answer, {"auth", "protocol"}, {"auth", "ehlo"}, relay)


@pytest.mark.parametrize("reply, status", {"535 5.7.8 authentication failed": 502,
                                           "534 5.7.9 use an app password": 502,
                                           "454 4.7.0 temporary authentication failure": 503,
                                           "421 4.7.0 too many logins": 503}.items())
def test_a_login_that_is_refused(authority, reply, status):
    with ScriptedServer(authority.good(), users=USERS, ca=authority.ca, auth=reply) as relay:
        with Postern(relay=relay.url()) as postern:
            answer = postern.send(mail())
            assert_access_failed(answer, {"auth"} if status == 502 else
                                 {"auth", "temporary", "rate"}, {"auth"}, relay, status)
            assert answer.json["smtp"]["code"] == int(reply[:3])
            assert answer.json["retryable"] is (status == 503)
            check = postern.post("/v1/check")
            assert check.status == status and check.json["steps"][-1]["stage"] == "auth", check


def test_a_refused_login_is_not_tried_with_another_mechanism(authority):
    with ScriptedServer(authority.good(), users=USERS, ca=authority.ca) as relay:
        with Postern(relay=relay.url(password="wrong-password")) as postern:
            assert postern.send(mail()).status == 502
        assert relay.verbs().count("AUTH") == 1


def test_a_2yz_that_is_not_235_is_no_login(authority):
    with ScriptedServer(authority.good(), users=USERS, ca=authority.ca, auth="250 fine") as relay:
        with Postern(relay=relay.url()) as postern:
            answer = postern.send(mail())
            assert_access_failed(answer, {"auth", "protocol"}, {"auth"}, relay)


def test_credentials_may_go_in_clear_on_loopback_alone():
    with ScriptedServer(users=USERS) as relay, Postern(relay=relay.url()) as postern:
        assert postern.send(mail()).status == 200
        assert relay.sessions[0].login


def test_xoauth2_takes_its_token_from_a_file_and_reads_it_again(authority, tmp_path):
    token = tmp_path / "token"
    token.write_text("the-first-token\n")
    users = {USER: "the-first-token"}
    with ScriptedServer(authority.good(), users=users, ca=authority.ca, auth_mechanisms="XOAUTH2",
                        extensions=EXTENSIONS, idle=nth(drop)) as relay:
        url = relay.url(user=USER, token_file=token).replace(f":{PASSWORD.replace(' ', '%20')}@", "@")
        with Postern(relay=url, secrets=["the-first-token", "another-token"]) as postern:
            assert postern.send(mail()).status == 200
            users[USER] = "another-token"
            token.write_text("another-token\n")
            answer = postern.send(mail())
            assert answer.status == 200, answer
        assert [s.login for s in relay.sessions] == [("XOAUTH2", USER)] * 2


def test_a_session_never_serves_another_relay_of_the_same_host(tmp_path):
    """Two relays of the configuration on one port: one logs in, the other doesn't."""
    import json
    with ScriptedServer(users=USERS) as relay:
        config = tmp_path / "postern.json"
        config.write_text(json.dumps({"relays": {
            "default": relay.url(), "open": f"smtp://localhost:{relay.port}?tls=none"}}))
        with Postern(config=config, secrets=[PASSWORD]) as postern:
            for name in ("default", "open", "default", "open"):
                answer = postern.send(mail(relay=name))
                assert answer.status == 200 and answer.json["relay"] == name, answer
        assert sorted(bool(s.login) for s in relay.sessions) == [False, True]
