/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_CLONE_H
#define MEM_CLONE_H

/*
 * A frozen clone: the process's memory as of one instant, held by the kernel. A stopped thread of it is
 * made to fork (mem/clone/inject.h); the child never runs an instruction, and is killed when it has been read.
 * The process stands still only for as long as the kernel copies its page tables. Afterwards it pays
 * for every page it writes while the clone lives, so: read what is needed, and end it.
 *
 *   mem_cloner_create(pid, live, maps, &cloner, &reason);        the process runs
 *   pause_begin(pid, &pause);
 *   mem_clone_create(cloner, pause, 0, true, &clone, &reason);   it stands still
 *   mem_clone_open(clone);                                       it runs
 *   ... mem_clone_source(clone) ...
 *   mem_clone_destroy(clone);
 *   pause_end(&pause);
 *
 * The process gets no signal of the clone's end, and no zombie stays with it: it is made to collect the
 * clone (wait4() with WNOHANG). Should we be killed, the kernel kills the clone (PTRACE_O_EXITKILL) and
 * a keeper, a small process of ours, does the collecting.
 *
 * mem/clone/clone_run.h makes one run after all, behind walls.
 *
 * While it lives, and until it is collected, the process has a child that it does not know: a wait for any
 * child with __WALL or __WCLONE, which are for such children, sees it.
 *
 * Not in the clone: what the program has excluded from its forks (MADV_DONTFORK, MADV_WIPEONFORK).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mem/source.h"

struct maps;
struct mem_clone;
struct mem_cloner;
struct pause;

/**
 * What can be done before the process is stopped. @a live and @a maps are its, and outlive the cloner.
 * *@a ret is NULL when it cannot be cloned, and *@a ret_reason then says why in words that follow "not
 * cloned: ": another machine, a seccomp filter, too little memory.
 */
MUST_USE struct error *mem_cloner_create(pid_t pid, struct mem_source *live,
					 const struct maps *maps, struct mem_cloner **ret,
					 char **ret_reason);
/** Takes NULL. */
void mem_cloner_destroy(struct mem_cloner *cloner);

/** Makes a clone of the process that @a pause holds, by thread @a tid of it (0: whichever can): the clone
 *  has that one alone. With @a lets_go the process goes on as soon as it is there, as by pause_let_go(). As
 *  above; everything is as before when there is none. */
MUST_USE struct error *mem_clone_create(struct mem_cloner *cloner, struct pause *pause, pid_t tid,
					bool lets_go, struct mem_clone **ret, char **ret_reason);
/** pause_begin() and mem_clone_create() with @a lets_go in one, for whoever has nothing to look at in
 *  between: the process stands still for no longer than that takes. *@a ret_pause is NULL when it could not
 *  be stopped, and otherwise the caller's to end, after a failure too. Where there is no clone, and
 *  nothing failed, the process is held. */
MUST_USE struct error *mem_clone_create_first(struct mem_cloner *cloner, struct pause **ret_pause,
					      struct mem_clone **ret, char **ret_reason);
/** Holds the clone and opens its memory: what has time until pause_let_go(), and comes after it. */
MUST_USE struct error *mem_clone_open(struct mem_clone *clone);
/** As mem_clone_destroy(); fails when the process could not be made to collect the clone (yet: the keeper
 *  tries on for a minute), which stays with it as a zombie then. */
MUST_USE struct error *mem_clone_end(struct mem_clone *clone);
/** After pause_let_go(), whether it was opened or not: kills the clone and has the process collect it. Takes NULL. */
void mem_clone_destroy(struct mem_clone *clone);

/** Its memory, once it is open; lives as long as the clone. Read through /proc/PID/mem, which leaves the pages shared:
 *  process_vm_readv() would have the kernel copy each one that it reads. */
struct mem_source *mem_clone_source(struct mem_clone *clone);

/** When it was made: clock_now_ns() then. */
uint64_t mem_clone_made_ns(const struct mem_clone *clone);

pid_t mem_clone_pid(const struct mem_clone *clone);

#endif
