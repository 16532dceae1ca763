#!/bin/sh
# Makes what docker-compose.yml reads as secrets: secrets.sh [DIRECTORY]. Each account has a password of its own; a file
# that is there stays as it is, so that doing it again changes nothing. Each is a file that its containers' users may read, in
# a directory that nobody but its owner may enter.
set -eu
directory=${1:-secrets}
database=${DB_NAME:-build_dashboard}
mkdir -p "$directory"
chmod 700 "$directory"

random() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
keep() { # NAME VALUE
    [ -e "$directory/$1" ] && return
    printf '%s\n' "$2" > "$directory/.new"
    chmod 444 "$directory/.new"
    mv "$directory/.new" "$directory/$1"
}

keep jwt_secret_key "$(random 32)"
keep admin_password "$(random 12)"
keep api_key "$(random 32)"
keep s3_access_key "artifacts-$(random 6)"
keep s3_secret_key "$(random 24)"
keep s3_encryption_key "$(random 32)" # without it what is stored cannot be read: back it up with the rest
keep rabbitmq_cookie "$(random 24)"
keep mongodb_root_password "$(random 24)"
keep mongodb_keyfile "$(random 256)"
keep grafana_password "$(random 12)"
for service in gateway ingest notifier artifacts history; do
    keep "amqp_$service" "amqp://$service:$(random 24)@broker/"
    keep "mongodb_$service" "mongodb://$service:$(random 24)@mongodb:27017/${database}_$service?authSource=admin"
    keep "mysql_$service" "mysql://$service:$(random 24)@mysql:3306/${database}_$service"
done
# Empty is unset: put the provider's own here.
for name in sendgrid_api_key smtp_password github_token; do keep "$name" ""; done
