/* reload.c - SIGHUP: the configuration anew, between two rounds.
 *
 * All or nothing, as in the intake. The tasks are read too, though jobs bring the
 * definitions that they were accepted with: both daemons must think the same of one file.
 */
#include "tasks/tasks.h"
#include "worker/supervise.h"

static int load(const char *path, struct config *ret, struct err *err)
{
	struct tasks tasks;

	if (config_load(ret, path, err) != 0)
		return -1;
	if (tasks_load(&tasks, ret, err) != 0) {
		config_release(ret);
		return -1;
	}
	tasks_release(&tasks);
	return 0;
}

static void say_fixed(void *context, const char *name)
{
	(void)context;
	log_event(LOG_WARN, "reload_needs_restart", LOG_TEXT("setting", name), LOG_END);
}

/* Where it cannot be written now, the rows stay as they were and the next start does it.
 * SQLite tells us of what others write: of this we must tell ourselves. */
static void configure_queues(struct supervisor *supervisor)
{
	struct err err = ERR_INIT;

	if (queue_lanes_configure(supervisor->queue, &supervisor->config->queues, &err) <
	    0)
		log_event(LOG_WARN, "queues_unconfigured", LOG_TEXT("error", err.text),
			  LOG_END);
	supervisor->hand.queues_version = HAND_NOT_LOOKED_AT;
}

/* Everything that outlives a round holds the struct and not what is in it. */
static void replace(struct supervisor *supervisor, const struct config *fresh)
{
	struct config old = *supervisor->config;

	prune_again(supervisor);
	compress_reset(supervisor);
	*supervisor->config = *fresh;
	configure_queues(supervisor);
	config_release(&old);
	log_set_least(fresh->log_level);
	supervisor->ops->resize(supervisor->executor, (size_t)fresh->slots);
	helper_reload(supervisor);
	supervisor->wants_claim = true;
	supervisor->heartbeat_due_us = 0; /* which tells the slots */
}

void reload(struct supervisor *supervisor)
{
	struct config fresh;
	struct err err = ERR_INIT;

	if (load(supervisor->config_path, &fresh, &err) != 0) {
		log_event(LOG_ERROR, "reload_refused", LOG_TEXT("error", err.text),
			  LOG_END);
		return;
	}
	config_keep_fixed(&fresh, supervisor->config, CONFIG_WORKER, say_fixed, NULL);
	replace(supervisor, &fresh);
	log_event(LOG_INFO, "reloaded", LOG_INT("slots", fresh.slots), LOG_END);
}
