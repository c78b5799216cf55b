/*
 * classify - what a refusal means, who can mend it, and how.
 *
 * From stage, reply code, enhanced code, words in the reply's text and the relay's preset, to
 * cause, category, blame, retryable and a hint, by the tables of replies.h: the words of providers
 * and servers, then the enhanced code's registered meaning, then words that tell by themselves,
 * then the code at its stage. And one table for libcurl's results while a session is opened.
 *
 * Pure; hints are static.
 */
#ifndef POSTERN_SMTP_CLASSIFY_H
#define POSTERN_SMTP_CLASSIFY_H

#include "smtp/sender.h"

/* Explains a reply of 4yz or 5yz (or one that has no place at that stage) into cause, category,
 * blame, retryable and hint; leaves `detail` alone. `preset` may be NULL. */
void smtp_classify_reply(smtp_stage stage, const smtp_reply *reply, const char *preset,
                         smtp_fault *out);

/* Explains a session that libcurl could not open (a CURLcode), or that broke (CURLE_RECV_ERROR,
 * CURLE_OPERATION_TIMEDOUT), when no refusing reply was seen. `error` is libcurl's error text or
 * NULL. */
void smtp_classify_curl(smtp_stage stage, int curl_code, const char *error, const char *preset,
                        smtp_fault *out);

/* True if a refusal of 5yz to a recipient can only mean that the address does not exist, or no
 * more: not a policy's words, nor RFC 5321's own "mailbox unavailable", which stands for any
 * reason. */
bool smtp_classify_gone(smtp_cause cause, const smtp_reply *reply);

/* The reply's first line in few words: "550 5.1.1 No such user". */
#define SMTP_REASON_MAX 256
void smtp_classify_reason(const smtp_reply *reply, char out[SMTP_REASON_MAX]);

#endif
