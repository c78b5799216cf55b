/* openapi.yaml as bytes of the program; see openapi.h. */
    .section .rodata
    .global openapi_text, openapi_end
openapi_text:
    .incbin "openapi.yaml"
openapi_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
