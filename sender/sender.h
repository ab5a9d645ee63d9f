/* sender.h - reeve-sender: takes messages from the outbox and delivers them.
 *
 * A process of its own, so that neither the worker nor the intake speaks to strangers, or
 * waits for them. One thread and one loop: what is due is taken from the database, tried,
 * and how it went is written down. It keeps nothing else: killed at any moment, the next
 * one goes on, and what was under way is sent once more, with the same id. */
#ifndef REEVE_SENDER_H
#define REEVE_SENDER_H

#include "sender/delivery.h"

#define SENDER_BELL "sender"
#define SENDER_LOCK "sender.lock"
#define SENDER_AGAIN_US US_PER_S /* after a failure to read or write */

struct sender {
	struct config *config;
	const char *config_path; /* as it was given; NULL */
	struct webhook_keys keys;
	struct queue *queue;
	struct courier *courier;
	struct bell_ringer *ringer;
	int lock_fd, bell_fd, signal_fd;
	struct delivery **delivery; /* under way, or over and not recorded */
	size_t count;
	char turn[HOST_PORT_BYTES]; /* after this receiver the next look begins */
	int64_t data_version;
	int64_t due_at;	   /* wall clock: something is due then; INT64_MAX */
	int64_t looked_us; /* CLOCK_BOOTTIME: of the last look */
	int64_t over_us;   /* CLOCK_BOOTTIME: what is under way may take until then; 0 */
	int64_t again_us;  /* CLOCK_BOOTTIME: recording failed, not before then */
	bool wants_look, is_over, is_unrecorded_logged, is_unread_logged;
	int exit_code;
};

/* Opens everything, runs until SIGTERM or until standard input ends (the worker is gone);
 * the program's exit code. SIGHUP makes it load `path` into `config` again. */
int sender_run(struct config *config, const char *path);

/* --- look.c --- */

/* Begins what is due, as far as there is room: so many at once, and so many to one
 * receiver. Sets due_at. 0 or -1. */
int look(struct sender *sender, struct err *err);

/* --- record.c --- */

/* Writes down those that are over, all in one transaction, and lets go of them. Where
 * that cannot be done now it is tried again in a second; where nobody knows whether it
 * was done, the program must end. */
void record(struct sender *sender);

#endif
