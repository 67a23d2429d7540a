// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/debug_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"

static const char global_directory[] = "/usr/lib/debug";
enum { ROOTS_MAX = 2 };

struct search {
	const struct debug_query *query;
	const char *build_id;
	/** NULL without .gnu_debuglink. */
	const char *link;
	uint32_t link_crc;
	/** What stands before a path: "" and /proc/PID/root. */
	char roots[ROOTS_MAX][32];
	size_t root_count;
	struct text places;
	struct text rejected;
	/** The first that is the right file by its name and cannot be read. */
	struct error *damage;
	char *path;
	struct elf_file *elf;
};

static void search_deinit(struct search *search)
{
	text_deinit(&search->places);
	text_deinit(&search->rejected);
	error_destroy(search->damage);
	elf_file_close(search->elf);
	free(search->path);
}

static struct error *reject(struct search *search, const char *path, const char *why)
{
	return text_appendf(&search->rejected, "%s%s %s", search->rejected.length ? ", " : "", path,
			    why);
}

static struct error *crc_check(struct search *search, const char *path, bool *ok)
{
	uint32_t crc = 0;
	struct error *error = elf_file_crc(path, &crc);

	*ok = !error && crc == search->link_crc;
	if (error || *ok)
		return error;
	return reject(search, path, "is not the one it was linked with (its CRC differs)");
}

/** Whether @a elf belongs to the file: by build-id, if not both have one by the CRC of the link. */
static struct error *identity_check(struct search *search, const char *path,
				    const struct elf_file *elf, bool by_link, bool *ok)
{
	const char *own = elf_file_build_id(elf);
	_cleanup_free_ char *why = NULL;

	*ok = false;
	if (own[0] && search->build_id[0]) {
		*ok = strcmp(own, search->build_id) == 0;
		if (*ok)
			return NULL;
		if (asprintf(&why, "is of another build (build-id %s)", own) < 0) {
			why = NULL;
			return error_no_memory();
		}
		return reject(search, path, why);
	}
	if (by_link)
		return crc_check(search, path, ok);
	return reject(search, path, "has no build-id");
}

/** Looks at one place. What is found is in `path` and `elf`. */
static struct error *candidate_try(struct search *search, const char *path, bool by_link)
{
	_cleanup_elf_file_ struct elf_file *elf = NULL;
	struct stat status;
	bool ok = false;

	if (stat(path, &status) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return text_appendf(&search->places, "%s%s",
					    search->places.length ? ", " : "", path);
		return reject(search, path, strerror(errno));
	}
	struct error *error = elf_file_open(path, &elf);
	if (!error)
		error = identity_check(search, path, elf, by_link, &ok);
	if (error && error->code == ERROR_NO_MEMORY)
		return error;
	if (error) {
		if (search->damage)
			error_destroy(error);
		else
			search->damage = error;
		return NULL;
	}
	if (!ok)
		return NULL;
	if (!elf_file_has_dwarf(elf))
		return reject(search, path, "has no debug information either");
	search->path = strdup(path);
	if (!search->path)
		return error_no_memory();
	search->elf = take_ptr(elf);
	return NULL;
}

static struct error *candidate_format(struct search *search, bool by_link, const char *format, ...)
	PRINTF_LIKE(3, 4);

static struct error *candidate_format(struct search *search, bool by_link, const char *format, ...)
{
	_cleanup_free_ char *path = NULL;
	va_list args;

	if (search->elf)
		return NULL;
	va_start(args, format);
	int length = vasprintf(&path, format, args);
	va_end(args);
	if (length < 0) {
		path = NULL;
		return error_no_memory();
	}
	return candidate_try(search, path, by_link);
}

/** In @a directory under @a root, laid out like /usr/lib/debug. */
static struct error *directory_try(struct search *search, const char *root, const char *directory)
{
	const char *id = search->build_id, *path = search->query->path;
	int parent = (int)(strrchr(path, '/') - path);
	struct error *error = NULL;

	if (id[0] && id[1] && id[2])
		error = candidate_format(search, false, "%s%s/.build-id/%.2s/%s.debug", root,
					 directory, id, id + 2);
	if (!error && search->link)
		error = candidate_format(search, true, "%s%s%.*s/%s", root, directory, parent, path,
					 search->link);
	return error;
}

static struct error *beside_try(struct search *search, const char *root)
{
	const char *path = search->query->path;
	int parent = (int)(strrchr(path, '/') - path);

	if (!search->link)
		return NULL;
	struct error *error =
		candidate_format(search, true, "%s%.*s/%s", root, parent, path, search->link);
	return error ? error
		     : candidate_format(search, true, "%s%.*s/.debug/%s", root, parent, path,
					search->link);
}

static struct error *extra_directories_try(struct search *search)
{
	const char *value = getenv("LEAKINSPECT_DEBUG_PATH");
	_cleanup_free_ char *copy = strdup(value ? value : "");
	struct error *error = NULL;
	char *state = NULL;

	if (!copy)
		return error_no_memory();
	for (char *directory = strtok_r(copy, ":", &state); directory && !error;
	     directory = strtok_r(NULL, ":", &state))
		error = directory_try(search, "", directory);
	return error;
}

static void roots_find(struct search *search)
{
	struct stat own, other;
	char *root = search->roots[1];

	search->root_count = 1;
	if (search->query->pid == 0)
		return;
	snprintf(root, sizeof(search->roots[1]), "/proc/%d/root", (int)search->query->pid);
	// The same directory twice would only make the message longer.
	if (stat("/", &own) == 0 && stat(root, &other) == 0 &&
	    (own.st_ino != other.st_ino || own.st_dev != other.st_dev))
		search->root_count = 2;
}

/** "3.11" of python3.11 and libpython3.11.so.1.0 as Debian installs them; 0 chars when it
 *  is none. */
static size_t python_version(const char *path, const char **ret)
{
	const char *name = strrchr(path, '/') + 1;
	size_t length = 0;

	if (strncmp(path, "/usr/", 5) != 0 || strncmp(path, "/usr/local/", 11) == 0)
		return 0;
	if (strncmp(name, "lib", 3) == 0)
		name += 3;
	if (strncmp(name, "python", 6) != 0)
		return 0;
	*ret = name + 6;
	while (isdigit((unsigned char)(*ret)[length]))
		length++;
	if (length == 0 || (*ret)[length] != '.' || !isdigit((unsigned char)(*ret)[length + 1]))
		return 0;
	for (length++; isdigit((unsigned char)(*ret)[length]);)
		length++;
	return length;
}

static bool root_is_debian(const char *root)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "%s/etc/debian_version", root);
	return stat(path, &status) == 0;
}

static struct error *advice_append(const struct search *search, struct text *into)
{
	const char *path = search->query->path, *version = NULL;
	size_t length = python_version(path, &version);

	if (length > 0 && root_is_debian(search->roots[search->root_count - 1]))
		return text_appendf(into, "apt install python%.*s-dbg (of exactly this version)",
				    (int)length, version);
	return text_appendf(into, "install the debug package of %s, or use a build with -g", path);
}

static struct error *nothing_found(struct search *search)
{
	_cleanup_text_ struct text text = {0};

	if (search->damage)
		return take_ptr(search->damage);
	struct error *error = text_appendf(
		&text, "there is no debug information for %s (%s%s); ", search->query->path,
		search->build_id[0] ? "build-id " : "no build-id", search->build_id);
	if (!error)
		error = advice_append(search, &text);
	if (!error && search->rejected.length)
		error = text_appendf(&text, "; %s", text_chars(&search->rejected));
	if (!error && search->places.length)
		error = text_appendf(&text, "; looked for %s", text_chars(&search->places));
	return error ? error : error_create(ERROR_UNSUPPORTED, "%s", text_chars(&text));
}

struct error *debug_file_find(const struct debug_query *query, char **ret_path,
			      struct elf_file **ret)
{
	CLEANUP(search_deinit)
	struct search search = {.query = query, .build_id = elf_file_build_id(query->elf)};

	search.link = elf_file_debuglink(query->elf, &search.link_crc);
	roots_find(&search);
	struct error *error = extra_directories_try(&search);
	for (size_t i = 0; !error && i < search.root_count; i++) {
		error = directory_try(&search, search.roots[i], global_directory);
		if (!error)
			error = beside_try(&search, search.roots[i]);
	}
	if (error)
		return error;
	if (!search.elf)
		return nothing_found(&search);
	*ret_path = take_ptr(search.path);
	*ret = take_ptr(search.elf);
	return NULL;
}
