// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/machine/trial_system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

#include "base/cleanup.h"
#include "mem/maps.h"
#include "targets/cpython/machine/libc_gates.h"

/** Room for all mappings of a trial; who asks for more is refused. */
static const uint64_t MAP_ROOM = 1ULL << 40;
static const addr_t MAP_FIRST = 0x100000000000;
static const addr_t MAP_LAST = 0x600000000000;

enum {
	PAGE = 4096,
	PIECES_MAX = 1024,
	PATH_BYTES_MAX = 4096,
	RANDOM_MAX = 1 << 16,
	SIGNAL_SET_BYTES_MAX = 128,
};

// Numbers of system calls on x86-64, whatever this is built for: arch/x86/entry/syscalls.
enum {
	CALL_WRITE = 1,
	CALL_CLOSE = 3,
	CALL_MMAP = 9,
	CALL_MPROTECT = 10,
	CALL_MUNMAP = 11,
	CALL_BRK = 12,
	CALL_RT_SIGPROCMASK = 14,
	CALL_WRITEV = 20,
	CALL_SCHED_YIELD = 24,
	CALL_MREMAP = 25,
	CALL_MADVISE = 28,
	CALL_NANOSLEEP = 35,
	CALL_GETPID = 39,
	CALL_GETTIMEOFDAY = 96,
	CALL_GETTID = 186,
	CALL_TIME = 201,
	CALL_FUTEX = 202,
	CALL_CLOCK_GETTIME = 228,
	CALL_CLOCK_NANOSLEEP = 230,
	CALL_EPOLL_CTL = 233,
	CALL_OPENAT = 257,
	CALL_GETRANDOM = 318,
};

static bool system_write_clock(struct cpu *cpu, clockid_t clock, addr_t into)
{
	struct timespec now = {0};

	// The clocks of the machine are the process's, too.
	return clock_gettime(clock, &now) == 0 && cpu_write(cpu, into, &now, sizeof(now));
}

static bool system_write_day(struct cpu *cpu, addr_t into)
{
	struct timeval now;

	return gettimeofday(&now, NULL) == 0 && (!into || cpu_write(cpu, into, &now, sizeof(now)));
}

static bool system_write_time(struct cpu *cpu, addr_t into, uint64_t *ret)
{
	time_t now = time(NULL);

	*ret = (uint64_t)now;
	return !into || cpu_write(cpu, into, &now, sizeof(now));
}

static bool gate_clock_gettime(struct cpu *cpu, struct cpu_gate_call *call)
{
	return system_write_clock(cpu, (clockid_t)call->args[0], call->args[1]);
}

static bool gate_gettimeofday(struct cpu *cpu, struct cpu_gate_call *call)
{
	return system_write_day(cpu, call->args[0]);
}

static bool gate_time(struct cpu *cpu, struct cpu_gate_call *call)
{
	return system_write_time(cpu, call->args[0], &call->result);
}

static bool system_map(struct py_trial_system *system, struct cpu *cpu, const uint64_t *args,
		       int64_t *ret)
{
	uint64_t bytes = (args[1] + PAGE - 1) & ~(uint64_t)(PAGE - 1);

	if (!(args[3] & MAP_ANONYMOUS) || (args[3] & MAP_FIXED) || bytes == 0 || !system->map_next)
		return false;
	// Those with nothing in them are kept for later by MAP_NORESERVE; here they cost as much as any.
	if (!cpu_map(cpu, system->map_next, bytes)) {
		*ret = -ENOMEM;
		return true;
	}
	*ret = (int64_t)system->map_next;
	// A page that is nobody's between them.
	system->map_next += bytes + PAGE;
	return true;
}

// What is given back stays: the next to get it expects zeros there.
static bool system_break(struct py_trial_system *system, struct cpu *cpu, addr_t wanted,
			 int64_t *ret)
{
	addr_t end = (wanted + PAGE - 1) & ~(addr_t)(PAGE - 1);

	if (!system->break_at)
		return false;
	if (wanted > system->break_at && end > system->break_end) {
		if (cpu_map(cpu, system->break_end, end - system->break_end)) {
			system->break_end = end;
			system->break_at = wanted;
		}
	} else if (wanted > system->break_at) {
		system->break_at = wanted;
	}
	*ret = (int64_t)system->break_at;
	return true;
}

// What the process may not even read has never been written: malloc() reserves more than it uses and makes
// it readable piece by piece. The rest stays readable, and writable, whatever is asked for.
static void system_protect(struct cpu *cpu, const uint64_t *args, int64_t *ret)
{
	addr_t end = args[0] + args[1];
	uint8_t byte;

	for (addr_t at = args[0]; (args[2] & PROT_READ) && at < end; at += PAGE) {
		if (!cpu_read(cpu, at, &byte, 1) && !cpu_map(cpu, at, 1)) {
			*ret = -ENOMEM;
			return;
		}
	}
}

static bool system_futex(struct py_trial_system *system, struct cpu *cpu, const uint64_t *args,
			 int64_t *ret)
{
	uint32_t value;

	*ret = 0;
	switch (args[1] & FUTEX_CMD_MASK) {
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
	case FUTEX_WAKE_OP:
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		return true;
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		if (cpu_read(cpu, args[0], &value, sizeof(value)) && value != (uint32_t)args[2]) {
			*ret = -EAGAIN;
			return true;
		}
		system->waits = true;
		return false;
	default:
		return false;
	}
}

static bool system_write_pieces(struct cpu *cpu, const uint64_t *args, int64_t *ret)
{
	struct iovec piece;

	*ret = 0;
	for (uint64_t i = 0; i < args[2] && i < PIECES_MAX; i++) {
		if (!cpu_read(cpu, args[1] + i * sizeof(piece), &piece, sizeof(piece)))
			return false;
		*ret += (int64_t)piece.iov_len;
	}
	return true;
}

static bool system_random(struct cpu *cpu, const uint64_t *args, int64_t *ret)
{
	uint64_t count = args[1] < RANDOM_MAX ? args[1] : RANDOM_MAX;

	for (uint64_t i = 0; i < count; i++) {
		// Any will do; always the same give the same answer each time.
		uint8_t byte = (uint8_t)(i * 167 + 89);
		if (!cpu_write(cpu, args[0] + i, &byte, 1))
			return false;
	}
	*ret = (int64_t)count;
	return true;
}

static bool system_signal_mask(struct cpu *cpu, const uint64_t *args)
{
	static const uint8_t none[SIGNAL_SET_BYTES_MAX];

	return args[3] <= sizeof(none) && (!args[2] || cpu_write(cpu, args[2], none, args[3]));
}

/*
 * A traceback that is printed shows lines of source files and does without where there are none. An
 * import looks for its file with stat() before, which is refused. malloc() asks about memory where it
 * gives some of a thread's heap back, and does without the answer, too.
 */
static bool system_open(struct cpu *cpu, const uint64_t *args, int64_t *ret)
{
	char path[PATH_BYTES_MAX];
	size_t length = 0;

	*ret = -ENOENT;
	if ((args[2] & O_ACCMODE) != O_RDONLY)
		return false;
	do {
		if (length == sizeof(path) || !cpu_read(cpu, args[1] + length, &path[length], 1))
			return false;
	} while (path[length++]);
	return (length > 3 && strcmp(path + length - 4, ".py") == 0) ||
	       strcmp(path, "/proc/sys/vm/overcommit_memory") == 0;
}

static bool system_answer(struct py_trial_system *system, struct cpu *cpu, uint64_t number,
			  const uint64_t *args, int64_t *ret)
{
	uint64_t now;

	*ret = 0;
	switch (number) {
	case CALL_CLOSE:
	case CALL_MUNMAP:
	case CALL_MADVISE:
	case CALL_SCHED_YIELD:
	case CALL_NANOSLEEP:
	case CALL_CLOCK_NANOSLEEP:
	case CALL_EPOLL_CTL:
		return true;
	case CALL_WRITE:
		*ret = (int64_t)args[2];
		return true;
	case CALL_WRITEV:
		return system_write_pieces(cpu, args, ret);
	case CALL_MMAP:
		return system_map(system, cpu, args, ret);
	case CALL_MPROTECT:
		system_protect(cpu, args, ret);
		return true;
	case CALL_MREMAP:
		// The caller takes new memory and copies.
		*ret = -ENOMEM;
		return true;
	case CALL_BRK:
		return system_break(system, cpu, args[0], ret);
	case CALL_FUTEX:
		return system_futex(system, cpu, args, ret);
	case CALL_RT_SIGPROCMASK:
		return system_signal_mask(cpu, args);
	case CALL_GETPID:
	case CALL_GETTID:
		*ret = 2;
		return true;
	case CALL_OPENAT:
		return system_open(cpu, args, ret);
	case CALL_GETRANDOM:
		return system_random(cpu, args, ret);
	case CALL_CLOCK_GETTIME:
		return system_write_clock(cpu, (clockid_t)args[0], args[1]);
	case CALL_GETTIMEOFDAY:
		return system_write_day(cpu, args[0]);
	case CALL_TIME:
		if (!system_write_time(cpu, args[0], &now))
			return false;
		*ret = (int64_t)now;
		return true;
	default:
		return false;
	}
}

static bool system_call(struct cpu *cpu, uint64_t number, const uint64_t args[6], int64_t *ret,
			void *context)
{
	struct py_trial_system *system = context;

	if (system_answer(system, cpu, number, args, ret))
		return true;
	system->refused = number;
	return false;
}

// Whether no mapping has anything in the room from @a at on.
static bool system_is_free(const struct maps *maps, addr_t at)
{
	for (size_t i = 0; i < maps->count; i++)
		if (maps->list[i].start < at + MAP_ROOM && maps->list[i].end > at)
			return false;
	return true;
}

static void system_find_room(const struct maps *maps, struct py_trial_system *system)
{
	for (addr_t at = MAP_FIRST; at < MAP_LAST && !system->map_next; at += MAP_ROOM)
		if (system_is_free(maps, at))
			system->map_next = at;
	for (size_t i = 0; i < maps->count; i++)
		if (strcmp(maps->list[i].path, "[heap]") == 0)
			system->break_at = system->break_end = maps->list[i].end;
}

/*
 * The kernel's own code in the process (vDSO) reads the processor's counter. time() and gettimeofday()
 * are chosen when the process starts, and may be it.
 */
static struct error *system_gate(struct module *libc, struct cpu *cpu, const char *name,
				 cpu_gate *gate)
{
	bool present;
	addr_t at;
	uint64_t chosen_at;
	struct error *error = module_symbol(libc, name, &present, &at);

	if (error || !present)
		return error;
	if (gate != gate_clock_gettime && cpu_call(cpu, at, NULL, 0, &chosen_at) == CPU_RETURNED &&
	    chosen_at > PAGE)
		at = chosen_at;
	cpu_forget_writes(cpu);
	return cpu_add_gate(cpu, at, gate, NULL);
}

struct error *py_trial_system_set_up(struct module_list *modules, struct mem_source *memory,
				     struct cpu *cpu, struct py_trial_system *ret)
{
	_cleanup_maps_ struct maps maps = {0};
	struct module *libc = py_libc_module(modules);
	struct error *error = mem_source_maps(memory, &maps);

	*ret = (struct py_trial_system){.refused = UINT64_MAX};
	if (error)
		return error;
	system_find_room(&maps, ret);
	if (libc)
		error = system_gate(libc, cpu, "clock_gettime", gate_clock_gettime);
	if (libc && !error)
		error = system_gate(libc, cpu, "gettimeofday", gate_gettimeofday);
	if (libc && !error)
		error = system_gate(libc, cpu, "time", gate_time);
	cpu_set_system_call(cpu, system_call, ret);
	return error;
}
