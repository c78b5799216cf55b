/*
 * features - what this program has. There are two: the whole one, and the lean one (`make lean`),
 * which is the gateway and no more: send, compose, and the walk of check.
 *
 * These are constants and no preprocessor conditions: all code is compiled and checked for both. In
 * `if (WITH_QUEUE && …)` and `WITH_QUEUE ? messages_post : NULL` a part is referred to where it is
 * there only, and what nothing refers to is not linked, nor are its libraries.
 *
 * Each .c file that includes this one is compiled once more for the lean program (Makefile); all
 * others are the same in both. So no header includes it.
 *
 * What is left out is refused wherever it is named, with a sentence that says so; it is never
 * ignored. The parts come and go together: a program with some of them is neither built nor tested.
 */
#ifndef POSTERN_SERVICE_FEATURES_H
#define POSTERN_SERVICE_FEATURES_H

#ifndef POSTERN_LEAN
#define POSTERN_LEAN 0
#endif

enum {
    WITH_QUEUE = !POSTERN_LEAN, /* messages, batches, suppressions, events, idempotency, lists */
    WITH_TEMPLATES = !POSTERN_LEAN, /* and previews of them */
    WITH_HOOKS = !POSTERN_LEAN,     /* webhooks that become mails; they need templates */
    WITH_LINT = !POSTERN_LEAN,
    WITH_DKIM = !POSTERN_LEAN,     /* signing, and its commands */
    WITH_DNS = !POSTERN_LEAN,      /* what is asked about domains */
    WITH_DIALECTS = !POSTERN_LEAN, /* of other providers; they need the queue's routes */
};

/* The beginning of that sentence, behind "This " or "this ". */
#define LEAN_HAS_NO "lean build of Postern has no "

/* What help says of an option that is refused so. */
#define LEAN_NOT_HERE "Not in this lean build."

#endif
