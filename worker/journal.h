/* journal.h - the attempt journal: the lock and the facts of one execution, in one file.
 *
 * `attempts/<key>` is made by the worker after the claim is committed and written by the
 * shim, which holds its flock(2) for as long as the attempt lives. Text lines, each ended
 * by " crc=<8 hex>" and a newline, each appended with one write(2):
 *
 *     started of=<key> shim=<pid> shim_started=<ticks> boot=<boot id> cgroup=<path or ->
 *     process of=<key> pid=<pid> started=<ticks> at=<us>
 *     ended of=<key> started_at=... exit=... signal=... stop=... sha256=... error=...
 *
 * `of` is there because a file may have been another attempt's before (spare.h): after a
 * power loss its old lines may be back. Lines of two attempts are never taken together.
 * `started` stands there before the job's process is made: from that line on it may have
 * run. `process` comes once it is known to be running for a while. `ended` is the exit
 * record, and with it the attempt is over. On one boot the page cache is evidence enough,
 * so nothing here is ever synced; after a reboot a missing record means `lost`. */
#ifndef REEVE_WORKER_JOURNAL_H
#define REEVE_WORKER_JOURNAL_H

#include "queue/queue.h"

/* A whole journal is far smaller; what is longer than this is none of ours. */
#define JOURNAL_BYTES_MAX 16384
#define JOURNAL_CGROUP_BYTES 512

/* What the lines of one journal say together. Lines that are torn, unknown or have the
 * wrong checksum count as never written. */
struct journal {
	bool has_started, has_process, has_ended;
	char key[ATTEMPT_KEY_BYTES]; /* of the attempt; "": the lines do not say */
	pid_t shim_pid;
	int64_t shim_started; /* clock ticks since boot */
	char boot_id[CLOCK_BOOT_ID_BYTES];
	char cgroup[JOURNAL_CGROUP_BYTES]; /* absolute; "": none */
	pid_t pid; /* of the job's main process; also its session */
	int64_t pid_started;
	int64_t started_at;
	struct attempt_end end; /* without content, frames and path */
};

/* Reads the lines of a journal. Never fails: what cannot be read is not there. */
void journal_parse(const char *text, size_t bytes, struct journal *ret);

/* Each writes one whole line, with its checksum, from the fields that it names. */
void journal_put_started(struct buf *ret, const struct journal *facts);
void journal_put_process(struct buf *ret, const struct journal *facts);
void journal_put_ended(struct buf *ret, const char *key, const struct attempt_end *end);

/* Appends a line to the open journal: all of it or, on a full disk, nothing. 0, or -1
 * with errno. */
int journal_append(int fd, const struct buf *line);

/* Reads an open journal from its beginning. -1 with errno when it cannot be read, which
 * says nothing about what is in it. */
int journal_read(int fd, struct journal *ret);

#endif
