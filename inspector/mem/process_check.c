// SPDX-License-Identifier: GPL-3.0-or-later
// The half of mem/process.h that refuses: why a process cannot be inspected, in words with a fix.
#include "mem/process.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

enum {
	NAME_CHARS = 64,
	PATH_CHARS = 64,
};

static struct error *traced_error(const struct process_status *status, pid_t tracer)
{
	struct process_status by;
	// The kernel names the thread that traces.
	_cleanup_error_ struct error *unknown = process_status_read(tracer, &by);

	return error_create(ERROR_FAILED,
			    "cannot attach to process %d (%s): it is already traced by %s (process "
			    "%d); end that session first",
			    status->tgid, status->comm, unknown ? "a process" : by.comm,
			    unknown ? tracer : by.tgid);
}

// The tracer of any thread of the process, 0 when there is none.
static struct error *find_tracer(pid_t pid, pid_t *ret)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t count;
	struct error *error = process_threads(pid, &tids, &count);

	*ret = 0;
	for (size_t i = 0; !error && i < count && *ret == 0; i++) {
		struct process_status status;
		// A thread that ended meanwhile is traced by nobody.
		_cleanup_error_ struct error *ended = process_status_read(tids[i], &status);

		*ret = ended ? 0 : status.tracer_pid;
	}
	return error;
}

// Kernels without Yama have no such file, and no such restriction.
static int yama_ptrace_scope(void)
{
	_cleanup_file_ FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope;

	return file && fscanf(file, "%d", &scope) == 1 ? scope : 0;
}

static void user_name(uid_t uid, char *into)
{
	struct passwd entry, *found = NULL;
	char strings[1024];

	if (getpwuid_r(uid, &entry, strings, sizeof(strings), &found) == 0 && found)
		snprintf(into, NAME_CHARS, "user %s", entry.pw_name);
	else
		snprintf(into, NAME_CHARS, "uid %u", uid);
}

// The files of an undumpable process (prctl(PR_SET_DUMPABLE), a set-uid program, a changed uid) in
// /proc are root's; its directory there is not (task_dump_owner() in fs/proc/base.c).
static bool process_is_undumpable(const struct process_status *status)
{
	char path[PATH_CHARS];
	struct stat file;

	snprintf(path, sizeof(path), "/proc/%d/stat", status->pid);
	return status->uid != 0 && stat(path, &file) == 0 && file.st_uid == 0;
}

// In the order of the kernel's own checks: __ptrace_may_access() of kernel/ptrace.c, then Yama.
static struct error *unprivileged_error(const struct process_status *status,
					const struct process_status *self)
{
	char owner[NAME_CHARS];
	int scope = yama_ptrace_scope();

	if (self->uid == 0)
		return error_create(
			ERROR_FAILED,
			"cannot attach to process %d (%s): leakinspect runs as root but "
			"without the capability CAP_SYS_PTRACE; start the container with "
			"--cap-add=SYS_PTRACE",
			status->pid, status->comm);
	if (status->uid != self->uid) {
		user_name(status->uid, owner);
		return error_create(
			ERROR_FAILED,
			"process %d (%s) belongs to %s; run leakinspect as that user or "
			"as root (sudo leakinspect ...)",
			status->pid, status->comm, owner);
	}
	if (process_is_undumpable(status))
		return error_create(
			ERROR_FAILED,
			"process %d (%s) has made itself undumpable (it changed its user "
			"or asked with PR_SET_DUMPABLE); run leakinspect as root (sudo "
			"leakinspect ...)",
			status->pid, status->comm);
	if (status->capabilities_permitted & ~self->capabilities_permitted)
		return error_create(
			ERROR_FAILED,
			"process %d (%s) holds capabilities that leakinspect does not; run "
			"leakinspect as root (sudo leakinspect ...)",
			status->pid, status->comm);
	if (scope == 1)
		return error_create(
			ERROR_FAILED,
			"cannot attach to process %d (%s): kernel.yama.ptrace_scope is 1, "
			"only its ancestors may attach; run with sudo, or set it to 0: "
			"sysctl -w kernel.yama.ptrace_scope=0",
			status->pid, status->comm);
	if (scope == 2)
		return error_create(
			ERROR_FAILED,
			"cannot attach to process %d (%s): kernel.yama.ptrace_scope is 2, "
			"only root may attach; run with sudo",
			status->pid, status->comm);
	return NULL;
}

struct error *process_refusal(pid_t pid)
{
	struct process_status status, self;
	pid_t tracer;
	struct error *error = process_status_read(pid, &status);

	if (!error)
		error = process_status_read(getpid(), &self);
	if (!error)
		error = find_tracer(status.tgid, &tracer);
	if (error)
		return error;
	if (tracer)
		return traced_error(&status, tracer);
	if (yama_ptrace_scope() >= 3)
		return error_create(
			ERROR_FAILED,
			"cannot attach to process %d (%s): kernel.yama.ptrace_scope is 3, "
			"which forbids it to everybody until the next boot; boot with a "
			"lower setting",
			pid, status.comm);
	if (!(self.capabilities_effective & (1U << CAP_SYS_PTRACE)))
		error = unprivileged_error(&status, &self);
	if (error)
		return error;
	return error_create(ERROR_FAILED,
			    "cannot attach to process %d (%s): a security policy forbids it; run "
			    "leakinspect outside of the container, or start the container with "
			    "--cap-add=SYS_PTRACE --security-opt seccomp=unconfined, and look at "
			    "SELinux (deny_ptrace) and AppArmor",
			    pid, status.comm);
}

static struct error *read_elf_header(pid_t pid, void *argument)
{
	Elf64_Ehdr *ret = argument;
	char path[PATH_CHARS];
	_cleanup_fd_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return process_refusal(pid);
	if (fd < 0 && (errno == ENOENT || errno == ESRCH))
		return error_create(ERROR_GONE, "process %d has ended meanwhile", pid);
	if (fd < 0)
		return error_create_os(errno, "cannot open the program of process %d (%s)", pid,
				       path);
	// The 32-bit header is the shorter one, and all that is asked stands at the same place.
	if (pread(fd, ret, sizeof(*ret), 0) < (ssize_t)sizeof(Elf32_Ehdr) ||
	    memcmp(ret->e_ident, ELFMAG, SELFMAG) != 0)
		return error_create(ERROR_UNSUPPORTED,
				    "the program of process %d is no ELF file; only native Linux "
				    "programs can be inspected",
				    pid);
	return NULL;
}

// Our own program is the measure: structures are read with the word size and byte order of ours.
static struct error *check_architecture(const struct process_status *status)
{
	Elf64_Ehdr ours, theirs;
	struct error *error = read_elf_header(getpid(), &ours);

	if (error && error->code == ERROR_GONE) {
		error_destroy(error);
		return error_create(
			ERROR_FAILED,
			"/proc does not show leakinspect itself: it is that of another pid "
			"namespace; enter that as well (nsenter -p -m)");
	}
	if (!error)
		error = process_through_memory_thread(status->pid, read_elf_header, &theirs);
	if (error)
		return error;
	if (theirs.e_ident[EI_CLASS] != ours.e_ident[EI_CLASS])
		return error_create(
			ERROR_UNSUPPORTED,
			"process %d (%s) is a %s program, leakinspect inspects those of "
			"its own word size only; inspect a 64-bit build of it",
			status->pid, status->comm,
			theirs.e_ident[EI_CLASS] == ELFCLASS32 ? "32-bit" : "64-bit");
	if (theirs.e_machine != ours.e_machine || theirs.e_ident[EI_DATA] != ours.e_ident[EI_DATA])
		return error_create(
			ERROR_UNSUPPORTED,
			"process %d (%s) is a program of another architecture (ELF machine "
			"%u, leakinspect is %u); use a leakinspect built for it",
			status->pid, status->comm, theirs.e_machine, ours.e_machine);
	return NULL;
}

struct error *process_check(pid_t pid)
{
	struct process_status status;
	struct error *error = process_status_read(pid, &status);

	if (error)
		return error;
	if (status.kernel_thread)
		return error_create(
			ERROR_UNSUPPORTED,
			"process %d (%s) is a kernel thread, which has no memory of its "
			"own; give the id of a Python process (pgrep -f python)",
			pid, status.comm);
	if (status.tgid == getpid())
		return error_create(
			ERROR_FAILED,
			"process %d is leakinspect itself; give the id of another process", pid);
	if (status.tgid != pid)
		return error_create(
			ERROR_FAILED,
			"%d is a thread (%s) of process %d; give the id of the process: %d", pid,
			status.comm, status.tgid, status.tgid);
	if (status.tracer_pid)
		return traced_error(&status, status.tracer_pid);

	error = check_architecture(&status);
	if (!error || error->code != ERROR_GONE)
		return error;
	// It may have ended, or become another program, since we looked.
	_cleanup_error_ struct error *unseen = process_status_read(pid, &status);
	if (!unseen && process_has_ended(&status)) {
		error_destroy(error);
		return error_create(
			ERROR_UNSUPPORTED,
			"process %d (%s) is a zombie: it has ended and has no memory any "
			"more; its parent has yet to collect its exit status",
			pid, status.comm);
	}
	return error;
}
