/* shim.h - the shim: parent of a job, owner of its pipes, its clock and its tree.
 *
 * One process a slot, which serves one attempt after another and outlives its worker by
 * the attempt it is at. It knows no SQL. Between two attempts nothing of the first is
 * left: no process, no descriptor, no signal that means anything. */
#ifndef REEVE_WORKER_SHIM_H
#define REEVE_WORKER_SHIM_H

#include "worker/journal.h"
#include "worker/spec.h"

#define SHIM_BUFFER_BYTES ((size_t)64 << 10)

/* What lasts from attempt to attempt. */
struct shim {
	const char *state_dir;
	int state_fd;  /* the state directory; all names are below it */
	int socket;    /* to the worker */
	int signal_fd; /* SIGCHLD and the two stop signals */
	int timer_fd;  /* CLOCK_BOOTTIME */
	int null_fd;
	pid_t pid;
	int64_t started; /* clock ticks since boot */
	struct bell_ringer *ringer;
	char *cgroup;	   /* ours, as the last spec said; NULL: none */
	void *child_stack; /* its upper end */
	char *buffer;	   /* SHIM_BUFFER_BYTES */
};

/* --- shim_output.c: pipes -> log, frames, digest, limit --- */

/* Where the output of one attempt goes. */
struct sink {
	int pipe_fd[2];		 /* of stdout and stderr, our ends; -1: closed */
	int log_fd, index_fd;	 /* -1 until the first byte */
	int64_t kept[2];	 /* bytes of each stream in the log */
	int64_t dropped;	 /* beyond the limit, or when the disk was full */
	int64_t limit;		 /* of both together */
	bool is_over;		 /* the limit was passed */
	bool has_failed;	 /* no file could be made: try again at the next byte */
	struct digest digest;	 /* of what is kept, in its order */
	struct frame last_frame; /* offset -1: none yet */
	int64_t frames;
	char log_path[ATTEMPT_PATH_BYTES], index_path[ATTEMPT_PATH_BYTES];
};
void sink_init(struct sink *sink, const struct spec *spec);

/* Takes what is there of one pipe, without waiting. false: nothing more came. */
bool sink_take(struct sink *sink, struct shim *shim, size_t stream);

/* Takes the rest of both and closes everything. Larger outputs than `fold_bytes` are on
 * the disk afterwards. */
void sink_finish(struct sink *sink, struct shim *shim, int64_t fold_bytes);

/* --- shim_spawn.c: the child and its steps --- */

/* A job to be started. */
struct launch {
	const struct spec *spec;
	int stdin_fd, stdout_fd, stderr_fd; /* of the child */
	char error[200];		    /* "step: words" when it could not */
};
/* The process id, or -1 with launch->error. */
pid_t shim_launch(const struct shim *shim, struct launch *launch);

/* --- shim_stop.c: the stop sequence --- */

enum stop_phase { PHASE_RUN, PHASE_GRACE, PHASE_KILL, STOP_PHASES };
enum stop_event {
	EVENT_STOP,	  /* asked to: cancel, output limit */
	EVENT_STOP_FORCE, /* asked to, without grace */
	EVENT_TIMER,	  /* the time-out, the end of the grace, or time to kill again */
	EVENT_MAIN_ENDED,
	EVENT_CHILD_ENDED, /* another one */
	STOP_EVENTS
};
struct stop {
	enum stop_phase phase;
	enum stop_reason reason; /* the first */
	pid_t group;		 /* the job's process group */
	bool is_group_ours;	 /* its leader is not reaped: the number is no other's */
	const char *cgroup;	 /* ours; "": none */
	int kills;		 /* rounds of killing so far */
	int64_t grace_us, again_us;
	int64_t deadline_us; /* CLOCK_BOOTTIME of the next EVENT_TIMER; 0: none */
};
void stop_init(struct stop *stop, const struct spec *spec, pid_t group);
void stop_event(struct stop *stop, enum stop_event event, enum stop_reason reason);

/* --- shim_reap.c: who is dead, and what it used --- */

struct reaped {
	pid_t main;
	bool is_main_ended, is_all_ended;
	int status;	  /* of main, as wait4(2) gives it */
	int64_t ended_at; /* of main */
};
/* Takes all who are dead, telling `stop` of each, and sums up their use into `end`. */
void reap_all(struct reaped *reaped, struct stop *stop, struct attempt_end *end);

/* --- shim_serve.c: one attempt from spec to record --- */

/* Runs it and reports. Returns false when the worker does not listen any more. */
bool shim_serve(struct shim *shim, const struct spec *spec, int stdin_fd);

#endif
