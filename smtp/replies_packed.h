/*
 * replies_packed - how the tables of replies_known.c are packed: what smtp/pack/replies.c, at build
 * time, and replies_unpack.c agree on.
 */
#ifndef POSTERN_SMTP_REPLIES_PACKED_H
#define POSTERN_SMTP_REPLIES_PACKED_H

#define SMTP_PACKED_STAGES 0xFFFFU
#define SMTP_PACKED_NULL   "\x01" /* a text that is NULL */

#endif
