/* shim.h - the shim: parent of a job, owner of its pipes, its clock and its tree.
 *
 * One process a slot, which serves one attempt after another and outlives its worker by
 * the attempt it is at. It knows no SQL. Between two attempts nothing of the first is
 * left: no process, no descriptor, no signal that means anything. */
#ifndef REEVE_WORKER_SHIM_H
#define REEVE_WORKER_SHIM_H

#include <unistd.h>

#include "worker/journal.h"
#include "worker/spec.h"

#define SHIM_BUFFER_BYTES ((size_t)64 << 10)
_Static_assert(SHIM_BUFFER_BYTES >= SPEC_ROOM_BYTES, "a spec is received in it");

/* What lasts from attempt to attempt. */
struct shim {
	const char *state_dir;
	int state_fd;  /* the state directory; all names are below it */
	int socket;    /* to the worker */
	int signal_fd; /* SIGCHLD and the two stop signals */
	int timer_fd;  /* CLOCK_BOOTTIME */
	int epoll_fd;  /* the two, and the pipes of the present job: enum source */
	int null_fd;
	pid_t pid;
	int64_t started; /* clock ticks since boot */
	struct bell_ringer *ringer;
	char *cgroup;	   /* ours, as the last spec said; NULL: none */
	void *rooms;	   /* where the next three lie */
	void *child_stack; /* its upper end */
	char *buffer;	   /* SHIM_BUFFER_BYTES */
	char *bolt;	   /* PIPE_NARROW_BYTES: the packet that closes a pipe */
};

/* --- shim_rooms.c: the stack of the child, the buffer, the bolt --- */

/* -1 with errno. */
int rooms_open(struct shim *shim);
void rooms_close(struct shim *shim);

/* Gives the memory of stack and buffer back to the system: nothing in them is in use.
 * They are there again, empty, as soon as they are used. */
void rooms_give_back(const struct shim *shim);

/* --- shim_output.c: bytes -> log, frames, digest, limit --- */

/* Where the output of one attempt goes. */
struct sink {
	int log_fd, index_fd;	 /* -1 until the first byte */
	int64_t kept[2];	 /* bytes of each stream in the log */
	int64_t dropped;	 /* beyond the limit, or when the disk was full */
	int64_t limit;		 /* of both together */
	bool is_full;		 /* the disk was, when a byte was last written */
	struct digest digest;	 /* of what is kept, in its order */
	struct frame last_frame; /* offset -1: none yet */
	int64_t frames;
	int64_t bare_frames; /* the last ones, after which no byte could be written */
	char log_path[ATTEMPT_PATH_BYTES], index_path[ATTEMPT_PATH_BYTES];
};
void sink_init(struct sink *sink, const struct spec *spec);

/* Keeps so many bytes of shim->buffer, or counts what cannot be kept. */
void sink_keep(struct sink *sink, struct shim *shim, size_t stream, size_t bytes);

/* Closes everything. Larger outputs than `fold_bytes` are on the disk afterwards. */
void sink_finish(struct sink *sink, struct shim *shim, int64_t fold_bytes);

/* --- shim_pipes.c: the job's two pipes, in the order of its writes --- */

enum source { SOURCE_STDOUT, SOURCE_STDERR, SOURCE_SIGNALS, SOURCE_TIMER, SOURCES };
enum pipes_mode { PIPES_EXACT, PIPES_BULK, PIPES_TURN, PIPES_LOOSE, PIPES_MODES };

struct pipe_ends {
	int read_fd;
	int write_fd; /* the job's, whose flags we share with it */
	int bolt_fd;  /* of the writing end too, but does not wait; -1: not needed yet */
	bool is_bolted;
};
struct pipes {
	struct shim *shim;
	struct sink *sink;
	struct pipe_ends ends[2]; /* stdout, stderr */
	enum pipes_mode mode;
	size_t active;	    /* the stream that was read last */
	int run;	    /* packets of it in a row */
	int run_wanted;	    /* before the next bulk */
	int64_t bulk_bytes; /* of this bulk */
	int64_t until_us;   /* the end of this bulk or turn (CLOCK_BOOTTIME) */
	int64_t dry_at_us;  /* the end of this bulk if nothing comes */
	bool has_more;	    /* there is more to read at once */
	bool is_held;	    /* a packet of the active stream waits for the turn's end */
	bool has_bolt;	    /* shim->bolt is of this attempt */
};

/* Makes both; the job gets the write_fd of each. -1 with errno; close them even so. */
int pipes_open(struct pipes *pipes, struct shim *shim, struct sink *sink);
void pipes_close(struct pipes *pipes);

/* Waits for output, a signal or the timer, at most `wait_us` (-1: for ever), and hands
 * what came of output, some of it, to the sink. Returns 1 << SOURCE_SIGNALS, 1 <<
 * SOURCE_TIMER or both when there is something to read. */
unsigned int pipes_step(struct pipes *pipes, int64_t wait_us);

/* Takes what is left, in its order. All writers are dead, or none of the job. */
void pipes_finish(struct pipes *pipes);

/* --- shim_pipe.c: one of the two --- */

#define PIPE_NARROW_BYTES ((int)sysconf(_SC_PAGESIZE)) /* one packet */
#define PIPE_WIDE_BYTES ((int)SHIM_BUFFER_BYTES)

/* Makes it, narrow, for packets, and in the epoll set. -1 with errno. */
int pipe_open(struct pipes *pipes, size_t stream);

/* `events`: 0 or EPOLLET. `operation`: of epoll_ctl(2). */
int pipe_watch(const struct pipes *pipes, size_t stream, int operation, uint32_t events);

/* Whether each write of the job is a packet of its own. */
void pipe_set_packets(const struct pipe_ends *ends, bool is_packets);

/* false: there is more in it than that, or the system does not allow it. */
bool pipe_set_room(const struct pipe_ends *ends, int bytes);

/* What the job may change: its room, and whether who finds none waits (no O_NONBLOCK).
 * Ours is one with neither changed, and with packets. */
bool pipe_is_narrow(const struct pipe_ends *ends);
bool pipe_is_waiting(const struct pipe_ends *ends);
bool pipe_is_ours(const struct pipe_ends *ends);

/* Closes a narrow pipe by a packet of ours, and opens it again; what is found there of
 * the job goes to the sink. Closing fails when there is something in it already. */
bool pipe_bolt(struct pipes *pipes, size_t stream);
void pipe_unbolt(struct pipes *pipes, size_t stream);

/* One read into the shim's buffer, and what was read into the sink; `take` is both. How
 * much it was, with the bolt; 0: nothing was there. */
size_t pipe_fetch(struct pipes *pipes, size_t stream);
void pipe_keep(struct pipes *pipes, size_t stream, size_t fetched);
size_t pipe_take(struct pipes *pipes, size_t stream);

/* Takes what is in a narrow pipe, and sees to it that the ready list has an entry of it
 * exactly if there is a packet that came later. */
void pipe_list_anew(struct pipes *pipes, size_t stream);

/* Takes until it is empty. However its room is divided, so many reads empty it; who
 * writes on from outside the tree does not keep the attempt alive. */
void pipe_take_rest(struct pipes *pipes, size_t stream);

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
