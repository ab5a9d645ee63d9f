/* output_search.c - the lines of an output in which something stands.
 *
 * A block at a time; what is looked for may lie across two, so each begins with the last
 * bytes of the one before, as far as they are of the same line. Newlines are counted on
 * the way. The place is always one from which the search can go on as if it had never
 * stopped. */
#include "queue/output.h"

#define BLOCK_BYTES ((size_t)64 * 1024)

/* The block at hand, and what is to be found in it. */
struct scan {
	struct search *search;
	const char *needle; /* folded when case does not matter */
	char *data;
	size_t bytes;
	size_t at; /* the place within the block */
};

static void fold(char *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (data[i] >= 'A' && data[i] <= 'Z')
			data[i] = (char)(data[i] + ('a' - 'A'));
}

/* Passes the bytes before `to`, counting the lines that end among them. */
static void pass(struct scan *scan, size_t to)
{
	struct search_place *place = &scan->search->place;
	const char *from = scan->data + scan->at, *const end = scan->data + to;
	const char *newline;
	const int64_t begin = place->offset - (int64_t)scan->at;
	while (from < end &&
	       (newline = memchr(from, '\n', (size_t)(end - from))) != NULL) {
		from = newline + 1;
		place->lines++;
		place->line_at = begin + (from - scan->data);
		place->is_line_found = 0;
	}
	place->offset = begin + (int64_t)to;
	scan->at = to;
}

/* Goes to the next line with the needle. 1 found, at the place; 0 not in this block, of
 * which all was passed in which it cannot begin. */
static int find(struct scan *scan)
{
	const struct search *search = scan->search;
	if (search->place.is_line_found) {
		const char *rest = scan->data + scan->at;
		const char *newline = memchr(rest, '\n', scan->bytes - scan->at);
		pass(scan,
		     newline != NULL ? (size_t)(newline - scan->data) + 1 : scan->bytes);
		if (newline == NULL)
			return 0;
	}
	const char *found = memmem(scan->data + scan->at, scan->bytes - scan->at,
				   scan->needle, search->needle_bytes);
	if (found != NULL) {
		pass(scan, (size_t)(found - scan->data));
		return 1;
	}
	const size_t kept = search->needle_bytes - 1;
	if (scan->bytes > scan->at + kept)
		pass(scan, scan->bytes - kept);
	return 0;
}

static void hit_fill(struct output *output, const struct search *search,
		     struct search_hit *ret)
{
	struct output_source source;
	const struct search_place *place = &search->place;
	*ret = (struct search_hit){.line = place->lines + 1,
				   .offset = place->line_at,
				   .found_at = place->offset};
	if (output_source(output, search->stream, place->line_at, &source, NULL) == 1) {
		ret->at_us = source.at_us;
		ret->stream = source.stream;
	}
}

/* One block. 1 it was looked at, 0 there are more hits than wanted. */
static int block_search(struct output *output, struct scan *scan, struct search_hit *ret,
			size_t max, size_t *count)
{
	while (find(scan) == 1) {
		if (*count == max)
			return 0;
		hit_fill(output, scan->search, &ret[(*count)++]);
		scan->search->place.is_line_found = 1;
	}
	return 1;
}

static int search_check(const struct search *search, int64_t size, struct err *err)
{
	const struct search_place *place = &search->place;
	if (search->needle_bytes == 0 || search->needle_bytes > SEARCH_NEEDLE_MAX)
		return err_set(err, ERR_INVALID, "what is searched for has 1 to %d bytes",
			       SEARCH_NEEDLE_MAX);
	if (memchr(search->needle, '\n', search->needle_bytes) != NULL)
		return err_set(err, ERR_INVALID,
			       "what is searched for stands in one line: it has no "
			       "newline");
	if (place->offset < place->line_at || place->line_at < place->lines ||
	    place->lines < 0 || place->offset > size)
		return err_set(err, ERR_INVALID, "the search was not here before");
	return 0;
}

/* From the place on, what there is below `size`. */
static int block_load(struct output *output, struct scan *scan, int64_t size,
		      struct err *err)
{
	const struct search *search = scan->search;
	const int64_t left = size - search->place.offset;
	if (left <= 0)
		return 0;
	scan->bytes = left < (int64_t)BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
	const ssize_t got = output_read(output, search->stream, search->place.offset,
					scan->data, scan->bytes, err);
	if (got < 0)
		return -1;
	if ((size_t)got < scan->bytes)
		return err_set(err, ERR_INTERNAL, "an output has become shorter");
	if (search->ignores_case)
		fold(scan->data, scan->bytes);
	return 0;
}

int output_search(struct output *output, struct search *search, int64_t bytes,
		  struct search_hit *ret, size_t max, size_t *ret_count, struct err *err)
{
	char needle[SEARCH_NEEDLE_MAX];
	int64_t size, left = bytes;
	bool is_over = false;
	size_t count = 0;
	if (output_size(output, search->stream, &size, err) != 0 ||
	    search_check(search, size, err) != 0)
		return -1;
	AUTO_FREE char *data = mem_alloc(BLOCK_BYTES);
	memcpy(needle, search->needle, search->needle_bytes);
	if (search->ignores_case)
		fold(needle, search->needle_bytes);
	while (!is_over && count < max && left > 0) {
		const int64_t at = search->place.offset, looks = output->looks;
		struct scan scan = {.search = search, .needle = needle, .data = data};
		if (block_load(output, &scan, size, err) != 0)
			return -1;
		const int is_done = block_search(output, &scan, ret, max, &count);
		is_over = is_done && at + (int64_t)scan.bytes >= size;
		left -= search->place.offset - at + (output->looks - looks) * LOOK_BYTES;
	}
	*ret_count = count;
	return !is_over;
}

/* --- showing a line --- */

/* Where to begin so that the place is seen: with the line if that is near enough, else
 * with as much before the needle as after it. */
static int64_t window_begin(const struct search *search, const struct search_hit *hit)
{
	const int64_t needle_end = hit->found_at + (int64_t)search->needle_bytes;
	if (needle_end <= hit->offset + SEARCH_TEXT_BYTES)
		return hit->offset;
	return hit->found_at - (SEARCH_TEXT_BYTES - (int64_t)search->needle_bytes) / 2;
}

int output_search_text(struct output *output, const struct search *search,
		       const struct search_hit *hit, struct search_text *ret,
		       struct err *err)
{
	char next;
	const int64_t begin = window_begin(search, hit);
	const ssize_t got = output_read(output, search->stream, begin, ret->data,
					sizeof ret->data, err);
	if (got < 0)
		return -1;
	const char *newline = memchr(ret->data, '\n', (size_t)got);
	ret->offset = begin;
	ret->bytes = newline != NULL ? (size_t)(newline - ret->data) : (size_t)got;
	ret->is_cut = begin > hit->offset;
	if (newline != NULL || (size_t)got < sizeof ret->data)
		return 0;
	const ssize_t after =
		output_read(output, search->stream, begin + got, &next, 1, err);
	if (after < 0)
		return -1;
	ret->is_cut = ret->is_cut || (after == 1 && next != '\n');
	return 0;
}
