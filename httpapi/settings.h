/* settings.h - the configuration and the tasks that requests are judged by.
 *
 * Both are read at the start and again on SIGHUP. What is in force is one object that
 * never changes. A request takes the one in force when it begins and keeps it to its end,
 * however long it waits, so that nothing it points to goes away and no request is judged
 * by half of the old and half of the new. */
#ifndef REEVE_HTTPAPI_SETTINGS_H
#define REEVE_HTTPAPI_SETTINGS_H

#include <pthread.h>
#include <stdatomic.h>

#include "tasks/tasks.h"

struct settings {
	struct config config;
	struct tasks tasks;
	uint64_t serial; /* increases with each that is put in force */
	_Atomic int holders;
};

/* Which are in force. */
struct settings_cell {
	pthread_mutex_t lock;
	struct settings *in_force;
};

/* Reads file, environment and tasks; `path` as for config_load. The caller holds it and
 * gives it back. The errors of config_load and tasks_load. */
int settings_load(struct settings **ret, const char *path, struct err *err);

/* One holder less; the last one's giving frees it. */
void settings_give(struct settings *settings);

/* Begins with `settings`, of which it becomes a holder. */
void settings_cell_init(struct settings_cell *cell, struct settings *settings);
void settings_cell_release(struct settings_cell *cell);

/* Those in force, held by the caller from here on. */
struct settings *settings_take(struct settings_cell *cell);

/* Puts others in force; the caller's hold on them goes over to the cell. */
void settings_put(struct settings_cell *cell, struct settings *settings);

#endif
