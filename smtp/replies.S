/* The tables of replies_known.c, packed by gzip, as bytes of the program; see replies_unpack.c. */
    .section .rodata
    .global smtp_replies_packed, smtp_replies_packed_end
smtp_replies_packed:
    .incbin "replies.gz"
smtp_replies_packed_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
