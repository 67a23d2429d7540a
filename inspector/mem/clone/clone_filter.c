// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/clone_filter.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/array.h"
#include "mem/machine/machine.h"

// What stays within the clone, looks, or concerns descriptors, which are all /dev/null or files that are
// read.
static const uint16_t calls_free[] = {
	// Memory.
	SYS_mprotect,
	SYS_munmap,
	SYS_mremap,
	SYS_brk,
	SYS_mincore,
	SYS_msync,
	SYS_membarrier,
	// Descriptors.
	SYS_read,
	SYS_readv,
	SYS_pread64,
	SYS_preadv,
	SYS_write,
	SYS_writev,
	SYS_pwrite64,
	SYS_pwritev,
	SYS_lseek,
	SYS_close,
	SYS_close_range,
	SYS_dup,
	SYS_dup3,
	SYS_pipe2,
	SYS_eventfd2,
	SYS_epoll_create1,
	SYS_epoll_ctl,
	SYS_epoll_pwait,
	SYS_ppoll,
	SYS_pselect6,
	// Files, looked at.
	SYS_fstat,
	SYS_newfstatat,
	SYS_statx,
	SYS_statfs,
	SYS_fstatfs,
	SYS_faccessat,
	SYS_faccessat2,
	SYS_getdents64,
	SYS_readlinkat,
	SYS_getcwd,
	SYS_umask,
	// Time.
	SYS_nanosleep,
	SYS_clock_nanosleep,
	SYS_clock_gettime,
	SYS_clock_getres,
	SYS_gettimeofday,
	SYS_times,
	SYS_sched_yield,
	// Itself. It has no children.
	SYS_futex,
	SYS_set_robust_list,
	SYS_get_robust_list,
	SYS_restart_syscall,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigpending,
	SYS_rt_sigreturn,
	SYS_sigaltstack,
	SYS_exit,
	SYS_exit_group,
	SYS_getpid,
	SYS_gettid,
	SYS_getppid,
	SYS_getpgid,
	SYS_getsid,
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_getresuid,
	SYS_getresgid,
	SYS_getgroups,
	SYS_getrlimit,
	SYS_getrusage,
	SYS_getpriority,
	SYS_getcpu,
	SYS_getrandom,
	SYS_uname,
	SYS_sysinfo,
	SYS_capget,
	SYS_sched_getaffinity,
	SYS_sched_getparam,
	SYS_sched_getscheduler,
	SYS_sched_get_priority_max,
	SYS_sched_get_priority_min,
	SYS_wait4,
	SYS_waitid,
#ifdef SYS_open
	// The older forms of some, which newer machines do not have.
	SYS_dup2,
	SYS_pipe,
	SYS_epoll_create,
	SYS_epoll_wait,
	SYS_poll,
	SYS_select,
	SYS_stat,
	SYS_lstat,
	SYS_access,
	SYS_getdents,
	SYS_readlink,
	SYS_time,
	SYS_getpgrp,
#endif
};

// Those that open, and which argument has the flags.
static const struct {
	uint16_t number;
	uint8_t flags_argument;
} calls_open[] = {
#ifdef SYS_open
	{SYS_open, 1},
#endif
	{SYS_openat, 2},
};

// Newer forms, whose arguments lie in memory.
static const uint16_t calls_unknown[] = {
	SYS_clone3,
	SYS_openat2,
};

// A duplicate, flags of the descriptor and of the file: not locks, leases, owners of signals.
static const uint32_t fcntl_commands[] = {
	F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL,
};

// Whether it is a terminal, which none is, and flags of the descriptor.
static const uint32_t ioctl_commands[] = {
	TCGETS, TIOCGWINSZ, FIOCLEX, FIONCLEX, FIONREAD, FIONBIO,
};

struct filter {
	struct sock_filter *program;
	size_t count;
};

static void filter_add(struct filter *filter, struct sock_filter instruction)
{
	assert(filter->count < CLONE_FILTER_MAX);
	filter->program[filter->count++] = instruction;
}

static void filter_load(struct filter *filter, size_t offset)
{
	filter_add(filter,
		   (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void filter_return(struct filter *filter, uint32_t what)
{
	filter_add(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

// Returns @a what if the word that was loaded is @a value.
static void filter_return_if(struct filter *filter, uint32_t value, uint32_t what)
{
	filter_add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
	filter_return(filter, what);
}

static uint32_t filter_refuse(int error)
{
	return SECCOMP_RET_ERRNO | (uint32_t)error;
}

// A call whose argument @a argument, of which the kernel looks at 32 bits, is one of a few.
static void filter_one_of(struct filter *filter, uint32_t number, unsigned argument,
			  const uint32_t *values, size_t count, int error)
{
	size_t instructions = 1 + 2 * count + 1;

	filter_load(filter, offsetof(struct seccomp_data, nr));
	filter_add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0,
							(uint8_t)instructions));
	filter_load(filter, offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t));
	for (size_t i = 0; i < count; i++)
		filter_return_if(filter, values[i], SECCOMP_RET_ALLOW);
	filter_return(filter, filter_refuse(error));
}

// Opening, which may be for reading alone; the tracer looks at what.
static void filter_open(struct filter *filter, uint32_t number, unsigned flags_argument)
{
	static const uint32_t writes = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND |
				       (__O_TMPFILE & ~O_DIRECTORY) | FASYNC;

	filter_load(filter, offsetof(struct seccomp_data, nr));
	filter_add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4));
	filter_load(filter,
		    offsetof(struct seccomp_data, args) + flags_argument * sizeof(uint64_t));
	filter_add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, writes, 0, 1));
	filter_return(filter, filter_refuse(EACCES));
	filter_return(filter, SECCOMP_RET_TRACE);
}

// Memory shared through a file would be shared again: who waits on a futex in it could be woken.
static void filter_mmap(struct filter *filter)
{
	filter_load(filter, offsetof(struct seccomp_data, nr));
	filter_add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 5));
	filter_load(filter, offsetof(struct seccomp_data, args[3]));
	filter_add(filter,
		   (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_SHARED, 0, 2));
	filter_add(filter,
		   (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 1, 0));
	filter_return(filter, filter_refuse(EPERM));
	filter_return(filter, SECCOMP_RET_ALLOW);
}

// Not MADV_HWPOISON and its like, by which root takes pages from everybody who has them.
static void filter_madvise(struct filter *filter)
{
	enum { FIRST_OF_PRIVILEGED = 100 };

	filter_load(filter, offsetof(struct seccomp_data, nr));
	filter_add(filter,
		   (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 4));
	filter_load(filter, offsetof(struct seccomp_data, args[2]));
	filter_add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K,
							FIRST_OF_PRIVILEGED, 0, 1));
	filter_return(filter, filter_refuse(EPERM));
	filter_return(filter, SECCOMP_RET_ALLOW);
}

// prlimit64() of itself that sets nothing.
static void filter_prlimit(struct filter *filter)
{
	size_t limit_at = offsetof(struct seccomp_data, args[2]);

	filter_load(filter, offsetof(struct seccomp_data, nr));
	filter_add(filter,
		   (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 0, 6));
	filter_load(filter, limit_at);
	filter_add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3));
	filter_load(filter, limit_at + sizeof(uint32_t));
	filter_add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1));
	filter_return(filter, SECCOMP_RET_ALLOW);
	filter_return(filter, filter_refuse(EPERM));
}

size_t clone_filter_make(struct sock_filter *ret)
{
	struct filter filter = {.program = ret};

	// Numbers mean something else for other kinds of programs; x32's, which are large, are on no list.
	filter_load(&filter, offsetof(struct seccomp_data, arch));
	filter_add(&filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							 machine_audit_arch(), 1, 0));
	filter_return(&filter, SECCOMP_RET_KILL_PROCESS);
	for (size_t i = 0; i < ARRAY_COUNT(calls_open); i++)
		filter_open(&filter, calls_open[i].number, calls_open[i].flags_argument);
	filter_one_of(&filter, SYS_fcntl, 1, fcntl_commands, ARRAY_COUNT(fcntl_commands), EPERM);
	filter_one_of(&filter, SYS_ioctl, 1, ioctl_commands, ARRAY_COUNT(ioctl_commands), ENOTTY);
	filter_mmap(&filter);
	filter_madvise(&filter);
	filter_prlimit(&filter);
	filter_load(&filter, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_COUNT(calls_free); i++)
		filter_return_if(&filter, calls_free[i], SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < ARRAY_COUNT(calls_unknown); i++)
		filter_return_if(&filter, calls_unknown[i], filter_refuse(ENOSYS));
	filter_return(&filter, filter_refuse(EPERM));
	return filter.count;
}

unsigned clone_filter_open_flags(int64_t number)
{
	for (size_t i = 0; i < ARRAY_COUNT(calls_open); i++)
		if (calls_open[i].number == number)
			return calls_open[i].flags_argument;
	return calls_open[ARRAY_COUNT(calls_open) - 1].flags_argument;
}
