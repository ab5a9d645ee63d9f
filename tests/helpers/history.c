/* history - fills a database with jobs that ended long ago, as if they had run then.
 *
 *     history STATE_DIR COUNT FILES OLDEST_DAYS NEWEST_DAYS [OWNER]
 *
 * COUNT jobs that ended between OLDEST_DAYS and NEWEST_DAYS ago, evenly; every fifth
 * failed, every fourth is in the queue `ci`. FILES of them, evenly, have an output in a
 * file, the others a short one in its row. Through the same functions as the daemons, in
 * large transactions, with the clock set back. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "queue/queue.h"

#define BATCH 1000
#define DAY_US (INT64_C(86400) * US_PER_S)
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
	int64_t count, files, begin_us, span_us;
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

static void submit_batch(struct queue *queue, const struct plan *plan, int64_t first)
{
	struct err err = ERR_INIT;
	struct submitted submitted;
	struct submission submission = {
		.owner = plan->owner,
		.command = "[\"/bin/echo\",\"history\"]",
		.name = "history",
		.kill_grace_us = -1,
		.output_bytes_max = -1,
	};
	for (int64_t i = first; i < first + BATCH && i < plan->count; i++) {
		wall_us = time_of(plan, i);
		submission.queue = i % 4 == 0 ? "ci" : NULL;
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
	const struct frame frame = {.at_us = time_of(plan, i), .stream = OUTPUT_STDOUT};
	uint8_t frames[FRAME_BYTES];
	wall_us = time_of(plan, i) + US_PER_MS;
	struct attempt_end end = {
		.started_at = wall_us - US_PER_MS / 2,
		.ended_at = wall_us,
		.pid = 1,
		.has_exit_code = true,
		.exit_code = i % 5 == 0,
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
	} else {
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
	for (int64_t first = 0; first < plan->count; first += BATCH) {
		check(queue_begin(queue, &err), &err);
		submit_batch(queue, plan, first);
		check(queue_claim(queue, turns, epoch, BATCH, &list, &err), &err);
		for (size_t i = 0; i < list.count; i++)
			end_one(queue, plan, &list.item[i]);
		claim_list_release(&list);
		check(queue_commit(queue, &err), &err);
		check(queue_checkpoint(queue, 16 << 20, &err), &err);
	}
	turns_free(turns);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct queue *queue;
	static struct plan plan = {.owner = "uid:0"};
	int64_t oldest, newest;
	if (argc < 6 || text_parse_int(argv[2], 1, 10000000, &plan.count) != 0 ||
	    text_parse_int(argv[3], 0, plan.count, &plan.files) != 0 ||
	    text_parse_int(argv[4], 0, 10000, &oldest) != 0 ||
	    text_parse_int(argv[5], 0, oldest, &newest) != 0) {
		(void)fprintf(stderr, "usage: history STATE_DIR COUNT FILES OLDEST_DAYS "
				      "NEWEST_DAYS [OWNER]\n");
		return 2;
	}
	if (argc > 6)
		plan.owner = argv[6];
	plan.state_dir = argv[1];
	plan.begin_us = clock_now_us() - oldest * DAY_US;
	plan.span_us = (oldest - newest) * DAY_US;
	memset(plan.content, 'h', sizeof plan.content);
	digest_of(plan.content, sizeof plan.content, plan.file_digest);
	real_gettime = sys.clock_gettime;
	sys.clock_gettime = set_gettime;
	wall_us = plan.begin_us;
	check(queue_open(&queue, plan.state_dir, QUEUE_WRITE, &err), &err);
	run_all(queue, &plan);
	check(queue_checkpoint(queue, 0, &err), &err);
	queue_close(queue);
	return 0;
}
