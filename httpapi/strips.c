/* strips.c - events that were made once, for all who follow (see strips.h). */
#include "httpapi/strips.h"

#include <pthread.h>

/* A strip is a block of what is sent, so that a round of followers uses up one. There are
 * as many as it takes for those who came some rounds later than the first. */
#define STRIP_BYTES 16384
#define STRIP_EVENTS 256 /* the shortest event takes 80 bytes */
#define STRIPS_MAX 32
#define FOLLOWERS_PER_STRIP 8

/* Where an event begins: in the output and in the text. */
struct mark {
	int64_t offset;
	size_t at;
};

struct strip {
	enum output_stream stream;
	uint64_t used;			    /* when it was last of use */
	size_t count;			    /* events */
	struct mark mark[STRIP_EVENTS + 1]; /* of each, and the end of the last */
	char text[STRIP_BYTES];
};

struct strips {
	pthread_mutex_t lock;
	uint64_t now; /* counts uses */
	size_t room;  /* so many there may be */
	size_t count;
	struct strip *strip[STRIPS_MAX];
};

struct strips *strips_open(void)
{
	struct strips *strips = mem_alloc(sizeof(*strips));
	pthread_mutex_init(&strips->lock, NULL);
	return strips;
}

void strips_close(struct strips *strips)
{
	if (!strips)
		return;
	strips_suit(strips, 0);
	pthread_mutex_destroy(&strips->lock);
	free(strips);
}

/* The number of the one that was of no use for longest; there is one. */
static size_t oldest(const struct strips *strips)
{
	size_t found = 0;
	for (size_t i = 1; i < strips->count; i++)
		if (strips->strip[i]->used < strips->strip[found]->used)
			found = i;
	return found;
}

void strips_suit(struct strips *strips, size_t followers)
{
	const size_t room = followers / FOLLOWERS_PER_STRIP;
	pthread_mutex_lock(&strips->lock);
	strips->room = room < STRIPS_MAX ? room : STRIPS_MAX;
	while (strips->count > strips->room) {
		const size_t i = oldest(strips);
		free(strips->strip[i]);
		strips->strip[i] = strips->strip[--strips->count];
	}
	pthread_mutex_unlock(&strips->lock);
}

static int64_t end_of(const struct strip *strip)
{
	return strip->mark[strip->count].offset;
}

static struct strip *find(const struct strips *strips, enum output_stream stream,
			  int64_t offset)
{
	for (size_t i = 0; i < strips->count; i++) {
		struct strip *strip = strips->strip[i];
		if (strip->stream == stream && strip->mark[0].offset <= offset &&
		    offset < end_of(strip))
			return strip;
	}
	return NULL;
}

/* The event that begins at the offset; `count`: none does. */
static size_t event_at(const struct strip *strip, int64_t offset)
{
	size_t low = 0, high = strip->count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (strip->mark[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return strip->mark[low].offset == offset ? low : strip->count;
}

static bool take(struct strip *strip, int64_t *offset, struct buf *out, size_t max)
{
	const size_t first = event_at(strip, *offset), begin = strip->mark[first].at;
	if (first == strip->count || out->length >= max)
		return false;
	size_t behind = first + 1;
	while (behind < strip->count &&
	       strip->mark[behind].at - begin < max - out->length)
		behind++;
	if (buf_append(out, strip->text + begin, strip->mark[behind].at - begin) < 0)
		return false;
	*offset = strip->mark[behind].offset;
	return true;
}

bool strips_take(struct strips *strips, enum output_stream stream, int64_t *offset,
		 struct buf *out, size_t max)
{
	pthread_mutex_lock(&strips->lock);
	struct strip *strip = find(strips, stream, *offset);
	const bool is_taken = strip && take(strip, offset, out, max);
	if (is_taken)
		strip->used = ++strips->now;
	pthread_mutex_unlock(&strips->lock);
	return is_taken;
}

/* One to which so much can be added that begins where it ends; NULL: there is none. */
static struct strip *find_open(const struct strips *strips, enum output_stream stream,
			       int64_t from, size_t bytes)
{
	for (size_t i = 0; i < strips->count; i++) {
		struct strip *strip = strips->strip[i];
		if (strip->stream == stream && end_of(strip) == from &&
		    strip->count < STRIP_EVENTS &&
		    bytes <= STRIP_BYTES - strip->mark[strip->count].at)
			return strip;
	}
	return NULL;
}

static struct strip *begin(struct strips *strips, enum output_stream stream, int64_t from)
{
	struct strip *strip;
	if (strips->count < strips->room)
		strip = strips->strip[strips->count++] = mem_alloc(sizeof(*strip));
	else
		strip = strips->strip[oldest(strips)];
	strip->stream = stream;
	strip->count = 0;
	strip->mark[0] = (struct mark){.offset = from};
	return strip;
}

void strips_keep(struct strips *strips, enum output_stream stream, int64_t from,
		 int64_t to, const char *text, size_t bytes)
{
	if (bytes > STRIP_BYTES)
		return;
	pthread_mutex_lock(&strips->lock);
	/* Somebody else may have made the same meanwhile. */
	if (strips->room > 0 && !find(strips, stream, from)) {
		struct strip *strip = find_open(strips, stream, from, bytes);
		if (!strip)
			strip = begin(strips, stream, from);
		const size_t at = strip->mark[strip->count].at;
		memcpy(strip->text + at, text, bytes);
		strip->mark[++strip->count] =
			(struct mark){.offset = to, .at = at + bytes};
		strip->used = ++strips->now;
	}
	pthread_mutex_unlock(&strips->lock);
}
