/* What dialects share: ids as UUIDs, lists of mailboxes, tables of members, replacement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialect/reader.h"
#include "dialect/replace.h"
#include "tests/unit/dialect_given.h"

/* ---- ids ---- */

static void an_id_is_the_same_number_as_its_uuid(void **state)
{
    static const struct {
        const char *id, *uuid;
    } known[] = {
        {"00000000000000000000000000", "00000000-0000-0000-0000-000000000000"},
        {"00000000000000000000000001", "00000000-0000-0000-0000-000000000001"},
        {"7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
        {"01KQXW3V9M4T5Y8ZC2B7D6F1GH", "019dfbc1-ed34-268b-e47d-8259da678611"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char uuid[DIALECT_UUID + 1], id[27];
        dialect_uuid(known[i].id, uuid);
        assert_string_equal(uuid, known[i].uuid);
        assert_true(dialect_id(uuid, id));
        assert_string_equal(id, known[i].id);
    }
}

static void ids_come_back_from_their_uuids(void **state)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char id[27] = {0}, uuid[DIALECT_UUID + 1], back[27];
    unsigned seed = 1;
    (void)state;
    for (int n = 0; n < 2000; n++) {
        for (size_t i = 0; i < 26; i++) {
            seed = seed * 1103515245 + 12345;
            id[i] = digits[seed >> 16 & (i == 0 ? 7 : 31)];
        }
        dialect_uuid(id, uuid);
        assert_int_equal(strlen(uuid), DIALECT_UUID);
        assert_true(dialect_id(uuid, back));
        assert_string_equal(back, id);
        assert_true(dialect_id(id, back)); /* as it is, too */
        assert_string_equal(back, id);
    }
}

static void a_uuid_may_have_capitals(void **state)
{
    char id[27];
    (void)state;
    assert_true(dialect_id("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFE", id));
    assert_string_equal(id, "7ZZZZZZZZZZZZZZZZZZZZZZZZY");
}

static void what_is_neither_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "0",
        "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",  /* over 128 bits */
        "0000000000000000000000000",   /* 25 */
        "000000000000000000000000000", /* 27 */
        "0000000000000000000000000I",
        "0000000000000000000000000u",
        "00000000-0000-0000-0000-00000000000",
        "00000000-0000-0000-0000-0000000000000",
        "00000000-0000-0000-0000-00000000000g",
        "000000000000-0000-0000-000000000000",
        "00000000000000000000000000000000",
        "{0000000-0000-0000-0000-00000000000}",
        "00000000-0000-0000-0000-000000000000 ",
    };
    char id[27];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(dialect_id(bad[i], id));
}

/* ---- mailboxes ---- */

static void assert_split(const char *text, const char *expected)
{
    mime_bytes bytes = {text, strlen(text)};
    json_t *list = json_array();
    assert_true(dialect_split_mailboxes(&bytes, list));
    json_t *wanted = given_json(expected);
    char *found = json_dumps(list, JSON_COMPACT);
    char *should = json_dumps(wanted, JSON_COMPACT);
    assert_string_equal(found, should);
    free(found);
    free(should);
    json_decref(wanted);
    json_decref(list);
}

static void encoded_words_in_names_are_decoded(void **state)
{
    (void)state;
    assert_split("=?UTF-8?B?5p2O6Zu3?= <a@x.test>", "[\"\\\"李雷\\\" <a@x.test>\"]");
    assert_split("=?utf-8*de?Q?Gr=C3=BC=C3=9Fe=2C_A?= =?iso-8859-1?q?=FC?= B =?us-ascii?q?=22?= "
                 "<a@x.test>, b@x.test",
                 "[\"\\\"Grüße, Aü B \\\\\\\"\\\" <a@x.test>\", \"b@x.test\"]");
    /* What is none, or would be what no name is. */
    static const char *const same[] = {
        "=?utf-8?B?DQpCY2M6IGJAeC50ZXN0?= <a@x.test>",
        "=?utf-8?Q?a=0Ab?= <a@x.test>",
        "=?utf-8?Q?a=00b?= <a@x.test>",
        "=?utf-8?Q?=FC?= <a@x.test>",
        "=?koi8-r?Q?=FC?= <a@x.test>",
        "=?utf-8?X?a?= <a@x.test>",
        "=?utf-8?Q?a=?= <a@x.test>",
        "=?utf-8?Q?a=4?= <a@x.test>",
        "=?utf-8?B?a?= <a@x.test>",
        "=?utf-8?B?!!!!?= <a@x.test>",
        "=?iso-8859-1?Q?=85?= <a@x.test>",
        "=?utf-8?Q? <a@x.test>",
        "=?=?= <a@x.test>",
        "=?utf-8?Q?a <a@x.test>",
        "=?a@x.test",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        json_t *made = dialect_mailbox(same[i], strlen(same[i]));
        assert_string_equal(json_string_value(made), same[i]);
        json_decref(made);
    }
}

static void mailboxes_are_split_at_commas_outside_of_quotes(void **state)
{
    (void)state;
    assert_split("", "[]");
    assert_split("   ", "[]");
    assert_split(",, ,", "[]");
    assert_split("a@x.test", "[\"a@x.test\"]");
    assert_split(" a@x.test ,\tb@x.test\r\n ", "[\"a@x.test\", \"b@x.test\"]");
    assert_split("A <a@x.test>, \"B, C\" <b@x.test>",
                 "[\"A <a@x.test>\", \"\\\"B, C\\\" <b@x.test>\"]");
    assert_split("\"say \\\"hi, you\\\"\" <a@x.test>,b@x.test",
                 "[\"\\\"say \\\\\\\"hi, you\\\\\\\"\\\" <a@x.test>\", \"b@x.test\"]");
    assert_split("\"ends with \\\\\" <a@x.test>, b@x.test",
                 "[\"\\\"ends with \\\\\\\\\\\" <a@x.test>\", \"b@x.test\"]");
    assert_split("a@x.test (one, (two, three), four), b@x.test",
                 "[\"a@x.test (one, (two, three), four)\", \"b@x.test\"]");
    assert_split("(a \\) , b) a@x.test, b@x.test", "[\"(a \\\\) , b) a@x.test\", \"b@x.test\"]");
    assert_split("<\"a,b\"@x.test>, c@x.test", "[\"<\\\"a,b\\\"@x.test>\", \"c@x.test\"]");
    assert_split("\"a,b\"@x.test, c@x.test", "[\"\\\"a,b\\\"@x.test\", \"c@x.test\"]");
    assert_split("李雷 <li@x.test>，b@x.test", "[\"李雷 <li@x.test>，b@x.test\"]");
}

static void what_is_not_closed_goes_to_the_end(void **state)
{
    (void)state;
    assert_split("\"open <a@x.test>, b@x.test", "[\"\\\"open <a@x.test>, b@x.test\"]");
    assert_split("a@x.test, (open, b@x.test", "[\"a@x.test\", \"(open, b@x.test\"]");
    assert_split("a@x.test, <b@x.test, c@x.test", "[\"a@x.test\", \"<b@x.test, c@x.test\"]");
    assert_split("a@x.test, \"ends with \\", "[\"a@x.test\", \"\\\"ends with \\\\\"]");
    assert_split("\"", "[\"\\\"\"]");
    assert_split("(", "[\"(\"]");
    assert_split(")>,a@x.test", "[\")>\", \"a@x.test\"]");
}

/* Each character of a mailbox is in one of the pieces, but for commas and blanks. */
static void splitting_loses_nothing(void **state)
{
    static const char letters[] = "a,\"(<>)\\ @";
    char text[13];
    unsigned seed = 7;
    (void)state;
    for (int n = 0; n < 20000; n++) {
        size_t len = n % 12, kept = 0, meant = 0;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1103515245 + 12345;
            text[i] = letters[(seed >> 16) % (sizeof letters - 1)];
            meant += text[i] != ',' && text[i] != ' ';
        }
        text[len] = '\0';
        mime_bytes bytes = {text, len};
        json_t *list = json_array(), *one;
        size_t i;
        assert_true(dialect_split_mailboxes(&bytes, list));
        json_array_foreach(list, i, one)
        {
            const char *s = json_string_value(one);
            assert_true(*s && *s != ' ' && s[strlen(s) - 1] != ' ');
            for (; *s; s++)
                kept += *s != ',' && *s != ' ';
        }
        assert_int_equal(kept, meant);
        json_decref(list);
    }
}

/* ---- tables ---- */

static bool read_upper(dialect_reader *r, const char *pointer, const json_t *value)
{
    mime_bytes text;
    if (dialect_text(r, pointer, value, &text))
        dialect_set(r, "read", json_integer((json_int_t)text.len));
    return true;
}

static bool asks(dialect_reader *r, const char *pointer, const json_t *value)
{
    (void)r;
    (void)pointer;
    return json_is_true(json_object_get(value, "enable"));
}

static const dialect_member members[] = {
    {"copied", DIALECT_COPY, "ours", NULL, NULL},
    {"read", DIALECT_READ, NULL, read_upper, NULL},
    {"ignored", DIALECT_IGNORE, NULL, NULL, "It has no effect."},
    {"refused", DIALECT_REFUSE, NULL, NULL, "Not here."},
    {"asked", DIALECT_REFUSE, NULL, asks, "Not here either."},
    {"elsewhere", DIALECT_ELSEWHERE, NULL, NULL, NULL},
    {.name = NULL},
};

static void assert_members(const char *text, const char *draft, const char *errors)
{
    given g = {.root = given_json(text), .body = {.text = given_text}};
    dialect_reader r = {.body = &g.body, .message = json_object(), .errors = &g.plan.errors};
    dialect_read_members(&r, members, "/at", g.root);
    json_t *wanted = given_json(draft);
    char *found = given_faults(&g);
    assert_non_null(found);
    assert_string_equal(found, errors);
    assert_true(json_equal(r.message, wanted));
    assert_false(r.nomem);
    free(found);
    json_decref(wanted);
    json_decref(r.message);
    dialect_plan_clear(&g.plan);
    json_decref(g.root);
}

static void a_table_says_what_becomes_of_each_member(void **state)
{
    (void)state;
    assert_members("{}", "{}", "");
    assert_members("[]", "{}", "/at wrong_type");
    assert_members("{\"copied\": [1], \"read\": \"four\", \"ignored\": 1, \"elsewhere\": 2}",
                   "{\"ours\": [1], \"read\": 4}", "");
    assert_members("{\"copied\": null, \"read\": null, \"refused\": null}", "{}", "");
    assert_members("{\"refused\": false}", "{}", "");
    assert_members("{\"refused\": {}}", "{}", "/at/refused unsupported");
    assert_members("{\"asked\": {\"enable\": false}}", "{}", "");
    assert_members("{\"asked\": {\"enable\": true}}", "{}", "/at/asked unsupported");
    assert_members("{\"read\": 4}", "{}", "/at/read wrong_type");
    assert_members("{\"read\": \"a\\u0000b\"}", "{}", "/at/read nul");
    assert_members("{\"a/b~\": 4}", "{}", "/at/a~1b~0 unknown_member");
}

/* ---- replacement ---- */

#define VALUE(tag, value)                                                                          \
    {                                                                                              \
        {(tag), sizeof(tag) - 1}, {(value), sizeof(value) - 1}, REPLACE_VALUE                      \
    }
#define SECTION(tag, value)                                                                        \
    {                                                                                              \
        {(tag), sizeof(tag) - 1}, {(value), sizeof(value) - 1}, REPLACE_SECTION                    \
    }

static void assert_replaced(replace_tag *tags, size_t count, const char *text, const char *expected)
{
    replace_budget budget = {1000, 100000};
    buf out = BUF_INIT;
    mime_bytes bytes = {text, strlen(text)};
    replace_sort(tags, count);
    replace_result result = replace_text(tags, count, &bytes, &budget, &out);
    if (expected) {
        assert_int_equal(result, REPLACE_MADE);
        assert_string_equal(buf_cstr(&out), expected);
    } else {
        assert_int_equal(result, REPLACE_SAME);
        assert_int_equal(out.len, 0);
        assert_int_equal(budget.octets, 1000);
    }
    buf_free(&out);
}

static void tags_are_replaced_in_one_pass(void **state)
{
    replace_tag tags[] = {
        VALUE("{{a}}", "{{b}}"), VALUE("{{b}}", "B"), VALUE("%", "percent"),
        VALUE("%%", "two"),      VALUE("gone", ""),
    };
    size_t n = sizeof tags / sizeof *tags;
    (void)state;
    assert_replaced(tags, n, "nothing {{c}} {{a}", NULL);
    assert_replaced(tags, n, "", NULL);
    assert_replaced(tags, n, "{{a}}{{b}}", "{{b}}B");
    assert_replaced(tags, n, "{{{b}}}", "{B}");
    assert_replaced(tags, n, "%%%", "twopercent");
    assert_replaced(tags, n, "gone", "");
    assert_replaced(tags, n, "{{a", NULL);
}

static void sections_have_values_and_values_sections_and_there_it_ends(void **state)
{
    replace_tag tags[] = {
        VALUE("-greeting-", "-male-"),  SECTION("-male-", "Mr. -name-"),
        SECTION("-loop-", "<-again->"), VALUE("-again-", "-loop-"),
        VALUE("-name-", "-greeting-"),
    };
    size_t n = sizeof tags / sizeof *tags;
    (void)state;
    assert_replaced(tags, n, "Dear -greeting-!", "Dear Mr. -greeting-!");
    assert_replaced(tags, n, "-male-", "Mr. -greeting-");
    assert_replaced(tags, n, "-loop-", "<-loop->");
    assert_replaced(tags, n, "-again-", "<-loop->");
    assert_replaced(tags, n, "-name-", "-greeting-");
}

static void replacement_stops_at_its_bounds(void **state)
{
    replace_tag tags[] = {VALUE("a", "0123456789")};
    mime_bytes text = {"aaaaaaaaaa", 10};
    (void)state;
    for (size_t octets = 0; octets <= 100; octets += 20) {
        replace_budget budget = {octets, 1000};
        buf out = BUF_INIT;
        assert_int_equal(replace_text(tags, 1, &text, &budget, &out),
                         octets < 100 ? REPLACE_BOUND : REPLACE_MADE);
        assert_true(out.len <= octets);
        buf_free(&out);
    }
    /* The text's places, the tag found at each, and the places of the values. */
    for (uint64_t steps = 0; steps <= 120; steps += 24) {
        replace_budget budget = {1000, steps};
        buf out = BUF_INIT;
        assert_int_equal(replace_text(tags, 1, &text, &budget, &out),
                         steps < 120 ? REPLACE_BOUND : REPLACE_MADE);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_the_same_number_as_its_uuid),
        cmocka_unit_test(ids_come_back_from_their_uuids),
        cmocka_unit_test(a_uuid_may_have_capitals),
        cmocka_unit_test(what_is_neither_is_refused),
        cmocka_unit_test(mailboxes_are_split_at_commas_outside_of_quotes),
        cmocka_unit_test(encoded_words_in_names_are_decoded),
        cmocka_unit_test(what_is_not_closed_goes_to_the_end),
        cmocka_unit_test(splitting_loses_nothing),
        cmocka_unit_test(a_table_says_what_becomes_of_each_member),
        cmocka_unit_test(tags_are_replaced_in_one_pass),
        cmocka_unit_test(sections_have_values_and_values_sections_and_there_it_ends),
        cmocka_unit_test(replacement_stops_at_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
