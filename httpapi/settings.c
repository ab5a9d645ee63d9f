/* settings.c - what is in force, and who still uses it (see settings.h). */
#include "httpapi/settings.h"

int settings_load(struct settings **ret, const char *path, struct err *err)
{
	struct settings *settings = mem_alloc(sizeof(*settings));
	atomic_init(&settings->holders, 1);
	if (config_load(&settings->config, path, err) < 0) {
		free(settings);
		return -1;
	}
	if (tasks_load(&settings->tasks, &settings->config, err) < 0) {
		config_release(&settings->config);
		free(settings);
		return -1;
	}
	*ret = settings;
	return 0;
}

/* One more holder. */
static struct settings *settings_hold(struct settings *settings)
{
	atomic_fetch_add(&settings->holders, 1);
	return settings;
}

void settings_give(struct settings *settings)
{
	if (!settings || atomic_fetch_sub(&settings->holders, 1) > 1)
		return;
	tasks_release(&settings->tasks);
	config_release(&settings->config);
	free(settings);
}

void settings_cell_init(struct settings_cell *cell, struct settings *settings)
{
	pthread_mutex_init(&cell->lock, NULL);
	cell->in_force = settings_hold(settings);
}

void settings_cell_release(struct settings_cell *cell)
{
	settings_give(cell->in_force);
	cell->in_force = NULL;
	pthread_mutex_destroy(&cell->lock);
}

struct settings *settings_take(struct settings_cell *cell)
{
	pthread_mutex_lock(&cell->lock);
	struct settings *settings = settings_hold(cell->in_force);
	pthread_mutex_unlock(&cell->lock);
	return settings;
}

void settings_put(struct settings_cell *cell, struct settings *settings)
{
	pthread_mutex_lock(&cell->lock);
	struct settings *old = cell->in_force;
	settings->serial = old->serial + 1;
	cell->in_force = settings;
	pthread_mutex_unlock(&cell->lock);
	settings_give(old);
}
