/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_ACCOUNTS_H
#define UI_ANSWERS_ACCOUNTS_H

/*
 * Who accounts for the reference count of an object: so many references from objects of this type under
 * that name, so many of running functions and of the interpreter, so many of C code. The counts of all
 * accounts make up the reference count; where more was found than is counted, one is below zero.
 */

#include "base/cleanup.h"
#include "heap/heap.h"
#include "ui/report/report.h"

enum account_source {
	/** References of objects. */
	ACCOUNT_OBJECT,
	/** A root that owns one. */
	ACCOUNT_ROOT,
	/** Counted, and found in nothing but memory of C code. */
	ACCOUNT_C,
	/** Counted, and found nowhere. */
	ACCOUNT_LEAKED,
	/** Found, and not counted: a guess was wrong, or the object was changing. */
	ACCOUNT_SURPLUS,
};

struct account {
	enum account_source source;
	int64_t count;
	/** Of ACCOUNT_OBJECT; the heap's. */
	const char *type;
	enum heap_edge_kind kind;
	/** What the references are called, "[...]" for any item; where the root is; "" when there is no name.
	 *  Owned. */
	char *label;
	/** The label of the first of them as it is. Owned. */
	char *exact;
};

/** Zero-initialised is empty and valid. */
struct accounts {
	/** By source, those with most references first. */
	struct account *list;
	size_t count;
	size_t capacity;
	/** References that lead to it, weak ones too. */
	size_t referrer_count;
	/** Of its count, what neither objects nor roots explain; 0 when they explain more than all. */
	int64_t held_by_c;
};

/** After heap_add_holders(). For an immortal object there is no count to be explained. */
MUST_USE struct error *accounts_make(const struct heap *heap, uint32_t object,
				     struct accounts *ret);

void accounts_deinit(struct accounts *accounts);
#define _cleanup_accounts_ CLEANUP(accounts_deinit)

/** Accounts that are shown unless a limit says otherwise. */
enum { ACCOUNTS_SHOWN = 20 };

/** The table "accounts" with at most @a limit rows and one for the rest, and their total. */
MUST_USE struct error *accounts_report(const struct accounts *accounts, struct report *report,
				       size_t limit);

#endif
