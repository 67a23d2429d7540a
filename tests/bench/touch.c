// SPDX-License-Identifier: GPL-3.0-or-later
// touch BYTES: writes to so much fresh memory and gives it back. A hypervisor that takes back what its
// machine has freed (free page reporting) has to find that memory again when it is touched, which takes
// up to twenty times as long as clearing it; what is touched a moment later is there.

#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE_BYTES = 4096 };

int main(int argc, char **argv)
{
	size_t bytes = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;

	if (bytes == 0)
		return 2;
	volatile char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	madvise((void *)memory, bytes, MADV_HUGEPAGE);
	for (size_t i = 0; i < bytes; i += PAGE_BYTES)
		memory[i] = 1;
	return 0;
}
