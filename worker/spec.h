/* spec.h - what a worker tells a shim, and what the shim answers.
 *
 * One message each way is one datagram of a Unix SOCK_SEQPACKET pair, so there are no
 * half-received messages to keep. A spec longer than SPEC_INLINE_BYTES travels as a memfd
 * beside a short header, as does the job's standard input: sending never blocks, not even
 * on a shim that was stopped. Worker and shim of a pair come from the same build, so the
 * numbers are in the machine's own order; the magic refuses anything else. */
#ifndef REEVE_WORKER_SPEC_H
#define REEVE_WORKER_SPEC_H

#include "queue/queue.h"

#define SPEC_BYTES_MAX ((size_t)8 << 20)
#define SPEC_INLINE_BYTES ((size_t)32 << 10)
#define SPEC_ROOM_BYTES (SPEC_INLINE_BYTES + 64) /* of a message with its header */

/* All that running one attempt needs. */
struct spec {
	char job_id[JOB_ID_BYTES];
	int number;
	int64_t timeout_us; /* 0: none */
	int64_t kill_grace_us;
	int64_t output_bytes_max;
	int64_t output_fold_bytes; /* larger outputs are synced before the end is recorded
				    */
	enum output_policy output_policy;
	char *working_directory;
	char *cgroup;	    /* of the shim; "": none */
	char **argv;	    /* NULL-terminated, [0] is "<root>/<rest>" */
	char **environment; /* NULL-terminated "NAME=value" */
	struct exec_roots roots;
	void *storage; /* what the texts of a decoded spec lie in */
};

/* The 32-bit mark of an attempt, sent along with each stop so that one meant for an
 * earlier attempt of the same shim does nothing. FNV-1a of the attempt's key. */
uint32_t spec_tag(const char *key);

/* Appends the bytes of the spec. -1: it does not fit. */
int spec_encode(const struct spec *spec, struct buf *ret);

/* Reads them back. Everything that `ret` points to lies in memory of its own, which
 * spec_release frees. -1 with ERR_INVALID when they are not a spec. */
int spec_decode(const void *data, size_t bytes, struct spec *ret, struct err *err);
void spec_release(struct spec *spec);

/* Signals by which a worker asks the shim for a stop; si_value is the spec_tag. */
#define STOP_SIGNAL SIGRTMIN		 /* TERM, grace, KILL */
#define STOP_SIGNAL_FORCE (SIGRTMIN + 1) /* KILL */

/* What a shim reports. All are hints: the journal is the truth. */
enum notice_kind {
	NOTICE_STARTED = 1, /* the process is there: pid, pid_started, at_us */
	NOTICE_STOPPING,    /* the shim began a stop by itself: reason */
	NOTICE_ENDED,	    /* the record is in the journal; the shim is free */
	NOTICE_REFUSED, /* the attempt was revoked or is another's; the shim is free */
};
struct notice {
	uint32_t kind;
	uint32_t tag;
	uint32_t reason; /* enum stop_reason */
	int32_t pid;
	int64_t pid_started;
	int64_t at_us;
};

/* Sends without waiting. `stdin_fd` -1: /dev/null. ERR_UNAVAILABLE: the shim is gone or
 * its socket is full. */
int spec_send(int socket, const struct spec *spec, int stdin_fd, struct err *err);

/* Waits for the next one; `room` is SPEC_ROOM_BYTES to work in, free again afterwards. 1
 * with `ret` and `ret_stdin_fd` (-1: none) that the caller releases and closes, 0 when
 * the worker is gone, -1. */
int spec_receive(int socket, char *room, struct spec *ret, int *ret_stdin_fd,
		 struct err *err);

/* Without waiting. Send: 0 or -1 (nobody listens). Receive: 1, 0 nothing there, -1 the
 * other side is gone. */
int notice_send(int socket, const struct notice *notice);
int notice_receive(int socket, struct notice *ret);

/* A sealed, read-only file in memory with this content, at offset 0. -1 with errno. */
int memfd_of(const char *name, const void *data, size_t bytes);

#endif
