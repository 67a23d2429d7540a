/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/*
 * Errors as values. A function that can fail returns `struct error *`: NULL is success, anything
 * else is owned by the caller, who passes it up or gives it to error_destroy(). Only main and the
 * console print errors.
 *
 * "There is none" is not an error: a look-up says so through its result (`present`, a count of 0).
 */

#include <stdint.h>

/** An address in the inspected process. Never a pointer of ours. */
typedef uint64_t addr_t;

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum error_code {
	/** Could not be done; the message names what and the fix. Exit status 1. */
	ERROR_FAILED,
	/** The words of the call are wrong. Exit status 2. */
	ERROR_USAGE,
	/** Not a process of a supported runtime, or nothing describes it. Exit status 4. */
	ERROR_UNSUPPORTED,
	/** `address` of the inspected process cannot be read. Exit status 1. */
	ERROR_FAULT,
	/** The inspected process has ended. Exit status 1. */
	ERROR_GONE,
	/** The user asked us to stop (Ctrl-C, SIGTERM). Exit status 1 after a clean way out. */
	ERROR_INTERRUPTED,
	ERROR_NO_MEMORY,
};

struct error {
	enum error_code code;
	/** The first address that could not be read, for ERROR_FAULT; 0 otherwise. */
	addr_t address;
	/** One sentence or two, no trailing newline: what failed, where, what to do about it. */
	const char *message;
};

/** A new error with a formatted message. Never NULL: without memory it is the static
 *  out-of-memory error. */
MUST_USE PRINTF_LIKE(2, 3) struct error *error_create(enum error_code code, const char *format,
						      ...);

/** An ERROR_FAULT at @a address. */
MUST_USE PRINTF_LIKE(2, 3) struct error *error_create_fault(addr_t address, const char *format,
							    ...);

/** ERROR_FAILED with ": " and the text of @a errnum behind the message. */
MUST_USE PRINTF_LIKE(2, 3) struct error *error_create_os(int errnum, const char *format, ...);

/** The one error that needs no memory. Destroying it does nothing. */
MUST_USE struct error *error_no_memory(void);

/** @a error with "PREFIX: " before its message; takes ownership of @a error and returns the new. */
MUST_USE PRINTF_LIKE(2, 3) struct error *error_prefix(struct error *error, const char *format, ...);

/** Takes NULL. */
void error_destroy(struct error *error);

/** The process's exit status that CLI.md promises for this error. */
int error_exit_status(const struct error *error);

#endif
