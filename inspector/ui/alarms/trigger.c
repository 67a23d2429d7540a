// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/alarms/trigger.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "ui/chart/series.h"

enum trigger_unit { TRIGGER_BYTES, TRIGGER_COUNT, TRIGGER_PER_MINUTE };

static const struct {
	const char *name;
	enum trigger_unit unit;
} trigger_subjects[TRIGGER_SUBJECT_COUNT] = {
	[TRIGGER_RSS] = {"rss", TRIGGER_BYTES},
	[TRIGGER_VSS] = {"vss", TRIGGER_BYTES},
	[TRIGGER_PSS] = {"pss", TRIGGER_BYTES},
	[TRIGGER_OBJECTS] = {"objects", TRIGGER_COUNT},
	[TRIGGER_GARBAGE] = {"garbage", TRIGGER_COUNT},
	[TRIGGER_GROWTH] = {"growth", TRIGGER_PER_MINUTE},
};

struct trigger_suffix {
	const char *text;
	double factor;
};

static const struct trigger_suffix trigger_bytes[] = {
	{"", 1},
	{"B", 1},
	{"kB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"KiB", 1024.0},
	{"MiB", 1048576.0},
	{"GiB", 1073741824.0},
	{"TiB", 1099511627776.0},
};
static const struct trigger_suffix trigger_counts[] = {{"", 1}};
static const struct trigger_suffix trigger_rates[] = {{"/min", 1}, {"/s", 60}, {"/h", 1.0 / 60}};

static bool trigger_find_suffix(enum trigger_unit unit, const char *text, double *ret)
{
	const struct trigger_suffix *suffixes = unit == TRIGGER_BYTES   ? trigger_bytes
						: unit == TRIGGER_COUNT ? trigger_counts
									: trigger_rates;
	size_t count = unit == TRIGGER_BYTES   ? ARRAY_COUNT(trigger_bytes)
		       : unit == TRIGGER_COUNT ? ARRAY_COUNT(trigger_counts)
					       : ARRAY_COUNT(trigger_rates);

	for (size_t i = 0; i < count; i++)
		if (strcasecmp(suffixes[i].text, text) == 0) {
			*ret = suffixes[i].factor;
			return true;
		}
	return false;
}

static struct error *trigger_wrong(const char *text, const char *what)
{
	return error_create(ERROR_USAGE,
			    "--when '%s': %s; conditions are as rss>1GiB, objects>100000, "
			    "garbage>0, growth>1000/min, growth(app.Session)>10/min",
			    text, what);
}

static bool trigger_find_subject(const char *name, size_t length, enum trigger_subject *ret)
{
	for (size_t i = 0; i < TRIGGER_SUBJECT_COUNT; i++)
		if (strlen(trigger_subjects[i].name) == length &&
		    strncmp(name, trigger_subjects[i].name, length) == 0) {
			*ret = (enum trigger_subject)i;
			return true;
		}
	return false;
}

static struct error *trigger_parse_number(const char *text, const char *number,
					  enum trigger_unit unit, double *ret)
{
	static const char *const wanted[] = {
		[TRIGGER_BYTES] = "that is no number of bytes such as 500MiB",
		[TRIGGER_COUNT] = "that is no number of objects",
		[TRIGGER_PER_MINUTE] = "that is no growth such as 1000/min (or /s, /h)",
	};
	char *end = NULL;
	double factor = 0;

	number += strspn(number, " ");
	double value = strspn(number, "0123456789.") ? strtod(number, &end) : -1;
	if (value < 0 || !isfinite(value) || memchr(number, 'x', (size_t)(end - number)) ||
	    !trigger_find_suffix(unit, end + strspn(end, " "), &factor))
		return trigger_wrong(text, wanted[unit]);
	*ret = value * factor;
	return NULL;
}

// What stands before the '>': a subject, and a type in parentheses where it is growth's.
static struct error *trigger_parse_subject(const char *text, size_t length, struct trigger *ret)
{
	size_t name = strcspn(text, "( >");

	if (!trigger_find_subject(text, name, &ret->subject))
		return trigger_wrong(text, "there is no such figure");
	while (length > name && text[length - 1] == ' ')
		length--;
	if (length == name)
		return NULL;
	if (ret->subject != TRIGGER_GROWTH || text[name] != '(' || text[length - 1] != ')' ||
	    length - name < 3)
		return trigger_wrong(text, "only growth is asked by type, as growth(TYPE)");
	ret->type = strndup(text + name + 1, length - name - 2);
	return ret->type ? NULL : error_no_memory();
}

struct error *trigger_parse(const char *text, struct trigger *ret)
{
	// The last one: a type may be called <lambda>.
	const char *above = strrchr(text, '>');

	*ret = (struct trigger){.text = text};
	if (!above)
		return trigger_wrong(text, "there is no '>' in it");
	struct error *error = trigger_parse_subject(text, (size_t)(above - text), ret);
	if (!error)
		error = trigger_parse_number(text, above + 1, trigger_subjects[ret->subject].unit,
					     &ret->threshold);
	return error;
}

bool trigger_counts_objects(const struct trigger *trigger)
{
	return trigger_subjects[trigger->subject].unit != TRIGGER_BYTES;
}

static bool trigger_value(const struct trigger *trigger, const struct trigger_point *point,
			  double *ret)
{
	if (trigger->subject == TRIGGER_GROWTH)
		return watch_growth_rate(point->growth, trigger->type, ret);
	int64_t value = point->values[trigger->subject];
	*ret = (double)value;
	return value != SERIES_ABSENT;
}

bool trigger_fires(const struct trigger *trigger, const struct trigger_point *point, bool *held,
		   double *ret_value)
{
	bool before = *held;

	if (!trigger_value(trigger, point, ret_value))
		return false;
	*held = *ret_value > trigger->threshold;
	return *held && !before;
}

void trigger_deinit(struct trigger *trigger)
{
	free(trigger->type);
	*trigger = (struct trigger){0};
}
