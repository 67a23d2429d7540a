/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_LOAD_URL_HUNT_H
#define UI_LOAD_URL_HUNT_H

/*
 * Finds the URLs that leak among many, by running groups of them (ui/load/halving.h).
 */

#include "ui/load/load_growth.h"
#include "ui/load/load_report.h"
#include "ui/load/urls.h"

/** Runs all URLs once as the warm-up, then groups of them, reports each run and who leaks. *@a ret_found
 *  says whether any does. */
MUST_USE struct error *url_hunt(struct report *report, struct load *load, const struct urls *urls,
				const struct load_style *style, bool *ret_found);

#endif
