/* cancel.c - cancels a job without the intake: cancel STATE_DIR JOB_ID [force] */
#include "queue/queue.h"

int main(int argc, char **argv)
{
	const struct viewer all = {.principal = "uid:0", .sees_all = true};
	struct bell_ringer *ringer = NULL;
	struct queue *queue = NULL;
	const struct cancel_wish wish = {.is_forced = argc > 3};
	enum cancel_result result = CANCEL_DONE;
	struct err err = ERR_INIT;

	if (argc < 3)
		return 2;
	if (queue_open(&queue, argv[1], QUEUE_WRITE, &err) != 0 ||
	    queue_begin(queue, &err) != 0 ||
	    queue_cancel(queue, &all, argv[2], &wish, &result, &err) != 0 ||
	    queue_commit(queue, &err) != 0) {
		fprintf(stderr, "cancel: %s\n", err.text);
		return 1;
	}
	ringer = bell_ringer_open(argv[1]);
	bell_ring(ringer, NULL);
	bell_ringer_close(ringer);
	queue_close(queue);
	return 0;
}
