// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/process_tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "mem/process.h"

bool process_identify(pid_t pid, struct process_identity *ret)
{
	struct process_status status;
	struct stat program = {0};
	char path[48];
	_cleanup_error_ struct error *error = process_status_read(pid, &status);

	*ret = (struct process_identity){.pid = pid};
	if (error || process_has_ended(&status))
		return false;
	ret->start_ticks = status.start_ticks;
	ret->stack_start = status.stack_start;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, &program) == 0) {
		ret->program_device = program.st_dev;
		ret->program_inode = program.st_ino;
	}
	return true;
}

bool process_identity_is(const struct process_identity *one, const struct process_identity *other)
{
	// A process that is about to end has no program any more: that is no other one.
	bool unknown = !one->program_inode || !other->program_inode;
	bool unknown_start = !one->stack_start || !other->stack_start;

	return one->pid == other->pid && one->start_ticks == other->start_ticks &&
	       (unknown || (one->program_device == other->program_device &&
			    one->program_inode == other->program_inode)) &&
	       (unknown_start || one->stack_start == other->stack_start);
}

struct tree_process {
	pid_t pid;
	pid_t parent;
	bool is_below;
};

struct tree {
	struct tree_process *processes;
	size_t count;
	size_t capacity;
};

static bool tree_read(pid_t pid, struct tree_process *ret)
{
	struct process_status status;
	_cleanup_error_ struct error *error = process_stat_read(pid, &status);

	if (error || process_has_ended(&status))
		return false;
	*ret = (struct tree_process){.pid = pid, .parent = status.parent_pid};
	return true;
}

static struct error *tree_fill(struct tree *tree)
{
	_cleanup_dir_ DIR *proc = opendir("/proc");
	struct tree_process process;

	if (!proc)
		return error_create_os(errno, "cannot read /proc");
	for (struct dirent *entry; tree->count < PROCESS_TREE_MAX && (entry = readdir(proc));) {
		if (entry->d_name[strspn(entry->d_name, "0123456789")] ||
		    !tree_read((pid_t)atoi(entry->d_name), &process))
			continue;
		struct error *error = array_reserve(&tree->processes, &tree->capacity,
						    tree->count + 1, sizeof(process));
		if (error)
			return error;
		tree->processes[tree->count++] = process;
	}
	return NULL;
}

static int tree_compare(const void *left, const void *right)
{
	const struct tree_process *a = left, *b = right;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

static bool tree_is_below(const struct tree *tree, pid_t pid)
{
	const struct tree_process key = {.pid = pid};
	const struct tree_process *found =
		bsearch(&key, tree->processes, tree->count, sizeof(*tree->processes), tree_compare);

	return found && found->is_below;
}

// As often as the tree is deep; each time but the last somebody is found.
static size_t tree_mark(struct tree *tree, pid_t pid)
{
	size_t found = 0;

	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < tree->count; i++) {
			struct tree_process *process = &tree->processes[i];
			if (process->is_below || process->pid == pid ||
			    (process->parent != pid && !tree_is_below(tree, process->parent)))
				continue;
			process->is_below = again = true;
			found++;
		}
	}
	return found;
}

struct error *process_descendants(pid_t pid, size_t max, pid_t **ret, size_t *ret_count)
{
	struct tree tree = {0};
	struct error *error = tree_fill(&tree);
	_cleanup_free_ struct tree_process *processes = tree.processes;

	*ret = NULL;
	*ret_count = 0;
	if (error)
		return error;
	if (tree.count)
		qsort(tree.processes, tree.count, sizeof(*tree.processes), tree_compare);
	size_t found = tree_mark(&tree, pid);
	*ret = calloc(found + 1, sizeof(**ret));
	if (!*ret)
		return error_no_memory();
	for (size_t i = 0; i < tree.count && *ret_count < max; i++)
		if (processes[i].is_below)
			(*ret)[(*ret_count)++] = processes[i].pid;
	return NULL;
}
