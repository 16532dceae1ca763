#!/bin/bash
# Shapes that a table names have their sizes.
set -euo pipefail

table=$1
while read -r rows columns size; do
  [[ $((rows * columns)) -eq $size ]] || { echo "a shape of $rows by $columns has no $size elements"; exit 3; }
done <"$table"
echo "$(wc -l <"$table") shapes are right"
