section .text
global shape_add
shape_add:
    lea eax, [rdi + rsi]
    ret
