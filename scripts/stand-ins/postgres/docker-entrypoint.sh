#!/bin/sh
# Entrypoint of the postgres stand-in: on an empty data directory it creates the cluster, user, database and runs
# /docker-entrypoint-initdb.d, then becomes the server. As in the official image a first server that listens on the
# unix socket alone is up meanwhile: a readiness check that this server satisfies is wrong, and tests shall see that.
set -eu

# from_file NAME: NAME_FILE names a file that holds the value, for Docker secrets.
from_file() {
	eval "file=\${$1_FILE:-}"
	if [ -n "$file" ]; then
		eval "$1=\$(cat \"\$file\")"
	fi
}

sql() { PGPASSWORD=$POSTGRES_PASSWORD psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc -q -U "$POSTGRES_USER" "$@"; }

# init_file FILE: shell scripts are run when executable and read into this shell otherwise.
# shellcheck disable=SC1090 # the files are the user's
init_file() {
	case $1 in
	*.sql) sql -d "$POSTGRES_DB" -f "$1" ;;
	*.sh) if [ -x "$1" ]; then "$1"; else . "$1"; fi ;;
	*) echo "docker-entrypoint: ignoring $1: neither .sql nor .sh" >&2 ;;
	esac
}

create_cluster() {
	from_file POSTGRES_PASSWORD
	from_file POSTGRES_USER
	from_file POSTGRES_DB
	from_file POSTGRES_INITDB_ARGS
	POSTGRES_PASSWORD=${POSTGRES_PASSWORD:-}
	POSTGRES_USER=${POSTGRES_USER:-postgres}
	POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
	method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
	if [ -z "$POSTGRES_PASSWORD" ] && [ "$method" != trust ]; then
		echo "docker-entrypoint: the data directory is empty and POSTGRES_PASSWORD is not set (or set POSTGRES_HOST_AUTH_METHOD=trust)" >&2
		exit 1
	fi

	set --
	password=/tmp/password.$$
	if [ -n "$POSTGRES_PASSWORD" ]; then
		(umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" >"$password")
		set -- --pwfile="$password"
	fi
	# shellcheck disable=SC2086 # POSTGRES_INITDB_ARGS is a list of words
	initdb -D "$PGDATA" --username="$POSTGRES_USER" -E UTF8 "$@" ${POSTGRES_INITDB_ARGS:-}
	rm -f "$password"
	printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"

	pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=''" start
	if [ "$POSTGRES_DB" != postgres ]; then
		sql -d postgres -v db="$POSTGRES_DB" <<-'SQL'
			CREATE DATABASE :"db";
		SQL
	fi
	for file in /docker-entrypoint-initdb.d/*; do
		[ ! -e "$file" ] || init_file "$file"
	done
	pg_ctl -D "$PGDATA" -m fast -w stop
	echo "docker-entrypoint: the cluster is created, starting postgres"
}

case ${1:-} in
-*) set -- postgres "$@" ;;
esac

if [ "${1:-}" = postgres ]; then
	if [ "$(id -u)" = 0 ]; then
		mkdir -p "$PGDATA" /run/postgresql
		chown -R postgres:postgres "$PGDATA" /run/postgresql
		chmod 700 "$PGDATA"
		exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
	fi
	[ -s "$PGDATA/PG_VERSION" ] || create_cluster
fi
exec "$@"
