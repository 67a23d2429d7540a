/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_METRICS_METRICS_SERVER_H
#define UI_METRICS_METRICS_SERVER_H

/*
 * Serves the text of the last point at /metrics. It never asks anybody for another one: how often a
 * process is stopped is not for its readers to say. The only file that knows libmicrohttpd.
 */

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "ui/metrics/metrics.h"

struct metrics_server;

enum { METRICS_SERVER_ADDRESS_CHARS = 80 };

/** ERROR_USAGE unless it is PORT, :PORT, ADDRESS:PORT or [ADDRESS]:PORT. */
MUST_USE struct error *metrics_server_check(const char *address);

/** Listens at @a address, on loopback where it is but a port; port 0 is one that is free. Until the first
 *  metrics_server_set() it answers 503. A thread of its own serves, so that nobody waits for a census. */
MUST_USE struct error *metrics_server_start(const char *address, struct metrics_server **ret);

/** "http://127.0.0.1:9118/metrics"; lives as long as the server. */
const char *metrics_server_url(const struct metrics_server *server);

/** What is served from now on. */
MUST_USE struct error *metrics_server_set(struct metrics_server *server,
					  const struct metrics *metrics);

/** Takes NULL. */
void metrics_server_stop(struct metrics_server *server);

#endif
