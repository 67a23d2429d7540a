/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef PROGRAMS_SHAPES_H
#define PROGRAMS_SHAPES_H

/* Declared here and seen by both files of the program; only one has the definition. */
struct secret;
typedef struct secret secret_t;
struct undefined;

extern int declared_first;
extern secret_t the_secret;
extern struct undefined *of_nothing;
extern int open_ended[];

const void *other_truth(void);

#endif
