/*
 * The rules for HTML as a whole, and those for which the page has marks.
 */
#include <string.h>

#include "lint/lint_own.h"

#define TEXT_LEAST     40    /* visible characters, below which pictures are the mail */
#define TEXT_PER_IMAGE 60    /* that go with each picture */
#define AREA_LEAST     40000 /* pixels: smaller ones are ornaments */
#define AREA_PER_TEXT  500   /* pixels for each visible character */
#define TEXT_SHORT     3200  /* bytes of text up to which SpamAssassin minds a picture */
#define MARKUP_LEAST   8192  /* bytes of HTML that are worth a look */
#define MARKUP_TIMES   40    /* bytes of HTML for each visible character */
#define GMAIL_CLIPS    ((size_t)102 * 1024)

void lint_marks(lint_context *c)
{
    const page_mark *marks = (const page_mark *)(const void *)c->page.marks.data;
    for (size_t i = 0; i < c->page.marks.len / sizeof *marks; i++) {
        if (marks[i].kind == c->rule->mark)
            lint_tell_html(c, marks[i].at, c->html.data + marks[i].at, marks[i].len);
    }
}

static bool is_image_only(const page *p)
{
    return p->images > 0 && p->seen < TEXT_LEAST;
}

void lint_image_only(lint_context *c)
{
    if (is_image_only(&c->page))
        lint_tell(c, "/html", 0, "", 0);
}

void lint_image_heavy(lint_context *c)
{
    const page *p = &c->page;
    bool many = p->images > 1 && p->seen < p->images * TEXT_PER_IMAGE;
    bool large = p->area >= AREA_LEAST && p->area / AREA_PER_TEXT > p->seen;
    if ((many || large) && !is_image_only(p))
        lint_tell(c, "/html", 0, "", 0);
}

void lint_image_short(lint_context *c)
{
    const page *p = &c->page;
    if (p->pictures > 0 && p->text.len <= TEXT_SHORT && !is_image_only(p))
        lint_tell(c, "/html", 0, "", 0);
}

void lint_markup_heavy(lint_context *c)
{
    if (c->html.len >= MARKUP_LEAST && c->page.seen < c->html.len / MARKUP_TIMES)
        lint_tell(c, "/html", 0, "", 0);
}

void lint_clipped(lint_context *c)
{
    if (c->mail->html.len > GMAIL_CLIPS)
        lint_tell(c, "/html", 0, "", 0);
}
