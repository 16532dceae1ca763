#!/bin/sh
# The secrets that the services mount, as manifests: secrets.sh DIRECTORY [mongodb|mysql] | kubectl apply -n NAMESPACE -f -
# DIRECTORY is made by ../compose/secrets.sh, with the hosts of your broker and databases put into its URLs (README.md).
set -eu
directory=$1
database=${2:-mongodb}
here=$(dirname "$0")

entry() { # KEY FILE
    [ -f "$2" ] || { echo "secrets.sh: there is no $2: make it with deploy/compose/secrets.sh $directory" >&2; exit 1; }
    printf '  %s: %s\n' "$1" "$(base64 < "$2" | tr -d '\n')"
}
begin() { printf -- '---\napiVersion: v1\nkind: Secret\ntype: Opaque\nmetadata:\n  name: %s\n  labels: {app.kubernetes.io/part-of: build-dashboard}\ndata:\n' "$1"; }

for service in gateway ingest notifier artifacts history; do
    begin "$service"
    entry jwt_secret_key "$directory/jwt_secret_key"
    entry amqp_url "$directory/amqp_$service"
    entry store_url "$directory/${database}_$service"
    case $service in
        gateway) more="admin_password api_key" ;;
        notifier) more="sendgrid_api_key smtp_password github_token" ;;
        artifacts) more="s3_access_key s3_secret_key" ;;
        *) more= ;;
    esac
    for name in $more; do entry "$name" "$directory/$name"; done
done
# What components/mirror reads CIs and reports with.
begin mirror
for name in api_key github_token; do entry "$name" "$directory/$name"; done
# What the broker of examples/rabbitmq.yaml loads: the topology, and a user with the least rights for each service.
definitions=$(mktemp)
trap 'rm -f "$definitions"' EXIT
SECRETS=$directory DEFINITIONS=$definitions DEFINITIONS_TEMPLATE=$here/../rabbitmq/definitions.template.json "$here/../rabbitmq/start.sh" definitions
begin rabbitmq-definitions
entry definitions.json "$definitions"
