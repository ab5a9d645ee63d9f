/* compress.c - compressing large outputs, a little at a time, when nothing else is to do.
 *
 * A step takes some milliseconds, of computing mostly; after each we rest twice as long,
 * and longer while jobs start and end, but never longer than PATIENCE_US, so that a
 * service that is never idle saves its disk as well. Retention goes first: what it lets
 * go of need not be compressed. */
#include "worker/supervise.h"

#define REST_LEAST_US (2 * US_PER_MS)
#define PATIENCE_US (500 * US_PER_MS)
#define LOOK_EVERY_US US_PER_S
#define AGAIN_US (60 * US_PER_S) /* after a failure, or for what was left */

void compress_reset(struct supervisor *supervisor)
{
	struct compressing *compressing = &supervisor->compressing;

	compression_close(compressing->run);
	*compressing = (struct compressing){.run = NULL};
}

int compress_timeout_ms(const struct supervisor *supervisor, int timeout_ms)
{
	const struct compressing *compressing = &supervisor->compressing;
	const int64_t left_us = compressing->step_due_us - clock_boot_us();
	const int left_ms = left_us > 0 ? (int)(left_us / US_PER_MS) + 1 : 0;

	if (compressing->run == NULL || supervisor->is_waiting ||
	    prune_is_under_way(supervisor))
		return timeout_ms; /* the tick, or what goes first, wakes us */
	return timeout_ms >= 0 && timeout_ms < left_ms ? timeout_ms : left_ms;
}

static void end_run(struct supervisor *supervisor)
{
	struct compressing *compressing = &supervisor->compressing;
	const struct compression_report report = compression_report(compressing->run);

	if (report.outputs + report.kept > 0)
		log_event(LOG_INFO, "compressed", LOG_INT("outputs", report.outputs),
			  LOG_INT("bytes", report.plain_bytes),
			  LOG_INT("file_bytes", report.file_bytes),
			  LOG_INT("kept", report.kept), LOG_INT("left", report.left),
			  LOG_END);
	compress_reset(supervisor);
	compressing->due_us =
		clock_boot_us() + (report.left > 0 ? AGAIN_US : LOOK_EVERY_US);
}

/* Short of something: another time. Anything else ends the worker, as for its rounds. */
static void fail(struct supervisor *supervisor, const struct err *err)
{
	log_event(LOG_WARN, "compress_failed", LOG_TEXT("error", err->text), LOG_END);
	compress_reset(supervisor);
	supervisor->compressing.due_us = clock_boot_us() + AGAIN_US;
	if (err->code == ERR_OUT_OF_SPACE || err->code == ERR_UNAVAILABLE)
		return;
	supervisor->exit_code = EXIT_TEMPORARY;
	supervisor->is_over = true;
}

void compress_between_rounds(struct supervisor *supervisor, bool is_idle)
{
	struct compressing *compressing = &supervisor->compressing;
	const int64_t least_bytes = supervisor->config->output_compress_bytes;
	const int64_t now_us = clock_boot_us();
	struct err err = ERR_INIT;
	int64_t took_us = 0;
	int more = 0;

	if (least_bytes == 0 || supervisor->is_over || supervisor->is_waiting ||
	    prune_is_under_way(supervisor) || now_us < compressing->due_us ||
	    now_us < compressing->step_due_us + (is_idle ? 0 : PATIENCE_US))
		return;
	if (compressing->run == NULL)
		compressing->run = compression_open(least_bytes);
	more = queue_compression_step(supervisor->queue, compressing->run, &err);
	supervisor->is_dirty = supervisor->is_dirty || more != 0;
	if (more < 0) {
		fail(supervisor, &err);
		return;
	}
	if (more == 0) {
		end_run(supervisor);
		return;
	}
	took_us = clock_boot_us() - now_us;
	compressing->step_due_us =
		clock_boot_us() +
		(2 * took_us > REST_LEAST_US ? 2 * took_us : REST_LEAST_US);
}
