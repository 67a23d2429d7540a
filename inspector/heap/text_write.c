// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "heap/text.h"
#include "heap/text_words.h"

struct writer {
	const struct heap *heap;
	FILE *out;
	/** Types by name, then by address, then by id. */
	uint32_t *sorted;
	/** Each type, or another of its name and address that stands for it. */
	uint32_t *same_as;
	/** Whether its name alone does not tell which it is. */
	bool *ambiguous;
};

static void writer_deinit(struct writer *writer)
{
	free(writer->sorted);
	free(writer->same_as);
	free(writer->ambiguous);
}

// A word that could be taken for something else when it stands without quotes gets them.
static void write_name(FILE *out, const char *name, bool always_quoted)
{
	if (!always_quoted && *name && *name != '@' && !strpbrk(name, " \t\r\n#\"\\=")) {
		fputs(name, out);
		return;
	}
	fputc('"', out);
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			fputc('\\', out);
		if (*name == '\n')
			fputs("\\n", out);
		else
			fputc(*name, out);
	}
	fputc('"', out);
}

static int compare_types(const void *a, const void *b, void *context)
{
	const struct heap_type_row *types = ((const struct heap *)context)->types;
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	int order = strcmp(types[left].name, types[right].name);

	if (order)
		return order;
	if (types[left].at != types[right].at)
		return types[left].at < types[right].at ? -1 : 1;
	return (left > right) - (left < right);
}

static uint32_t writer_type(const struct writer *writer, uint32_t type)
{
	while (writer->same_as[type] != type)
		type = writer->same_as[type];
	return type;
}

// Two types may share a name: then objects tell theirs by its address. Those without an address, or
// with the same, are one type to a reader.
static struct error *writer_sort_types(struct writer *writer)
{
	const struct heap *heap = writer->heap;
	size_t count = heap->type_count;

	writer->sorted = calloc(count + 1, sizeof(*writer->sorted));
	writer->same_as = calloc(count + 1, sizeof(*writer->same_as));
	writer->ambiguous = calloc(count + 1, sizeof(*writer->ambiguous));
	if (!writer->sorted || !writer->same_as || !writer->ambiguous)
		return error_no_memory();
	for (uint32_t i = 0; i < count; i++)
		writer->sorted[i] = i;
	qsort_r(writer->sorted, count, sizeof(*writer->sorted), compare_types, (void *)heap);
	for (size_t i = 0; i < count; i++)
		writer->same_as[i] = (uint32_t)i;
	for (size_t i = 1; i < count; i++) {
		uint32_t type = writer->sorted[i], before = writer->sorted[i - 1];
		const struct heap_type_row *types = heap->types;
		if (strcmp(types[before].name, types[type].name) != 0)
			continue;
		if (types[before].at == types[type].at) {
			writer->same_as[type] = writer_type(writer, before);
		} else if (!types[before].at) {
			writer->same_as[writer_type(writer, before)] = type;
		} else {
			writer->ambiguous[type] = true;
			writer->ambiguous[writer_type(writer, before)] = true;
		}
	}
	return NULL;
}

static void write_types(const struct writer *writer)
{
	const struct heap *heap = writer->heap;
	FILE *out = writer->out;

	for (uint32_t i = 0; i < heap->type_count; i++) {
		const struct heap_type_row *type = &heap->types[i];
		if (writer->same_as[i] != i)
			continue;
		fputs("type ", out);
		write_name(out, type->name, false);
		if (type->at)
			fprintf(out, " at=0x%" PRIx64, type->at);
		if (type->basic_size_bytes)
			fprintf(out, " basic=%" PRIu64, type->basic_size_bytes);
		if (type->finalizer != HEAP_FINALIZER_NONE)
			fprintf(out, " finalizer=%s", text_finalizers[type->finalizer]);
		if (type->grows)
			fprintf(out, " grows");
		fputc('\n', out);
	}
}

static void write_object(const struct writer *writer, uint32_t object)
{
	const struct heap *heap = writer->heap;
	FILE *out = writer->out;
	uint32_t type = writer_type(writer, heap->type[object]);
	uint16_t flags = heap->flags[object];
	unsigned generation = (flags & HEAP_GENERATION_MASK) >> HEAP_GENERATION_SHIFT;

	fprintf(out, "object 0x%" PRIx64 " ", heap->at[object]);
	if (writer->ambiguous[type])
		fprintf(out, "@0x%" PRIx64, heap->types[type].at);
	else
		write_name(out, heap->types[type].name, false);
	fprintf(out, " size=%" PRIu64 " refs=%" PRIu32, heap->size_bytes[object],
		heap->refcount[object]);
	for (const struct text_flag *flag = text_flags; flag->word; flag++)
		if (flags & flag->flag)
			fprintf(out, " %s", flag->word);
	if (generation)
		fprintf(out, " generation=%u", generation);
	fputc('\n', out);
}

static struct error *write_edges(const struct writer *writer, uint32_t object)
{
	const struct heap *heap = writer->heap;
	const heap_edge *edges = heap_edges(heap, object);
	_cleanup_text_ struct text label = {0};

	for (uint32_t i = 0; i < heap_edge_count(heap, object); i++) {
		label.length = 0;
		struct error *error = heap_label(heap, object, i, &label);
		if (error)
			return error;
		fprintf(writer->out, "edge 0x%" PRIx64 " 0x%" PRIx64 " %s", heap->at[object],
			heap->at[heap_edge_target(edges[i])],
			text_edge_kinds[heap_edge_kind(edges[i])]);
		if (label.length) {
			fputc(' ', writer->out);
			write_name(writer->out, text_chars(&label), false);
		}
		fputc('\n', writer->out);
	}
	return NULL;
}

static struct error *write_roots(const struct writer *writer)
{
	const struct heap *heap = writer->heap;
	FILE *out = writer->out;

	for (size_t i = 0; i < heap->root_count; i++) {
		const struct heap_root_row *root = &heap->roots[i];
		_cleanup_text_ struct text name = {0};
		struct error *error = heap_root_name(root, &name);
		if (error)
			return error;
		fprintf(out, "root 0x%" PRIx64 " %s%s", heap->at[root->object],
			text_root_kinds[root->kind], root->owns ? " owns" : "");
		if (name.length) {
			fputc(' ', out);
			write_name(out, text_chars(&name), strcmp(text_chars(&name), "owns") == 0);
		}
		fputc('\n', out);
	}
	return NULL;
}

static void write_leaks(const struct writer *writer)
{
	const struct heap *heap = writer->heap;

	for (size_t i = 0; i < heap->leak_count; i++)
		fprintf(writer->out, "leak 0x%" PRIx64 " %" PRIu32 "\n",
			heap->at[heap->leaks[i].object], heap->leaks[i].count);
}

static void write_collector(const struct writer *writer)
{
	const struct heap_collector *collector = &writer->heap->collector;

	fprintf(writer->out, "collector%s%s", collector->enabled ? "" : " disabled",
		collector->saves_all ? " saveall" : "");
	if (collector->garbage_at)
		fprintf(writer->out, " garbage=0x%" PRIx64, collector->garbage_at);
	fputc('\n', writer->out);
}

struct error *heap_text_write(const struct heap *heap, FILE *out)
{
	struct writer CLEANUP(writer_deinit) writer = {.heap = heap, .out = out};
	struct error *error = writer_sort_types(&writer);

	if (error)
		return error;
	errno = 0;
	write_types(&writer);
	for (uint32_t i = 0; i < heap->object_count; i++)
		write_object(&writer, i);
	for (uint32_t i = 0; !error && i < heap->object_count; i++)
		error = write_edges(&writer, i);
	if (!error)
		error = write_roots(&writer);
	if (error)
		return error;
	write_leaks(&writer);
	write_collector(&writer);
	if (fflush(out) != 0 || ferror(out))
		return error_create_os(errno, "cannot write the heap");
	return NULL;
}
