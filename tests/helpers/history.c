/* history - fills a database with jobs that ended long ago, as if they had run then.
 *
 *     history [-n] [-o PERCENT] STATE_DIR COUNT FILES OLDEST_DAYS NEWEST_DAYS [OWNER]
 *
 * COUNT jobs that ended between OLDEST_DAYS and NEWEST_DAYS ago, evenly; every fifth
 * failed, every fourth is in the queue `ci`. FILES of them, evenly, have an output in a
 * file; of the others PERCENT (100), evenly, a short one in its row. -n: all are
 * /usr/bin/true without a name, in the default queue, and succeed.
 *
 * Through the same functions as the daemons, with the values that they would write, with
 * the clock set back. The jobs of an hour are submitted, claimed and ended together, in
 * one transaction that is not waited for: after a crash begin anew. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "queue/db.h"

#define BATCH_MAX 10000
#define HOUR_US (INT64_C(3600) * US_PER_S)
#define DAY_US (24 * HOUR_US)
#define WAL_BYTES (INT64_C(256) << 20)
#define FILE_BYTES 70000

static int64_t wall_us;
static int (*real_gettime)(clockid_t clock, struct timespec *ret);

static int set_gettime(clockid_t clock, struct timespec *ret)
{
	if (clock != CLOCK_REALTIME)
		return real_gettime(clock, ret);
	ret->tv_sec = wall_us / US_PER_S;
	ret->tv_nsec = wall_us % US_PER_S * 1000;
	return 0;
}

static void check(int result, const struct err *err)
{
	if (result >= 0)
		return;
	(void)fprintf(stderr, "history: %s\n", err->text);
	exit(1);
}

struct plan {
	const char *state_dir, *owner;
	bool is_noop;
	int64_t percent; /* of those without a file that have an output */
	int64_t count, files, oldest, newest, begin_us, span_us, batch;
	char content[FILE_BYTES];
	uint8_t file_digest[DIGEST_BYTES];
};

static int64_t time_of(const struct plan *plan, int64_t i)
{
	return plan->begin_us +
	       (int64_t)((double)plan->span_us * (double)i / (double)plan->count);
}

static bool has_file(const struct plan *plan, int64_t i)
{
	return plan->files > 0 && i % (plan->count / plan->files) == 0;
}

/* `i` of these are evenly so many percent of all. */
static bool has_row(const struct plan *plan, int64_t i)
{
	return (i + 1) * plan->percent / 100 > i * plan->percent / 100;
}

static void submit_batch(struct queue *queue, const struct plan *plan, int64_t first)
{
	struct err err = ERR_INIT;
	struct submitted submitted;
	struct submission submission = {
		.owner = plan->owner,
		.command = plan->is_noop ? "[\"/usr/bin/true\"]"
					 : "[\"/bin/echo\",\"history\"]",
		.name = plan->is_noop ? NULL : "history",
		.working_directory = "/",
		.kill_grace_us = 10 * US_PER_S,
		.output_bytes_max = 256 << 20,
	};
	for (int64_t i = first; i < first + plan->batch && i < plan->count; i++) {
		wall_us = time_of(plan, i);
		submission.queue = i % 4 == 0 && !plan->is_noop ? "ci" : NULL;
		check(queue_submit(queue, &submission, &submitted, &err), &err);
	}
}

static void write_file(const struct plan *plan, const char *path, const void *data,
		       size_t bytes)
{
	struct err err = ERR_INIT;
	AUTO_FREE char *whole = file_join(plan->state_dir, path);
	char *slash = strrchr(whole, '/');
	*slash = '\0';
	check(file_make_dirs(whole, 0700, &err), &err);
	*slash = '/';
	AUTO_CLOSE const int fd =
		open(whole, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || file_write_all(fd, data, bytes) != 0)
		check(err_set(&err, ERR_INTERNAL, "writing %s", whole), &err);
}

/* `place` is the job's in the whole history: rows are given in this order. */
static void end_one(struct queue *queue, const struct plan *plan,
		    const struct claim *claim)
{
	struct err err = ERR_INIT;
	const int64_t i = claim->job.row - 1;
	char path[ATTEMPT_PATH_BYTES], index[ATTEMPT_PATH_BYTES];
	wall_us += US_PER_MS;
	const struct frame frame = {.at_us = wall_us, .stream = OUTPUT_STDOUT};
	uint8_t frames[FRAME_BYTES];
	struct attempt_end end = {
		.started_at = wall_us - US_PER_MS / 2,
		.ended_at = wall_us,
		.pid = (pid_t)(300 + i % 4000000),
		.has_exit_code = true,
		.exit_code = i % 5 == 0 && !plan->is_noop,
		.cpu_user_us = 400 + i % 700,
		.cpu_system_us = i % 3 * 300,
		.max_rss_bytes = 1800000 + i % 97 * 1024,
	};
	frame_pack(&frame, frames);
	if (has_file(plan, i)) {
		attempt_output_path(claim->job.id, claim->number, "log", path);
		attempt_output_path(claim->job.id, claim->number, "idx", index);
		write_file(plan, path, plan->content, FILE_BYTES);
		write_file(plan, index, frames, sizeof frames);
		end.path = path;
		end.stdout_bytes = FILE_BYTES;
		memcpy(end.sha256, plan->file_digest, sizeof end.sha256);
	} else if (has_row(plan, i)) {
		end.content = "history\n";
		end.content_bytes = 8;
		end.frames = frames;
		end.frames_bytes = sizeof frames;
		end.stdout_bytes = 8;
		digest_of("history\n", 8, end.sha256);
	}
	check(queue_attempt_import(queue, claim->job.row, claim->number, &end, &err),
	      &err);
}

static void run_all(struct queue *queue, const struct plan *plan)
{
	struct err err = ERR_INIT;
	struct claim_list list;
	struct turns *turns = turns_new();
	int64_t epoch;
	wall_us = plan->begin_us;
	check(queue_begin(queue, &err), &err);
	check(queue_worker_register(queue, 1, &epoch, &err), &err);
	check(queue_worker_retire(queue, epoch, &err), &err);
	check(queue_commit(queue, &err), &err);
	for (int64_t first = 0; first < plan->count; first += plan->batch) {
		check(queue_begin(queue, &err), &err);
		submit_batch(queue, plan, first);
		check(queue_claim(queue, turns, epoch, (int)plan->batch, &list, &err), &err);
		for (size_t i = 0; i < list.count; i++)
			end_one(queue, plan, &list.item[i]);
		claim_list_release(&list);
		check(queue_commit(queue, &err), &err);
		check(queue_checkpoint(queue, WAL_BYTES, &err), &err);
	}
	turns_free(turns);
}

/* 0, or -1 when it is to be explained. */
static int plan_read(struct plan *ret, int argc, char **argv)
{
	int option;
	while ((option = getopt(argc, argv, "no:")) != -1)
		if (option == 'n')
			ret->is_noop = true;
		else if (option != 'o' ||
			 text_parse_int(optarg, 0, 100, &ret->percent) != 0)
			return -1;
	argv += optind;
	argc -= optind;
	if (argc < 5 || text_parse_int(argv[1], 1, 100000000, &ret->count) != 0 ||
	    text_parse_int(argv[2], 0, ret->count, &ret->files) != 0 ||
	    text_parse_int(argv[3], 0, 10000, &ret->oldest) != 0 ||
	    text_parse_int(argv[4], 0, ret->oldest, &ret->newest) != 0)
		return -1;
	ret->state_dir = argv[0];
	ret->owner = argc > 5 ? argv[5] : "uid:0";
	return 0;
}

static void plan_complete(struct plan *plan)
{
	plan->begin_us = clock_now_us() - plan->oldest * DAY_US;
	plan->span_us = (plan->oldest - plan->newest) * DAY_US;
	plan->batch = BATCH_MAX;
	if (plan->span_us > 0 && plan->count < BATCH_MAX * (plan->span_us / HOUR_US))
		plan->batch = plan->count / (plan->span_us / HOUR_US) + 1;
	memset(plan->content, 'h', sizeof plan->content);
	digest_of(plan->content, sizeof plan->content, plan->file_digest);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct queue *queue;
	static struct plan plan = {.percent = 100};
	if (plan_read(&plan, argc, argv) != 0) {
		(void)fprintf(stderr,
			      "usage: history [-n] [-o PERCENT] STATE_DIR COUNT FILES "
			      "OLDEST_DAYS NEWEST_DAYS [OWNER]\n");
		return 2;
	}
	plan_complete(&plan);
	real_gettime = sys.clock_gettime;
	sys.clock_gettime = set_gettime;
	wall_us = plan.begin_us;
	check(queue_open(&queue, plan.state_dir, QUEUE_WRITE, &err), &err);
	check(db_script(queue, "PRAGMA synchronous = OFF; PRAGMA cache_size = -262144",
			&err),
	      &err);
	run_all(queue, &plan);
	check(db_script(queue, "PRAGMA synchronous = FULL", &err), &err);
	check(queue_checkpoint(queue, 0, &err), &err);
	queue_close(queue);
	return 0;
}
