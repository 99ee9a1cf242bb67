#!/bin/sh
# later.sh PROGRAM...: runs it BOOT ms after its own start, and gives up DIE ms after that start; 0: never.
export PORT="${LISTEN:-$PORT}"
seconds() { echo "$1" | sed 's/...$/.&/'; }
(sleep "$(seconds "$BOOT")" && exec "$@") &
child=$!
if [ "$DIE" != 0 ]; then
	sleep "$(seconds "$DIE")"
	kill -9 "$child"
	echo "later.sh cannot go on" >&2
	exit 1
fi
wait "$child"
