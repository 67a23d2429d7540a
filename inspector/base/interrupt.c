// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

static volatile sig_atomic_t pending_signal;

static void interrupt_handle(int signal_number)
{
	pending_signal = signal_number;
}

struct error *interrupt_install(void)
{
	static const int asked[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = interrupt_handle};

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		if (sigaction(asked[i], &action, NULL) < 0)
			return error_create_os(errno, "cannot handle signal %d", asked[i]);
	action.sa_handler = SIG_IGN;
	if (sigaction(SIGPIPE, &action, NULL) < 0)
		return error_create_os(errno, "cannot ignore SIGPIPE");
	// Whoever started us may ignore it, and then there is nobody to wait for when a program has ended.
	action.sa_handler = SIG_DFL;
	if (sigaction(SIGCHLD, &action, NULL) < 0)
		return error_create_os(errno, "cannot handle signal %d", SIGCHLD);
	return NULL;
}

int interrupt_pending(void)
{
	return pending_signal;
}

void interrupt_clear(void)
{
	pending_signal = 0;
}

struct error *interrupt_check(void)
{
	if (!pending_signal)
		return NULL;
	return error_create(ERROR_INTERRUPTED, "interrupted by %s; the process goes on unharmed",
			    sigabbrev_np(pending_signal) ? sigabbrev_np(pending_signal)
							 : "a signal");
}
