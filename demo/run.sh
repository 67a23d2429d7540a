#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The demo from start to end: a service that leaks, 500 requests, a look inside. `make demo` builds
# what it needs and runs it. Whatever happens, the service ends with it.

set -eu

cd "$(dirname "$0")/.."
leakinspect=${LEAKINSPECT:-build/leakinspect}
requests=500

folder=$(mktemp -d)
pid=

finish() {
	if [ "$pid" ]; then
		kill "$pid" 2>/dev/null || true
		wait "$pid" || true
	fi
	rm -rf "$folder"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

say() {
	printf '\n\033[1m%s\033[0m\n' "$*"
}
if [ ! -t 1 ] || [ "${NO_COLOR:-}" ]; then
	say() {
		printf '\n%s\n' "$*"
	}
fi

rss_mib() {
	awk '$1 == "VmRSS:" {printf "%.1f MiB", $2 / 1024}' "/proc/$pid/status"
}

say '$ demo/leak_demo --port 0 &'
mkfifo "$folder/said"
# Should this script be killed in a way that no trap sees, the kernel ends the service.
setpriv --pdeathsig TERM demo/leak_demo --port 0 >"$folder/said" &
pid=$!
# Blocks until the service is ready, or gone.
read -r ready <"$folder/said" || exit 1
echo "$ready"
url=${ready#* at }
url=${url%% *}
before=$(rss_mib)

say "\$ ab -q -n $requests -c 4 ${url}cycle"
ab -q -n $requests -c 4 "${url}cycle" >"$folder/ab"
grep -E '^(Complete requests|Failed requests|Requests per second)' "$folder/ab"
after=$(rss_mib)

say "\$ leakinspect types -n 15 $pid"
"$leakinspect" types -n 15 "$pid"

say "\$ leakinspect cycles $pid"
"$leakinspect" cycles "$pid"

say "Memory of the service: $before before, $after after $requests requests"
printf 'It goes on: %s' "$(curl -sS "${url}ok")"
echo

say 'By hand:'
cat <<BY_HAND
    demo/leak_demo &
    ab -n $requests http://127.0.0.1:8000/cycle
    build/leakinspect types \$!
    build/leakinspect cycles \$!
BY_HAND
