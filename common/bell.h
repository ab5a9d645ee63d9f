/* bell.h - the doorbell: "look at the database, something you may wait for has changed".
 *
 * Each process that wants to be told binds a Unix datagram socket in
 * `<state_dir>/run/bell/`. A process that has committed something sends one byte to every
 * socket there. Nobody there, a full queue or a stale socket are no errors: the byte is a
 * hint, the database is the truth, and every listener looks once a second anyway. */
#ifndef REEVE_BELL_H
#define REEVE_BELL_H

#include "common/err.h"

/* Binds `<state_dir>/run/bell/<name>`, replacing a stale socket of that name. ret_fd is
 * non-blocking and close-on-exec; the caller closes it and calls bell_unlisten. */
int bell_listen(const char *state_dir, const char *name, int *ret_fd, struct err *err);
void bell_unlisten(const char *state_dir, const char *name);

/* Takes all bytes that are waiting. 1 if there were any, else 0. */
int bell_drain(int fd);

/* A ringer keeps one unbound socket and the directory open, so that ringing is a
 * directory look and a sendto(2) a listener. The listing is kept for a second. */
struct bell_ringer;
struct bell_ringer *bell_ringer_open(const char *state_dir);
void bell_ringer_close(struct bell_ringer *ringer);

/* Rings everybody but `except` (a name, or NULL: everybody). Never fails, never blocks.
 * Threads may share a ringer. */
void bell_ring(struct bell_ringer *ringer, const char *except);

#endif
