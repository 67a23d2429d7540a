/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_REPL_SOURCE_H
#define TARGETS_CPYTHON_REPL_SOURCE_H

/*
 * The half of the runner that is written in Python, for 2.7 and 3, and the room through which both
 * halves talk. Numbers in the room are twenty decimal digits.
 */

enum {
	REPL_NUMBER_BYTES = 20,
	/** What is asked: a letter for the kind, the lengths of the name and of the code; they lie at
	 *  REPL_ASKED_AT, one behind the other. */
	REPL_KIND_AT = 0,
	REPL_NAME_BYTES_AT = 32,
	REPL_CODE_BYTES_AT = 64,
	/** What is answered: a letter, a status, and the lengths of what follows. */
	REPL_STATE_AT = 96,
	REPL_STATUS_AT = 128,
	REPL_VALUE_BYTES_AT = 160,
	REPL_TYPE_BYTES_AT = 192,
	REPL_OUTPUT_BYTES_AT = 224,
	REPL_ASKED_AT = 4096,
	REPL_ASKED_BYTES = 4 << 20,
	REPL_VALUE_AT = REPL_ASKED_AT + REPL_ASKED_BYTES,
	REPL_VALUE_BYTES = 8 << 20,
	REPL_TYPE_AT = REPL_VALUE_AT + REPL_VALUE_BYTES,
	REPL_TYPE_BYTES = 4096,
	/** Pieces: a letter (o, e), its length, the text. */
	REPL_OUTPUT_AT = REPL_TYPE_AT + REPL_TYPE_BYTES,
	REPL_OUTPUT_BYTES = 16 << 20,
	REPL_ROOM_BYTES = REPL_OUTPUT_AT + REPL_OUTPUT_BYTES,
};

/** Its names for these, and `memory`, are in the dictionary that it is run in; it leaves there step(),
 *  which answers what is asked. */
extern const char repl_source[];

#endif
