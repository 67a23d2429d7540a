// SPDX-License-Identifier: GPL-3.0-or-later
// bare_clone PID: the least that a frozen clone can cost. Stops one thread, has it call clone() at the
// vDSO's system call, puts its registers back, lets it go and prints how long that took, in
// nanoseconds. Without any of the care that leakinspect takes: not for a process that matters.

#define _GNU_SOURCE

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

// A system call instruction in the vDSO; 0 when there is none.
static uint64_t find_call(int pid)
{
	static const unsigned char call[] = {0x0f, 0x05};
	unsigned char code[1 << 14];
	char path[64], line[256];
	uint64_t start = 0, end = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *maps = fopen(path, "r");
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[vdso]") &&
		    sscanf(line, "%llx-%llx", (unsigned long long *)&start,
			   (unsigned long long *)&end) == 2)
			break;
	if (maps)
		fclose(maps);
	if (!start || end - start > sizeof(code))
		return 0;
	struct iovec into = {code, end - start}, from = {(void *)(uintptr_t)start, end - start};
	if (process_vm_readv(pid, &into, 1, &from, 1, 0) != (ssize_t)(end - start))
		return 0;
	const unsigned char *found = memmem(code, end - start, call, sizeof(call));
	return found ? start + (uint64_t)(found - code) : 0;
}

static int resume_to_stop(int pid, int request)
{
	int status;

	if (ptrace(request, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) != pid)
		return -1;
	return status;
}

static void stop(int pid, struct user_regs_struct *ret)
{
	int status;

	ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	waitpid(pid, &status, __WALL);
	ptrace(PTRACE_GETREGS, pid, NULL, ret);
}

// Has the thread, which stands still with @before, call what @number and @args say, and puts @before back.
static void make_call(int pid, uint64_t call, const struct user_regs_struct *before,
		      uint64_t number, const uint64_t args[3], unsigned long *ret_child)
{
	struct user_regs_struct regs = *before;

	regs.rip = call;
	regs.rax = number;
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	regs.r10 = regs.r8 = 0;
	regs.orig_rax = -1;
	ptrace(PTRACE_SETREGS, pid, NULL, &regs);
	int status = resume_to_stop(pid, ret_child ? PTRACE_CONT : PTRACE_SYSCALL);
	if (ret_child && status >> 8 == (SIGTRAP | PTRACE_EVENT_CLONE << 8))
		ptrace(PTRACE_GETEVENTMSG, pid, NULL, ret_child);
	ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	resume_to_stop(pid, PTRACE_CONT);
	ptrace(PTRACE_SETREGS, pid, NULL, before);
}

int main(int argc, char **argv)
{
	static const uint64_t nothing[3];
	struct user_regs_struct before;
	unsigned long child = 0;
	int pid = argc == 2 ? atoi(argv[1]) : 0, status;
	uint64_t call = pid ? find_call(pid) : 0;

	if (!call || ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACECLONE) < 0)
		return 1;
	long long begin = now_ns();
	stop(pid, &before);
	make_call(pid, call, &before, SYS_clone, nothing, &child);
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	long long end = now_ns();
	if (!child)
		return 1;
	kill((pid_t)child, SIGKILL);
	waitpid((pid_t)child, &status, __WALL);
	// And the process collects it.
	const uint64_t collect[3] = {child, 0, WNOHANG | (uint64_t)(unsigned)__WALL};
	stop(pid, &before);
	make_call(pid, call, &before, SYS_wait4, collect, NULL);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	printf("%lld\n", end - begin);
	return 0;
}

#else

int main(void)
{
	return 1;
}

#endif
