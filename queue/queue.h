/* queue.h - the queue and its history: the only door to the database.
 *
 * Everything durable about jobs goes through here: submitting, claiming, importing how an
 * attempt ended, cancelling, and every question about jobs, attempts, events and outputs.
 * No other folder speaks SQL. All statements are named rows of the .sql files in queue/.
 *
 * Handles: a `struct queue` is one SQLite connection. It is not shared between threads;
 * each thread opens its own. A reader may be used beside any number of others.
 *
 * Writing: functions marked [write] must stand between queue_begin and queue_commit. Many
 * may share one transaction (group commit). queue_begin takes the writers' lock, an
 * flock(2) on `reeve.db.writers`, which closes SQLite's WAL-reset race and keeps two
 * writers fair (see design: measured). A [write] function that returns -1 with a refusal
 * (err_is_refusal: ERR_INVALID, ERR_NOT_FOUND, ERR_CONFLICT, ERR_PRECONDITION,
 * ERR_TOO_LARGE) has changed nothing and the transaction may go on; with any other error
 * the caller must roll back.
 *
 * A commit that fails with an I/O error may still come true after a crash: queue_commit
 * then says ERR_INTERNAL, the outcome is unknown, and the process should exit and start
 * again.
 *
 * Times are microseconds since the epoch; ids are UUIDv7 (RFC 9562) as 36 characters
 * outside and an integer inside, which never leaves this header's structs. */
#ifndef REEVE_QUEUE_H
#define REEVE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/common.h"
#include "queue/callbacks.h"
#include "queue/change.h"
#include "queue/compress.h"
#include "queue/dependencies.h"
#include "queue/events.h"
#include "queue/lanes.h"
#include "queue/list.h"
#include "queue/reading.h"
#include "queue/retention.h"
#include "queue/retry.h"
#include "queue/signals.h"
#include "queue/snapshot.h"
#include "queue/stats.h"

/* --- words --- */

/* One closed list of states; migrations hold the same as rows, and a test compares them.
 */
/* clang-format off */
#define JOB_STATES(X) \
	X(JOB_WAITING,   "waiting",   false) \
	X(JOB_QUEUED,    "queued",    false) \
	X(JOB_RUNNING,   "running",   false) \
	X(JOB_SUCCEEDED, "succeeded", true)  \
	X(JOB_FAILED,    "failed",    true)  \
	X(JOB_CANCELLED, "cancelled", true)  \
	X(JOB_SKIPPED,   "skipped",   true)  \
	X(JOB_LOST,      "lost",      true)
/* clang-format on */

enum job_state {
	JOB_STATE_NONE = 0,
#define JOB_STATE_ENUM_(state, word, is_final) state,
	JOB_STATES(JOB_STATE_ENUM_)
#undef JOB_STATE_ENUM_
		JOB_STATE_COUNT_
};

const char *job_state_word(enum job_state state);
enum job_state job_state_parse(const char *word); /* JOB_STATE_NONE when it is none */
bool job_state_is_final(enum job_state state);

/* May a job move so? The same list as the rows of job_moves. */
bool job_move_is_legal(enum job_state from, enum job_state to);

/* Why an attempt was stopped before it ended by itself. */
enum stop_reason { STOP_NONE = 0, STOP_CANCEL, STOP_TIMEOUT, STOP_OUTPUT_LIMIT };
const char *stop_reason_word(enum stop_reason reason); /* NULL for STOP_NONE */
enum stop_reason stop_reason_parse(const char *word);

enum output_policy { OUTPUT_TRUNCATE = 0, OUTPUT_STOP };

#define JOB_ID_BYTES 37	     /* UUID text and NUL */
#define ATTEMPT_KEY_BYTES 48 /* "<uuid>-<number>" and NUL */

/* Is this the text of a UUID (any case)? */
bool job_id_is_valid(const char *id);

/* --- opening --- */

struct queue;

enum queue_mode {
	QUEUE_READ,  /* never writes; a missing file is an error */
	QUEUE_WRITE, /* creates and migrates when needed */
};

/* Opens `<state_dir>/reeve.db`. Sets and reads back every pragma it relies on; refuses a
 * file of another program (application_id), one newer than this program, and, with
 * QUEUE_WRITE, one of up to 64 MiB that quick_check finds damaged (larger ones are left
 * to `reeve db check`). Closing never checkpoints. Errors: ERR_NOT_FOUND, ERR_CONFLICT
 * (newer or foreign), ERR_INTERNAL (damaged), ERR_OUT_OF_SPACE, ERR_UNAVAILABLE (just
 * being created; another program holds it). */
int queue_open(struct queue **ret, const char *state_dir, enum queue_mode mode,
	       struct err *err);

/* Opens the database file at `path`, whatever its name (a backup), for reading. */
int queue_open_file(struct queue **ret, const char *path, struct err *err);

void queue_close(struct queue *queue);

int queue_begin(struct queue *queue, struct err *err);
int queue_commit(struct queue *queue, struct err *err);
void queue_rollback(struct queue *queue); /* no transaction: nothing happens */

/* Changes whenever another connection has committed (PRAGMA data_version). */
int queue_data_version(struct queue *queue, int64_t *ret, struct err *err);

/* Moves the write-ahead log into the file, if it is at least `wal_bytes` long (0:
 * always). Under the writers' lock; only the worker and offline tools call it. */
int queue_checkpoint(struct queue *queue, int64_t wal_bytes, struct err *err);

/* --- submitting --- */

/* What becomes of a submission whose unique key names a job that its owner has alive. */
enum unique_conflict { UNIQUE_RETURN = 0, UNIQUE_REJECT, UNIQUE_REPLACE };

/* A validated request. Texts are the caller's, may be NULL where the column may be. */
struct submission {
	const char *owner;
	const char *name;
	const char *queue;	       /* NULL: "default" */
	const char *command;	       /* argv as a JSON array of strings, [0] absolute */
	const char *environment;       /* JSON object of strings */
	const char *working_directory; /* absolute */
	const char *labels;	       /* JSON object of strings */
	const char *traceparent;
	const void *stdin_data; /* NULL: /dev/null */
	size_t stdin_bytes;
	int priority;
	int64_t timeout_us;	  /* 0: none */
	int64_t kill_grace_us;	  /* -1: the default */
	int64_t output_bytes_max; /* -1: the default */
	enum output_policy output_policy;
	int64_t run_at;	     /* not before; 0: at once */
	int64_t expires_at;  /* the latest start; 0: none */
	int64_t deadline_us; /* of the whole job with its waits; 0: none */
	int max_attempts;    /* counts the first; 0 means 1 */
	const char *retry;   /* JSON object (retry_format); NULL: no other attempt */
	bool is_held;	     /* waits for a release */
	const char *idempotency_key; /* NULL: none */
	uint8_t body_hash[DIGEST_BYTES];
	const char *task;	     /* NULL: a command of its own; else with it: */
	const char *task_definition; /* JSON; kept once for all jobs with this hash */
	uint8_t task_hash[DIGEST_BYTES];
	const char *parameters;			  /* JSON object */
	const char *success_exit_codes;		  /* JSON array of integers; NULL: [0] */
	const struct dependency_wish *depends_on; /* `depends_count` of them */
	size_t depends_count;
	bool is_any_enough; /* depends_rule any; else all */
	/* the one of depends_on (on success) whose stdout becomes this job's stdin, or
	 * NULL */
	const struct dependency_wish *stdin_from;
	const char *rerun_of;	/* id of the job that it repeats; NULL: none */
	const char *unique_key; /* NULL: none */
	enum unique_conflict unique_conflict;
	bool is_kept;	      /* exempt from retention */
	const char *callback; /* JSON object (callbacks.h); NULL: nobody is told */
};

struct submitted {
	char id[JOB_ID_BYTES];
	int64_t row, submitted_at;
	enum job_state state; /* it was born as */
	const char *reason;   /* why; NULL, or one of ours */
	bool is_existing;     /* unique: this one is alive already, in this state; nothing
				 was written but the idempotency key */
	bool is_replay;	      /* an earlier request with this key made it; nothing was
				 written, and its state is not said */
};

/* What one that has no parents and no unique key would be born as if it were submitted
 * now: its state, reason and submitted_at; there is no id. */
void queue_birth(const struct submission *submission, struct submitted *ret);

/* [write] Stores one job with its event: queued; waiting (for a person, then for its
 * parents, then for its time); or skipped, when its parents have made it impossible. With
 * an idempotency key of this owner that was used before: the same body_hash gives that
 * job, another one ERR_INVALID. ERR_INVALID also when a parent is not there, and for what
 * the table refuses (the definition of its task may be kept all the same). ERR_CONFLICT:
 * its unique key names a living job that it may not replace; the text names its id, and
 * so does ret->id. */
int queue_submit(struct queue *queue, const struct submission *submission,
		 struct submitted *ret, struct err *err);

/* [write] Forgets idempotency keys older than `keep_us`, at most `limit`. Returns the
 * count. */
int queue_idempotency_expire(struct queue *queue, int64_t keep_us, int limit,
			     struct err *err);

/* --- asking --- */

/* Whose jobs the asker sees. Applied in SQL: another owner's job is simply not there. */
struct viewer {
	const char *principal;
	bool sees_all;
};

/* One job, with its last attempt. Texts are owned by the struct; NULL where the column
 * is. */
struct job {
	char id[JOB_ID_BYTES];
	int64_t row; /* inside id */
	char *owner, *reason, *name, *queue, *command, *environment, *working_directory;
	char *labels, *stop_by, *stop_text, *traceparent;
	char *task, *parameters; /* NULL: a command of its own */
	enum job_state state;
	enum stop_reason stop_reason;
	int priority;
	int64_t timeout_us;    /* 0: none */
	int64_t kill_grace_us; /* -1: the default */
	int64_t output_bytes_max;
	enum output_policy output_policy;
	int64_t submitted_at, started_at, finished_at; /* 0: not yet */
	int64_t run_at, expires_at;		       /* 0: none */
	int64_t deadline_us;			       /* 0: none */
	char *retry;	    /* JSON object; NULL: no other attempt */
	int max_attempts;   /* counts the first */
	char *depends_rule; /* NULL: all; "any" */
	int64_t stdin_from; /* row of the job whose stdout it reads; 0: none */
	char batch[JOB_ID_BYTES], rerun_of[JOB_ID_BYTES]; /* "": none */
	char *unique_key;
	char *callback;	   /* JSON object; NULL: nobody is told */
	int is_kept;	   /* 1: exempt from retention */
	int64_t queued_at; /* since when it may start; 0: not yet */
	int attempt;
	bool has_exit_code, has_signal;
	int exit_code, signal;
	int64_t version;
};

/* One execution. */
struct attempt {
	int number;
	char state[12];	  /* starting running ended lost */
	char outcome[16]; /* "" while it lives */
	int64_t claimed_at, started_at, ended_at;
	pid_t pid;	     /* 0: none known */
	int64_t pid_started; /* clock ticks since boot */
	bool has_exit_code, has_signal;
	int exit_code, signal;
	char *error;
	int64_t cpu_user_us, cpu_system_us, max_rss_bytes, read_bytes, written_bytes;
	int64_t stdout_bytes, stderr_bytes, dropped_bytes;
	int64_t removed_at; /* of its output; 0: it is there */
	char stored[8];	  /* "live", "row", "file", "removed"; "" when it wrote nothing */
	char encoding[8]; /* of the file: "zstd"; "": as it was written */
	int64_t file_bytes; /* that it has, compressed or looked at; 0: what was written
			     */
	uint8_t sha256[DIGEST_BYTES];
};

struct event {
	int64_t id, at;
	char job_id[JOB_ID_BYTES]; /* "": about the service */
	char *kind, *state, *principal, *data;
	char *owner, *queue; /* of the job; a pruned one has no queue any more */
};

void job_release(struct job *job);
void attempt_release(struct attempt *attempt);
void event_release(struct event *event);

/* The job with this id, or with this unique prefix of one (at least 4 characters; fewer
 * than 36 make it a prefix). 1, 0 none, -1 (ERR_CONFLICT: several begin so). */
int queue_job_get(struct queue *queue, const struct viewer *viewer, const char *id,
		  struct job *ret, struct err *err);

/* The newest job of the viewer's own principal. 1, 0 none, -1. */
int queue_job_last(struct queue *queue, const struct viewer *viewer, struct job *ret,
		   struct err *err);

/* The job as it was when it was accepted (for a replayed idempotency key): version 1. */
int queue_job_as_submitted(struct queue *queue, const char *id, struct job *ret,
			   struct err *err);

/* Many: list.h. */

struct attempt_list {
	struct attempt *item;
	size_t count;
};
int queue_attempt_list(struct queue *queue, int64_t job_row, struct attempt_list *ret,
		       struct err *err);
void attempt_list_release(struct attempt_list *list);

/* One attempt of a job; 1, 0 none, -1. */
int queue_attempt_get(struct queue *queue, int64_t job_row, int number,
		      struct attempt *ret, struct err *err);

struct event_list {
	struct event *item;
	size_t count;
};
/* Events with id > after, of one job, oldest first, at most `limit`. */
int queue_event_list(struct queue *queue, int64_t job_row, int64_t after, int limit,
		     struct event_list *ret, struct err *err);
void event_list_release(struct event_list *list);

/* Which jobs did anything after event `after`? Fills up to `max` ids (one per event, so
 * an id may come twice) and sets *ret_after to the last event seen. The count or -1. This
 * is how a process that was woken learns what changed. */
struct change {
	char job_id[JOB_ID_BYTES];
	enum job_state state;
};
int queue_changes(struct queue *queue, int64_t after, struct change *ret, int max,
		  int64_t *ret_after, struct err *err);
int queue_event_last(struct queue *queue, int64_t *ret, struct err *err);

/* --- outputs --- */

/* A reader of one attempt's output, wherever it lies: in the growing file while it runs,
 * in its row, or in the file it was left in. Once opened it stays readable to its end
 * even when the output is moved into the database meanwhile. */
struct output;

/* 1 opened, 0 there is nothing (yet), -1 (ERR_GONE: removed by retention). Opens the live
 * file below `state_dir` first, then asks the database. */
int queue_output_open(struct queue *queue, const char *state_dir, const struct job *job,
		      int attempt, struct output **ret, struct err *err);
void output_close(struct output *output);

/* Reads at `offset` of the stream's own bytes: for OUTPUT_STDOUT byte 0 is the first that
 * went to stdout. The count, 0 at the present end, -1. Never more than was there for
 * sure. */
ssize_t output_read(struct output *output, enum output_stream stream, int64_t offset,
		    void *data, size_t bytes, struct err *err);

/* How long the stream is now. */
int output_size(struct output *output, enum output_stream stream, int64_t *ret,
		struct err *err);

/* The descriptor of the file that has its bytes as they are, or -1 (folded, compressed),
 * for inotify; borrowed. */
int output_fd(const struct output *output);

/* Whether the bytes of the stream, as output_size has just measured it, are the first of
 * that file, in one piece: it has nothing of the other stream, or both are asked for. */
bool output_is_file(const struct output *output, enum output_stream stream);

/* Closes the output but for that descriptor, which is the caller's then: it has those
 * bytes even when the output is removed, folded or compressed meanwhile. */
int output_into_fd(struct output *output);

/* Where the shim puts things, relative to the state directory. `ret` is 128 bytes.
 *   attempts/<uuid>-<n>             the attempt's journal, which is also its lock
 *   output/<YYYY-MM-DD>/<uuid>-<n>.log   its output, of the day in the job's UUIDv7
 *   output/<YYYY-MM-DD>/<uuid>-<n>.log.zst   instead, when it was compressed
 *   output/<YYYY-MM-DD>/<uuid>-<n>.idx   the frames of that output */
#define ATTEMPT_PATH_BYTES 128
void attempt_key(const char *job_id, int number, char ret[ATTEMPT_KEY_BYTES]);
void attempt_journal_path(const char *job_id, int number, char ret[ATTEMPT_PATH_BYTES]);
void attempt_output_path(const char *job_id, int number, const char *suffix,
			 char ret[ATTEMPT_PATH_BYTES]);

/* One frame: from `offset` of output.log on, until the next frame's offset, the bytes
 * came from `stream` at about `at_us`; `stdout_bytes` of what stands before it are of
 * stdout. So any byte of either stream, and any moment, is found by a binary search. 24
 * bytes on disk, little endian: (at_us << 1 | is_stderr), offset, stdout_bytes. The
 * writer writes a frame before its bytes, and only when the stream changes or
 * FRAME_SPAN_US have passed since the last one. */
#define FRAME_BYTES 24
#define FRAME_SPAN_US 10000
struct frame {
	int64_t at_us;
	int64_t offset;
	int64_t stdout_bytes;
	enum output_stream stream; /* OUTPUT_STDOUT or OUTPUT_STDERR */
};
void frame_pack(const struct frame *frame, uint8_t ret[FRAME_BYTES]);
void frame_unpack(const uint8_t data[FRAME_BYTES], struct frame *ret);

/* --- stopping --- */

enum cancel_result {
	CANCEL_DONE,	 /* it never started; it is cancelled now, or was already */
	CANCEL_STOPPING, /* it is running; the worker has been asked */
	CANCEL_MORE,	 /* cascade: DEPENDENTS_SLICE dependants were cancelled, and there
			    are more; ask again in the next transaction */
};

struct cancel_wish {
	const char *text; /* the asker's words; NULL: none */
	bool is_forced;	  /* without grace */
	bool is_cascade;  /* and all living jobs that depend on it, however indirectly, as
			     far as the viewer sees them: the deepest first, so that
			     nothing goes on or is skipped because of a cancel above it */
};

/* [write] Cancels, with its event. ERR_NOT_FOUND; ERR_CONFLICT when it is final
 * otherwise. Asking twice is fine; force may be added later. */
int queue_cancel(struct queue *queue, const struct viewer *viewer, const char *id,
		 const struct cancel_wish *asked, enum cancel_result *ret,
		 struct err *err);

/* --- waiting --- */

/* [write] Holds a job that has not started, or releases it: then it is queued, or goes on
 * waiting for its run_at. Asking twice is fine. ERR_NOT_FOUND; ERR_CONFLICT when it has
 * ended, or when one that runs is to be held. */
int queue_hold(struct queue *queue, const struct viewer *viewer, const char *id,
	       bool is_hold, struct err *err);

/* [write] Does what the wall clock asks for by now: jobs whose run_at has come become
 * queued, jobs that were not started by their expires_at or their deadline fail, queues
 * whose pause is over are resumed. How many, or -1; QUEUE_DUE_MAX: there may be more. */
#define QUEUE_DUE_MAX 500
int queue_due(struct queue *queue, struct err *err);

/* When queue_due is next to be called. 1, 0 nothing waits for a time, -1. */
int queue_due_next(struct queue *queue, int64_t *ret_at, struct err *err);

/* --- the worker's side --- */

/* [write] Registers a supervisor; its epoch is the highest. */
int queue_worker_register(struct queue *queue, int slots, int64_t *ret_epoch,
			  struct err *err);
/* [write] With what may have changed since. ERR_CONFLICT when a higher epoch exists: this
 * worker must end. */
int queue_worker_heartbeat(struct queue *queue, int64_t epoch, int slots, int running,
			   struct err *err);
int queue_worker_retire(struct queue *queue, int64_t epoch, struct err *err);

struct worker_info {
	int64_t epoch, started_at, heartbeat_at, stopped_at;
	pid_t pid;
	int slots, running;
};
/* The newest worker row; 1, 0 none, -1. */
int queue_worker_last(struct queue *queue, struct worker_info *ret, struct err *err);

/* One claimed attempt: all that starting it needs. */
struct claim {
	struct job job;
	int number;
	void *stdin_data; /* heap, or NULL: /dev/null */
	size_t stdin_bytes;
	char *task_definition; /* heap: what the job was accepted with; NULL: no task */
};
struct claim_list {
	struct claim *item;
	size_t count;
};

/* [write] Moves up to `max` queued jobs to running and inserts their attempts (starting),
 * in the order that lanes.h explains, which `turns` remembers from claim to claim (NULL:
 * nothing before this one). None while the service is draining. Nothing may be started
 * before this is committed. ERR_CONFLICT when the epoch is superseded. */
int queue_claim(struct queue *queue, struct turns *turns, int64_t epoch, int max,
		struct claim_list *ret, struct err *err);
void claim_list_release(struct claim_list *list);

/* Moves a claim out of a list, leaving an empty one; claim_release frees what it holds.
 */
void claim_take(struct claim *from, struct claim *ret);
void claim_release(struct claim *claim);

/* [write] The attempt's process exists. No event, no new version: `started` came with the
 * claim. Nothing happens when the attempt has ended already. */
int queue_attempt_started(struct queue *queue, int64_t job_row, int number, pid_t pid,
			  int64_t pid_started, int64_t started_at, struct err *err);

/* [write] A stop that the shim began by itself (timeout, output limit): shown as the
 * job's reason while it lasts. The first recorded reason wins. */
int queue_attempt_stopping(struct queue *queue, int64_t job_row, int number,
			   enum stop_reason reason, struct err *err);

/* How an attempt ended, from its exit record. */
struct attempt_end {
	int64_t started_at, ended_at;
	pid_t pid;
	int64_t pid_started;
	bool has_exit_code,
		has_signal; /* neither: it was never started (error says why) */
	int exit_code, signal;
	enum stop_reason stop_reason; /* that the shim knew of */
	char error[200];	      /* start_failed: "step: words", else "" */
	int64_t cpu_user_us, cpu_system_us, max_rss_bytes, read_bytes, written_bytes;
	int64_t stdout_bytes, stderr_bytes, dropped_bytes;
	uint8_t sha256[DIGEST_BYTES];
	/* the output: content and frames when it is to be folded into the row, else the
	 * path below the state directory, else (both NULL) there was none */
	const void *content, *frames;
	size_t content_bytes, frames_bytes;
	const char *path;
};

/* [write] Records the end: attempt, job, output, event, in one go. Importing twice
 * changes nothing (returns 0 the second time, 1 the first). The job's state follows from
 * the first recorded stop reason, else the exit code (succeeded when it is one of the
 * job's success_exit_codes) or signal, else start_failed; where that is a failure that
 * its retry rule covers, and nobody asked for the job's end, it waits for its next
 * attempt instead. */
int queue_attempt_import(struct queue *queue, int64_t job_row, int number,
			 const struct attempt_end *end, struct err *err);

/* [write] The attempt certainly never ran: the job goes back to queued and no attempt is
 * used up (its row stays, outcome `revoked`, so that the number is never used again). A
 * job whose cancel was recorded becomes cancelled instead. */
int queue_attempt_revoke(struct queue *queue, int64_t job_row, int number,
			 struct err *err);

/* [write] How it ended cannot be known: `reason` is "reboot" or "shim_died". The job is
 * lost, or waits for its next attempt where its retry rule says so. */
int queue_attempt_lost(struct queue *queue, int64_t job_row, int number,
		       const char *reason, struct err *err);

/* Every attempt that has not ended, for a starting worker. */
struct live_attempt {
	char job_id[JOB_ID_BYTES];
	int64_t job_row;
	int number;
	char boot_id[CLOCK_BOOT_ID_BYTES]; /* of the worker that claimed it */
	int64_t worker_epoch;
};
struct live_list {
	struct live_attempt *item;
	size_t count;
};
int queue_attempts_live(struct queue *queue, struct live_list *ret, struct err *err);
void live_list_release(struct live_list *list);

/* Running jobs that somebody wants stopped. */
struct stop_request {
	int64_t job_row;
	int number;
	bool is_forced;
};
/* Fills up to `max`, with job rows above `after_row`. The count or -1. */
int queue_stop_requests(struct queue *queue, int64_t after_row, struct stop_request *ret,
			int max, struct err *err);

/* --- proving and keeping --- */

struct verify_result {
	int64_t events;	 /* rows whose hash fits */
	int64_t outputs; /* stored outputs whose hash fits (that of what was written) */
	int64_t pruned; /* the last event that was pruned, 0 none: where the walk began */
	int64_t bad_event; /* 0, or the first event row that does not fit */
	char detail[200];  /* of the first thing that does not fit, "" */
};
/* Walks the event chain and checks the stored hashes of outputs. 0 all fits, 1 something
 * does not (see ret), -1 could not be read.
 *
 * The chain: hash = the first 24 bytes of SHA-256(previous hash || canonical row), all 32
 * in rows of an earlier version; the previous hash goes in as it is stored, before the
 * first row 32 zero bytes. The canonical row is the columns id, at, job_id, kind,
 * state, principal, data in this order, each as a length of 4 bytes (little endian) and
 * that many bytes: an integer as 8 bytes little endian (two's complement), a text as its
 * UTF-8, NULL as the length 0xffffffff with nothing after it. Ids follow each other
 * without gaps, and sqlite_sequence knows the last one given. Where the oldest events
 * were pruned the walk begins at the newest row of chain_heads, for which an event
 * `pruned` in the chain must vouch; events `jobs_pruned` must fit the tombstones that
 * they tell of, and each tombstone needs one, unless that was pruned too. */
int queue_verify(struct queue *queue, const char *state_dir, struct verify_result *ret,
		 struct err *err);

/* integrity_check, foreign_key_check, the state lists, and whether the totals of what is
 * over cover what is there. Each finding is one line in
 * `ret`. 0 sound, 1 findings, -1. */
int queue_check(struct queue *queue, struct buf *ret, struct err *err);

/* The schema that the migrations make, as SQL for people: schema.sql is this text. */
int queue_schema(struct buf *ret, struct err *err);

/* Copies the live database to `path` (which must not exist) by the online backup API. */
int queue_backup(struct queue *queue, const char *path, struct err *err);

/* [write-free] One harmless write transaction, for the readiness check: can we write? */
int queue_probe_write(struct queue *queue, struct err *err);

/* Built on the above. */
#include "queue/view.h"

#endif
