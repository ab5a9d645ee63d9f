/* queue_rate - how many jobs a second the queue takes, alone: no HTTP, no worker.
 *
 *     queue_rate DIRECTORY [JOBS [OWNERS [QUEUES]]]
 *
 * Submits JOBS jobs (default 20,000) at 1, 16 and 64 a commit into a new database in
 * DIRECTORY, then claims and ends them in batches of 64, and prints jobs per second and
 * microseconds of processor time a job. They are of OWNERS owners and in QUEUES queues
 * (default 1), the first of them unlimited, every other one with a limit. It is the limit
 * that the intake and the worker are measured against. */
#include <stdio.h>

#include "queue/queue.h"

static void check(int result, const struct err *err)
{
	if (result >= 0)
		return;
	(void)fprintf(stderr, "queue_rate: %s\n", err->text);
	exit(1);
}

struct moment {
	int64_t wall_us, cpu_us;
};

static struct moment moment_now(void)
{
	struct timespec cpu;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	return (struct moment){.wall_us = clock_boot_us(),
			       .cpu_us = cpu.tv_sec * US_PER_S + cpu.tv_nsec / 1000};
}

static void report(const char *what, int batch, int jobs, struct moment begin)
{
	const struct moment end = moment_now();
	(void)printf("%-8s %3d a commit  %9.0f jobs/s  %6.1f us of processor a job\n",
		     what, batch, jobs / ((double)(end.wall_us - begin.wall_us) / 1e6),
		     (double)(end.cpu_us - begin.cpu_us) / jobs);
}

/* How many, and how they are spread. */
struct crowd {
	int64_t jobs, owners, queues;
};

static void name_of(char ret[32], const char *word, int64_t number)
{
	(void)snprintf(ret, 32, "%s%lld", word, (long long)number);
}

static void submit_all(struct queue *queue, const struct crowd *crowd, int jobs,
		       int batch)
{
	struct err err = ERR_INIT;
	struct submitted submitted;
	char owner[32], lane[32];
	struct submission submission = {
		.owner = owner,
		.queue = lane,
		.command = "[\"/bin/true\",\"--version\"]",
		.name = "rate",
		.kill_grace_us = -1,
		.output_bytes_max = -1,
	};
	const struct moment begin = moment_now();
	for (int i = 0; i < jobs; i += batch) {
		check(queue_begin(queue, &err), &err);
		for (int k = 0; k < batch; k++) {
			name_of(owner, "uid:", (i + k) % crowd->owners);
			name_of(lane, "queue", (i + k) / 7 % crowd->queues);
			check(queue_submit(queue, &submission, &submitted, &err), &err);
		}
		check(queue_commit(queue, &err), &err);
		if (i % 1024 == 0)
			check(queue_checkpoint(queue, 16 << 20, &err), &err);
	}
	report("submit", batch, jobs, begin);
}

static void limit_queues(struct queue *queue, const struct crowd *crowd)
{
	struct err err = ERR_INIT;
	char lane[32];
	check(queue_begin(queue, &err), &err);
	for (int64_t i = 1; i < crowd->queues; i += 2) {
		name_of(lane, "queue", i);
		check(queue_lane_limit(queue, "uid:0", lane, 8, &err), &err);
	}
	check(queue_commit(queue, &err), &err);
}

static int end_all(struct queue *queue, const struct claim_list *list, struct err *err)
{
	const struct attempt_end end = {
		.started_at = clock_now_us(),
		.ended_at = clock_now_us(),
		.pid = 1,
		.has_exit_code = true,
	};
	int result = 0;
	check(queue_begin(queue, err), err);
	for (size_t i = 0; i < list->count && result >= 0; i++)
		result = queue_attempt_import(queue, list->item[i].job.row,
					      list->item[i].number, &end, err);
	check(result, err);
	return queue_commit(queue, err);
}

static void run_all(struct queue *queue, int batch)
{
	struct err err = ERR_INIT;
	struct turns *turns = turns_new();
	struct claim_list list;
	int64_t epoch;
	int jobs = 0;
	check(queue_begin(queue, &err), &err);
	check(queue_worker_register(queue, batch, &epoch, &err), &err);
	check(queue_commit(queue, &err), &err);
	const struct moment begin = moment_now();
	for (;;) {
		check(queue_begin(queue, &err), &err);
		check(queue_claim(queue, turns, epoch, batch, &list, &err), &err);
		check(queue_commit(queue, &err), &err);
		if (list.count == 0)
			break;
		check(end_all(queue, &list, &err), &err);
		jobs += (int)list.count;
		claim_list_release(&list);
		check(queue_checkpoint(queue, 16 << 20, &err), &err);
	}
	claim_list_release(&list);
	turns_free(turns);
	report("run", batch, jobs, begin);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct queue *queue;
	struct crowd crowd = {.jobs = 20000, .owners = 1, .queues = 1};
	int64_t *const numbers[] = {&crowd.jobs, &crowd.owners, &crowd.queues};
	for (int i = 2; i < argc && i < 5; i++)
		if (text_parse_int(argv[i], 1, 10000000, numbers[i - 2]) != 0)
			argc = 0;
	if (argc < 2) {
		(void)fprintf(stderr,
			      "usage: queue_rate DIRECTORY [JOBS [OWNERS [QUEUES]]]\n");
		return 2;
	}
	check(queue_open(&queue, argv[1], QUEUE_WRITE, &err), &err);
	submit_all(queue, &crowd, (int)crowd.jobs / 10, 1);
	submit_all(queue, &crowd, (int)crowd.jobs, 16);
	submit_all(queue, &crowd, (int)crowd.jobs, 64);
	limit_queues(queue, &crowd);
	run_all(queue, 64);
	check(queue_checkpoint(queue, 0, &err), &err);
	queue_close(queue);
	return 0;
}
