#!/bin/sh
# Without an identity SeaweedFS serves everybody, so it does not start without one: the artifacts service's, for its
# bucket and no other. Master, filer and volumes ask nobody for a key and listen on loopback only.
set -eu
secrets=${SECRETS:-/run/secrets}
refuse() {
    echo "objects does not start: $1. Make one: remove the file, then 'make compose-secrets'." >&2
    exit 1
}
access=$(cat "$secrets/s3_access_key") secret=$(cat "$secrets/s3_secret_key")
[ "${#secret}" -ge 32 ] || refuse "secret s3_secret_key is shorter than 32 characters, or a placeholder"
case $access in "" | your_*) refuse "secret s3_access_key is empty, or a placeholder" ;; esac
case $access$secret$S3_BUCKET in
    *[!A-Za-z0-9/+=_.-]*)
        refuse "s3_access_key, s3_secret_key or S3_BUCKET has other characters than A-Z a-z 0-9 / + = _ . -" ;;
esac
# What is asked to be encrypted at rest is, by this key; it is nowhere on the volume.
WEED_S3_SSE_KEK=$(cat "$secrets/s3_encryption_key")
export WEED_S3_SSE_KEK
config=$(mktemp)
chmod 644 "$config" # the image's own entry point gives up root
printf '{"identities": [{"name": "artifacts", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], "actions": ["Admin:%s"]}]}' \
    "$access" "$secret" "$S3_BUCKET" > "$config"
exec "$(command -v /entrypoint.sh || command -v weed)" server -s3 -dir=/data -ip=127.0.0.1 -ip.bind=127.0.0.1 \
    -s3.ip.bind=0.0.0.0 "-s3.config=$config" -master.telemetry=false "$@"
