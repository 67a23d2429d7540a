// SPDX-License-Identifier: GPL-3.0-or-later
// bare_copy PID: reads all present pages of the process's private writable anonymous memory, which is
// where its heap lies, by process_vm_readv into one small buffer, and prints "bytes nanoseconds". No
// tool that reads the heap can hold the process for less than about this, single-threaded.

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 << 10, RANGES_MAX = 1 << 20, ENTRIES = 4096 };

static const uint64_t page_present = 1ULL << 63;

struct range {
	uintptr_t from;
	uintptr_t to;
};

static struct range *ranges;
static size_t range_count;

static void add(uintptr_t from, uintptr_t to)
{
	if (range_count && ranges[range_count - 1].to == from)
		ranges[range_count - 1].to = to;
	else if (range_count < RANGES_MAX)
		ranges[range_count++] = (struct range){from, to};
}

static void add_present(int pagemap, uintptr_t from, uintptr_t to)
{
	static uint64_t entries[ENTRIES];
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	while (from < to) {
		size_t wanted = (to - from) / page < ENTRIES ? (to - from) / page : ENTRIES;
		ssize_t got = pread(pagemap, entries, wanted * sizeof(*entries),
				    (off_t)(from / page * sizeof(*entries)));

		if (got <= 0)
			return;
		for (size_t i = 0; i < (size_t)got / sizeof(*entries); i++, from += page)
			if (entries[i] & page_present)
				add(from, from + page);
	}
}

static int find(pid_t pid)
{
	char path[64], line[4096];
	FILE *maps;
	int pagemap;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	pagemap = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	if (!maps || pagemap < 0) {
		perror(path);
		return -1;
	}
	while (fgets(line, sizeof(line), maps)) {
		uintptr_t from, to;
		char rights[5], name[256] = "";

		if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %255s", &from, &to, rights, name) < 3)
			continue;
		if (strcmp(rights, "rw-p") == 0 && (!*name || strcmp(name, "[heap]") == 0))
			add_present(pagemap, from, to);
	}
	fclose(maps);
	close(pagemap);
	return 0;
}

int main(int argc, char **argv)
{
	static char buffer[BUFFER_BYTES];
	unsigned long long bytes = 0;
	struct timespec begin, end;
	pid_t pid = argc == 2 ? atoi(argv[1]) : 0;

	ranges = calloc(RANGES_MAX, sizeof(*ranges));
	memset(buffer, 1, sizeof(buffer));
	if (pid <= 0 || !ranges || find(pid) < 0)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (size_t i = 0; i < range_count; i++) {
		for (uintptr_t at = ranges[i].from; at < ranges[i].to;) {
			size_t left = ranges[i].to - at;
			struct iovec here = {buffer, left < BUFFER_BYTES ? left : BUFFER_BYTES};
			struct iovec there = {(void *)at, here.iov_len};
			ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);

			if (got <= 0)
				break;
			bytes += (unsigned long long)got;
			at += (uintptr_t)got;
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%llu %lld\n", bytes,
	       (end.tv_sec - begin.tv_sec) * 1000000000LL + end.tv_nsec - begin.tv_nsec);
	free(ranges);
	return 0;
}
