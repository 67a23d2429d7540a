// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/target.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "targets/cpython/cpython.h"

const struct target_ops *const target_adapters[] = {
	&cpython_target_ops,
	NULL,
};

struct error *target_open(const struct target_process *process, struct target **ret)
{
	const struct target_ops *best = NULL;
	_cleanup_text_ struct text reasons = {0};
	int best_sure = 0;

	for (size_t i = 0; target_adapters[i]; i++) {
		const struct target_ops *adapter = target_adapters[i];
		char why_not[200] = "";
		int sure = 0;
		struct error *error = adapter->probe(process, &sure, why_not, sizeof(why_not));
		if (!error && sure == 0)
			error = text_appendf(&reasons, "%s%s: %s", i ? "; " : "", adapter->name,
					     why_not);
		if (error)
			return error;
		if (sure > best_sure) {
			best_sure = sure;
			best = adapter;
		}
	}
	if (!best)
		return error_create(ERROR_UNSUPPORTED,
				    "not a process of a runtime that leakinspect reads (%s)",
				    text_chars(&reasons));
	return best->open(process, ret);
}

void target_close(struct target *target)
{
	if (target)
		target->ops->close(target);
}
