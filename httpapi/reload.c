/* reload.c - SIGHUP: the configuration and the tasks anew, under running requests.
 *
 * All or nothing: what is read is checked like at the start, and only when nothing is
 * wrong with it does it come in force, for the requests that begin from then on. */
#include "httpapi/server.h"

static void say_fixed(void *context, const char *name)
{
	(void)context;
	log_event(LOG_WARN, "reload_needs_restart", LOG_TEXT("setting", name), LOG_END);
}

void server_reload(struct server *server, const char *config_path)
{
	struct settings *fresh;
	struct err err = ERR_INIT;
	if (settings_load(&fresh, config_path, &err) < 0) {
		log_event(LOG_ERROR, "reload_refused", LOG_TEXT("error", err.text),
			  LOG_END);
		return;
	}
	config_keep_fixed(&fresh->config, server->started_with, CONFIG_INTAKE, say_fixed,
			  NULL);
	log_set_least(fresh->config.log_level);
	size_t tasks = fresh->tasks.count;
	settings_put(&server->settings, fresh);
	log_event(LOG_INFO, "reloaded", LOG_INT("tasks", tasks), LOG_END);
}
