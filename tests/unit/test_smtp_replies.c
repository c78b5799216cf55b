/* Replies as providers and servers gave them: each pattern of the table is held to at least one,
 * each word of it, and the table of registered codes to the registry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "smtp/classify.h"
#include "smtp/replies.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

#define AT(stage) SMTP_STAGE_##stage
#define C(cause)  SMTP_CAUSE_##cause

typedef struct seen {
    smtp_stage stage;
    smtp_cause cause;
    const char *reply; /* as it came; lines parted by \n */
    const char *hint;  /* a word of it; NULL: any */
    const char *preset;
    int retry; /* 0: as the code says; 1: though 5yz; -1: not, though 4yz */
} seen;

static const seen replies[] = {
#include "tests/unit/replies_seen.h"
};

/* ---- helpers ---- */

static void parse(const char *raw, smtp_reply *out)
{
    smtp_reply_parser *p = smtp_reply_parser_create();
    smtp_reply lent;
    assert_non_null(p);
    assert_true(smtp_reply_feed(p, raw, strlen(raw)) && smtp_reply_feed(p, "\n", 1));
    if (smtp_reply_next(p, &lent) != SMTP_REPLY_DONE)
        fail_msg("not a reply: %s", raw);
    assert_true(smtp_reply_copy(out, &lent));
    smtp_reply_parser_free(p);
}

static const smtp_pattern *pattern_of(const seen *s, const smtp_reply *reply)
{
    smtp_text text;
    smtp_text_read(&text, reply->text);
    smtp_patterns first = smtp_known_get().first;
    return smtp_pattern_find(&first, s->stage, reply, &text, s->preset);
}

static bool has_word(const char *words, size_t len, const smtp_reply *reply)
{
    smtp_text text;
    smtp_text_read(&text, reply->text);
    return memmem(text.s, text.len, words, len) != NULL;
}

/* ---- patterns ---- */

static void real_replies_are_explained(void **state)
{
    size_t wrong = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(replies); i++) {
        const seen *s = &replies[i];
        smtp_reply reply = {0};
        smtp_fault fault = {0};
        parse(s->reply, &reply);
        smtp_classify_reply(s->stage, &reply, s->preset, &fault);
        bool retry = s->retry == 0 ? reply.code < 500 : s->retry > 0;
        if (fault.cause != s->cause || fault.retryable != retry || !fault.hint ||
            fault.category != smtp_causes[s->cause].category ||
            (s->hint && !strstr(fault.hint, s->hint))) {
            print_error("%s\n  is %s, %sretryable, hint %s\n", s->reply,
                        smtp_cause_name(fault.cause), fault.retryable ? "" : "not ", fault.hint);
            wrong++;
        }
        smtp_reply_clear(&reply);
    }
    assert_int_equal(wrong, 0);
}

static void same_text(const char *a, const char *b)
{
    assert_true(!a == !b);
    if (a)
        assert_string_equal(a, b);
}

static void same_patterns(const smtp_patterns *a, const smtp_patterns *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const smtp_pattern *p = &a->list[i], *q = &b->list[i];
        for (int stage = 0; stage < SMTP_STAGE_COUNT; stage++)
            assert_int_equal(p->stages >> stage & 1, q->stages >> stage & 1);
        assert_int_equal(p->code, q->code);
        assert_int_equal(p->code_to, q->code_to);
        assert_int_equal(p->cause, q->cause);
        assert_int_equal(p->turn, q->turn);
        assert_int_equal(p->known_relay, q->known_relay);
        assert_int_equal(p->source, q->source);
        same_text(p->enhanced, q->enhanced);
        same_text(p->words, q->words);
        same_text(p->hint, q->hint);
    }
}

static void what_is_unpacked_is_what_was_written_down(void **state)
{
    smtp_known got = smtp_known_get();
    const smtp_known *have = &got, *want = &smtp_known_source;
    (void)state;
    same_patterns(&have->first, &want->first);
    same_patterns(&have->last, &want->last);
    assert_int_equal(have->statuses.count, want->statuses.count);
    for (size_t i = 0; i < want->statuses.count; i++) {
        const smtp_status_row *s = &have->statuses.list[i], *t = &want->statuses.list[i];
        assert_int_equal(s->subject, t->subject);
        assert_int_equal(s->detail, t->detail);
        assert_int_equal(s->cause, t->cause);
        same_text(s->meaning, t->meaning);
        same_text(s->hint, t->hint);
    }
    assert_ptr_equal(smtp_known_get().first.list, have->first.list);
}

/* A pattern whose words never decide anything is dead, or an earlier one casts its shadow on it. */
static void each_word_of_a_sourced_pattern_decides_a_real_reply(void **state)
{
    size_t patterns = 0;
    size_t dead = 0;
    (void)state;
    for (size_t i = 0; i < smtp_known_get().first.count; i++) {
        const smtp_pattern *p = &smtp_known_get().first.list[i];
        if (p->source == 0)
            continue;
        patterns++;
        assert_non_null(p->words);
        for (const char *w = p->words; *w;) {
            size_t len = strcspn(w, "|");
            bool found = false;
            for (size_t k = 0; k < COUNT(replies) && !found; k++) {
                smtp_reply reply = {0};
                parse(replies[k].reply, &reply);
                found = has_word(w, len, &reply) && pattern_of(&replies[k], &reply) == p;
                smtp_reply_clear(&reply);
            }
            if (!found) {
                print_error("no real reply is decided by \"%.*s\" (%s)\n", (int)len, w,
                            smtp_sources[p->source].who);
                dead++;
            }
            w += len + (w[len] == '|');
        }
    }
    assert_int_equal(dead, 0);
    assert_true(patterns >= 150);
}

static void words_are_in_lower_case_and_sourced_ones_come_first(void **state)
{
    bool own = false;
    (void)state;
    for (size_t i = 0; i < smtp_known_get().first.count; i++) {
        const smtp_pattern *p = &smtp_known_get().first.list[i];
        assert_in_range(p->source, 0, smtp_source_count - 1);
        assert_false(own && p->source);
        own = own || p->source == 0;
        for (const char *w = p->words ? p->words : ""; *w; w++)
            assert_false(*w >= 'A' && *w <= 'Z');
    }
    for (size_t i = 1; i < smtp_source_count; i++) {
        assert_non_null(smtp_sources[i].who);
        assert_true(strncmp(smtp_sources[i].url, "http", 4) == 0);
    }
}

static void each_cause_has_a_name_a_cure_and_its_like_in_no_other(void **state)
{
    (void)state;
    for (size_t i = 1; i < SMTP_CAUSE_COUNT; i++) {
        const smtp_cause_row *c = &smtp_causes[i];
        assert_non_null(c->name);
        assert_non_null(c->hint);
        assert_int_equal(c->hint[strlen(c->hint) - 1],
                         '.' == c->hint[strlen(c->hint) - 1] ? '.' : '?');
        assert_int_not_equal(c->category, SMTP_CATEGORY_NONE);
        assert_int_not_equal(c->blame, SMTP_BLAME_NONE);
        for (size_t k = 1; k < i; k++)
            assert_string_not_equal(c->name, smtp_causes[k].name);
    }
    assert_string_equal(smtp_cause_name(SMTP_CAUSE_NONE), "");
}

static void lines_and_case_of_a_text_are_nothing_to_patterns(void **state)
{
    static char longer[SMTP_TEXT_MAX + 100];
    smtp_text text;
    (void)state;
    smtp_text_read(&text, "Does NOT\nhave  a\t\nPTR");
    assert_string_equal(text.s, "does not have a ptr");
    assert_true(smtp_text_has(&text, "no|have a ptr"));
    assert_true(smtp_text_has(&text, "a|x"));
    assert_false(smtp_text_has(&text, "does have|ptr a|not a|"
                                      "does not have a ptr record"));
    smtp_text_read(&text, "授权码 É");
    assert_string_equal(text.s, "授权码 É");
    assert_true(smtp_text_has(&text, "权码"));
    memset(longer, 'x', sizeof longer - 1);
    smtp_text_read(&text, longer);
    assert_int_equal(text.len, SMTP_TEXT_MAX);
    smtp_text_read(&text, "");
    assert_false(smtp_text_has(&text, "a|bc"));
}

/* ---- registered codes ---- */

/* IANA's registry of 2024-12-06: how many details each subject has, from X.n.0. */
static const unsigned details[] = {1, 11, 5, 7, 8, 7, 11, 31};

static void the_registry_is_whole_and_in_order(void **state)
{
    const smtp_status_row *rows = smtp_known_get().statuses.list;
    size_t count = smtp_known_get().statuses.count;
    size_t i = 0;
    (void)state;
    for (unsigned subject = 0; subject < COUNT(details); subject++)
        for (unsigned detail = 0; detail < details[subject]; detail++, i++) {
            char code[16];
            assert_true(i < count);
            assert_int_equal(rows[i].subject, subject);
            assert_int_equal(rows[i].detail, detail);
            assert_true(strlen(rows[i].meaning) > 3);
            (void)snprintf(code, sizeof code, "5.%u.%u", subject, detail);
            assert_ptr_equal(smtp_status_find(code), &rows[i]);
        }
    assert_int_equal(i, count);
}

static void an_unknown_detail_is_its_subjects(void **state)
{
    (void)state;
    assert_string_equal(smtp_status_find("5.6.99")->meaning, "content, undefined");
    assert_string_equal(smtp_status_find("4.7.650")->meaning, "security, undefined");
    assert_null(smtp_status_find("5.8.1"));
    assert_null(smtp_status_find("5.1.1000"));
    assert_null(smtp_status_find(""));
    assert_null(smtp_status_find("5"));
    assert_non_null(smtp_status_find("5.1"));
}

static const struct {
    smtp_stage stage;
    const char *reply;
    smtp_cause cause;
    bool retryable;
    const char *hint;
} unknown[] = {
    {AT(RCPT), "550 5.1.1 nix", C(UNKNOWN_USER), false, "does not exist"},
    {AT(RCPT), "450 4.1.1 nix", C(UNKNOWN_USER), true, NULL},
    {AT(RCPT), "550 5.1.2 nix", C(RECIPIENT_DOMAIN), false, "spelling"},
    {AT(RCPT), "550 5.1.6 nix", C(MAILBOX_DISABLED), false, "moved"},
    {AT(RCPT), "556 5.1.10 nix", C(RECIPIENT_DOMAIN), false, "takes no mail"},
    {AT(RCPT), "550 5.4.4 nix", C(RECIPIENT_DOMAIN), false, "way"},
    {AT(BODY), "550 5.4.6 nix", C(LOOP), false, "circles"},
    {AT(BODY), "554 5.3.4 nix", C(SIZE), false, "larger"},
    {AT(MAIL), "452 4.3.1 nix", C(BUSY), true, "room"},
    {AT(MAIL), "550 5.3.2 nix", C(BUSY), false, NULL},
    {AT(MAIL), "550 5.7.27 nix", C(SENDER_DOMAIN), false, "no mail"},
    {AT(RCPT), "550 5.7.25 nix", C(PTR), false, "PTR"},
    {AT(BODY), "550 5.7.20 nix", C(DKIM), false, "DKIM"},
    {AT(BODY), "550 5.7.24 nix", C(SPF), false, "lookups"},
    {AT(BODY), "550 5.7.28 nix", C(RATE), true, "flood"},
    {AT(BODY), "550 5.7.29 nix", C(POLICY), false, "ARC"},
    {AT(BODY), "550 5.7.30 nix", C(TLS), false, "TLS"},
    {AT(RCPT), "525 5.7.13 nix", C(ACCOUNT), false, "disabled"},
    {AT(RCPT), "550 5.7.17 nix", C(UNKNOWN_USER), false, "somebody else"},
    {AT(MAIL), "550 5.6.7 nix", C(PROTOCOL), false, "SMTPUTF8"},
    {AT(BODY), "554 5.6.99 nix", C(MALFORMED), false, NULL},
    /* too little by itself: the stage says more */
    {AT(MAIL), "550 5.7.1 nix", C(SENDER_NOT_ALLOWED), false, NULL},
    {AT(RCPT), "550 5.7.1 nix", C(POLICY), false, NULL},
    {AT(BODY), "550 5.7.1 nix", C(SPAM), false, NULL},
    {AT(RCPT), "550 5.0.0 nix", C(RECIPIENT_REFUSED), false, NULL},
    {AT(RCPT), "550 nix", C(RECIPIENT_REFUSED), false, NULL},
    {AT(BODY), "554 5.9.9 nix", C(MESSAGE_REFUSED), false, NULL},
};

static void an_unknown_reply_means_what_its_code_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(unknown); i++) {
        smtp_reply reply = {0};
        smtp_fault fault = {0};
        parse(unknown[i].reply, &reply);
        smtp_classify_reply(unknown[i].stage, &reply, NULL, &fault);
        if (fault.cause != unknown[i].cause || fault.retryable != unknown[i].retryable ||
            (unknown[i].hint && !strstr(fault.hint, unknown[i].hint)))
            fail_msg("%s: %s, %d, %s", unknown[i].reply, smtp_cause_name(fault.cause),
                     fault.retryable, fault.hint);
        smtp_reply_clear(&reply);
    }
}

/* ---- who is gone ---- */

static const struct {
    const char *reply;
    bool gone;
} existence[] = {
    {"550 5.1.1 <a@b.c>: Recipient address rejected: User unknown in virtual mailbox table", true},
    {"550 5.1.6 recipient no longer on server: a@b.c", true},
    {"550 No such user (a@b.c)", true},
    {"550 5.2.1 The email account that you tried to reach is disabled.", true},
    {"450 4.1.1 <a@b.c>: Recipient address rejected: User unknown in virtual alias table", false},
    /* codes that say so, and words that say something else */
    {"552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]", false},
    {"550 5.1.1 <a@b.c> - 203.0.113.222 has sent to too many recipients this hour. IB607", false},
    {"550 5.1.1 RCP-P2 http://postmaster.facebook.com/response_codes?ip=192.0.2.135#rcp Refused "
     "due "
     "to recipient preferences",
     false},
    {"550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents "
     "additional messages from being delivered.",
     false},
    {"550 5.2.1 Mailbox unavailable. Your IP address 192.0.2.44 is blacklisted using SPAMHAUS-XBL. "
     "Details: https://www.spamhaus.org/query/ip/192.0.2.44.",
     false},
    {"550 Requested action not taken: mailbox unavailable", false},
    {"554 5.7.1 <a@b.c>: Recipient address rejected: Access denied", false},
    {"550 5.1.0 <s@b.c>: Sender address rejected: User unknown in virtual mailbox table", false},
};

static void only_who_does_not_exist_is_gone(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(existence); i++) {
        smtp_reply reply = {0};
        smtp_fault fault = {0};
        parse(existence[i].reply, &reply);
        smtp_classify_reply(SMTP_STAGE_RCPT, &reply, NULL, &fault);
        if (smtp_classify_gone(fault.cause, &reply) != existence[i].gone)
            fail_msg("%s: %s", existence[i].reply, smtp_cause_name(fault.cause));
        smtp_reply_clear(&reply);
    }
}

/* ---- docs/replies.md ---- */

#define DOCUMENT "docs/replies.md"

static const char intro[] =
    "# What a refusal means, and what to do\n\n"
    "Where a relay refuses, Postern's answer has, beside the relay's own words, a `category`, a "
    "finer "
    "`cause`, a `hint`, and `retryable`. They are found in this order: the words that providers "
    "and mail "
    "servers are known to use, the enhanced code's registered meaning, words that tell by "
    "themselves, the "
    "code at the stage it came at. Replies of 4yz are retryable whatever their cause, but for "
    "those that no "
    "waiting mends; those of 5yz are not, but for limits of rate.\n\n"
    "This page is written from the tables in `smtp/replies.c` and `smtp/replies_known.c` "
    "(`WRITE_DOCS=1 build/tests/unit/test_smtp_replies`), and the test fails where they differ. "
    "The metric "
    "`postern_refusals_total{relay,cause}` counts by cause.\n\n"
    "## Causes\n\n"
    "| cause | category | who acts | what to do |\n|---|---|---|---|\n";

static const char *who_acts(const smtp_cause_row *c)
{
    static const char *const names[] = {
        [SMTP_BLAME_NONE] = "",
        [SMTP_BLAME_MESSAGE] = "who sends the message",
        [SMTP_BLAME_GATEWAY] = "who runs the gateway or the sender's domain",
        [SMTP_BLAME_RELAY] = "nobody: later may work",
        [SMTP_BLAME_TIMEOUT] = "nobody: later may work",
    };
    return names[c->category == SMTP_CATEGORY_TEMPORARY ? SMTP_BLAME_RELAY : c->blame];
}

static void write_causes(buf *out)
{
    for (size_t i = 1; i < SMTP_CAUSE_COUNT; i++)
        buf_addf(out, "| `%s` | %s | %s | %s |\n", smtp_causes[i].name,
                 smtp_category_name(smtp_causes[i].category), who_acts(&smtp_causes[i]),
                 smtp_causes[i].hint);
}

static size_t words_of(const smtp_pattern *p)
{
    size_t n = 1;
    for (const char *w = p->words; *w; w++)
        n += *w == '|';
    return n;
}

static void write_sources(buf *out)
{
    buf_adds(out,
             "\n## Whose words are known\n\n"
             "Each is held by a test to a reply as it came. Where a provider does not publish its "
             "words, the link is to who published replies as received.\n\n"
             "| whose | phrases | source |\n|---|---|---|\n");
    for (size_t s = 1; s < smtp_source_count; s++) {
        size_t n = 0;
        for (size_t i = 0; i < smtp_known_get().first.count; i++) {
            if (smtp_known_get().first.list[i].source == s)
                n += words_of(&smtp_known_get().first.list[i]);
        }
        assert_true(n > 0);
        buf_addf(out, "| %s | %zu | <%s> |\n", smtp_sources[s].who, n, smtp_sources[s].url);
    }
}

static void write_statuses(buf *out)
{
    const smtp_status_row *rows = smtp_known_get().statuses.list;
    size_t count = smtp_known_get().statuses.count;

    buf_adds(
        out,
        "\n## Enhanced codes\n\n"
        "Registered by IANA (<https://www.iana.org/assignments/smtp-enhanced-status-codes/>), for "
        "replies whose words are not known. One without a cause says too little: the stage "
        "decides.\n\n"
        "| code | meaning | cause | what to do |\n|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        const smtp_cause_row *c = &smtp_causes[rows[i].cause];
        const char *hint = rows[i].hint ? rows[i].hint : c->hint ? c->hint : "";
        buf_addf(out, "| X.%u.%u | %s | %s | %s |\n", (unsigned)rows[i].subject,
                 (unsigned)rows[i].detail, rows[i].meaning, c->name, hint);
    }
}

static void the_document_says_what_the_tables_do(void **state)
{
    buf now = {0};
    buf there = {0};
    char chunk[4096];
    size_t n = 0;
    (void)state;
    buf_adds(&now, intro);
    write_causes(&now);
    write_sources(&now);
    write_statuses(&now);
    assert_true(buf_ok(&now));
    bool writes = getenv("WRITE_DOCS") != NULL; /* NOLINT(concurrency-mt-unsafe): one thread */
    FILE *f = fopen(DOCUMENT, writes ? "we" : "re");
    assert_non_null(f);
    if (writes)
        assert_int_equal(fwrite(now.data, 1, now.len, f), now.len);
    else
        while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
            buf_add(&there, chunk, n);
    assert_int_equal(fclose(f), 0);
    if (!writes) {
        assert_int_equal(there.len, now.len);
        assert_memory_equal(there.data, now.data, now.len);
    }
    buf_free(&now);
    buf_free(&there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_replies_are_explained),
        cmocka_unit_test(what_is_unpacked_is_what_was_written_down),
        cmocka_unit_test(each_word_of_a_sourced_pattern_decides_a_real_reply),
        cmocka_unit_test(words_are_in_lower_case_and_sourced_ones_come_first),
        cmocka_unit_test(each_cause_has_a_name_a_cure_and_its_like_in_no_other),
        cmocka_unit_test(lines_and_case_of_a_text_are_nothing_to_patterns),
        cmocka_unit_test(the_registry_is_whole_and_in_order),
        cmocka_unit_test(an_unknown_detail_is_its_subjects),
        cmocka_unit_test(an_unknown_reply_means_what_its_code_does),
        cmocka_unit_test(only_who_does_not_exist_is_gone),
        cmocka_unit_test(the_document_says_what_the_tables_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
