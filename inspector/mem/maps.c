// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/maps.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"

enum { SHOWN_CHARS_MAX = 120 };

void maps_deinit(struct maps *maps)
{
	free(maps->list);
	free(maps->text);
	*maps = (struct maps){0};
}

// All parsers below advance *at and return false on what they do not expect; a '\0' at the end of
// the line stops each of them.
static bool parse_char(char **at, char expected)
{
	if (**at != expected)
		return false;
	(*at)++;
	return true;
}

static bool parse_number(char **at, unsigned base, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	char *start = *at;

	for (;; (*at)++) {
		unsigned digit;
		char c = **at;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			break;
		if (digit >= base)
			break;
		if (value > (max - digit) / base)
			return false;
		value = value * base + digit;
	}
	*ret = value;
	return *at > start;
}

static bool parse_flag(char **at, char letter, uint32_t flag, uint32_t *flags)
{
	if (parse_char(at, letter)) {
		*flags |= flag;
		return true;
	}
	return parse_char(at, '-');
}

static bool parse_flags(char **at, uint32_t *ret)
{
	return parse_flag(at, 'r', MAPPING_READ, ret) && parse_flag(at, 'w', MAPPING_WRITE, ret) &&
	       parse_flag(at, 'x', MAPPING_EXEC, ret) &&
	       (parse_char(at, 'p') || parse_flag(at, 's', MAPPING_SHARED, ret));
}

// The kernel writes a newline in a file's name as "\012" and leaves every other character as it is
// (seq_file_path(m, file, "\n") in fs/proc/task_mmu.c).
static void unescape_newlines(char *path)
{
	char *out = path;

	for (const char *in = path; *in; out++) {
		if (strncmp(in, "\\012", 4) == 0) {
			*out = '\n';
			in += 4;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
}

static void parse_path(char *path, struct mapping *ret)
{
	static const char deleted[] = " (deleted)";
	size_t suffix = sizeof(deleted) - 1;
	size_t length = strlen(path);

	if (path[0] == '/' && length > suffix && strcmp(path + length - suffix, deleted) == 0) {
		path[length - suffix] = '\0';
		ret->flags |= MAPPING_DELETED;
	}
	unescape_newlines(path);
	ret->path = path;
}

// start-end rwxp offset major:minor inode            path
static bool parse_line(char *line, struct mapping *ret)
{
	uint64_t major, minor;
	char *at = line;

	*ret = (struct mapping){0};
	if (!parse_number(&at, 16, UINT64_MAX, &ret->start) || !parse_char(&at, '-') ||
	    !parse_number(&at, 16, UINT64_MAX, &ret->end) || !parse_char(&at, ' ') ||
	    !parse_flags(&at, &ret->flags) || !parse_char(&at, ' ') ||
	    !parse_number(&at, 16, UINT64_MAX, &ret->file_offset) || !parse_char(&at, ' ') ||
	    !parse_number(&at, 16, UINT32_MAX, &major) || !parse_char(&at, ':') ||
	    !parse_number(&at, 16, UINT32_MAX, &minor) || !parse_char(&at, ' ') ||
	    !parse_number(&at, 10, UINT64_MAX, &ret->inode))
		return false;
	ret->device_major = (uint32_t)major;
	ret->device_minor = (uint32_t)minor;
	if (*at != '\0' && *at != ' ')
		return false;
	while (*at == ' ')
		at++;
	parse_path(at, ret);
	return ret->start < ret->end;
}

static struct error *maps_parse_lines(struct maps *maps, size_t length)
{
	char *line = maps->text;
	const char *text_end = maps->text + length;

	while (line < text_end) {
		char *end = memchr(line, '\n', (size_t)(text_end - line));
		if (!end)
			return error_create(ERROR_FAILED,
					    "the list of memory mappings ends inside line %zu",
					    maps->count + 1);
		*end = '\0';

		struct error *error = array_reserve(&maps->list, &maps->capacity, maps->count + 1,
						    sizeof(*maps->list));
		if (error)
			return error;
		struct mapping *mapping = &maps->list[maps->count];
		addr_t previous_end = maps->count ? mapping[-1].end : 0;
		if (!parse_line(line, mapping))
			return error_create(
				ERROR_FAILED,
				"line %zu of the list of memory mappings is none: '%.*s'",
				maps->count + 1, SHOWN_CHARS_MAX, line);
		line = end + 1;
		// Where a running process changes mappings between two reads of the file, one that grew
		// into what was told already is told whole (Linux from 6.1 on, whatever proc.rst says).
		// maps_find() relies on it that none overlaps another.
		if (mapping->end <= previous_end)
			continue;
		if (mapping->start < previous_end) {
			mapping->file_offset += mapping->inode ? previous_end - mapping->start : 0;
			mapping->start = previous_end;
		}
		maps->count++;
	}
	return NULL;
}

struct error *maps_parse(const char *text, size_t length, struct maps *ret)
{
	_cleanup_maps_ struct maps maps = {0};

	// Lines are cut in place in one copy, which the paths then point into.
	maps.text = malloc(length + 1);
	if (!maps.text)
		return error_no_memory();
	memcpy(maps.text, text, length);
	maps.text[length] = '\0';

	struct error *error = maps_parse_lines(&maps, length);
	if (error)
		return error;
	*ret = maps;
	maps = (struct maps){0};
	return NULL;
}

struct error *maps_copy(const struct maps *maps, struct maps *ret)
{
	_cleanup_maps_ struct maps copy = {0};
	struct error *error =
		array_reserve(&copy.list, &copy.capacity, maps->count, sizeof(*copy.list));
	size_t bytes = 1;

	for (size_t i = 0; i < maps->count; i++)
		bytes += strlen(maps->list[i].path) + 1;
	if (!error && !(copy.text = malloc(bytes)))
		error = error_no_memory();
	if (error)
		return error;
	char *text = copy.text;
	for (; copy.count < maps->count; copy.count++) {
		size_t length = strlen(maps->list[copy.count].path) + 1;
		copy.list[copy.count] = maps->list[copy.count];
		copy.list[copy.count].path = memcpy(text, maps->list[copy.count].path, length);
		text += length;
	}
	*ret = copy;
	copy = (struct maps){0};
	return NULL;
}

const struct mapping *maps_find(const struct maps *maps, addr_t at)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (maps->list[middle].end <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == maps->count || maps->list[low].start > at)
		return NULL;
	return &maps->list[low];
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool mapping_is_anonymous(const struct mapping *mapping)
{
	if (mapping->inode != 0)
		return false;
	// Kernels before 4.5 say "[stack:TID]"; "[anon:NAME]" is prctl(PR_SET_VMA_ANON_NAME).
	return mapping->path[0] == '\0' || strcmp(mapping->path, "[heap]") == 0 ||
	       starts_with(mapping->path, "[stack") || starts_with(mapping->path, "[anon:");
}
