/* output_packed.c - reading a compressed output at any place (see seekable.h).
 *
 * Of the seek table some marks are kept, the same number for any length; the entries
 * between two of them are read when they are needed. The frame read last stays decoded.
 * Everything that the file says is checked before it is believed, and each frame has a
 * checksum of its content: a damaged file is an error that says where. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "queue/output.h"
#include "queue/seekable.h"

#define MARKS_MAX 512
#define ENTRIES_AT_ONCE 256

struct mark {
	int64_t packed_at, plain_at;
};

struct packed {
	int fd;
	int64_t frames, stride; /* mark i is of frame i * stride */
	int64_t table_at;	/* of the first entry in the file */
	int64_t entry_bytes;
	int64_t plain_bytes;
	struct mark mark[MARKS_MAX];
	int64_t frame;	  /* that is decoded; -1: none */
	int64_t frame_at; /* its place in the output */
	size_t frame_bytes;
	char *data; /* SEEKABLE_PLAIN_BYTES */
};

/* A frame, as the table has it. */
struct entry {
	int64_t number;
	struct mark at;
	int64_t packed_bytes, plain_bytes;
};

static int table_damaged(struct err *err, const char *what)
{
	return err_set(err, ERR_INTERNAL,
		       "the seek table of this compressed output is damaged: %s", what);
}

static int read_at(const struct packed *packed, int64_t offset, void *data, size_t bytes,
		   const char *what, struct err *err)
{
	size_t done = 0;
	while (done < bytes) {
		const ssize_t got = sys.pread(packed->fd, (char *)data + done,
					      bytes - done, offset + (int64_t)done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(err, ERR_INTERNAL, errno,
				       "reading %s of a compressed output", what);
		if (got == 0)
			return err_set(err, ERR_INTERNAL,
				       "%s of this compressed output is cut off", what);
		done += (size_t)got;
	}
	return 0;
}

/* --- the table --- */

/* Walks over `count` entries from `entry->number` on, until one has `plain_at`; then
 * *entry is that one. Marks what it passes if `mark` is not NULL. 1, 0 it was none of
 * them (*entry is what follows), -1. */
static int table_walk(const struct packed *packed, struct entry *entry, int64_t count,
		      int64_t plain_at, struct mark *mark, struct err *err)
{
	uint8_t data[ENTRIES_AT_ONCE * (SEEKABLE_ENTRY_BYTES + SEEKABLE_CHECKSUM_BYTES)] =
		{0};
	for (int64_t i = 0; i < count; i++) {
		const int64_t slot = i % ENTRIES_AT_ONCE;
		const int64_t left = count - i;
		const int64_t now = left < ENTRIES_AT_ONCE ? left : ENTRIES_AT_ONCE;
		if (slot == 0 &&
		    read_at(packed,
			    packed->table_at + entry->number * packed->entry_bytes, data,
			    (size_t)(now * packed->entry_bytes), "the seek table",
			    err) != 0)
			return -1;
		const uint8_t *raw = data + slot * packed->entry_bytes;
		entry->packed_bytes = seekable_get(raw);
		entry->plain_bytes = seekable_get(raw + 4);
		if (entry->plain_bytes > (int64_t)SEEKABLE_PLAIN_BYTES ||
		    entry->packed_bytes >
			    (int64_t)ZSTD_compressBound(SEEKABLE_PLAIN_BYTES))
			return table_damaged(err, "a frame would be too large");
		if (mark != NULL && entry->number % packed->stride == 0)
			mark[entry->number / packed->stride] = entry->at;
		if (plain_at >= entry->at.plain_at &&
		    plain_at < entry->at.plain_at + entry->plain_bytes)
			return 1;
		entry->at.packed_at += entry->packed_bytes;
		entry->at.plain_at += entry->plain_bytes;
		entry->number++;
	}
	return 0;
}

static int footer_read(struct packed *packed, int64_t file_bytes, struct err *err)
{
	uint8_t footer[SEEKABLE_FOOTER_BYTES], header[SEEKABLE_HEADER_BYTES];
	if (file_bytes < SEEKABLE_HEADER_BYTES + SEEKABLE_FOOTER_BYTES)
		return table_damaged(err, "the file is too short");
	if (read_at(packed, file_bytes - SEEKABLE_FOOTER_BYTES, footer, sizeof footer,
		    "the seek table", err) != 0)
		return -1;
	if (seekable_get(footer + 5) != SEEKABLE_FOOTER_MAGIC ||
	    (footer[4] & SEEKABLE_RESERVED) != 0)
		return table_damaged(err, "its end is not one");
	packed->frames = seekable_get(footer);
	packed->entry_bytes = SEEKABLE_ENTRY_BYTES;
	if (footer[4] & SEEKABLE_HAS_CHECKSUMS)
		packed->entry_bytes += SEEKABLE_CHECKSUM_BYTES;
	const int64_t entries = packed->frames * packed->entry_bytes;
	const int64_t begin =
		file_bytes - SEEKABLE_FOOTER_BYTES - entries - SEEKABLE_HEADER_BYTES;
	if (packed->frames > SEEKABLE_FRAMES_MAX || begin < 0)
		return table_damaged(err, "it is longer than the file");
	packed->table_at = begin + SEEKABLE_HEADER_BYTES;
	if (read_at(packed, begin, header, sizeof header, "the seek table", err) != 0)
		return -1;
	if (seekable_get(header) != SEEKABLE_HEADER_MAGIC ||
	    seekable_get(header + 4) != entries + SEEKABLE_FOOTER_BYTES)
		return table_damaged(err, "its begin is not one");
	return 0;
}

/* Sums up the whole table, keeping marks. */
static int marks_make(struct packed *packed, int64_t bytes, struct err *err)
{
	struct entry entry = {.number = 0};
	packed->stride = (packed->frames + MARKS_MAX - 1) / MARKS_MAX;
	if (table_walk(packed, &entry, packed->frames, -1, packed->mark, err) != 0)
		return -1;
	if (entry.at.packed_at != packed->table_at - SEEKABLE_HEADER_BYTES)
		return table_damaged(err, "its frames are not all of the file");
	if (entry.at.plain_at != bytes)
		return err_set(err, ERR_INTERNAL,
			       "the compressed output has %lld bytes instead of %lld",
			       (long long)entry.at.plain_at, (long long)bytes);
	packed->plain_bytes = bytes;
	return 0;
}

int packed_open(int fd, int64_t bytes, struct packed **ret, struct err *err)
{
	struct stat st;
	struct packed *packed = mem_alloc(sizeof *packed);
	packed->fd = fd;
	packed->frame = -1;
	int result = 0;
	if (fstat(fd, &st) != 0)
		result = err_sys(err, ERR_INTERNAL, errno, "measuring an output");
	if (result == 0)
		result = footer_read(packed, st.st_size, err);
	if (result == 0)
		result = marks_make(packed, bytes, err);
	if (result == 0)
		*ret = packed;
	else
		packed_close(packed);
	return result;
}

void packed_close(struct packed *packed)
{
	if (packed == NULL)
		return;
	(void)close(packed->fd);
	free(packed->data);
	free(packed);
}

int64_t packed_size(const struct packed *packed)
{
	return packed->plain_bytes;
}

/* --- frames --- */

/* The entry of the frame that has this byte, which there is. */
static int entry_find(const struct packed *packed, int64_t plain_at, struct entry *ret,
		      struct err *err)
{
	int64_t low = 0, high = (packed->frames + packed->stride - 1) / packed->stride;
	while (high - low > 1) {
		const int64_t middle = low + (high - low) / 2;
		if (packed->mark[middle].plain_at <= plain_at)
			low = middle;
		else
			high = middle;
	}
	*ret = (struct entry){.number = low * packed->stride, .at = packed->mark[low]};
	const int64_t left = packed->frames - ret->number;
	const int found =
		table_walk(packed, ret, left < packed->stride ? left : packed->stride,
			   plain_at, NULL, err);
	return found == 0 ? table_damaged(err, "it has changed") : found < 0 ? -1 : 0;
}

static int frame_decode(struct packed *packed, const struct entry *entry, struct err *err)
{
	AUTO_FREE char *raw = mem_alloc((size_t)entry->packed_bytes + 1);
	packed->frame = -1;
	if (packed->data == NULL)
		packed->data = mem_alloc(SEEKABLE_PLAIN_BYTES);
	if (read_at(packed, entry->at.packed_at, raw, (size_t)entry->packed_bytes,
		    "a frame", err) != 0)
		return -1;
	const size_t got = ZSTD_decompress(packed->data, SEEKABLE_PLAIN_BYTES, raw,
					   (size_t)entry->packed_bytes);
	if (ZSTD_isError(got) || (int64_t)got != entry->plain_bytes)
		return err_set(err, ERR_INTERNAL,
			       "frame %lld of this compressed output, bytes %lld to "
			       "%lld, is damaged: %s",
			       (long long)entry->number, (long long)entry->at.plain_at,
			       (long long)(entry->at.plain_at + entry->plain_bytes - 1),
			       ZSTD_isError(got) ? ZSTD_getErrorName(got)
						 : "it has another length");
	packed->frame = entry->number;
	packed->frame_at = entry->at.plain_at;
	packed->frame_bytes = got;
	return 0;
}

static bool frame_has(const struct packed *packed, int64_t offset)
{
	return packed->frame >= 0 && offset >= packed->frame_at &&
	       offset < packed->frame_at + (int64_t)packed->frame_bytes;
}

ssize_t packed_read(struct packed *packed, int64_t offset, void *data, size_t bytes,
		    struct err *err)
{
	size_t done = 0;
	while (done < bytes && offset + (int64_t)done < packed->plain_bytes) {
		const int64_t at = offset + (int64_t)done;
		struct entry entry;
		if (!frame_has(packed, at) && (entry_find(packed, at, &entry, err) != 0 ||
					       frame_decode(packed, &entry, err) != 0))
			return -1;
		const size_t skip = (size_t)(at - packed->frame_at);
		const size_t left = packed->frame_bytes - skip;
		const size_t taken = bytes - done < left ? bytes - done : left;
		memcpy((char *)data + done, packed->data + skip, taken);
		done += taken;
	}
	return (ssize_t)done;
}
