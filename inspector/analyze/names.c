// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

const char names_dict_label[] = ".__dict__";

static const char LOCALS[] = "<locals>.";

const char *names_short(const char *name)
{
	const char *result = name;
	const char *locals = name;
	const char *dot;

	while ((locals = strstr(locals, LOCALS))) {
		locals += strlen(LOCALS);
		result = locals;
	}
	if (result != name)
		return *result ? result : name;
	dot = strrchr(name, '.');
	return dot && dot[1] ? dot + 1 : name;
}

static bool is_name_char(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (unsigned char)c >= 0x80 || (!first && c >= '0' && c <= '9');
}

bool names_is_attribute(const char *label, size_t length)
{
	if (length < 5 || strncmp(label, "['", 2) != 0 || strcmp(label + length - 2, "']") != 0)
		return false;
	for (size_t i = 2; i < length - 2; i++) {
		if (!is_name_char(label[i], i == 2))
			return false;
	}
	return true;
}

struct error *names_append_attribute(const struct text *label, struct text *into)
{
	const char *chars = text_chars(label);

	return names_is_attribute(chars, label->length)
		       ? text_appendf(into, ".%.*s", (int)label->length - 4, chars + 2)
		       : text_appendf(into, "%s%s", names_dict_label, chars);
}

bool names_may_fold(const struct heap *heap, uint32_t owner, uint32_t dict)
{
	return heap->flags[dict] & HEAP_PART && !(heap->flags[owner] & HEAP_PART);
}

static int compare_types(const void *left, const void *right, void *context)
{
	const struct heap_type_row *types = context;
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	int order = strcmp(types[a].name, types[b].name);

	return order ? order : (a > b) - (a < b);
}

struct error *names_first_types(const struct heap *heap, uint32_t **ret)
{
	_cleanup_free_ uint32_t *sorted = calloc((size_t)heap->type_count + 1, sizeof(*sorted));
	uint32_t *first = calloc((size_t)heap->type_count + 1, sizeof(*first));

	if (!sorted || !first) {
		free(first);
		return error_no_memory();
	}
	for (uint32_t i = 0; i < heap->type_count; i++)
		sorted[i] = i;
	qsort_r(sorted, heap->type_count, sizeof(*sorted), compare_types, heap->types);
	for (uint32_t i = 0; i < heap->type_count; i++) {
		bool same =
			i && !strcmp(heap->types[sorted[i]].name, heap->types[sorted[i - 1]].name);
		first[sorted[i]] = same ? first[sorted[i - 1]] : sorted[i];
	}
	*ret = first;
	return NULL;
}
