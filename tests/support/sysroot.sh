#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Fetches packages of another Debian architecture, with all that they depend on, and unpacks them in a folder:
#
#     tests/support/sysroot.sh ARCHITECTURE FOLDER PACKAGE ...
#
# apt keeps its lists for that in FOLDER, too, so nothing is installed, this machine's packages stay as
# they are, and anybody may do it. When all is there nothing is asked.

set -eu

if [ $# -lt 3 ]; then
	echo "usage: $0 ARCHITECTURE FOLDER PACKAGE ..." >&2
	exit 2
fi
architecture=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
shift 2

stamp=$folder/.fetched
[ "$(cat "$stamp" 2>/dev/null)" != "$architecture $*" ] || exit 0

apt=$folder/.apt
rm -rf "$apt"
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
: >"$apt/status"
apt_get() {
	apt-get -q -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture" \
		-o "Dir::State=$apt/state" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache" \
		-o APT::Sandbox::User= "$@" </dev/null
}
apt_get update >"$apt/log"
# No package is installed, as apt sees it, so all that is needed comes along.
apt_get install -y --no-install-recommends --download-only "$@" >>"$apt/log"
for package in "$apt"/cache/archives/*.deb; do
	dpkg -x "$package" "$folder"
done
rm -rf "$apt"
# Links that lead from the root would lead out of the folder.
find "$folder" -type l -lname '/*' | while read -r link; do
	ln -srfn "$folder$(readlink "$link")" "$link"
done
echo "$architecture $*" >"$stamp"
