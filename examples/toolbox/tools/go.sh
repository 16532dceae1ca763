set -eu
cd go && GOCACHE="$1/cache" GOFLAGS=-mod=mod GOPROXY=off go ${GO_COMMAND:-test ./...}
