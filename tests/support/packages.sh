#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Sees to the Debian packages that a purpose needs:
#
#     tests/support/packages.sh build|demo|test|lint|pictures|arm64 ...
#
# arm64 is what make arm64-check needs; the libraries of that architecture do not get installed, but
# unpacked in a folder (tests/support/sysroot.sh).
#
# What is missing is installed, as root or through a sudo that asks for no password. Otherwise the
# line to run is printed, and the exit status is 1. When all is there it only asks dpkg, once.

set -eu

# Debian's default Python: python3.11 on Debian 12.
python=$(basename "$(readlink /usr/bin/python3 || echo python3.11)")

packages_of() {
	case $1 in
	build)
		echo gcc libc6-dev make pkg-config
		echo libdwarf-dev libelf-dev libreadline-dev libjansson-dev libsqlite3-dev libmicrohttpd-dev
		;;
	demo)
		# The -dbg package describes the very build of the interpreter that it depends on by
		# exact version, so apt brings both to the same one.
		echo "$python" "$python-dbg" "lib$python-dev" libpython3-dev
		echo apache2-utils curl
		;;
	pictures)
		echo graphviz fonts-dejavu-core
		;;
	test)
		packages_of build
		packages_of demo
		packages_of pictures
		echo libcmocka-dev gdb gdbserver less sqlite3 librsvg2-bin tmux
		echo python3 python3-pytest python3-pytest-xdist python3-pexpect
		# A Prometheus of the tests' own; the services that these packages bring are not asked for,
		# and run where there is an init alone.
		echo prometheus prometheus-node-exporter python3-prometheus-client
		;;
	lint)
		packages_of build
		packages_of demo
		echo libcmocka-dev
		echo clang clang-format cppcheck python3 pyflakes3 shellcheck
		;;
	arm64)
		packages_of build
		echo gcc-aarch64-linux-gnu qemu-user qemu-system-arm python3
		;;
	*)
		echo "usage: $0 build|demo|test|lint|pictures|arm64 ..." >&2
		exit 2
		;;
	esac
}

if ! command -v dpkg-query >/dev/null; then
	echo "$0: no dpkg here, so not checking what is installed" >&2
	exit 0
fi

# One pass to catch a wrong purpose: an exit inside $(...) would go unseen below.
for purpose in "$@"; do
	packages_of "$purpose" >/dev/null
done
wanted=$(for purpose in "$@"; do packages_of "$purpose"; done | tr ' ' '\n' | sort -u)
# shellcheck disable=SC2086 # a list of words
installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' $wanted 2>/dev/null |
	sed -n 's/^.i *//p')
missing=$(echo "$wanted" | grep -vxF "$installed" | tr '\n' ' ')
[ "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	sudo=
elif sudo -n true 2>/dev/null; then
	sudo="sudo -n"
else
	echo "$0: packages are missing; install them with" >&2
	echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing" >&2
	exit 1
fi
echo "installing: $missing"
# A fresh machine may be busy with apt itself for its first minutes: wait for the lock.
apt_get="$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300"
$apt_get update </dev/null
# shellcheck disable=SC2086 # a list of words
$apt_get install -y --no-install-recommends $missing </dev/null
