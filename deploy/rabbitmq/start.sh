#!/bin/sh
# What the broker of docker-compose.yml starts with: the topology, a user for each service with the least rights and no
# other account, and the cookie by which nodes and tools know each other. Runs as the broker's own user.
set -eu
secrets=${SECRETS:-/run/secrets}
home=${BROKER_HOME:-/var/lib/rabbitmq}
definitions=${DEFINITIONS:-/tmp/definitions.json}

if [ "$1" != definitions ]; then # definitions: only write that file
    rm -f "$home/.erlang.cookie"
    (umask 377 && cp "$secrets/rabbitmq_cookie" "$home/.erlang.cookie")
fi

if [ "$1" = members ]; then # NODE...: each becomes a member of every queue; again changes nothing
    shift
    first=$1
    for node in "$@"; do
        rabbitmq-queues -q -n "rabbit@$first" grow "rabbit@$node" all
    done
    exit
fi

cp "${DEFINITIONS_TEMPLATE:-/definitions.template.json}" "$definitions"
for service in gateway ingest notifier artifacts history; do
    account=$(cat "$secrets/amqp_$service") # amqp://NAME:PASSWORD@HOST/
    account=${account#*://}
    account=${account%%@*}
    password=${account#*:}
    fault=
    [ "${account%%:*}" = "$service" ] || fault="is not for user $service"
    case $password in
        *[!A-Za-z0-9]*) fault="has a password with other characters than A-Z a-z 0-9" ;;
        ????????????????????????????????*) ;;
        *) fault="has a password shorter than 32 characters" ;;
    esac
    if [ "$fault" ]; then
        echo "rabbitmq does not start: secret amqp_$service $fault. Make one: remove the file, then 'make compose-secrets'." >&2
        exit 1
    fi
    name=$(echo "$service" | tr a-z A-Z)
    sed -i "s/@RABBITMQ_${name}_PASSWORD@/$password/" "$definitions"
done
[ "$1" = definitions ] || exec docker-entrypoint.sh "$@"
