// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/objects/frame_values.h"

#include <stdio.h>

#include "base/array.h"
#include "targets/cpython/objects/string.h"

enum { NAME_BYTES = 128 };

/** Include/code.h: CO_GENERATOR. */
static const uint64_t CODE_GENERATOR = 0x20;

/** Include/internal/pycore_code.h: a variable that an inner function shares, and one of an outer one's. */
static const uint8_t CODE_KIND_CELL = 0x40;
static const uint8_t CODE_KIND_FREE = 0x80;

// A frame of 3.11 and later, as far as it is used.
struct iframe {
	addr_t at;
	addr_t code_at;
	addr_t values_at;
	addr_t generator_at;
	uint32_t variable_count;
	uint32_t value_count;
	/** The height of the evaluation stack is not known, `value_count` is `variable_count`. */
	bool executing;
	/** Of the kind of each variable; 0 when it cannot be read. */
	addr_t kinds_at;
};

// An evaluation stack that begins at @a start and whose height is not known, only its most.
static struct error *frame_tell_stack(const struct py_frames_visit *visit, addr_t code_at,
				      addr_t start)
{
	uint64_t words = py_frames_field(visit, code_at, visit->layout->f.code_stacksize);

	if (!visit->visitor->stack || !start || !words)
		return NULL;
	if (words > PY_FRAME_VALUES_MAX)
		words = PY_FRAME_VALUES_MAX;
	struct py_frame_stack stack = {start, start + words * sizeof(addr_t)};
	return visit->visitor->stack(visit->visitor->context, &stack);
}

static uint64_t frame_tuple_length(const struct py_frames_visit *visit, addr_t tuple_at)
{
	return py_frames_field(visit, tuple_at, visit->layout->f.var_size);
}

// "?" when it cannot be read.
static void frame_tuple_name(const struct py_frames_visit *visit, addr_t tuple_at, uint64_t index,
			     char *into)
{
	const struct py_layout *layout = visit->layout;
	addr_t name_at = index < frame_tuple_length(visit, tuple_at)
				 ? mem_window_word(visit->window,
						   tuple_at + layout->f.tuple_items.offset +
							   index * sizeof(addr_t),
						   0)
				 : 0;

	if (!name_at || !py_string_read(layout, visit->window, name_at, into, NAME_BYTES))
		snprintf(into, NAME_BYTES, "?");
}

// Up to 3.10 variables come first, then cells, then what other functions' cells hold.
static enum py_frame_part frame_object_variable(const struct py_frames_visit *visit, addr_t code_at,
						uint64_t index, char *into)
{
	const struct py_layout *layout = visit->layout;
	const struct {
		struct py_field names;
		enum py_frame_part part;
	} parts[] = {
		{layout->f.code_varnames, PY_FRAME_LOCAL},
		{layout->f.code_cellvars, PY_FRAME_CELL},
		{layout->f.code_freevars, PY_FRAME_FREE},
	};

	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		addr_t names_at = py_frames_field(visit, code_at, parts[i].names);
		uint64_t count = frame_tuple_length(visit, names_at);
		if (index < count) {
			frame_tuple_name(visit, names_at, index, into);
			return parts[i].part;
		}
		index -= count;
	}
	snprintf(into, NAME_BYTES, "?");
	return PY_FRAME_LOCAL;
}

// What the frame object itself refers to.
static struct error *frame_object_variables(const struct py_frames_visit *visit,
					    const struct py_frame *frame, addr_t stack_at,
					    addr_t generator_at)
{
	addr_t values_at = frame->at + visit->layout->f.frame_values.offset;
	struct error *error = NULL;
	char name[NAME_BYTES];

	if (!visit->layout->f.frame_values.present || !frame->place.code_at ||
	    stack_at < values_at || stack_at - values_at > PY_FRAME_VALUES_MAX * sizeof(addr_t) ||
	    visit->tally->value_count > PY_FRAME_VALUES_TOTAL_MAX)
		return NULL;
	for (uint64_t i = 0; !error && values_at + i * sizeof(addr_t) < stack_at; i++) {
		addr_t object_at =
			mem_window_word(visit->window, values_at + i * sizeof(addr_t), 0);
		visit->tally->value_count++;
		if (!object_at)
			continue;
		enum py_frame_part part =
			frame_object_variable(visit, frame->place.code_at, i, name);
		error = py_frames_tell(visit, &(struct py_frame_value){
						      .object_at = object_at,
						      .part = part,
						      .name = name,
						      .generator_at = generator_at,
					      });
	}
	return error;
}

/*
 * _PyEval_EvalCode() and its like own the frame they run, and the thread's state borrows it. The frame
 * of a generator belongs to the generator, and gen_send_ex() takes no reference.
 */
struct error *py_frame_values_of_object(const struct py_frames_visit *visit,
					const struct py_frame *frame)
{
	const struct py_layout *layout = visit->layout;
	addr_t code_at = frame->place.code_at;
	addr_t stack_at = py_frames_field(visit, frame->at, layout->f.frame_valuestack);
	addr_t generator_at = py_frames_field(visit, frame->at, layout->f.frame_generator);
	bool is_generator = generator_at || (!layout->f.frame_generator.present &&
					     py_frames_field(visit, code_at, layout->f.code_flags) &
						     CODE_GENERATOR);
	struct error *error = py_frames_tell(visit, &(struct py_frame_value){
							    .object_at = frame->at,
							    .part = PY_FRAME_SPECIAL,
							    .owns = !is_generator,
							    .name = "frame",
							    .generator_at = generator_at,
						    });

	if (!error)
		error = frame_object_variables(visit, frame, stack_at, generator_at);
	return error ? error : frame_tell_stack(visit, code_at, stack_at);
}

// False where it cannot be read, or says nonsense of itself.
static bool iframe_read(const struct py_frames_visit *visit, const struct py_frame *frame,
			uint64_t owner, struct iframe *ret)
{
	const struct py_layout *layout = visit->layout;
	addr_t kinds_at =
		py_frames_field(visit, frame->place.code_at, layout->f.code_localspluskinds);
	struct py_string_span kinds;

	*ret = (struct iframe){
		.at = frame->at,
		.code_at = frame->place.code_at,
		.values_at = frame->at + layout->f.iframe_values.offset,
	};
	uint64_t variables = py_frames_field(visit, ret->code_at, layout->f.code_nlocalsplus);
	int32_t top = (int32_t)py_frames_field(visit, frame->at, layout->f.iframe_stacktop);
	if (variables > PY_FRAME_VALUES_MAX || top > PY_FRAME_VALUES_MAX ||
	    visit->tally->value_count > PY_FRAME_VALUES_TOTAL_MAX)
		return false;
	ret->variable_count = (uint32_t)variables;
	ret->executing = top < 0;
	ret->value_count = top < 0 ? ret->variable_count : (uint32_t)top;
	if (owner == PY_FRAME_OF_GENERATOR)
		ret->generator_at = frame->at - layout->f.generator_iframe.offset;
	if (kinds_at && py_string_locate(layout, visit->window, kinds_at, &kinds) &&
	    kinds.is_bytes && kinds.length >= variables)
		ret->kinds_at = kinds.at;
	return true;
}

static enum py_frame_part iframe_variable(const struct py_frames_visit *visit,
					  const struct iframe *iframe, uint32_t index, char *into)
{
	addr_t names_at =
		py_frames_field(visit, iframe->code_at, visit->layout->f.code_localsplusnames);
	uint8_t kind = 0;

	frame_tuple_name(visit, names_at, index, into);
	if (iframe->kinds_at && !mem_window_read(visit->window, iframe->kinds_at + index, &kind, 1))
		kind = 0;
	return kind & CODE_KIND_FREE   ? PY_FRAME_FREE
	       : kind & CODE_KIND_CELL ? PY_FRAME_CELL
				       : PY_FRAME_LOCAL;
}

static struct error *iframe_visit_values(const struct py_frames_visit *visit,
					 const struct iframe *iframe, bool owns)
{
	struct error *error = NULL;
	char name[NAME_BYTES];

	for (uint32_t i = 0; !error && i < iframe->value_count; i++) {
		addr_t value_at = iframe->values_at + i * sizeof(addr_t), object_at;
		enum py_frame_part part = PY_FRAME_STACK;
		if (!mem_window_read(visit->window, value_at, &object_at, sizeof(object_at))) {
			py_frames_truncate(visit, value_at);
			break;
		}
		visit->tally->value_count++;
		if (!object_at)
			continue;
		name[0] = '\0';
		if (i < iframe->variable_count)
			part = iframe_variable(visit, iframe, i, name);
		error = py_frames_tell(visit, &(struct py_frame_value){
						      .object_at = object_at,
						      .part = part,
						      .owns = owns,
						      .name = name,
						      .generator_at = iframe->generator_at,
					      });
	}
	return error;
}

static struct error *iframe_visit_stack(const struct py_frames_visit *visit,
					const struct iframe *iframe)
{
	addr_t start = iframe->values_at + iframe->variable_count * sizeof(addr_t);

	return iframe->executing ? frame_tell_stack(visit, iframe->code_at, start) : NULL;
}

// What a frame holds beside its variables. Its globals and builtins are borrowed from the function.
static struct error *iframe_visit_specials(const struct py_frames_visit *visit,
					   const struct iframe *iframe)
{
	const struct py_layout *layout = visit->layout;
	const struct {
		addr_t object_at;
		const char *name;
	} parts[] = {
		{py_frames_field(visit, iframe->at, layout->f.iframe_function), "function"},
		{iframe->code_at, "code"},
		{py_frames_field(visit, iframe->at, layout->f.iframe_locals), "locals"},
		{py_frames_field(visit, iframe->at, layout->f.iframe_object), "frame"},
	};
	struct error *error = NULL;

	for (size_t i = 0; !error && i < ARRAY_COUNT(parts); i++)
		error = py_frames_tell(visit, &(struct py_frame_value){
						      .object_at = parts[i].object_at,
						      .part = PY_FRAME_SPECIAL,
						      .owns = true,
						      .name = parts[i].name,
					      });
	return error;
}

// What runs keeps its generator alive, but owns no reference to it: the caller does.
static struct error *iframe_visit_generator(const struct py_frames_visit *visit,
					    const struct iframe *iframe)
{
	struct error *error = py_frames_tell(visit, &(struct py_frame_value){
							    .object_at = iframe->generator_at,
							    .part = PY_FRAME_SPECIAL,
							    .name = "generator",
							    .generator_at = iframe->generator_at,
						    });

	// What is below the stack's top the generator's own traversal visits.
	if (!error)
		error = iframe_visit_values(visit, iframe, iframe->executing);
	return error ? error : iframe_visit_stack(visit, iframe);
}

struct error *py_frame_values_of_iframe(const struct py_frames_visit *visit,
					const struct py_frame *frame, uint64_t owner)
{
	struct iframe iframe;

	if (!iframe_read(visit, frame, owner, &iframe)) {
		py_frames_truncate(visit, frame->at);
		return NULL;
	}
	if (owner == PY_FRAME_OF_GENERATOR && visit->layout->f.generator_iframe.present)
		return iframe_visit_generator(visit, &iframe);
	struct error *error = iframe_visit_specials(visit, &iframe);
	if (!error)
		error = iframe_visit_values(visit, &iframe, true);
	return error ? error : iframe_visit_stack(visit, &iframe);
}
