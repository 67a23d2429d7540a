/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_HELP_H
#define UI_HELP_H

/*
 * Help and the man page, written from the table of verbs. @a place is where the reader is:
 * COMMAND_IN_SHELL or COMMAND_IN_CONSOLE, where verbs stand without "leakinspect" and TARGET.
 */

#include <stdio.h>

struct command;

/** What there is: every verb in a line. */
void help_overview(FILE *out, unsigned place);

/** All about one verb. */
void help_command(FILE *out, const struct command *command, unsigned place);

/** The part of the man page that tells of verbs and options, in man(7). */
void help_manual(FILE *out);

#endif
