// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/object_members.h"

#include <string.h>

/** Asks the module's layout; without one @a object is absent. */
static struct error *members_ask(struct module *module, const struct layout_object *object,
				 bool *present, struct object_members *ret)
{
	struct layout_source *layout = NULL;
	const struct object_members *found = NULL;
	struct error *error = module_layout(module, &layout);

	if (!error)
		error = layout_object(layout, object, present, &found);
	// Also from a saved layout whose debug file has gone since.
	if (error && error->code == ERROR_UNSUPPORTED) {
		error_destroy(error);
		*present = false;
		return NULL;
	}
	if (!error && *present)
		*ret = *found;
	return error;
}

struct error *object_members_of_function(struct module *module, addr_t function_at,
					 const char *base, uint64_t size_bytes, bool *present,
					 struct object_members *ret)
{
	addr_t bias = 0;
	struct error *error = module_bias(module, &bias);

	*present = false;
	*ret = (struct object_members){0};
	if (error || function_at == bias)
		return error;
	const struct layout_object object = {
		.function = function_at - bias,
		.base = base,
		.size_bytes = size_bytes,
	};
	return members_ask(module, &object, present, ret);
}

struct error *object_members_of_struct(struct module *module, const char *name, const char *base,
				       bool *present, struct object_members *ret)
{
	const struct layout_object object = {.name = name, .base = base};

	*present = false;
	*ret = (struct object_members){0};
	return members_ask(module, &object, present, ret);
}
