// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/layout_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "debug/layout_answers.h"

enum {
	BUILD_ID_CHARS_MIN = 8,
	BUILD_ID_CHARS_MAX = 128,
};

struct layout_cache {
	struct layout_source source;
	struct layout_cache_backing backing;
	char *build_id;
	/** Directory and file of the saved layout; NULL when nothing is saved. */
	char *directory;
	char *path;
	/** "saved layout PATH (ORIGIN)", while nothing else was asked. */
	char *saved_origin;
	struct layout_answers answers;
	/** How many answers the file had, those about objects counted. */
	size_t saved_count;
	/** NULL until the first question that was not saved. */
	struct layout_source *slow;
	/** Why it could not be opened: not to be tried again with every question. */
	struct error *slow_error;
};

static struct layout_cache *cache_of(struct layout_source *source)
{
	return (struct layout_cache *)source;
}

static size_t answer_count(const struct layout_cache *cache)
{
	return cache->answers.count + cache->answers.objects.count;
}

/** The cache directory; *@a ret is NULL when the environment names none. */
static struct error *directory_name(char **ret)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int length = 0;

	// "All paths set in these environment variables must be absolute. If an implementation
	// encounters a relative path [...] it should consider the path invalid and ignore it."
	// (XDG Base Directory Specification)
	*ret = NULL;
	if (base && base[0] == '/')
		length = asprintf(ret, "%s/leakinspect", base);
	else if (home && home[0] == '/')
		length = asprintf(ret, "%s/.cache/leakinspect", home);
	if (length < 0) {
		*ret = NULL;
		return error_no_memory();
	}
	return NULL;
}

// The build-id becomes a file's name, and may come from a hostile file.
static bool build_id_is_plain(const char *build_id)
{
	size_t length = build_id ? strlen(build_id) : 0;

	return length >= BUILD_ID_CHARS_MIN && length <= BUILD_ID_CHARS_MAX &&
	       strspn(build_id, "0123456789abcdef") == length;
}

static struct error *names_make(struct layout_cache *cache, const char *build_id)
{
	if (!build_id_is_plain(build_id))
		return NULL;
	struct error *error = directory_name(&cache->directory);
	if (error || !cache->directory)
		return error;
	cache->build_id = strdup(build_id);
	if (!cache->build_id)
		return error_no_memory();
	if (asprintf(&cache->path, "%s/%s.layout", cache->directory, build_id) < 0) {
		cache->path = NULL;
		return error_no_memory();
	}
	return NULL;
}

static bool read_whole(int fd, char *into, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t got = read(fd, into + done, bytes - done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

// Whatever is wrong with the file, it is as if there were none. Fails for want of memory only.
static struct error *file_load(struct layout_cache *cache)
{
	struct stat status;
	bool valid = false;

	_cleanup_fd_ int fd = open(cache->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
	    status.st_size > LAYOUT_ANSWERS_BYTES_LIMIT)
		return NULL;
	// A layout that somebody else wrote decides what we read of a process we may read.
	if (status.st_uid != geteuid() && status.st_uid != 0)
		return NULL;
	size_t bytes = (size_t)status.st_size;
	_cleanup_free_ char *chars = malloc(bytes + 1);
	if (!chars)
		return error_no_memory();
	if (!read_whole(fd, chars, bytes))
		return NULL;
	struct error *error =
		layout_answers_parse(chars, bytes, cache->build_id, &cache->answers, &valid);
	if (error || !valid)
		return error;
	cache->saved_count = answer_count(cache);
	if (asprintf(&cache->saved_origin, "saved layout %s (%s)", cache->path,
		     cache->answers.origin) < 0) {
		cache->saved_origin = NULL;
		return error_no_memory();
	}
	cache->source.origin = cache->saved_origin;
	return NULL;
}

static struct error *slow_open(struct layout_cache *cache)
{
	if (cache->slow)
		return NULL;
	if (!cache->slow_error) {
		cache->slow_error = cache->backing.open(cache->backing.context, &cache->slow);
		if (!cache->slow_error) {
			cache->source.origin = cache->slow->origin;
			return NULL;
		}
	}
	return error_create(cache->slow_error->code, "%s", cache->slow_error->message);
}

static struct error *remember(struct layout_cache *cache, const char *first, const char *second,
			      struct layout_answer answer)
{
	bool added = false;

	return cache->path ? layout_answers_add(&cache->answers, first, second, answer, &added)
			   : NULL;
}

static struct error *cache_type_size(struct layout_source *source, const char *type, bool *present,
				     uint64_t *ret)
{
	struct layout_cache *cache = cache_of(source);
	struct layout_answer answer = {.question = QUESTION_SIZE};
	const struct layout_answer *saved =
		layout_answers_find(&cache->answers, QUESTION_SIZE, type, NULL);

	if (saved) {
		*present = saved->present;
		if (saved->present)
			*ret = saved->size_bytes;
		return NULL;
	}
	struct error *error = slow_open(cache);
	if (!error)
		error = layout_type_size(cache->slow, type, present, ret);
	if (error)
		return error;
	answer.present = *present;
	if (*present)
		answer.size_bytes = *ret;
	return remember(cache, type, NULL, answer);
}

static struct error *cache_member(struct layout_source *source, const char *type, const char *path,
				  bool *present, struct layout_member *ret)
{
	struct layout_cache *cache = cache_of(source);
	struct layout_answer answer = {.question = QUESTION_MEMBER};
	const struct layout_answer *saved =
		layout_answers_find(&cache->answers, QUESTION_MEMBER, type, path);

	if (saved) {
		*present = saved->present;
		if (saved->present)
			*ret = saved->member;
		return NULL;
	}
	struct error *error = slow_open(cache);
	if (!error)
		error = layout_member(cache->slow, type, path, present, ret);
	if (error)
		return error;
	answer.present = *present;
	if (*present)
		answer.member = *ret;
	return remember(cache, type, path, answer);
}

static struct error *cache_variable(struct layout_source *source, const char *name,
				    const char *type, bool *present, struct layout_variable *ret)
{
	struct layout_cache *cache = cache_of(source);
	struct layout_answer answer = {.question = QUESTION_VARIABLE};
	const struct layout_answer *saved =
		layout_answers_find(&cache->answers, QUESTION_VARIABLE, name, type);

	if (saved) {
		*present = saved->present;
		if (saved->present)
			*ret = saved->variable;
		return NULL;
	}
	struct error *error = slow_open(cache);
	if (!error)
		error = layout_variable(cache->slow, name, type, present, ret);
	if (error)
		return error;
	answer.present = *present;
	if (*present)
		answer.variable = *ret;
	return remember(cache, name, type, answer);
}

static struct error *cache_object(struct layout_source *source, const struct layout_object *object,
				  bool *present, const struct object_members **ret)
{
	struct layout_cache *cache = cache_of(source);
	struct object_answers *answers = &cache->answers.objects;
	bool known = false;
	struct error *error = object_answers_find(answers, object, &known, ret);

	*present = *ret != NULL;
	if (error || known)
		return error;
	error = slow_open(cache);
	if (!error)
		error = layout_object(cache->slow, object, present, ret);
	if (error)
		return error;
	// Kept where nothing is saved, too: the answer lives as long as the source it came from.
	return object_answers_add(answers, object, *present ? *ret : NULL, ret);
}

static void cache_destroy(struct layout_source *source)
{
	struct layout_cache *cache = cache_of(source);

	layout_source_destroy(cache->slow);
	error_destroy(cache->slow_error);
	layout_answers_deinit(&cache->answers);
	free(cache->saved_origin);
	free(cache->path);
	free(cache->directory);
	free(cache->build_id);
	free(cache);
}

static const struct layout_source_ops cache_ops = {
	.type_size = cache_type_size,
	.member = cache_member,
	.variable = cache_variable,
	.destroy = cache_destroy,
	.object = cache_object,
};

struct error *layout_cache_create(const char *build_id, const struct layout_cache_backing *backing,
				  struct layout_source **ret)
{
	struct layout_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return error_no_memory();
	cache->source = (struct layout_source){.ops = &cache_ops, .origin = "nothing asked yet"};
	cache->backing = *backing;
	struct error *error = names_make(cache, build_id);
	if (!error && cache->path)
		error = file_load(cache);
	if (error) {
		cache_destroy(&cache->source);
		return error;
	}
	*ret = &cache->source;
	return NULL;
}

bool layout_cache_is_cold(const struct layout_source *cache)
{
	return ((const struct layout_cache *)cache)->slow != NULL;
}

bool layout_cache_is_empty(const struct layout_source *cache)
{
	return answer_count((const struct layout_cache *)cache) == 0;
}

// Not in another user's home: under sudo with that user's HOME we would leave a directory there
// that its owner cannot write to.
static struct error *owner_check(const char *directory)
{
	struct stat status;

	if (stat(directory, &status) < 0)
		return error_create_os(errno, "cannot stat %s", directory);
	if (status.st_uid != geteuid() && status.st_uid != 0)
		return error_create(ERROR_FAILED, "%s belongs to another user", directory);
	return NULL;
}

/** mkdir -p, with mode 0700. */
static struct error *directory_make(const char *directory)
{
	_cleanup_free_ char *path = strdup(directory);

	if (!path)
		return error_no_memory();
	for (char *slash = path + 1; slash; slash++) {
		slash = strchr(slash, '/');
		if (slash)
			*slash = '\0';
		struct stat status;
		if (stat(path, &status) < 0) {
			char *above = strrchr(path, '/');
			struct error *error = NULL;
			if (errno != ENOENT)
				return error_create_os(errno, "cannot stat %s", path);
			if (above != path) {
				*above = '\0';
				error = owner_check(path);
				*above = '/';
			}
			if (error)
				return error;
			if (mkdir(path, 0700) < 0 && errno != EEXIST)
				return error_create_os(errno, "cannot create %s", path);
		}
		if (!slash)
			break;
		*slash = '/';
	}
	return owner_check(directory);
}

static struct error *write_whole(int fd, const char *path, const struct text *text)
{
	for (size_t done = 0; done < text->length;) {
		ssize_t put = write(fd, text->chars + done, text->length - done);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return error_create_os(errno, "cannot write %s", path);
		done += (size_t)put;
	}
	return NULL;
}

// A reader sees the old file or the new one, whole; of two writers the later stays.
static struct error *file_replace(const char *path, const struct text *text)
{
	_cleanup_free_ char *temporary = NULL;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		temporary = NULL;
		return error_no_memory();
	}
	_cleanup_fd_ int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return error_create_os(errno, "cannot create %s", temporary);
	struct error *error = write_whole(fd, temporary, text);
	if (!error && rename(temporary, path) < 0)
		error = error_create_os(errno, "cannot rename %s to %s", temporary, path);
	if (error)
		unlink(temporary);
	return error;
}

struct error *layout_cache_save(struct layout_source *source)
{
	struct layout_cache *cache = cache_of(source);
	_cleanup_text_ struct text text = {0};

	if (!cache->path || answer_count(cache) == cache->saved_count)
		return NULL;
	if (cache->slow) {
		free(cache->answers.origin);
		cache->answers.origin = strdup(cache->slow->origin);
		if (!cache->answers.origin)
			return error_no_memory();
	}
	struct error *error = layout_answers_print(&cache->answers, cache->build_id, &text);
	if (!error && text.length > LAYOUT_ANSWERS_BYTES_LIMIT)
		return error_create(ERROR_FAILED, "the layout is too large to be saved");
	if (!error)
		error = directory_make(cache->directory);
	if (!error)
		error = file_replace(cache->path, &text);
	if (!error)
		cache->saved_count = answer_count(cache);
	return error ? error_prefix(error, "the layout was not saved") : NULL;
}
