set -eu
bash shell/check.sh shell/table.txt
