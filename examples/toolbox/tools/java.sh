set -eu
javac -d "$1" Ops.java && java -cp "$1" Ops
