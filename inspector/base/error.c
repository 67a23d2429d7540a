// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct error no_memory = {
	.code = ERROR_NO_MEMORY,
	.message = "out of memory in leakinspect itself; free some memory and try again",
};

struct error *error_no_memory(void)
{
	return &no_memory;
}

// Message and struct share one allocation, so that there is one thing to free.
static struct error *error_from_text(enum error_code code, addr_t address, const char *text)
{
	size_t text_bytes = strlen(text) + 1;
	struct error *error = malloc(sizeof(*error) + text_bytes);

	if (!error)
		return error_no_memory();
	char *copy = (char *)(error + 1);
	memcpy(copy, text, text_bytes);
	*error = (struct error){.code = code, .address = address, .message = copy};
	return error;
}

__attribute__((format(printf, 3, 0))) static struct error *
error_from_format(enum error_code code, addr_t address, const char *format, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		return error_no_memory();
	struct error *error = error_from_text(code, address, text);
	free(text);
	return error;
}

struct error *error_create(enum error_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct error *error = error_from_format(code, 0, format, args);
	va_end(args);
	return error;
}

struct error *error_create_fault(addr_t address, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct error *error = error_from_format(ERROR_FAULT, address, format, args);
	va_end(args);
	return error;
}

struct error *error_create_os(int errnum, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct error *what = error_from_format(ERROR_FAILED, 0, format, args);
	va_end(args);
	struct error *error = error_create(ERROR_FAILED, "%s: %s", what->message, strerror(errnum));
	error_destroy(what);
	return error;
}

struct error *error_prefix(struct error *error, const char *format, ...)
{
	va_list args;
	char *prefix = NULL, *text = NULL;
	struct error *result = error_no_memory();

	va_start(args, format);
	int length = vasprintf(&prefix, format, args);
	va_end(args);
	if (length >= 0 && asprintf(&text, "%s: %s", prefix, error->message) >= 0) {
		result = error_from_text(error->code, error->address, text);
		free(text);
	}
	if (length >= 0)
		free(prefix);
	error_destroy(error);
	return result;
}

void error_destroy(struct error *error)
{
	if (error != &no_memory)
		free(error);
}

int error_exit_status(const struct error *error)
{
	switch (error->code) {
	case ERROR_USAGE:
		return 2;
	case ERROR_UNSUPPORTED:
		return 4;
	case ERROR_FAILED:
	case ERROR_FAULT:
	case ERROR_GONE:
	case ERROR_INTERRUPTED:
	case ERROR_NO_MEMORY:
		break;
	}
	return 1;
}
