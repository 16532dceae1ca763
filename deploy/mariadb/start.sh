#!/bin/sh
# Accounts of docker-compose's MariaDB, made or brought up to date at each start. With the services' secrets (see
# deploy/compose/mysql.yml) one for each service, with rights on its own database; without, `dashboard` for development,
# with a password of its own that its log tells once.
set -eu
secrets=${SECRETS:-/run/secrets}
data=${DATA:-/var/lib/mysql}
init=${INIT_FILE:-/tmp/accounts.sql}
umask 077
: > "$init"

grant() { # NAME PASSWORD DATABASE: one statement a line, as the server reads it
    cat >> "$init" <<SQL
CREATE USER IF NOT EXISTS '$1'@'%';
ALTER USER '$1'@'%' IDENTIFIED BY '$2';
GRANT ALL ON \`$3\`.* TO '$1'@'%';
SQL
}

for file in "$secrets"/mysql_*; do
    [ -e "$file" ] || continue
    url=$(cat "$file") # mysql://NAME:PASSWORD@HOST/DATABASE
    rest=${url#*://}
    account=${rest%%@*}
    database=$(echo "${rest##*/}" | sed 's/_/\\_/g') # in a grant `_` stands for any character
    grant "${account%%:*}" "${account#*:}" "$database"
done
if [ ! -s "$init" ]; then
    if [ ! -s "$data/.dashboard-password" ]; then
        head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$data/.dashboard-password"
        echo "mysql: MYSQL_URI=mysql://dashboard:$(cat "$data/.dashboard-password")@127.0.0.1:${MYSQL_PORT:-3306}/"
    fi
    grant dashboard "$(cat "$data/.dashboard-password")" "$(echo "$DB_NAME" | sed 's/_/\\_/g')\\_%"
fi
exec docker-entrypoint.sh "$@" "--init-file=$init"
