// SPDX-License-Identifier: GPL-3.0-or-later
// What the head of a report tells about the graph that its answer comes from, and to whom.
#include "ui/report/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/array.h"
#include "base/cleanup.h"

static const struct report_head head_of_a_graph = {
	.verb = "garbage",
	.pid = 4711,
	.graph =
		{
			.is_known = true,
			.object_count = 1234567,
			.reference_count = 3000000,
			.build_ns = 1500000000,
			.copy_ns = 93500000,
			.walk_ns = 1200000000,
			.pack_ns = 150200000,
			.bytes = 54 << 20,
			.copied_bytes = 97 << 20,
		},
};
static const struct report_head head_of_no_graph = {.verb = "types", .pid = 4711};

// The document of a head and nothing else, to be freed; for programs without @style.
static char *written(const struct report_head *head, const struct report_style *style)
{
	_cleanup_report_ struct report *report = NULL;
	char *chars = NULL;
	size_t length;
	FILE *stream = open_memstream(&chars, &length);

	if (style)
		assert_null(report_text_create(stream, style, &report));
	else
		assert_null(report_json_create(stream, &report));
	assert_null(report_begin(report, head));
	assert_null(report_end(report));
	fclose(stream);
	return chars;
}

static json_t *parsed(const struct report_head *head)
{
	_cleanup_free_ char *text = written(head, NULL);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(root);
	return root;
}

static void how_a_graph_was_built_is_told_to_programs(void **state)
{
	static const struct {
		const char *key;
		double value;
	} members[] = {
		{"objects", 1234567}, {"references", 3000000},    {"build_ms", 1500},
		{"copy_ms", 93.5},    {"walk_ms", 1200},          {"pack_ms", 150.2},
		{"bytes", 54 << 20},  {"copied_bytes", 97 << 20},
	};
	json_t *root = parsed(&head_of_a_graph);
	const json_t *graph = json_object_get(root, "graph");

	assert_int_equal(json_object_size(graph), ARRAY_COUNT(members));
	for (size_t i = 0; i < ARRAY_COUNT(members); i++)
		assert_true(json_number_value(json_object_get(graph, members[i].key)) ==
			    members[i].value);
	json_decref(root);
}

static void how_a_graph_was_built_is_told_to_people_who_ask(void **state)
{
	_cleanup_free_ char *verbose =
		written(&head_of_a_graph, &(struct report_style){.verbose = true});
	_cleanup_free_ char *usual = written(&head_of_a_graph, &(struct report_style){0});

	assert_non_null(strstr(verbose,
			       "graph of 1,234,567 objects and 3,000,000 references, 54.0 MiB "
			       "beside a copy of 97.0 MiB, built in 1.5 s (copy 93.5 ms, walk "
			       "1.2 s, pack 150.2 ms)\n"));
	assert_null(strstr(usual, "graph"));
}

static void an_answer_that_comes_from_no_graph_tells_of_none(void **state)
{
	_cleanup_free_ char *verbose =
		written(&head_of_no_graph, &(struct report_style){.verbose = true});
	json_t *root = parsed(&head_of_no_graph);

	assert_null(strstr(verbose, "graph"));
	assert_null(json_object_get(root, "graph"));
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_a_graph_was_built_is_told_to_programs),
		cmocka_unit_test(how_a_graph_was_built_is_told_to_people_who_ask),
		cmocka_unit_test(an_answer_that_comes_from_no_graph_tells_of_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
