#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Draws the pictures of README.md anew: a leaking service under a load that comes in waves, watched all
# the while, and who holds what it leaks. `make pictures` builds what it needs and runs it. Whatever happens, the service ends with
# it.

set -eu

cd "$(dirname "$0")/.."
leakinspect=${LEAKINSPECT:-build/leakinspect}

folder=$(mktemp -d)
pid=
watching=

finish() {
	[ -z "$watching" ] || kill "$watching" 2>/dev/null || true
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

mkfifo "$folder/said"
setpriv --pdeathsig TERM demo/leak_demo --port 0 >"$folder/said" &
pid=$!
read -r ready <"$folder/said" || exit 1
url=${ready#* at }
url=${url%% *}

"$leakinspect" watch "$pid" --interval 500ms --max-pause-share 5% --record "$folder/record" &
watching=$!
for _ in 1 2 3 4 5 6 7 8; do
	for page in cycle ok cycle ok cycle ok; do
		ab -q -n 60 -c 4 "$url$page" >/dev/null
		sleep 0.4
	done
	sleep 1.5
done
kill -INT "$watching"
wait "$watching" || exit 1
watching=

for series in rss garbage; do
	"$leakinspect" stats --record "$folder/record" -q --force -g "$series" -f "demo/$series.svg"
done

ab -q -n 500 "${url}global" >/dev/null
"$leakinspect" graph -q --force "$pid" --cycle -o demo/cycle.svg
"$leakinspect" graph -q --force "$pid" leak_demo.Visit -o demo/visit.svg
