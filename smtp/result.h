/*
 * result - making what a callback is given, for the sender's own modules. Reading and freeing it is
 * sender.h's.
 */
#ifndef POSTERN_SMTP_RESULT_H
#define POSTERN_SMTP_RESULT_H

#include "smtp/sender.h"

/* A result of "not sent" with room for its recipients; NULL: no memory. */
smtp_result *smtp_result_create(size_t recipient_count);

/* Keeps a copy of the reply, whose text is lent by the result where that has room, in *to, which is
 * the result's, or a recipient's of it, and holds none yet. Fails in nothing but the text, which is
 * empty where there is no memory for it. */
void smtp_result_keep(smtp_result *r, smtp_reply *to, const smtp_reply *from);

/* Appends an empty step; NULL: no memory. */
smtp_step *smtp_result_step(smtp_result *r);

/* "smtp.example.com:587 refused at rcpt: 550 5.1.1 No such user", the text's first line cut where
 * it is long; NULL: no memory. */
char *smtp_refusal_detail(const smtp_relay *relay, smtp_stage stage, const smtp_reply *reply);

#endif
