// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/fake_source.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mem/maps.h"

enum { FAKE_PAGE_BYTES = 4096 };

struct fake_range {
	addr_t at;
	const char *from;
	size_t bytes;
};

struct fake_source {
	struct mem_source source;
	struct fake_range *ranges;
	size_t range_count;
	char *maps_text;
	/** Guards what follows: sources are read by several threads. */
	pthread_mutex_t lock;
	size_t read_count;
	/** In terms of read_count; 0 for none. */
	size_t fail_at;
	enum error_code fail_code;
	bool is_another;
};

static struct fake_source *fake_of(struct mem_source *source)
{
	return (struct fake_source *)source;
}

static struct error *fake_count(struct fake_source *fake)
{
	pthread_mutex_lock(&fake->lock);
	fake->read_count++;
	bool fails = fake->fail_at != 0 &&
		     (fake->read_count == fake->fail_at ||
		      (fake->fail_code == ERROR_GONE && fake->read_count > fake->fail_at));
	enum error_code code = fake->fail_code;
	pthread_mutex_unlock(&fake->lock);
	return fails ? error_create(code, "the test made this read fail") : NULL;
}

static const struct fake_range *fake_find(const struct fake_source *fake, addr_t at)
{
	for (size_t i = 0; i < fake->range_count; i++)
		if (at >= fake->ranges[i].at && at - fake->ranges[i].at < fake->ranges[i].bytes)
			return &fake->ranges[i];
	return NULL;
}

static struct error *fake_copy(const struct fake_source *fake, addr_t at, void *into, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		const struct fake_range *range = fake_find(fake, at + done);
		if (!range || at + done < at)
			return error_create_fault(at + done, "nothing at 0x%llx",
						  (unsigned long long)(at + done));
		size_t offset = (size_t)(at + done - range->at);
		size_t piece = range->bytes - offset;
		if (piece > bytes - done)
			piece = bytes - done;
		memcpy((char *)into + done, range->from + offset, piece);
		done += piece;
	}
	return NULL;
}

static struct error *fake_read(struct mem_source *source, addr_t at, void *into, size_t bytes)
{
	struct fake_source *fake = fake_of(source);
	struct error *error = fake_count(fake);

	if (error && error->code == ERROR_FAULT) {
		error_destroy(error);
		return error_create_fault(at, "the test made this read fail");
	}
	return error ? error : fake_copy(fake, at, into, bytes);
}

static struct error *fake_gather(struct mem_source *source, struct mem_span *spans, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct error *error = fake_read(source, spans[i].at, spans[i].into, spans[i].bytes);

		spans[i].ok = !error;
		if (error && error->code != ERROR_FAULT)
			return error;
		error_destroy(error);
	}
	return NULL;
}

static struct error *fake_maps(struct mem_source *source, struct maps *ret)
{
	struct fake_source *fake = fake_of(source);
	const char *text = fake->maps_text ? fake->maps_text : "";

	return maps_parse(text, strlen(text), ret);
}

static bool fake_page_is_resident(const struct fake_source *fake, addr_t page)
{
	for (size_t i = 0; i < fake->range_count; i++)
		if (fake->ranges[i].at < page + FAKE_PAGE_BYTES &&
		    page < fake->ranges[i].at + fake->ranges[i].bytes)
			return true;
	return false;
}

static struct error *fake_resident(struct mem_source *source, addr_t start, addr_t end,
				   addr_t *ret_start, addr_t *ret_end)
{
	struct fake_source *fake = fake_of(source);
	struct error *error = fake_count(fake);
	addr_t page = start - start % FAKE_PAGE_BYTES;

	if (error)
		return error;
	while (page < end && !fake_page_is_resident(fake, page))
		page += FAKE_PAGE_BYTES;
	*ret_start = page < start ? start : page < end ? page : end;
	while (page < end && fake_page_is_resident(fake, page))
		page += FAKE_PAGE_BYTES;
	*ret_end = page < end ? page : end;
	return NULL;
}

static const void *fake_view(struct mem_source *source, addr_t at, size_t bytes)
{
	const struct fake_range *range = fake_find(fake_of(source), at);

	if (!range || bytes > range->bytes - (at - range->at))
		return NULL;
	return range->from + (at - range->at);
}

static struct error *fake_check(struct mem_source *source)
{
	if (!fake_of(source)->is_another)
		return NULL;
	return error_create(ERROR_GONE, "the test made it another");
}

static void fake_destroy(struct mem_source *source)
{
	struct fake_source *fake = fake_of(source);

	pthread_mutex_destroy(&fake->lock);
	free(fake->ranges);
	free(fake->maps_text);
	free(fake);
}

static const struct mem_source_ops fake_ops = {
	.read = fake_read,
	.gather = fake_gather,
	.maps = fake_maps,
	.resident = fake_resident,
	.check = fake_check,
	.destroy = fake_destroy,
};

static const struct mem_source_ops fake_view_ops = {
	.read = fake_read,
	.gather = fake_gather,
	.maps = fake_maps,
	.resident = fake_resident,
	.view = fake_view,
	.check = fake_check,
	.destroy = fake_destroy,
};

struct fake_source *fake_source_create(void)
{
	struct fake_source *fake = calloc(1, sizeof(*fake));

	if (!fake)
		abort();
	fake->source.ops = &fake_ops;
	pthread_mutex_init(&fake->lock, NULL);
	return fake;
}

void fake_source_destroy(struct fake_source *fake)
{
	if (fake)
		fake_destroy(&fake->source);
}

struct mem_source *fake_source_source(struct fake_source *fake)
{
	return &fake->source;
}

void fake_source_add(struct fake_source *fake, addr_t at, const void *from, size_t bytes)
{
	fake->ranges = reallocarray(fake->ranges, fake->range_count + 1, sizeof(*fake->ranges));
	if (!fake->ranges)
		abort();
	fake->ranges[fake->range_count++] =
		(struct fake_range){.at = at, .from = from, .bytes = bytes};
}

void fake_source_remove_all(struct fake_source *fake)
{
	fake->range_count = 0;
}

void fake_source_become_another(struct fake_source *fake)
{
	fake->is_another = true;
}

void fake_source_give_views(struct fake_source *fake)
{
	fake->source.ops = &fake_view_ops;
}

void fake_source_set_maps(struct fake_source *fake, const char *text)
{
	free(fake->maps_text);
	fake->maps_text = strdup(text);
	if (!fake->maps_text)
		abort();
}

void fake_source_fail_nth(struct fake_source *fake, size_t nth, enum error_code code)
{
	pthread_mutex_lock(&fake->lock);
	fake->fail_at = nth ? fake->read_count + nth : 0;
	fake->fail_code = code;
	pthread_mutex_unlock(&fake->lock);
}

size_t fake_source_read_count(const struct fake_source *fake)
{
	return fake->read_count;
}
