// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/accounts.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/names.h"
#include "analyze/retention/path_words.h"
#include "base/addr_map.h"
#include "base/array.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "ui/answers/graph_text.h"

enum {
	/** References whose names are read; of what millions refer to, the rest goes by type. */
	LABELS_MAX = 20000,
	/** Names of one type's references that are told apart. */
	ACCOUNTS_MAX = 512,
	/** Places of C code that hold an object that are named. */
	PLACES_MAX = 3,
	STEP = 1 << 16,
};

void accounts_deinit(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->count; i++) {
		free(accounts->list[i].label);
		free(accounts->list[i].exact);
	}
	free(accounts->list);
	*accounts = (struct accounts){0};
}

static struct error *accounts_add(struct accounts *accounts, const struct account *wanted)
{
	const char *label = wanted->label ? wanted->label : "";

	// Those that are too many are one without a name.
	if (accounts->count >= ACCOUNTS_MAX)
		label = "";
	for (size_t i = 0; i < accounts->count; i++) {
		struct account *account = &accounts->list[i];
		if (account->source == wanted->source && account->kind == wanted->kind &&
		    !strcmp(account->type, wanted->type) && !strcmp(account->label, label)) {
			account->count += wanted->count;
			return NULL;
		}
	}
	struct error *error = array_reserve(&accounts->list, &accounts->capacity,
					    accounts->count + 1, sizeof(*accounts->list));
	if (error)
		return error;
	struct account *account = &accounts->list[accounts->count];
	*account = *wanted;
	account->label = strdup(label);
	account->exact = strdup(wanted->exact ? wanted->exact : label);
	// It is in the list all the same, where what it got is freed.
	accounts->count++;
	return account->label && account->exact ? NULL : error_no_memory();
}

/** A search for the owners of attribute dicts that refer to the object. */
struct accounts_search {
	const struct heap *heap;
	uint32_t object;
	/** Id + 1 of an attribute dict to id of its owner. */
	struct addr_map owners;
	struct accounts *accounts;
	size_t labelled;
};

static uint32_t search_owner(const struct accounts_search *search, uint32_t from)
{
	uint32_t owner = HEAP_NO_OBJECT;

	addr_map_get(&search->owners, (addr_t)from + 1, &owner);
	return owner;
}

// "['name']" out of an attribute dict is the attribute of who has the dict.
static struct error *search_label(struct accounts_search *search, uint32_t from, uint32_t number,
				  bool is_attribute, struct text *general, struct text *exact)
{
	_cleanup_text_ struct text label = {0};

	if (search->labelled >= LABELS_MAX)
		return NULL;
	search->labelled++;
	struct error *error = heap_label(search->heap, from, number, &label);
	const char *chars = text_chars(&label);
	if (error)
		return error;
	// A key is a reference of the dict's, too, but no attribute.
	if (!is_attribute || *chars != '[') {
		error = text_append(exact, chars, label.length);
		return error ? error : path_label_generalize(chars, general);
	}
	error = names_append_attribute(&label, exact);
	if (!error && names_is_attribute(chars, label.length))
		return text_append(general, text_chars(exact), exact->length);
	if (!error)
		error = text_appendf(general, "%s", names_dict_label);
	return error ? error : path_label_generalize(chars, general);
}

static struct error *search_add(struct accounts_search *search, uint32_t from, uint32_t number,
				enum heap_edge_kind kind)
{
	const struct heap *heap = search->heap;
	uint32_t owner = search_owner(search, from);
	bool is_attribute = owner != HEAP_NO_OBJECT;
	_cleanup_text_ struct text label = {0}, exact = {0};
	struct error *error = search_label(search, from, number, is_attribute, &label, &exact);

	return error ? error
		     : accounts_add(
			       search->accounts,
			       &(struct account){
				       .source = ACCOUNT_OBJECT,
				       .count = 1,
				       .type = heap_type_name(heap, is_attribute ? owner : from),
				       .kind = kind,
				       .label = (char *)text_chars(&label),
				       .exact = (char *)text_chars(&exact),
			       });
}

// Goes over all references to the object; a pass before finds whose attribute dicts they are in.
static struct error *search_references(struct accounts_search *search, bool only_dicts)
{
	const struct heap *heap = search->heap;
	struct error *error = NULL;

	for (uint32_t from = 0; from < heap->object_count && !error; from++) {
		const heap_edge *edges = heap_edges(heap, from);
		uint32_t count = heap_edge_count(heap, from);
		if (from % STEP == 0)
			error = interrupt_check();
		for (uint32_t i = 0; i < count && !error; i++) {
			if (heap_edge_target(edges[i]) != search->object)
				continue;
			enum heap_edge_kind kind = heap_edge_kind(edges[i]);
			if (only_dicts && heap->flags[from] & HEAP_PART)
				error = addr_map_put(&search->owners, (addr_t)from + 1,
						     HEAP_NO_OBJECT);
			else if (!only_dicts && kind != HEAP_EDGE_WEAK)
				error = search_add(search, from, i, kind);
			search->accounts->referrer_count += !only_dicts;
		}
	}
	return error;
}

static struct error *search_owners(struct accounts_search *search)
{
	const struct heap *heap = search->heap;
	struct error *error = NULL;
	uint32_t ignored;

	if (!search->owners.count)
		return NULL;
	for (uint32_t from = 0; from < heap->object_count && !error; from++) {
		const heap_edge *edges = heap_edges(heap, from);
		uint32_t count = heap_edge_count(heap, from);
		if (from % STEP == 0)
			error = interrupt_check();
		for (uint32_t i = 0; i < count && !error; i++) {
			uint32_t target = heap_edge_target(edges[i]);
			if (names_may_fold(heap, from, target) &&
			    addr_map_get(&search->owners, (addr_t)target + 1, &ignored))
				error = addr_map_put(&search->owners, (addr_t)target + 1, from);
		}
	}
	return error;
}

static struct error *accounts_add_roots(struct accounts *accounts, const struct heap *heap,
					uint32_t object)
{
	struct error *error = NULL;

	for (size_t i = 0; i < heap->root_count && !error; i++) {
		_cleanup_text_ struct text label = {0};
		if (heap->roots[i].object != object || !heap->roots[i].owns)
			continue;
		error = graph_root_label(&heap->roots[i], &label);
		if (!error)
			error = accounts_add(accounts, &(struct account){
							       .source = ACCOUNT_ROOT,
							       .count = 1,
							       .type = "",
							       .label = (char *)text_chars(&label),
						       });
	}
	return error;
}

static int64_t accounts_leaked(const struct heap *heap, uint32_t object)
{
	for (size_t i = 0; i < heap->leak_count; i++)
		if (heap->leaks[i].object == object)
			return heap->leaks[i].count;
	return 0;
}

static bool accounts_is_in_c(const struct heap_root_row *root)
{
	return root->kind == HEAP_ROOT_C_VARIABLE || root->kind == HEAP_ROOT_C_STACK ||
	       root->kind == HEAP_ROOT_C_MEMORY;
}

// Where C code has its address: any of these may be who holds it.
static struct error *accounts_name_places(const struct heap *heap, uint32_t object,
					  struct text *into)
{
	struct error *error = NULL;
	size_t count = 0;

	for (size_t i = 0; i < heap->root_count && !error; i++) {
		const struct heap_root_row *root = &heap->roots[i];
		if (root->object != object || !accounts_is_in_c(root))
			continue;
		if (count++ < PLACES_MAX) {
			error = text_appendf(into, "%s", count > 1 ? "; " : "");
			if (!error)
				error = graph_root_label(root, into);
		}
	}
	if (!error && count > PLACES_MAX)
		error = text_appendf(into, "; ...");
	return error;
}

static struct error *accounts_add_rest(struct accounts *accounts, const struct heap *heap,
				       uint32_t object)
{
	_cleanup_text_ struct text places = {0};
	int64_t excess = heap->refcount[object];
	int64_t leaked = accounts_leaked(heap, object);
	struct error *error = accounts_name_places(heap, object, &places);

	for (size_t i = 0; i < accounts->count; i++)
		excess -= accounts->list[i].count;
	accounts->held_by_c = excess > 0 ? excess : 0;
	if (leaked > excess)
		leaked = accounts->held_by_c;
	if (!error && excess > leaked)
		error = accounts_add(accounts, &(struct account){
						       .source = ACCOUNT_C,
						       .count = excess - leaked,
						       .type = "",
						       .label = (char *)text_chars(&places),
					       });
	if (!error && leaked)
		error = accounts_add(accounts, &(struct account){
						       .source = ACCOUNT_LEAKED,
						       .count = leaked,
						       .type = "",
					       });
	if (!error && excess < 0)
		error = accounts_add(accounts, &(struct account){
						       .source = ACCOUNT_SURPLUS,
						       .count = excess,
						       .type = "",
					       });
	return error;
}

static int accounts_compare(const void *a, const void *b)
{
	const struct account *left = a, *right = b;

	if (left->source != right->source)
		return (left->source > right->source) - (left->source < right->source);
	if (left->count != right->count)
		return (left->count < right->count) - (left->count > right->count);
	int order = strcmp(left->type, right->type);
	return order ? order : strcmp(left->label, right->label);
}

struct error *accounts_make(const struct heap *heap, uint32_t object, struct accounts *ret)
{
	struct accounts_search search = {.heap = heap, .object = object, .accounts = ret};
	struct error *error = search_references(&search, true);

	if (!error)
		error = search_owners(&search);
	if (!error)
		error = search_references(&search, false);
	addr_map_deinit(&search.owners);
	if (!error)
		error = accounts_add_roots(ret, heap, object);
	if (!error && !(heap->flags[object] & HEAP_IMMORTAL))
		error = accounts_add_rest(ret, heap, object);
	if (!error && ret->count)
		qsort(ret->list, ret->count, sizeof(*ret->list), accounts_compare);
	return error;
}

static struct error *accounts_report_row(struct report *report, const struct account *account)
{
	static const struct {
		const char *program;
		const char *person;
	} words[] = {
		[ACCOUNT_OBJECT] = {"object", "objects"},
		[ACCOUNT_ROOT] = {"root", "root"},
		[ACCOUNT_C] = {"c", "C code"},
		[ACCOUNT_LEAKED] = {"leaked", "nothing: leaked"},
		[ACCOUNT_SURPLUS] = {"surplus", "found, not counted"},
	};
	bool is_object = account->source == ACCOUNT_OBJECT;
	const struct report_cell cells[] = {
		{.number = account->count},
		{.text = words[account->source].program},
		{.text = words[account->source].person},
		{.text = account->type, .absent = !is_object},
		{.text = account->count == 1 ? account->exact : account->label},
		{.text = graph_edge_kind_name(account->kind), .absent = !is_object},
	};

	return report_row(report, cells);
}

struct error *accounts_report(const struct accounts *accounts, struct report *report, size_t limit)
{
	static const struct report_column columns[] = {
		{.key = "count", .unit = REPORT_COUNT},
		{.key = "source", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "from", .unit = REPORT_TEXT, .reader = REPORT_FOR_PEOPLE},
		{.key = "type", .unit = REPORT_TEXT},
		{.key = "label", .unit = REPORT_TEXT},
		{.key = "kind", .unit = REPORT_TEXT},
	};
	static const struct report_column total[] = {
		{.key = "count", .unit = REPORT_COUNT},
		{.key = "from", .unit = REPORT_TEXT, .reader = REPORT_FOR_PEOPLE},
	};
	int64_t sum = 0, rest = 0;
	char human[HUMAN_CHARS];
	struct error *error = report_table(report, "accounts", columns, ARRAY_COUNT(columns));

	for (size_t i = 0; i < accounts->count && !error; i++) {
		sum += accounts->list[i].count;
		if (i < limit)
			error = accounts_report_row(report, &accounts->list[i]);
		else
			rest += accounts->list[i].count;
	}
	if (!error)
		error = report_object(
			report, "accounted", total, ARRAY_COUNT(total),
			(const struct report_cell[]){{.number = sum}, {.text = "in all"}});
	if (!error && accounts->count > limit)
		error = report_note(report, "(%zu more kinds of references, %s of them)",
				    accounts->count - limit, human_count(rest, human));
	return error;
}
