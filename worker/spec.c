/* spec.c - the bytes of a spec.
 *
 * A list of fields, each written by one function and read by its twin in the same order.
 * Reading trusts nothing: each length is checked against what is left. */
#include "worker/spec.h"

#include <stdlib.h>

#define SPEC_MAGIC UINT32_C(0x52565331) /* "RVS1" */
#define SPEC_WORDS_MAX UINT32_C(1000000)

uint32_t spec_tag(const char *key)
{
	uint32_t hash = UINT32_C(2166136261);

	for (; *key != '\0'; key++)
		hash = (hash ^ (uint8_t)*key) * UINT32_C(16777619);
	return hash;
}

/* --- writing --- */

static void put_u32(struct buf *out, uint32_t value)
{
	(void)buf_append(out, &value, sizeof(value));
}

static void put_i64(struct buf *out, int64_t value)
{
	(void)buf_append(out, &value, sizeof(value));
}

/* Length, bytes, NUL: the reader points at them where they lie. */
static void put_text(struct buf *out, const char *text)
{
	const size_t length = strlen(text);

	put_u32(out, length < SPEC_BYTES_MAX ? (uint32_t)length : 0);
	if (buf_append(out, text, length + 1) != 0)
		out->is_full = true;
}

static void put_words(struct buf *out, char *const *words)
{
	uint32_t count = 0;

	while (words[count] != NULL)
		count++;
	put_u32(out, count);
	for (uint32_t i = 0; i < count; i++)
		put_text(out, words[i]);
}

int spec_encode(const struct spec *spec, struct buf *ret)
{
	put_u32(ret, SPEC_MAGIC);
	put_text(ret, spec->job_id);
	put_u32(ret, (uint32_t)spec->number);
	put_i64(ret, spec->timeout_us);
	put_i64(ret, spec->kill_grace_us);
	put_i64(ret, spec->output_bytes_max);
	put_i64(ret, spec->output_fold_bytes);
	put_u32(ret, (uint32_t)spec->output_policy);
	put_text(ret, spec->working_directory);
	put_text(ret, spec->cgroup);
	put_words(ret, spec->argv);
	put_words(ret, spec->environment);
	put_u32(ret, (uint32_t)spec->roots.count);
	for (size_t i = 0; i < spec->roots.count; i++) {
		put_u32(ret, spec->roots.item[i].follow_links ? 1 : 0);
		put_text(ret, spec->roots.item[i].path);
	}
	return ret->is_full ? -1 : 0;
}

/* --- reading --- */

/* What is left to read. Once it is bad it stays bad and gives zeros and "". */
struct cursor {
	char *at;
	size_t left;
	bool is_bad;
};

static void take(struct cursor *cursor, void *ret, size_t bytes)
{
	memset(ret, 0, bytes);
	if (cursor->is_bad || cursor->left < bytes) {
		cursor->is_bad = true;
		return;
	}
	memcpy(ret, cursor->at, bytes);
	cursor->at += bytes;
	cursor->left -= bytes;
}

static uint32_t take_u32(struct cursor *cursor)
{
	uint32_t value = 0;

	take(cursor, &value, sizeof(value));
	return value;
}

static int64_t take_i64(struct cursor *cursor)
{
	int64_t value = 0;

	take(cursor, &value, sizeof(value));
	return value;
}

static char *take_text(struct cursor *cursor)
{
	static char nothing[1] = "";
	const size_t length = take_u32(cursor);
	char *text = cursor->at;

	if (cursor->is_bad || cursor->left <= length ||
	    memchr(text, '\0', length + 1) != text + length) {
		cursor->is_bad = true;
		return nothing;
	}
	cursor->at += length + 1;
	cursor->left -= length + 1;
	return text;
}

static uint32_t take_count(struct cursor *cursor)
{
	const uint32_t count = take_u32(cursor);

	/* Each element takes at least five bytes: no count may ask for more memory. */
	if (count > SPEC_WORDS_MAX || count > cursor->left / 5)
		cursor->is_bad = true;
	return cursor->is_bad ? 0 : count;
}

static char **take_words(struct cursor *cursor)
{
	const uint32_t count = take_count(cursor);
	char **words = mem_array((size_t)count + 1, sizeof(*words));

	for (uint32_t i = 0; i < count; i++)
		words[i] = take_text(cursor);
	return words;
}

static void take_roots(struct cursor *cursor, struct exec_roots *ret)
{
	const uint32_t count = take_count(cursor);

	ret->item = mem_array((size_t)count + 1, sizeof(*ret->item));
	ret->count = count;
	for (uint32_t i = 0; i < count; i++) {
		ret->item[i].follow_links = take_u32(cursor) != 0;
		ret->item[i].path = take_text(cursor);
	}
}

int spec_decode(const void *data, size_t bytes, struct spec *ret, struct err *err)
{
	char *copy = bytes > 0 ? mem_strndup(data, bytes) : mem_alloc(1);
	struct cursor cursor = {.at = copy, .left = bytes};
	struct spec spec = {.storage = copy};
	const bool is_ours = take_u32(&cursor) == SPEC_MAGIC;

	snprintf(spec.job_id, sizeof(spec.job_id), "%s", take_text(&cursor));
	spec.number = (int)take_u32(&cursor);
	spec.timeout_us = take_i64(&cursor);
	spec.kill_grace_us = take_i64(&cursor);
	spec.output_bytes_max = take_i64(&cursor);
	spec.output_fold_bytes = take_i64(&cursor);
	spec.output_policy = (enum output_policy)take_u32(&cursor);
	spec.working_directory = take_text(&cursor);
	spec.cgroup = take_text(&cursor);
	spec.argv = take_words(&cursor);
	spec.environment = take_words(&cursor);
	take_roots(&cursor, &spec.roots);
	if (!is_ours || cursor.is_bad || cursor.left != 0 || spec.argv[0] == NULL ||
	    !job_id_is_valid(spec.job_id) || spec.number < 1) {
		spec_release(&spec);
		return err_set(err, ERR_INVALID, "not a spec (%zu bytes)", bytes);
	}
	*ret = spec;
	return 0;
}

void spec_release(struct spec *spec)
{
	free(spec->argv);
	free(spec->environment);
	free(spec->roots.item);
	free(spec->storage);
	memset(spec, 0, sizeof(*spec));
}
