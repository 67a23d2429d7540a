// SPDX-License-Identifier: GPL-3.0-or-later
// The library of mapped.c. It gives its addresses itself: in a program at a fixed address what is
// exported has another one (a copy, an entry of the procedure linkage table).

struct probe {
	long number;
	char letters[24];
};

static struct probe hidden = {.number = 1};

__attribute__((noinline, used)) static void library_function(void)
{
	hidden.number++;
}

const void *library_hidden(void)
{
	library_function();
	return &hidden;
}

const void *library_code(void)
{
	return (const void *)library_function;
}
