#!/bin/sh
# mongod as a replica set of one node, which transactions and backups need, with accounts. A key file has to be the
# server's own and closed to others; a secret's file is neither.
set -eu
rm -f /tmp/keyfile
(umask 377 && cp /run/secrets/mongodb_keyfile /tmp/keyfile)
exec docker-entrypoint.sh mongod --replSet rs0 --keyFile /tmp/keyfile --bind_ip_all
