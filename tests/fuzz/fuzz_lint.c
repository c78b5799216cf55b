/*
 * Any bytes as a mail: subject, HTML, text, a file's name and its first octets, parted by NUL. What
 * is found is bounded, in the table, and within the mail.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "lint/lint.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* What comes up to the next NUL; absent where nothing is left. */
static mime_bytes take(const uint8_t **at, const uint8_t *end)
{
    if (*at == end)
        return (mime_bytes){NULL, 0};
    const uint8_t *nul = memchr(*at, 0, (size_t)(end - *at));
    mime_bytes out = {(const char *)*at, (size_t)((nul ? nul : end) - *at)};
    *at = nul ? nul + 1 : end;
    return out;
}

static bool is_in_table(const char *code)
{
    const char *known;
    for (size_t i = 0; (known = lint_rule_at(i, NULL, NULL, NULL)); i++) {
        if (strcmp(known, code) == 0)
            return true;
    }
    return false;
}

static size_t lines_of(mime_bytes b)
{
    size_t lines = 1;
    for (size_t i = 0; i < b.len; i++)
        lines += b.data[i] == '\n';
    return lines;
}

static void check_finding(const lint_mail *mail, const lint_finding *f)
{
    require(is_in_table(f->code) && strncmp(f->fault, "lint.", 5) == 0);
    require(f->why && f->cure && f->severity < LINT_SEVERITIES);
    size_t len = strlen(f->excerpt);
    require(len < LINT_EXCERPT && utf8_valid(f->excerpt, len));
    require(!strpbrk(f->excerpt, "\r\n\t"));
    require(f->line == 0 || strcmp(f->part, "/html") == 0 || strcmp(f->part, "/text") == 0);
    require(f->line <= lines_of(strcmp(f->part, "/html") == 0 ? mail->html : mail->text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "Shop", address[] = "a@example.com";
    const mime_mailbox from = {.name = name, .address = address, .domain = address + 2};
    const uint8_t *at = data, *end = data + size;
    lint_attachment attachment = {0};
    lint_mail mail = {.from = &from, .recipients = 1, .attachments = &attachment};
    lint_report report;
    size_t of[LINT_SEVERITIES] = {0};

    mail.subject = take(&at, end);
    mail.html = take(&at, end);
    mail.text = take(&at, end);
    attachment.filename = take(&at, end);
    attachment.head = at;
    attachment.head_len = (size_t)(end - at);
    mail.attachment_count = attachment.filename.data != NULL;
    require(lint_check(&mail, &report));
    for (size_t i = 0; i < report.count; i++) {
        check_finding(&mail, &report.list[i]);
        of[report.list[i].severity]++;
    }
    require(memcmp(of, report.of, sizeof of) == 0);
    lint_report_free(&report);
    return 0;
}
