set -eu
rm -rf "$1/w" && git init -q "$1/w" && cd "$1/w" && git -c user.name=a -c user.email=a@b.c commit -q --allow-empty -m first && ${GIT_COMMAND:-git status}
