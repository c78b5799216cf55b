/*
 * envelope - what may stand between the angle brackets of MAIL and RCPT.
 *
 * Addresses were checked where they came in. They are checked here again, by the module that puts
 * them on the wire, because a line end or a ">" in one of them would be a command or a parameter
 * of its own.
 *
 * Threads: pure.
 */
#ifndef POSTERN_SMTP_ENVELOPE_H
#define POSTERN_SMTP_ENVELOPE_H

#include "smtp/sender.h"

/* Why the envelope can't be spoken, as a static sentence, and whose fault that is; NULL: it can. */
const char *smtp_envelope_fault(const smtp_transaction *t, smtp_category *category);

#endif
