#!/bin/sh
# Entrypoint of the redis stand-in: a bare option or a configuration file means redis-server, which does not run as root.
set -eu

case ${1:-} in
-* | *.conf) set -- redis-server "$@" ;;
esac

if [ "${1:-}" = redis-server ]; then
	if [ "$(id -u)" = 0 ]; then
		chown -R redis:redis .
		exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
	fi
	# Without a bind option redis would answer on this container's loopback alone. The official image lifts that, too.
	shift
	case " $* " in
	*protected-mode*) exec redis-server "$@" ;;
	*) exec redis-server "$@" --protected-mode no ;;
	esac
fi
exec "$@"
