set -eu
nasm -f elf64 asm/ops.asm -o "$1/ops.o"
