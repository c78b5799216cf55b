/* Tests of service/log: lines as a reader at the other end of a pipe gets them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/civil.h"
#include "service/log.h"

typedef struct fixture {
    int ends[2];
    logger *log;
    char text[8192];
} fixture;

static void open_log(fixture *f, log_format format, bool addresses)
{
    assert_int_equal(pipe2(f->ends, O_CLOEXEC), 0);
    f->log = log_create(f->ends[1], format, addresses);
    assert_non_null(f->log);
}

/* What has been logged, as one string; closes the log. */
static const char *close_log(fixture *f)
{
    size_t len = 0;
    ssize_t n = 0;
    log_free(f->log);
    close(f->ends[1]);
    while ((n = read(f->ends[0], f->text + len, sizeof f->text - 1 - len)) > 0)
        len += (size_t)n;
    f->text[len] = '\0';
    close(f->ends[0]);
    return f->text;
}

static void one_of_each(logger *l)
{
    log_line line;
    log_begin(&line, l, LOG_WARNING, "transaction");
    log_str(&line, "id", "01ABC");
    log_str(&line, "absent", NULL);
    log_str(&line, "text", "two words");
    log_int(&line, "code", -5);
    log_ms(&line, "ms", 1234);
    log_end(&line);
}

static void a_json_line_is_an_object_with_time_level_and_event(void **state)
{
    (void)state;
    fixture f;
    open_log(&f, LOG_JSON, false);
    one_of_each(f.log);
    const char *text = close_log(&f);
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    json_t *line = json_loads(text, 0, NULL);
    assert_non_null(line);
    assert_int_equal(json_object_size(line), 7);
    assert_int_equal(json_string_length(json_object_get(line, "time")), CIVIL_TIME);
    assert_string_equal(json_string_value(json_object_get(line, "level")), "warning");
    assert_string_equal(json_string_value(json_object_get(line, "event")), "transaction");
    assert_string_equal(json_string_value(json_object_get(line, "id")), "01ABC");
    assert_string_equal(json_string_value(json_object_get(line, "text")), "two words");
    assert_int_equal(json_integer_value(json_object_get(line, "code")), -5);
    assert_true(json_real_value(json_object_get(line, "ms")) == 1.234);
    json_decref(line);
}

static void a_text_line_quotes_what_needs_it(void **state)
{
    (void)state;
    fixture f;
    open_log(&f, LOG_TEXT, false);
    one_of_each(f.log);
    assert_string_equal(close_log(&f) + CIVIL_TIME,
                        " warning transaction id=01ABC text=\"two words\" code=-5 ms=1.234\n");
}

static void no_value_can_forge_a_line_or_a_field(void **state)
{
    (void)state;
    static const char *const values[] = {
        "x\n2026-01-01T00:00:00.000Z info request status=200",
        "x level=error",
        "a=b",
        "\"quoted\"",
        "\x1B[2J\x1B]0;title\x07",
        "\xC2\x9Bm",
        "back\\slash",
        "",
        "\xFF\xFE",
        "\r",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (int json = 0; json < 2; json++) {
            fixture f;
            open_log(&f, json ? LOG_JSON : LOG_TEXT, false);
            log_line line;
            log_begin(&line, f.log, LOG_ERROR, "e");
            log_str(&line, "v", values[i]);
            log_str(&line, "last", "1");
            log_end(&line);
            const char *text = close_log(&f);
            size_t len = strlen(text);
            for (size_t at = 0; at + 1 < len; at++)
                assert_false((unsigned char)text[at] < ' ' || text[at] == 0x7F);
            assert_null(strstr(text, "\xC2\x9B"));
            if (json) {
                json_t *read = json_loads(text, 0, NULL);
                assert_int_equal(json_object_size(read), 5);
                json_decref(read);
            } else {
                assert_memory_equal(text + CIVIL_TIME, " error e v=\"", 12);
                assert_string_equal(text + len - 8, " last=1\n");
            }
        }
}

static void an_address_is_masked_unless_addresses_are_on(void **state)
{
    (void)state;
    static const struct {
        const char *address, *masked;
    } cases[] = {
        {"li@example.net", " a=*@example.net\n"},
        {"\"a@b\"@example.net", " a=*@example.net\n"},
        {"nothing", " a=*\n"},
        {"", " a=\"\"\n"},
        {NULL, "\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture f;
        open_log(&f, LOG_TEXT, false);
        log_line line;
        log_begin(&line, f.log, LOG_INFO, "e");
        log_address(&line, "a", cases[i].address);
        log_end(&line);
        assert_string_equal(close_log(&f) + CIVIL_TIME + strlen(" info e"), cases[i].masked);
    }
    fixture f;
    open_log(&f, LOG_TEXT, true);
    log_line line;
    log_begin(&line, f.log, LOG_INFO, "e");
    log_address(&line, "a", "li@example.net");
    log_end(&line);
    assert_string_equal(close_log(&f) + CIVIL_TIME, " info e a=li@example.net\n");
}

static void a_long_value_is_cut_between_characters(void **state)
{
    (void)state;
    char value[3 * LOG_VALUE_MAX + 1];
    for (size_t i = 0; i < LOG_VALUE_MAX; i++)
        memcpy(value + 3 * i, "\xE7\xAE\x80", 3);
    value[sizeof value - 1] = '\0';
    fixture f;
    open_log(&f, LOG_JSON, false);
    log_message(f.log, LOG_INFO, "e", "%s", value);
    json_t *line = json_loads(close_log(&f), 0, NULL);
    const json_t *message = json_object_get(line, "message");
    assert_int_equal(json_string_length(message), LOG_VALUE_MAX - LOG_VALUE_MAX % 3);
    json_decref(line);
}

static void time_is_utc_as_the_system_says_it(void **state)
{
    (void)state;
    static const time_t seconds[] = {0,          1,          951782399,  951782400,
                                     1709164800, 1709251199, 4107542400, 253402300799};
    time_t at = 0;
    for (size_t i = 0; i < 5000; i++) {
        /* The table, then a walk through every part of day and year. */
        at = i < sizeof seconds / sizeof *seconds ? seconds[i] : (time_t)(i * 40000003 + i * i);
        char ours[CIVIL_TIME + 1], theirs[64];
        int ms = (int)(i * 7 % 1000);
        struct tm tm;
        assert_non_null(gmtime_r(&at, &tm));
        size_t len = strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%S", &tm);
        assert_true(len > 0);
        (void)snprintf(theirs + len, sizeof theirs - len, ".%03dZ", ms);
        civil_time(((int64_t)at * 1000 + ms) * 1000 + 999, ours);
        assert_int_equal(strlen(ours), CIVIL_TIME);
        assert_string_equal(ours, theirs);
    }
}

static void a_reader_that_is_gone_or_full_costs_lines_only(void **state)
{
    (void)state;
    fixture f;
    (void)signal(SIGPIPE, SIG_IGN);
    open_log(&f, LOG_JSON, false);
    assert_int_equal(fcntl(f.ends[1], F_SETFL, O_NONBLOCK), 0);
    errno = EXDEV;
    for (int i = 0; i < 5000; i++) /* more than a pipe holds */
        log_message(f.log, LOG_INFO, "e", "%d", i);
    assert_int_equal(errno, EXDEV);
    close(f.ends[0]);
    log_message(f.log, LOG_INFO, "e", "nobody reads");
    assert_int_equal(errno, EXDEV);
    log_free(f.log);
    close(f.ends[1]);
}

static void *log_many(void *ctx)
{
    for (int i = 0; i < 500; i++)
        one_of_each(ctx);
    return NULL;
}

static void lines_of_several_threads_do_not_mix(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    logger *log = log_create(fileno(file), LOG_JSON, false);
    pthread_t threads[4];
    char *line = NULL;
    size_t cap = 0, count = 0;
    assert_int_equal(fcntl(fileno(file), F_SETFL, O_APPEND), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, log), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    rewind(file);
    while (getline(&line, &cap, file) > 0) {
        json_t *read = json_loads(line, 0, NULL);
        assert_int_equal(json_object_size(read), 7);
        json_decref(read);
        count++;
    }
    assert_int_equal(count, 2000);
    free(line);
    log_free(log);
    (void)fclose(file);
}

/* ---- lines that are collected ---- */

static void open_collecting(fixture *f)
{
    open_log(f, LOG_JSON, false);
    assert_true(log_collect(f->log));
    assert_int_equal(fcntl(f->ends[0], F_SETFL, O_NONBLOCK), 0);
}

static void short_line(logger *l, int64_t number)
{
    log_line line;
    log_begin(&line, l, LOG_INFO, "e");
    log_int(&line, "n", number);
    log_end(&line);
}

/* One read: what one write has brought. */
static size_t lines_there(fixture *f)
{
    size_t lines = 0;
    ssize_t n = read(f->ends[0], f->text, sizeof f->text);
    for (ssize_t i = 0; i < n; i++)
        lines += f->text[i] == '\n';
    return lines;
}

static void collected_lines_wait_for_a_flush(void **state)
{
    (void)state;
    fixture f;
    open_collecting(&f);
    for (int i = 0; i < 3; i++)
        short_line(f.log, i);
    assert_int_equal(lines_there(&f), 0);
    log_flush(f.log);
    assert_int_equal(lines_there(&f), 3);
    log_flush(f.log);
    assert_int_equal(lines_there(&f), 0);

    short_line(f.log, 3);
    log_message(f.log, LOG_WARNING, "e", "now");
    assert_int_equal(lines_there(&f), 2);

    short_line(f.log, 4);
    const char *rest = close_log(&f);
    assert_non_null(strstr(rest, "\"n\":4}\n"));
}

/* More than fits, and one line that fits by no means: all of it is there, in order. */
static void a_full_buffer_is_written(void **state)
{
    (void)state;
    enum { LINES = 3 * LOG_COLLECT_MAX / 64 };
    static char huge[LOG_VALUE_MAX + 1];
    FILE *file = tmpfile();
    logger *log = log_create(fileno(file), LOG_JSON, false);
    char *text = NULL;
    size_t cap = 0;
    log_line line;

    assert_true(log_collect(log));
    for (int i = 0; i < LINES; i++)
        short_line(log, i);
    memset(huge, 'x', sizeof huge - 1);
    log_begin(&line, log, LOG_INFO, "huge");
    for (int i = 0; i <= LOG_COLLECT_MAX / LOG_VALUE_MAX; i++)
        log_str(&line, "v", huge);
    log_end(&line);
    short_line(log, LINES);
    log_free(log);

    rewind(file);
    for (int i = 0; i <= LINES; i++) {
        char end[32];
        assert_true(getline(&text, &cap, file) > 0);
        if (i == LINES) {
            assert_true(strlen(text) > LOG_COLLECT_MAX);
            assert_true(getline(&text, &cap, file) > 0);
        }
        (void)snprintf(end, sizeof end, "\"n\":%d}\n", i);
        assert_non_null(strstr(text, end));
    }
    assert_int_equal(getline(&text, &cap, file), -1);
    free(text);
    (void)fclose(file);
}

/* A pipe that takes a part of a batch and no more: the line it ends within is completed when there
 * is room again, before any other. */
static void a_line_is_not_torn_by_a_full_pipe(void **state)
{
    (void)state;
    fixture f;
    char piece[1000];
    buf all = BUF_INIT;
    ssize_t n = 0;

    open_collecting(&f);
    assert_int_equal(fcntl(f.ends[1], F_SETFL, O_NONBLOCK), 0);
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 300; i++)
            one_of_each(f.log);
        log_flush(f.log);
        for (int i = 0; i < 20 && (n = read(f.ends[0], piece, sizeof piece)) > 0; i++)
            buf_add(&all, piece, (size_t)n);
    }
    while ((n = read(f.ends[0], piece, sizeof piece)) > 0) {
        buf_add(&all, piece, (size_t)n);
        log_flush(f.log); /* the rest of a line, if one was cut */
    }
    one_of_each(f.log);
    log_free(f.log);
    close(f.ends[1]);
    while ((n = read(f.ends[0], piece, sizeof piece)) > 0)
        buf_add(&all, piece, (size_t)n);
    close(f.ends[0]);

    char *text = buf_take(&all), *rest = NULL;
    assert_non_null(text);
    for (char *one = strtok_r(text, "\n", &rest); one; one = strtok_r(NULL, "\n", &rest)) {
        json_t *read_back = json_loads(one, 0, NULL);
        assert_int_equal(json_object_size(read_back), 7);
        json_decref(read_back);
    }
    free(text);
}

typedef struct writer {
    pthread_t thread;
    logger *log;
    int64_t number;
} writer;

enum { WRITERS = 4, LINES_EACH = 4000 };

static void *write_many(void *ctx)
{
    writer *w = ctx;
    for (int i = 0; i < LINES_EACH; i++) {
        short_line(w->log, w->number * LINES_EACH + i);
        if (i % 7 == 0)
            log_flush(w->log);
    }
    log_flush(w->log);
    return NULL;
}

/* Every line once, and each thread's in its order; with the writers blocked at times, since the
 * pipe is smaller than what they have. No log_free: the last flush of each has to be enough. */
static void collected_lines_keep_each_threads_order(void **state)
{
    (void)state;
    fixture f;
    writer writers[WRITERS];
    int64_t next[WRITERS] = {0};
    char *line = NULL;
    size_t cap = 0;

    open_log(&f, LOG_JSON, false);
    assert_true(log_collect(f.log));
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.log = f.log, .number = (int64_t)i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]), 0);
    }
    FILE *in = fdopen(f.ends[0], "r");
    assert_non_null(in);
    for (size_t i = 0; i < (size_t)WRITERS * LINES_EACH; i++) {
        assert_true(getline(&line, &cap, in) > 0);
        json_t *object = json_loads(line, 0, NULL);
        int64_t n = json_integer_value(json_object_get(object, "n"));
        json_decref(object);
        assert_int_equal(n % LINES_EACH, next[n / LINES_EACH]);
        next[n / LINES_EACH]++;
    }
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
    free(line);
    log_free(f.log);
    close(f.ends[1]);
    (void)fclose(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_json_line_is_an_object_with_time_level_and_event),
        cmocka_unit_test(a_text_line_quotes_what_needs_it),
        cmocka_unit_test(no_value_can_forge_a_line_or_a_field),
        cmocka_unit_test(an_address_is_masked_unless_addresses_are_on),
        cmocka_unit_test(a_long_value_is_cut_between_characters),
        cmocka_unit_test(time_is_utc_as_the_system_says_it),
        cmocka_unit_test(a_reader_that_is_gone_or_full_costs_lines_only),
        cmocka_unit_test(lines_of_several_threads_do_not_mix),
        cmocka_unit_test(collected_lines_wait_for_a_flush),
        cmocka_unit_test(a_full_buffer_is_written),
        cmocka_unit_test(a_line_is_not_torn_by_a_full_pipe),
        cmocka_unit_test(collected_lines_keep_each_threads_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
