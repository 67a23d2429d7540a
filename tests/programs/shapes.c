// SPDX-License-Identifier: GPL-3.0-or-later
// Types and variables of every kind a layout is asked about. Run, it prints the compiler's own
// truth about them; test_dwarf_types compares that with what the debug information says.
#include "shapes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct inner {
	short a;
	char b[3];
	int c;
};

typedef const struct inner inner_const;
typedef volatile inner_const inner_alias;
typedef struct {
	int plain;
	inner_alias wrapped;
} nameless;
typedef nameless nameless_again;
typedef int row_t[5];

enum colour { RED, GREEN };
enum level { LOW = -1, HIGH = 1 };

struct outer {
	char first;
	struct inner one;
	inner_alias *pointer;
	inner_alias list[4];
	int grid[3][7];
	row_t rows[2];
	int (*function)(int);
	int (*to_array)[9];
	_Atomic int atomic;
	_Atomic(struct inner *) atomic_pointer;
	char *restrict restricted;
	unsigned char byte;
	signed char small;
	bool flag;
	float f;
	double d;
	long double ld;
	_Complex double complex;
	enum colour colour;
	enum level level;
	nameless_again deep;
	secret_t *secret;
	union {
		long refcnt;
		unsigned int split[2];
		struct {
			short low, high;
			union {
				int leaf;
				char leaf_bytes[4];
			};
		};
	};
	struct outer *next;
};

struct bits {
	unsigned int before;
	unsigned int interned : 2;
	unsigned int kind : 3;
	unsigned int compact : 1;
	unsigned int : 4;
	int is_signed : 5;
	unsigned long wide : 40;
	unsigned char tiny : 3;
	bool yes : 1;
	enum colour paint : 2;
	unsigned short after;
	struct {
		unsigned int nested_low : 7;
		unsigned int nested_high : 25;
	};
};

struct holder {
	long head;
	struct bits state;
};

struct __attribute__((packed)) packed {
	char skew;
	unsigned int across : 30;
	unsigned int more : 20;
	long tail;
};

struct tail {
	int count;
	struct inner items[];
};

struct old_tail {
	long count;
	char *items[1];
};

struct zero_tail {
	long count;
	struct inner items[0];
};

// The same name for a pointer and for the struct it points to.
struct twofold {
	int x;
	long y;
};
typedef struct twofold *twofold;

typedef struct int_block {
	long value;
	struct int_block *next;
} int_block;

static int_block *twin;
static int twin_count = 1;
static struct outer table[3];
struct outer *const fixed = &table[1];
static volatile inner_const seen = {.a = 1};
int declared_first = 7;
int open_ended[6];
struct undefined *of_nothing;
static _Atomic int counter;
static twofold pair;
_Thread_local int per_thread;
static struct tail *tails;
static struct bits the_bits;
static enum level the_level;
double grid[2][3];
row_t a_row;
struct zero_tail *zero_tails;
struct old_tail *old_tails;

#define SIZE(name, type) printf("size %s %zu\n", name, sizeof(type))
#define MEMBER(name, type, path, kind, count)                                     \
	printf("member %s %s %zu %zu %s %d\n", name, #path, offsetof(type, path), \
	       sizeof(((type *)0)->path), kind, count)
#define VARIABLE(name, type, kind)                                                               \
	printf("variable %s %s %lu %zu %s\n", #name, type, (unsigned long)&(name), sizeof(name), \
	       kind)
#define BITS(name, type, path, kind)                                  \
	do {                                                          \
		type probe;                                           \
		memset(&probe, 0, sizeof(probe));                     \
		probe.path = ones;                                    \
		print_bits(name, #path, &probe, sizeof(probe), kind); \
	} while (0)

// Volatile, or the compiler would warn of every bit that is cut off.
static volatile unsigned long long ones = ~0ULL;

static void print_bits(const char *type, const char *path, const void *probe, size_t bytes,
		       const char *kind)
{
	const unsigned char *at = probe;
	size_t first = 8 * bytes, count = 0;

	for (size_t bit = 0; bit < 8 * bytes; bit++) {
		if (!(at[bit / 8] >> bit % 8 & 1))
			continue;
		if (first > bit)
			first = bit;
		count++;
	}
	printf("bits %s %s %zu %zu %s\n", type, path, first, count, kind);
}

static void sizes_and_members(void)
{
	SIZE("inner", struct inner);
	SIZE("inner_const", inner_const);
	SIZE("inner_alias", inner_alias);
	SIZE("nameless", nameless);
	SIZE("nameless_again", nameless_again);
	SIZE("outer", struct outer);
	SIZE("bits", struct bits);
	SIZE("packed", struct packed);
	SIZE("tail", struct tail);
	SIZE("zero_tail", struct zero_tail);
	SIZE("row_t", row_t);
	SIZE("colour", enum colour);
	SIZE("int", int);
	SIZE("twofold", twofold);
	MEMBER("inner", struct inner, b, "array", 3);
	MEMBER("inner_alias", inner_alias, c, "signed", 0);
	MEMBER("nameless_again", nameless_again, wrapped.b[2], "signed", 0);
	MEMBER("outer", struct outer, first, "signed", 0);
	MEMBER("outer", struct outer, one, "struct", 0);
	MEMBER("outer", struct outer, one.c, "signed", 0);
	MEMBER("outer", struct outer, pointer, "pointer", 0);
	MEMBER("outer", struct outer, list, "array", 4);
	MEMBER("outer", struct outer, list[3], "struct", 0);
	MEMBER("outer", struct outer, list[2].b[1], "signed", 0);
	MEMBER("outer", struct outer, grid, "array", 3);
	MEMBER("outer", struct outer, grid[2], "array", 7);
	MEMBER("outer", struct outer, grid[1][6], "signed", 0);
	MEMBER("outer", struct outer, rows, "array", 2);
	MEMBER("outer", struct outer, rows[1], "array", 5);
	MEMBER("outer", struct outer, rows[1][4], "signed", 0);
	MEMBER("outer", struct outer, function, "pointer", 0);
	MEMBER("outer", struct outer, to_array, "pointer", 0);
	MEMBER("outer", struct outer, atomic, "signed", 0);
	MEMBER("outer", struct outer, atomic_pointer, "pointer", 0);
	MEMBER("outer", struct outer, restricted, "pointer", 0);
	MEMBER("outer", struct outer, byte, "unsigned", 0);
	MEMBER("outer", struct outer, small, "signed", 0);
	MEMBER("outer", struct outer, flag, "unsigned", 0);
	MEMBER("outer", struct outer, f, "float", 0);
	MEMBER("outer", struct outer, d, "float", 0);
	MEMBER("outer", struct outer, ld, "float", 0);
	MEMBER("outer", struct outer, complex, "other", 0);
	MEMBER("outer", struct outer, colour, "unsigned", 0);
	MEMBER("outer", struct outer, deep.wrapped.c, "signed", 0);
	MEMBER("outer", struct outer, secret, "pointer", 0);
	MEMBER("outer", struct outer, refcnt, "signed", 0);
	MEMBER("outer", struct outer, split[1], "unsigned", 0);
	MEMBER("outer", struct outer, high, "signed", 0);
	MEMBER("outer", struct outer, leaf, "signed", 0);
	MEMBER("outer", struct outer, leaf_bytes[3], "signed", 0);
	MEMBER("outer", struct outer, next, "pointer", 0);
	MEMBER("packed", struct packed, tail, "signed", 0);
	MEMBER("tail", struct tail, items[5].c, "signed", 0);
	MEMBER("old_tail", struct old_tail, items[0], "pointer", 0);
	MEMBER("zero_tail", struct zero_tail, items[2].a, "signed", 0);
	MEMBER("twofold", struct twofold, y, "signed", 0);
	MEMBER("holder", struct holder, state.after, "unsigned", 0);
	printf("member tail items %zu 0 array 0\n", offsetof(struct tail, items));
	printf("member row_t [3] %zu %zu signed 0\n", 3 * sizeof(int), sizeof(int));
}

static void bit_fields(void)
{
	BITS("bits", struct bits, interned, "unsigned");
	BITS("bits", struct bits, kind, "unsigned");
	BITS("bits", struct bits, compact, "unsigned");
	BITS("bits", struct bits, is_signed, "signed");
	BITS("bits", struct bits, wide, "unsigned");
	BITS("bits", struct bits, tiny, "unsigned");
	BITS("bits", struct bits, yes, "unsigned");
	BITS("bits", struct bits, nested_low, "unsigned");
	BITS("bits", struct bits, nested_high, "unsigned");
	BITS("holder", struct holder, state.kind, "unsigned");
	BITS("holder", struct holder, state.wide, "unsigned");
	BITS("packed", struct packed, across, "unsigned");
	BITS("packed", struct packed, more, "unsigned");
}

static void variables(void)
{
	VARIABLE(twin, "int_block", "pointer");
	VARIABLE(table, "outer", "array");
	VARIABLE(table, "-", "array");
	VARIABLE(fixed, "outer", "pointer");
	VARIABLE(seen, "inner_const", "struct");
	VARIABLE(seen, "inner", "struct");
	VARIABLE(declared_first, "-", "signed");
	VARIABLE(open_ended, "int", "array");
	VARIABLE(of_nothing, "undefined", "pointer");
	VARIABLE(counter, "int", "signed");
	VARIABLE(pair, "twofold", "pointer");
	VARIABLE(tails, "tail", "pointer");
	VARIABLE(the_bits, "bits", "struct");
	VARIABLE(grid, "double", "array");
	printf("variable twin_count int %lu 4 signed\n", (unsigned long)&twin_count);
}

static void absences(void)
{
	puts("absent-size nosuch");
	puts("absent-size undefined");
	puts("absent-member outer nosuch");
	puts("absent-member outer one.nosuch");
	puts("absent-member outer next.first");
	puts("absent-member outer first.x");
	puts("absent-member outer first[0]");
	puts("absent-member outer list[4]");
	puts("absent-member outer grid[0][7]");
	puts("absent-member outer pointer[0]");
	puts("absent-member nosuch first");
	puts("absent-member undefined first");
	puts("absent-member int x");
	puts("absent-variable nosuch -");
	puts("absent-variable twin outer");
	puts("absent-variable per_thread -");
	puts("absent-variable main -");
}

int main(int argc, char **argv)
{
	// With enough doubt about their values that no optimisation takes them away.
	if (argc > 1) {
		twin = (int_block *)argv;
		table[argc].next = (struct outer *)argv;
		counter = twin_count = per_thread = argc;
		pair = (twofold)argv;
		tails = (struct tail *)argv;
		the_bits.kind = 3;
		the_level = LOW;
	}
	sizes_and_members();
	bit_fields();
	variables();
	absences();
	return other_truth() == argv || the_level == HIGH;
}
