/* supervise.h - reeve-worker's own parts: the attempts in its hands, the transaction that
 * records them, and the loop around both.
 *
 * The loop only turns readiness into events; what an event does to an attempt is a table
 * in work.c; what is written is written by round.c, once per round for everything that
 * has come together since the last. */
#ifndef REEVE_WORKER_SUPERVISE_H
#define REEVE_WORKER_SUPERVISE_H

#include "queue/queue.h"
#include "worker/attempt.h"
#include "worker/environment.h"
#include "worker/executor.h"
#include "worker/hand.h"
#include "worker/spare.h"

/* --- one attempt in our hands --- */

enum work_phase {
	WORK_CLAIMED, /* ours, but no slot is free yet */
	WORK_SENT,    /* handed to a shim, nothing heard yet */
	WORK_RUNNING, /* its process is known */
	WORK_CLOSING, /* judged; to be recorded with the next commit */
	WORK_PHASES
};

/* More may happen to an attempt while a transaction is open that records it. */
#define RECORDED_STARTED 1U
#define RECORDED_STOPPING 2U
#define RECORDED_END 4U

struct work {
	struct attempt_name name;
	int64_t job_row;
	uint32_t tag;
	enum work_phase phase;
	struct claim claim;	 /* while WORK_CLAIMED: what starting it needs */
	uint64_t turn, sequence; /* and its place at hand */
	int64_t claimed_us;	 /* CLOCK_BOOTTIME */
	bool is_same_boot;
	bool is_looked_at_by_tick; /* nobody will tell us: look once a second */

	bool has_started_note, has_stopping_note; /* to be written */
	unsigned int recorded; /* what of it the open transaction has: RECORDED_... */
	pid_t pid;
	int64_t pid_started, started_at;
	enum stop_reason stop_reason;

	bool wants_stop, is_stop_forced;

	/* when closing */
	struct finding finding;
	struct buf content, frames;
	char output_path[ATTEMPT_PATH_BYTES];
	bool is_refused_by_queue; /* its record was refused: keep the files */
};

struct work_list {
	struct work **item;
	size_t count, capacity;
	size_t closing; /* how many of them are */
	bool is_ticked; /* one may want the tick: is_looked_at_by_tick, wants_stop */
	bool has_notes; /* one may have a note that is to be written */
};

/* --- what is over --- */

/* Times of CLOCK_BOOTTIME; at most one of the two is under way. */
struct pruning {
	struct retention *retention;
	struct sweep *sweep;
	int64_t retention_due_us, sweep_due_us, step_due_us;
};

/* --- reeve-sender --- */

/* The child that delivers callbacks. Times of CLOCK_BOOTTIME. */
struct helper {
	pid_t pid;   /* 0: there is none */
	int pipe_fd; /* its standard input; -1 */
	int64_t started_us, due_us, delay_us;
	bool is_missing_logged;
};

/* --- outputs that are to be compressed --- */

struct compressing {
	struct compression *run;
	int64_t due_us, step_due_us; /* CLOCK_BOOTTIME */
};

/* --- what the database wants --- */

/* Besides claiming; as it was when we last looked. */
struct news {
	bool is_known;	    /* and nobody has said since that something changed */
	bool is_unresolved; /* dependants of jobs that ended are left to be looked at */
	bool has_stops, has_signals; /* people want jobs stopped, or signalled */
};

/* --- signals that people want sent --- */

/* One that we sent, before that could be recorded. */
struct unsaid {
	int64_t id; /* of its request */
	enum signal_fate fate;
};

struct unsaid_list {
	struct unsaid *item; /* heap */
	size_t count;
};

/* --- the worker --- */

struct supervisor {
	struct config *config;
	const char *config_path; /* as it was given; NULL */
	struct queue *queue;
	const struct executor_ops *ops;
	struct executor *executor;
	struct account account;
	struct bell_ringer *ringer;
	int state_fd, lock_fd;
	int bell_fd, signal_fd, timer_fd, due_fd, epoll_fd;
	int64_t epoch;
	int64_t data_version;
	int64_t heartbeat_due_us; /* CLOCK_BOOTTIME */
	int64_t round_due_us;	  /* CLOCK_BOOTTIME; 0: nothing waits to be recorded */
	int64_t due_at;		  /* wall clock: a job waits for it; DUE_NEVER */
	int64_t armed_at;	  /* what due_fd is set to */
	struct work_list works;
	struct turns *turns;  /* between owners, for claiming */
	struct hand hand;     /* the works that wait for a slot */
	struct spares spares; /* no more than those */

	struct pruning pruning;
	struct helper helper;
	struct compressing compressing;
	struct unsaid_list unsaid;
	struct news news;

	bool has_dead;	       /* a child has died: to be reaped at the next tick */
	bool wants_look;       /* somebody rang, or the database changed */
	bool wants_signals;    /* some wait for their process, or to be recorded */
	bool is_deep;	       /* more is queued than was claimed the last time */
	bool wants_claim;      /* more may be queued, or room has come free */
	bool is_urgent;	       /* somebody is to be claimed before more is started */
	bool was_urgent;       /* done, since the last sleep */
	bool is_waiting;       /* something is short: nothing more before the next tick */
	bool is_short_logged;  /* said so already */
	bool is_signal_logged; /* and of signals */
	bool is_trying;	       /* the last start failed so: claim one at a time */
	bool is_brisk;	       /* the last job was so short that a commit takes as long */
	bool is_writing;       /* a transaction is open */
	bool is_more;	       /* the last one had no room for all that was due */
	bool is_ending;	       /* SIGTERM: claim nothing more */
	bool is_over;
	bool is_dirty; /* the write-ahead log holds something of ours */
	int rounds;    /* since the last tick */
	int exit_code;
};

#define WORKER_BELL "worker"
#define DUE_NEVER INT64_MAX

/* --- work.c --- */

enum work_event {
	WORK_STARTED,	  /* the shim says that the process is there */
	WORK_STOPPING,	  /* the shim says that it began a stop */
	WORK_LOOK,	  /* something happened to it: read the journal */
	WORK_STOP_WANTED, /* somebody wants it stopped */
	WORK_EVENTS
};

/* Adds an attempt; owned by the list. */
struct work *work_add(struct supervisor *supervisor, const char *job_id, int number,
		      int64_t job_row);

/* The one of this job's row and number; NULL: none. */
struct work *work_find(const struct supervisor *supervisor, int64_t job_row, int number);

/* Removes and frees those whose end is recorded, or all. */
void works_drop_recorded(struct supervisor *supervisor);
void works_release(struct supervisor *supervisor);

/* What the event does, by the phase; `report` says more where the event has more. */
void work_event(struct supervisor *supervisor, struct work *work, enum work_event event,
		const struct report *report);

/* Judged without a journal: it never got that far. */
void work_close(struct supervisor *supervisor, struct work *work, enum verdict verdict);

/* Gives back a claimed one: nobody has heard of it, so it certainly never ran. */
void work_give_back(struct supervisor *supervisor, struct work *work);

/* Gives back what was claimed ahead before `before_us` (CLOCK_BOOTTIME) and found no
 * slot: a job that waits must not look as if it ran. */
void works_give_back(struct supervisor *supervisor, int64_t before_us);

/* For attempts of which nobody tells us, and stops that may have gone unheard. The first
 * makes this one of those. */
void work_look_by_tick(struct supervisor *supervisor, struct work *work);
void works_tick(struct supervisor *supervisor);

/* --- round.c --- */

/* Records, claims and commits, as far as there is anything; then starts what was claimed.
 * 1 something was done, 0 there was nothing, -1 the worker must end (exit_code is set).
 */
int round_run(struct supervisor *supervisor);

/* Short jobs are being run and enough of them are at hand to go on with: a while later
 * the same commit will record several. */
bool round_can_wait(const struct supervisor *supervisor);

/* For how long: the more are at hand, the longer the slots have something to do. */
int64_t round_wait_us(const struct supervisor *supervisor);

/* --- start.c --- */

/* Takes over what was claimed and starts as much of it as there are free slots. What
 * cannot be started is closed and recorded next. */
void start_claims(struct supervisor *supervisor, struct claim_list *claims);

/* Starts what is at hand, now that slots may have come free. What others have written
 * meanwhile is looked at first: nothing is started of a queue that was paused, and nobody
 * who was claimed ahead is started before one whose turn it is. What should have started
 * before now goes back, to expire. */
void start_waiting(struct supervisor *supervisor);

/* The same while a transaction is open, after seeing what has ended meanwhile: nobody
 * else can have written since `start_may_go_on` was asked in it. What needs the database
 * to be started is left for later. */
bool start_may_go_on(struct supervisor *supervisor);
void start_between(struct supervisor *supervisor);

/* --- news.c --- */

/* Looks at the database, unless what it wants is known. */
void news_look(struct supervisor *supervisor);

/* Looks in any case, within the transaction that is open: after its commit nothing needs
 * to be asked again. */
void news_read(struct supervisor *supervisor);

/* --- due.c --- */

/* The wall clock as a source of readiness: due_fd is readable when the time has come that
 * the next job waits for, or when somebody has set the clock. */
int due_open(struct supervisor *supervisor, struct err *err);
void due_ready(struct supervisor *supervisor);

/* Asks the database for the next such time (due_at). 0, or -1: unknown just now. */
int due_read(struct supervisor *supervisor);

/* Has the one that was read last come? */
bool due_has_come(const struct supervisor *supervisor);

/* Sets due_fd to it, before sleeping. */
void due_arm(struct supervisor *supervisor);

/* --- prune.c --- */

/* A step of retention or of the sweep, if one is due. `is_idle`: nothing else was to be
 * done just now. */
void prune_between_rounds(struct supervisor *supervisor, bool is_idle);

/* How long to sleep for the next step; `timeout_ms` (-1: for ever) when none is near. */
int prune_timeout_ms(const struct supervisor *supervisor, int timeout_ms);

bool prune_is_under_way(const struct supervisor *supervisor);

/* Gives up what is under way; the next one begins anew, when it is due. */
void prune_reset(struct supervisor *supervisor);

/* The same, and what was given up is due at once, retention in any case: its rules may be
 * others. To be called before the configuration goes. */
void prune_again(struct supervisor *supervisor);

/* --- compress.c --- */

/* The same for compressing outputs, when retention has nothing to do. */
void compress_between_rounds(struct supervisor *supervisor, bool is_idle);
int compress_timeout_ms(const struct supervisor *supervisor, int timeout_ms);

/* Gives up what is under way; the next run may begin at once, by other settings. */
void compress_reset(struct supervisor *supervisor);

/* --- adopt.c --- */

/* What a starting worker does: registers, judges every attempt that has not ended, and
 * removes what earlier commits left behind. */
int adopt_all(struct supervisor *supervisor, struct err *err);

/* --- signals.c --- */

/* Sends the signals that people want sent; `has_looked`: there may be new ones. */
void signals_send(struct supervisor *supervisor, bool has_looked);
void signals_release(struct supervisor *supervisor);

/* --- helper.c --- */

/* Starts the sender if there may be callbacks and it does not run, and ends it if there
 * may be none. After it died it is started again, later and later. */
void helper_tick(struct supervisor *supervisor);

/* This child of ours was reaped: perhaps it was the sender. */
void helper_died(struct supervisor *supervisor, pid_t pid, int status);

/* The configuration is another one. */
void helper_reload(struct supervisor *supervisor);

/* The sender is to end, soon; nobody waits for it. */
void helper_release(struct supervisor *supervisor);

/* --- reload.c --- */

/* Reads the configuration again, goes on by it if nothing is wrong with it, and logs what
 * came of it. Not from within a round. */
void reload(struct supervisor *supervisor);

/* --- place.c --- */

/* Makes the directories that are missing and opens state_fd. */
int place_open(struct supervisor *supervisor, struct err *err);

/* From here on signals come by signal_fd, and what a dead shim leaves comes to us. */
int place_signals(struct supervisor *supervisor, struct err *err);

/* --- lock.c --- */

/* Takes worker.lock for life. ERR_UNAVAILABLE: another worker has it, and lives. */
int worker_lock(struct supervisor *supervisor, struct err *err);

/* --- supervise.c --- */

/* What the executor knows by now becomes events of its attempts. */
void take_reports(struct supervisor *supervisor);

/* Opens everything, runs until SIGTERM or until it must end; the program's exit code.
 * SIGHUP makes it load `path` (as for config_load) into `config` again. */
int supervise(struct config *config, const char *path);

#endif
