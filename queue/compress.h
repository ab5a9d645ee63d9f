/* compress.h - keeping large finished outputs compressed, a little at a time.
 *
 * A run walks over the outputs that were left in files, the smallest first, and puts
 * those of at least so many bytes into files of independent Zstandard frames with a seek
 * table (`<uuid>-<n>.log.zst`), of which any range is read about as fast as before. The
 * new file is whole and synced before the row names it, and the old one goes after that;
 * a death in between leaves a file that the next run or the sweep removes. Whoever has
 * the old file open reads on in it. An output that would hardly become smaller, or whose
 * bytes are not those that were hashed, stays as it is and is not looked at again. */
#ifndef REEVE_QUEUE_COMPRESS_H
#define REEVE_QUEUE_COMPRESS_H

#include <stdint.h>

#include "common/common.h"

struct queue;
struct compression;

struct compression_report {
	int64_t outputs;     /* that are compressed now */
	int64_t plain_bytes; /* that they had */
	int64_t file_bytes;  /* that they have */
	int64_t kept;	     /* that stay as they are */
	int64_t left;	     /* for another time: no room, or not readable */
};

/* Outputs of at least so many bytes. */
struct compression *compression_open(int64_t least_bytes);

/* Gives up what is under way. */
void compression_close(struct compression *run);

/* One step: finds the next output, compresses one frame of it (some milliseconds), or
 * finishes it, in a transaction of its own. 1 there is more, 0 all were looked at, -1. */
int queue_compression_step(struct queue *queue, struct compression *run, struct err *err);

struct compression_report compression_report(const struct compression *run);

#endif
