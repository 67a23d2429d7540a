// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/describe/describe.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "targets/cpython/describe/describe_forms.h"
#include "targets/cpython/describe/describe_numbers.h"
#include "targets/cpython/describe/repr.h"
#include "targets/cpython/objects/dict.h"
#include "targets/cpython/objects/string.h"

enum { CLOSE_CHARS = 48, FIXED_MAX = 3, NAME_BYTES = 256 };

enum level_kind {
	/** A few objects, known when it begins. */
	LEVEL_FIXED,
	/** Pointers side by side in memory. */
	LEVEL_ARRAY,
	LEVEL_DICT,
	LEVEL_SET,
	LEVEL_DEQUE,
};

// A container that is being written: which object comes next, and what ends it.
struct level {
	addr_t at;
	enum level_kind kind;
	/** What repr() says of it when it meets it again inside of itself. */
	const char *again;
	uint64_t index;
	uint64_t count;
	addr_t fixed[FIXED_MAX];
	/** Array: the next pointer. Set: the next entry. Deque: the block. */
	addr_t next_at;
	/** A namedtuple's tuple of names; 0 for none. */
	addr_t names_at;
	struct py_dict_cursor cursor;
	/** Of the entry whose key has just been written. */
	addr_t value;
	/** Set and deque: something stands before the next. */
	bool has_some;
	/** Entries as tuples: OrderedDict([('a', 1)]). */
	bool pairs;
	/** Stands before the entries of a dict, of defaultdict; 0 for none. */
	addr_t lead;
	char close[CLOSE_CHARS];
};

struct describer {
	const struct py_layout *layout;
	struct py_types *types;
	struct mem_window *window;
	enum py_describe_form form;
	struct py_repr repr;
	struct level levels[PY_DESCRIBE_DEPTH_MAX];
	size_t depth;
};

static uint64_t describe_word(struct describer *describer, addr_t at, struct py_field field)
{
	return field.present ? mem_window_word(describer->window, at + field.offset, 0) : 0;
}

// NULL when too deep; "..." stands for it then.
static struct level *describe_push(struct describer *describer, addr_t at, enum level_kind kind,
				   const char *open, const char *close, const char *again)
{
	if (describer->depth == PY_DESCRIBE_DEPTH_MAX) {
		py_repr_puts(&describer->repr, "...");
		return NULL;
	}
	struct level *level = &describer->levels[describer->depth++];
	*level = (struct level){.at = at, .kind = kind, .again = again};
	snprintf(level->close, sizeof(level->close), "%s", close);
	py_repr_puts(&describer->repr, open);
	return level;
}

static void describe_list(struct describer *describer, addr_t at)
{
	struct level *level = describe_push(describer, at, LEVEL_ARRAY, "[", "]", "[...]");

	if (!level)
		return;
	level->count = describe_word(describer, at, describer->layout->f.var_size);
	level->next_at = describe_word(describer, at, describer->layout->f.list_items);
}

// A namedtuple's class has _fields, a struct sequence's n_sequence_fields.
static void describe_tuple(struct describer *describer, const struct py_type *type, addr_t at)
{
	const struct py_layout *layout = describer->layout;
	addr_t dict_at = describe_word(describer, type->at, layout->f.type_dict);
	bool is_exact = strcmp(type->name ? type->name : "", "tuple") == 0;
	addr_t names_at =
		is_exact ? 0 : py_dict_find(layout, describer->window, dict_at, "_fields");
	bool is_structseq = !is_exact && !names_at &&
			    py_dict_find(layout, describer->window, dict_at, "n_sequence_fields");
	uint64_t count = describe_word(describer, at, layout->f.var_size);

	if (names_at)
		py_repr_puts(&describer->repr, py_forms_bare_name(type));
	else if (is_structseq)
		py_repr_puts(&describer->repr, type->name ? type->name : "?");
	struct level *level =
		describe_push(describer, at, LEVEL_ARRAY, "(",
			      count == 1 && !names_at && !is_structseq ? ",)" : ")", "(...)");
	if (!level)
		return;
	level->count = count;
	level->next_at = at + layout->f.tuple_items.offset;
	level->names_at = names_at;
}

// OrderedDict shows its entries as a list of pairs before 3.12, where objects can be immortal.
static void describe_dict(struct describer *describer, const struct py_type *type, addr_t at)
{
	const struct py_layout *layout = describer->layout;
	const char *open = "{", *close = "}", *again = "{...}";
	char opening[NAME_BYTES];
	addr_t lead = 0;
	bool pairs = false;

	if (type->shape == PY_SHAPE_ORDERED_DICT) {
		const char *name = py_forms_bare_name(type);
		pairs = !layout->has_immortals;
		if (describe_word(describer, at, layout->f.dict_used) == 0) {
			py_repr_putf(&describer->repr, "%s()", name);
			return;
		}
		snprintf(opening, sizeof(opening), "%s(%s", name, pairs ? "[" : "{");
		open = opening;
		close = pairs ? "])" : "})";
		again = "...";
	} else if (layout->f.defaultdict_factory.present &&
		   py_forms_derives(layout, describer->window, type->at,
				    "collections.defaultdict")) {
		lead = describe_word(describer, at, layout->f.defaultdict_factory);
		snprintf(opening, sizeof(opening), "%s(%s", py_forms_bare_name(type),
			 lead ? "" : "None, {");
		open = opening;
		close = "})";
	}
	struct level *level = describe_push(describer, at, LEVEL_DICT, open, close, again);
	if (!level)
		return;
	py_dict_begin(layout, describer->window, at, &level->cursor);
	if (level->cursor.left > PY_DESCRIBE_SLOTS_MAX)
		level->cursor.left = PY_DESCRIBE_SLOTS_MAX;
	level->lead = lead;
	level->pairs = pairs;
}

static void describe_set(struct describer *describer, const struct py_type *type, addr_t at)
{
	const struct py_layout *layout = describer->layout;
	const char *name = py_forms_bare_name(type);
	bool bare = !layout->is_python2 && strcmp(name, "set") == 0;
	char open[NAME_BYTES] = "{";
	const char *close = bare ? "}" : layout->is_python2 ? "])" : "})";

	if (describe_word(describer, at, layout->f.set_used) == 0) {
		py_repr_putf(&describer->repr, layout->is_python2 ? "%s([])" : "%s()", name);
		return;
	}
	if (!bare)
		snprintf(open, sizeof(open), "%s(%s", name, layout->is_python2 ? "[" : "{");
	struct level *level = describe_push(describer, at, LEVEL_SET, open, close, "set(...)");
	if (!level)
		return;
	uint64_t mask = describe_word(describer, at, layout->f.set_mask);
	level->next_at = describe_word(describer, at, layout->f.set_table);
	level->count = mask < PY_DESCRIBE_SLOTS_MAX ? mask + 1 : PY_DESCRIBE_SLOTS_MAX;
}

static void describe_deque(struct describer *describer, const struct py_type *type, addr_t at)
{
	const struct py_layout *layout = describer->layout;
	char open[NAME_BYTES], close[CLOSE_CHARS] = "])";

	if (!layout->f.deque_leftblock.present || !layout->f.deque_block_data.element_count) {
		py_forms_default(&describer->repr, type, at);
		return;
	}
	int64_t maxlen = layout->f.deque_maxlen.present
				 ? (int64_t)describe_word(describer, at, layout->f.deque_maxlen)
				 : -1;
	if (maxlen >= 0)
		snprintf(close, sizeof(close), "], maxlen=%" PRId64 ")", maxlen);
	snprintf(open, sizeof(open), "%s([", py_forms_bare_name(type));
	struct level *level = describe_push(describer, at, LEVEL_DEQUE, open, close, "[...]");
	if (!level)
		return;
	level->next_at = describe_word(describer, at, layout->f.deque_leftblock);
	level->index = describe_word(describer, at, layout->f.deque_leftindex);
	uint64_t items = describe_word(describer, at,
				       layout->f.deque_len.present ? layout->f.deque_len
								   : layout->f.var_size);
	level->count = level->index + items;
}

static void describe_fixed(struct describer *describer, addr_t at, const struct py_form *form)
{
	struct level *level =
		describe_push(describer, at, LEVEL_FIXED, form->open, form->close, "...");

	if (!level)
		return;
	level->count = form->count;
	memcpy(level->fixed, form->parts, sizeof(level->fixed));
}

static bool describe_is_open(struct describer *describer, addr_t at)
{
	for (size_t i = 0; i < describer->depth; i++) {
		if (describer->levels[i].at == at) {
			py_repr_puts(&describer->repr, describer->levels[i].again);
			return true;
		}
	}
	return false;
}

static void describe_bytearray(struct describer *describer, const struct py_type *type, addr_t at)
{
	uint64_t length = describe_word(describer, at, describer->layout->f.var_size);

	py_repr_putf(&describer->repr, "%s(", py_forms_bare_name(type));
	py_repr_bytearray(&describer->repr,
			  describe_word(describer, at, describer->layout->f.bytearray_start),
			  length);
	py_repr_puts(&describer->repr, ")");
}

static void describe_sized(struct describer *describer, const struct py_type *type, uint64_t size,
			   const char *unit)
{
	bool is_short = describer->form == PY_DESCRIBE_SHAPE_SHORT;

	py_repr_putf(&describer->repr, "<%s of %" PRIu64, type->name ? type->name : "?", size);
	if (!is_short && *unit)
		py_repr_putf(&describer->repr, " %s%s", unit, size == 1 ? "" : "s");
	py_repr_puts(&describer->repr, ">");
}

static void describe_string_shape(struct describer *describer, const struct py_type *type,
				  addr_t at)
{
	struct py_string_span span;

	if (!py_string_locate(describer->layout, describer->window, at, &span))
		py_repr_unreadable(&describer->repr);
	else
		describe_sized(describer, type, span.length,
			       span.is_bytes && !describer->layout->is_python2 ? "byte"
									       : "character");
}

// What has no value that its type and size do not tell: false.
static bool describe_shape(struct describer *describer, const struct py_type *type, addr_t at)
{
	const struct py_layout *layout = describer->layout;
	struct py_field size = layout->f.var_size;
	const char *unit = "";
	size_t digits;

	switch (type->shape) {
	case PY_SHAPE_STR:
	case PY_SHAPE_UNICODE2:
	case PY_SHAPE_BYTES2:
		describe_string_shape(describer, type, at);
		return true;
	case PY_SHAPE_DICT:
	case PY_SHAPE_ORDERED_DICT:
		size = layout->f.dict_used;
		break;
	case PY_SHAPE_SET:
		size = layout->f.set_used;
		break;
	case PY_SHAPE_DEQUE:
		if (layout->f.deque_len.present)
			size = layout->f.deque_len;
		break;
	case PY_SHAPE_BYTEARRAY:
		unit = "byte";
		break;
	case PY_SHAPE_LIST:
		break;
	case PY_SHAPE_LONG:
	case PY_SHAPE_PLAIN:
	case PY_SHAPE_TYPE:
	case PY_SHAPE_INSTANCE2:
		if (type->flags & PY_TYPE_BYTES) {
			describe_string_shape(describer, type, at);
			return true;
		}
		if (type->flags & PY_TYPE_TUPLE)
			break;
		if (!py_numbers_count_digits(&describer->repr, type, at, &digits))
			return false;
		if (digits)
			describe_sized(describer, type, digits, "digit");
		else
			py_repr_putf(&describer->repr, "<%s>", type->name ? type->name : "?");
		return true;
	}
	describe_sized(describer, type, describe_word(describer, at, size), unit);
	return true;
}

// Writes the object at @a at, or the beginning of it when it holds others: they come as its level's.
static void describe_object(struct describer *describer, addr_t at)
{
	const struct py_layout *layout = describer->layout;
	struct py_repr *repr = &describer->repr;
	addr_t type_at = describe_word(describer, at, layout->f.object_type);
	const struct py_type *type =
		type_at ? py_types_look_up(describer->types, describer->window, type_at) : NULL;

	if (!at) {
		py_repr_puts(repr, "<NULL>");
		return;
	}
	if (!type) {
		py_repr_unreadable(repr);
		return;
	}
	if (describe_is_open(describer, at))
		return;
	if (describer->form != PY_DESCRIBE_REPR && describe_shape(describer, type, at))
		return;
	switch (type->shape) {
	case PY_SHAPE_STR:
	case PY_SHAPE_UNICODE2:
	case PY_SHAPE_BYTES2:
		py_repr_string(repr, at);
		return;
	case PY_SHAPE_LIST:
		describe_list(describer, at);
		return;
	case PY_SHAPE_DICT:
	case PY_SHAPE_ORDERED_DICT:
		describe_dict(describer, type, at);
		return;
	case PY_SHAPE_SET:
		describe_set(describer, type, at);
		return;
	case PY_SHAPE_DEQUE:
		describe_deque(describer, type, at);
		return;
	case PY_SHAPE_BYTEARRAY:
		describe_bytearray(describer, type, at);
		return;
	case PY_SHAPE_LONG:
	case PY_SHAPE_PLAIN:
	case PY_SHAPE_TYPE:
	case PY_SHAPE_INSTANCE2:
		break;
	}
	if (type->flags & PY_TYPE_BYTES) {
		py_repr_string(repr, at);
		return;
	}
	if (type->flags & PY_TYPE_TUPLE && layout->f.tuple_items.present) {
		describe_tuple(describer, type, at);
		return;
	}
	struct py_form parts = {.shapes = describer->form != PY_DESCRIBE_REPR};
	py_forms_write(repr, describer->types, type, at, &parts);
	if (parts.has_parts)
		describe_fixed(describer, at, &parts);
}

// Python 2 marks a set's deleted entry with a string, later ones with a hash that none has.
static bool describe_is_dummy(struct describer *describer, addr_t entry_at, addr_t key)
{
	const struct py_layout *layout = describer->layout;

	if (layout->is_python2)
		return py_string_equals(layout, describer->window, key, "<dummy key>");
	return describe_word(describer, entry_at, layout->f.set_entry_hash) == UINT64_MAX;
}

static bool level_next_of_set(struct describer *describer, struct level *level, addr_t *ret)
{
	const struct py_layout *layout = describer->layout;

	while (level->count > 0 && layout->f.set_entry_key.present) {
		addr_t entry_at = level->next_at;
		level->count--;
		level->next_at += layout->size.set_entry;
		if (!mem_window_read(describer->window, entry_at + layout->f.set_entry_key.offset,
				     ret, sizeof(*ret)))
			return false;
		if (*ret && !describe_is_dummy(describer, entry_at, *ret))
			return true;
	}
	return false;
}

static bool level_next_of_deque(struct describer *describer, struct level *level, addr_t *ret)
{
	const struct py_layout *layout = describer->layout;
	uint32_t per_block = layout->f.deque_block_data.element_count;

	if (level->index >= level->count)
		return false;
	if (level->index >= per_block) {
		level->next_at =
			describe_word(describer, level->next_at, layout->f.deque_block_rightlink);
		level->count -= level->index;
		level->index = 0;
	}
	addr_t item_at = level->next_at + layout->f.deque_block_data.offset +
			 level->index++ * sizeof(addr_t);
	if (!mem_window_read(describer->window, item_at, ret, sizeof(*ret))) {
		py_repr_unreadable(&describer->repr);
		level->count = 0;
		return false;
	}
	return true;
}

static void level_write_name(struct describer *describer, const struct level *level)
{
	const struct py_layout *layout = describer->layout;
	char name[NAME_BYTES];
	addr_t name_at = mem_window_word(describer->window,
					 level->names_at + layout->f.tuple_items.offset +
						 (level->index - 1) * sizeof(addr_t),
					 0);

	if (level->index <= describe_word(describer, level->names_at, layout->f.var_size) &&
	    py_string_read(layout, describer->window, name_at, name, sizeof(name)))
		py_repr_putf(&describer->repr, "%s=", name);
}

static bool level_next_of_array(struct describer *describer, struct level *level, addr_t *ret)
{
	if (level->index >= level->count)
		return false;
	if (!mem_window_read(describer->window, level->next_at, ret, sizeof(*ret))) {
		py_repr_unreadable(&describer->repr);
		level->index = level->count;
		return false;
	}
	if (level->index++ > 0)
		py_repr_puts(&describer->repr, ", ");
	level->next_at += sizeof(addr_t);
	if (level->names_at)
		level_write_name(describer, level);
	return true;
}

static bool level_next_of_dict(struct describer *describer, struct level *level, addr_t *ret)
{
	struct py_repr *repr = &describer->repr;

	if (level->lead) {
		*ret = level->lead;
		level->lead = 0;
		// What comes next is the first entry, after this.
		level->index = UINT64_MAX;
		return true;
	}
	if (level->value) {
		py_repr_puts(repr, level->pairs ? ", " : ": ");
		*ret = level->value;
		level->value = 0;
		return true;
	}
	bool is_first = level->index == 0 || level->index == UINT64_MAX;
	if (level->index == UINT64_MAX)
		py_repr_puts(repr, ", {");
	else if (!is_first && level->pairs)
		py_repr_puts(repr, ")");
	level->index = is_first ? 1 : level->index + 1;
	if (!py_dict_next(&level->cursor, ret, &level->value))
		return false;
	py_repr_puts(repr, is_first ? "" : ", ");
	py_repr_puts(repr, level->pairs ? "(" : "");
	return true;
}

// What comes next in @a level, with what stands before it written; false at the end.
static bool level_next(struct describer *describer, struct level *level, addr_t *ret)
{
	switch (level->kind) {
	case LEVEL_FIXED:
		if (level->index >= level->count)
			return false;
		py_repr_puts(&describer->repr, level->index > 0 ? ", " : "");
		*ret = level->fixed[level->index++];
		return true;
	case LEVEL_ARRAY:
		return level_next_of_array(describer, level, ret);
	case LEVEL_DICT:
		return level_next_of_dict(describer, level, ret);
	case LEVEL_SET:
	case LEVEL_DEQUE:
		break;
	}
	bool found = level->kind == LEVEL_SET ? level_next_of_set(describer, level, ret)
					      : level_next_of_deque(describer, level, ret);
	if (found && level->has_some)
		py_repr_puts(&describer->repr, ", ");
	level->has_some = true;
	return found;
}

struct error *py_describe(const struct py_layout *layout, struct py_types *types,
			  struct mem_window *window, addr_t at, enum py_describe_form form,
			  size_t chars_max, struct text *into)
{
	struct describer describer = {
		.layout = layout,
		.types = types,
		.window = window,
		.form = form,
		.repr = {.layout = layout, .window = window, .into = into, .chars_max = chars_max},
	};

	describe_object(&describer, at);
	// Each turn writes at least a character or takes a level off, so it ends when it is full.
	while (describer.depth > 0 && !describer.repr.full) {
		struct level *level = &describer.levels[describer.depth - 1];
		addr_t next;
		if (level_next(&describer, level, &next)) {
			describe_object(&describer, next);
		} else {
			py_repr_puts(&describer.repr, level->close);
			describer.depth--;
		}
	}
	struct error *error = describer.repr.error;
	if (!error)
		error = py_types_take_error(types);
	_cleanup_error_ struct error *read_error = mem_window_take_error(window);
	return error ? error : take_ptr(read_error);
}
