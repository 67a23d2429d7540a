// SPDX-License-Identifier: GPL-3.0-or-later
// A process with a library of its own: prints where its variables and functions are, then waits.
#include <stdio.h>
#include <unistd.h>

struct probe {
	long number;
	char letters[24];
};

const void *library_hidden(void);
const void *library_code(void);

struct probe program_probe = {.number = 7};
static struct probe program_hidden[3];

__attribute__((noinline)) static void program_function(void)
{
	program_hidden[0].number++;
}

int main(void)
{
	program_function();
	printf("program_probe %lu\n", (unsigned long)&program_probe);
	printf("program_hidden %lu\n", (unsigned long)&program_hidden);
	printf("program_function %lu\n", (unsigned long)program_function);
	printf("library_hidden %lu\n", (unsigned long)library_hidden());
	printf("library_function %lu\n", (unsigned long)library_code());
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
