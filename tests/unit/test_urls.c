// SPDX-License-Identifier: GPL-3.0-or-later
// Lists of URLs in files.
#include "ui/load/urls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/scratch.h"

static struct scratch *scratch;
static const char *path;
static struct urls urls;

static int given_a_directory(void **state)
{
	scratch = scratch_create();
	path = scratch_path(scratch, "urls");
	return 0;
}

static int end(void **state)
{
	urls_deinit(&urls);
	scratch_destroy(scratch);
	return 0;
}

static void given(const char *text, size_t bytes)
{
	scratch_write(scratch, "urls", text, bytes);
	urls_deinit(&urls);
}

static void then_read(const char *text, const char *expected)
{
	char all[200] = "";

	given(text, strlen(text));
	assert_null(urls_read(path, &urls));
	for (size_t i = 0; i < urls.count; i++) {
		strcat(all, i ? " " : "");
		strcat(all, urls.list[i]);
	}
	assert_string_equal(all, expected);
}

static void then_refused(const char *why)
{
	_cleanup_error_ struct error *error = urls_read(path, &urls);

	if (!error)
		fail_msg("%zu URLs are read where: %s", urls.count, why);
	assert_int_equal(error->code, ERROR_FAILED);
	assert_non_null(strstr(error->message, path));
	if (!strstr(error->message, why))
		fail_msg("no \"%s\" in: %s", why, error->message);
}

static void blanks_and_comments_are_no_urls(void **state)
{
	then_read("http://a/\n", "http://a/");
	then_read("http://a/", "http://a/");
	then_read("\n\n# one\n  \t\n  http://a/  \n\t#two\nhttp://b/#three\n",
		  "http://a/ http://b/#three");
	then_read("http://a/\r\n\r\n#x\r\nhttp://b/\r\n", "http://a/ http://b/");
}

static void the_same_url_may_be_there_twice(void **state)
{
	then_read("/a\n/a\n", "/a /a");
}

static void a_file_without_urls_is_refused(void **state)
{
	given("", 0);
	then_refused("has no URL in it");
	given("# nothing\n\n", 11);
	then_refused("has no URL in it");
	path = scratch_path(scratch, "nowhere");
	then_refused("cannot read");
	path = scratch_directory(scratch);
	then_refused("cannot read");
}

static void the_longest_url_is_read_and_a_longer_one_refused(void **state)
{
	char line[URL_BYTES_MAX + 10];

	memset(line, 'a', sizeof(line));
	given(line, URL_BYTES_MAX);
	assert_null(urls_read(path, &urls));
	assert_int_equal(strlen(urls.list[0]), URL_BYTES_MAX);
	line[URL_BYTES_MAX] = '\n';
	given(line, URL_BYTES_MAX + 1);
	assert_null(urls_read(path, &urls));
	assert_int_equal(strlen(urls.list[0]), URL_BYTES_MAX);
	memset(line, 'a', sizeof(line));
	given(line, URL_BYTES_MAX + 1);
	then_refused("more than 4000 bytes");
	given(line, sizeof(line));
	then_refused("more than 4000 bytes");
}

static void more_than_ten_thousand_are_refused(void **state)
{
	scratch_run(scratch, "yes /page | head -n %d >$S/urls", URLS_MAX);
	assert_null(urls_read(path, &urls));
	assert_int_equal(urls.count, URLS_MAX);
	urls_deinit(&urls);
	scratch_run(scratch, "echo /page >>$S/urls");
	then_refused("more than 10000 URLs");
}

// What a line of text cannot have would end it early, and the rest be another URL.
static void a_file_that_is_no_text_is_refused(void **state)
{
	given("http://a/\0b\nhttp://c/\n", 22);
	then_refused("is no text");
	given("\0\0\0\0", 4);
	then_refused("is no text");
	scratch_run(scratch, "head -c 100000 /dev/zero >$S/urls");
	then_refused("is no text");
}

static void a_page_is_the_path_of_its_url(void **state)
{
	static const struct {
		const char *url, *page;
	} pages[] = {
		{"http://a/", "/"},      {"http://a:80/shop/cart?id=1#x", "/shop/cart?id=1#x"},
		{"http://a", "/"},       {"https://a?to=/b", "/"},
		{"http://a#/b", "/"},    {"/shop?to=http://b/c", "/shop?to=http://b/c"},
		{"shop", "shop"},        {"://a/b", "://a/b"},
		{"git+ssh://a/b", "/b"}, {"", ""},
	};

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		assert_string_equal(url_page_id(pages[i].url), pages[i].page);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, given_a_directory, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(blanks_and_comments_are_no_urls),
		TEST(the_same_url_may_be_there_twice),
		TEST(a_file_without_urls_is_refused),
		TEST(the_longest_url_is_read_and_a_longer_one_refused),
		TEST(more_than_ten_thousand_are_refused),
		TEST(a_file_that_is_no_text_is_refused),
		TEST(a_page_is_the_path_of_its_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
