set -eu
gfortran -J "$1" fortran/ops.f90 -o "$1/check" && "$1/check"
