/* openapi.yaml, packed by gzip, as bytes of the program; see openapi.h. */
    .section .rodata
    .global openapi_packed, openapi_packed_end
openapi_packed:
    .incbin "openapi.yaml.gz"
openapi_packed_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
