#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What make arm64-check runs: cross-builds for aarch64, then the unit tests twice.
#
#   1. Each under qemu's emulation of programs (qemu-user). It has no ptrace: what needs it says that it
#      is skipped.
#   2. Those that trace on an emulated machine, under Debian's kernel for arm64 (tests/arm64/machine.py).
#
# Nothing is installed: libraries and kernel come from Debian into build-arm64/.

set -u -o pipefail

cd "$(dirname "$0")/../.." || exit 1
make=${MAKE:-make}
folder=$PWD/build-arm64
sysroot=$folder/sysroot
build="build-aarch64-linux-gnu"

for tool in aarch64-linux-gnu-gcc qemu-aarch64 qemu-system-aarch64; do
	if ! command -v $tool >/dev/null; then
		echo "$0: no $tool here; tests/support/packages.sh arm64 brings it" >&2
		exit 1
	fi
done

tests/support/sysroot.sh arm64 "$sysroot" libc6-dev libdwarf-dev libelf-dev libreadline-dev \
	libjansson-dev libsqlite3-dev libmicrohttpd-dev libcmocka-dev busybox-static || exit 1
tests/support/sysroot.sh arm64 "$folder/kernel" linux-image-cloud-arm64 || exit 1

# What tests compile is for the same machine, but for those that start it, which needs a machine that
# starts such programs, or have the compiler make one of 32 bits.
mkdir -p "$folder/bin"
printf '#!/bin/sh\nexec aarch64-linux-gnu-gcc --sysroot=%s "$@"\n' "$sysroot" >"$folder/bin/gcc"
cat >"$folder/run" <<END
#!/bin/sh
case \$1 in
*/test_module | */test_elf_file) ;;
*) PATH=$folder/bin:\$PATH ;;
esac
exec qemu-aarch64 -cpu max -L $sysroot "\$@"
END
chmod +x "$folder/bin/gcc" "$folder/run"
for tool in ld objcopy strip; do
	ln -sf "$(command -v aarch64-linux-gnu-$tool)" "$folder/bin/$tool"
done

cross() {
	"$make" --no-print-directory --silent "-j$(nproc)" CROSS=aarch64-linux-gnu- \
		SYSROOT="$sysroot" WERROR=1 "$@"
}

echo "arm64: building"
cross all unit-tests || exit 1

status=0
echo "arm64: under qemu-user"
cross unit RUN="$folder/run" || status=1
echo "arm64: on an emulated machine"
python3 tests/arm64/machine.py "$folder" "$build" || status=1
exit $status
