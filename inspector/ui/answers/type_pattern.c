// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/type_pattern.h"

#include <fnmatch.h>
#include <string.h>

bool type_pattern_matches(const char *pattern, const char *name)
{
	if (!pattern)
		return true;
	if (strpbrk(pattern, "*?["))
		return fnmatch(pattern, name, FNM_NOESCAPE) == 0;
	return strstr(name, pattern);
}
