# shellcheck shell=bash
# shellcheck disable=SC2034 # root is for those who source this
# Shared by the scripts beside it; sourced, never run.
# Everything said goes to stderr: stdout is for results, such as a path.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }

# die CODE MESSAGE...: exit codes are those of `devstack`: 4 environment, 5 no engine or no image.
die() {
	local code=$1
	shift
	say "$(basename "$0"): $*"
	exit "$code"
}

# confirm QUESTION: asks on a terminal. Without one nobody can answer, and the announcement before it has to do.
confirm() {
	[[ -t 0 && -t 2 ]] || return 0
	local answer
	read -r -p "$1 [y/N] " answer
	[[ $answer == [yY]* ]]
}

# debian: is this a machine whose packages can be had with apt-get?
debian() { command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; }

# install_packages WHY PACKAGE...: from Debian, announced first and asked for on a terminal. Fails if not installed.
install_packages() {
	local why=$1
	shift
	say "$why"
	say "  apt-get update"
	say "  apt-get install -y --no-install-recommends $*"
	confirm "Install these packages?" &&
		apt-get update -qq >&2 &&
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >&2
}
