/* sender.c - reeve-sender's loop (see sender.h). */
#include "sender/sender.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define TICK_US US_PER_S
#define LOCK_POLL_MS 50
/* Every commit of anybody rings: together they lead to one look. */
#define LOOK_AGAIN_US (10 * US_PER_MS)
/* How long the end waits for what is under way: it saves most receivers a repetition. */
#define GRACE_US US_PER_S

/* --- what happens --- */

static void end(struct sender *sender)
{
	if (sender->over_us == 0)
		sender->over_us = clock_boot_us() + GRACE_US;
}

static void ignore_fixed(void *context, const char *name)
{
	(void)context;
	(void)name; /* the worker says it */
}

/* All or nothing, as in the other programs. */
static void reload(struct sender *sender)
{
	struct config fresh;
	struct webhook_keys keys;
	struct err err = ERR_INIT;
	int result = config_load(&fresh, sender->config_path, &err);
	if (result == 0) {
		config_keep_fixed(&fresh, sender->config, CONFIG_WORKER, ignore_fixed,
				  NULL);
		result = webhook_keys_load(&fresh, &keys, &err);
		if (result != 0)
			config_release(&fresh);
	}
	if (result != 0) {
		log_event(LOG_ERROR, "reload_refused", LOG_TEXT("error", err.text),
			  LOG_END);
		return;
	}
	config_release(sender->config);
	*sender->config = fresh;
	sender->keys = keys;
	webhook_keys_forget(&keys);
	log_set_least(fresh.log_level);
	sender->wants_look = true;
	log_event(LOG_INFO, "reloaded", LOG_END);
}

static void on_signal(struct sender *sender)
{
	struct signalfd_siginfo info;
	while (read(sender->signal_fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGHUP)
			reload(sender);
		else
			end(sender);
	}
}

/* Nothing is ever said there: it ends when the worker does. */
static void on_input(struct sender *sender)
{
	char byte;
	if (read(STDIN_FILENO, &byte, 1) == 0)
		end(sender);
}

static void on_bell(struct sender *sender)
{
	if (bell_drain(sender->bell_fd) == 1)
		sender->wants_look = true;
}

/* What was written by hand rang nobody. */
static void notice(struct sender *sender)
{
	int64_t version = sender->data_version;
	if (queue_data_version(sender->queue, &version, NULL) == 0 &&
	    version != sender->data_version) {
		sender->data_version = version;
		sender->wants_look = true;
	}
	if (sender->due_at <= clock_now_us())
		sender->wants_look = true;
}

/* --- the loop --- */

static int64_t at_most(int64_t left_us, int64_t wait_us)
{
	return left_us < wait_us ? (left_us > 0 ? left_us : 0) : wait_us;
}

/* At most a second: the wall clock may be set, and rows may be written by hand. */
static int timeout_ms(const struct sender *sender)
{
	const int64_t now_us = clock_boot_us();
	int64_t wait_us = TICK_US;
	if (sender->over_us != 0)
		wait_us = at_most(sender->over_us - now_us, wait_us);
	else if (sender->wants_look) /* what is due waits for it too */
		wait_us = at_most(sender->looked_us + LOOK_AGAIN_US - now_us, wait_us);
	else if (sender->due_at != INT64_MAX)
		wait_us = at_most(sender->due_at - clock_now_us(), wait_us);
	return (int)((wait_us + US_PER_MS - 1) / US_PER_MS);
}

/* Where nothing could be seen, nothing is known of what is due. */
static void unread(struct sender *sender, const struct err *err)
{
	if (!sender->is_unread_logged)
		log_event(LOG_WARN, "callbacks_unread", LOG_TEXT("error", err->text),
			  LOG_END);
	sender->is_unread_logged = true;
	sender->wants_look = true;
	sender->looked_us += SENDER_AGAIN_US - LOOK_AGAIN_US;
}

/* Those that have not even begun, such as a refused one, are over at once. */
static void look_if_wanted(struct sender *sender)
{
	struct err err = ERR_INIT;
	if (sender->over_us != 0 || !sender->wants_look ||
	    clock_boot_us() < sender->looked_us + LOOK_AGAIN_US)
		return;
	sender->wants_look = false;
	sender->looked_us = clock_boot_us();
	if (look(sender, &err) != 0)
		unread(sender, &err);
	else
		sender->is_unread_logged = false;
}

static void step(struct sender *sender)
{
	static void (*const RUN[])(struct sender * sender) = {on_input, on_signal,
							      on_bell};
	struct pollfd fds[] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = sender->signal_fd, .events = POLLIN},
		{.fd = sender->bell_fd, .events = POLLIN},
	};
	/* a bell that rings all the time is heard when the next look may be */
	const unsigned count = sender->wants_look ? 2 : 3;
	courier_wait(sender->courier, fds, count, timeout_ms(sender));
	for (unsigned i = 0; i < count; i++)
		if (fds[i].revents != 0)
			RUN[i](sender);
	notice(sender);
	record(sender);
	look_if_wanted(sender);
	record(sender);
	if (sender->over_us != 0 &&
	    (sender->count == 0 || clock_boot_us() >= sender->over_us))
		sender->is_over = true;
}

/* --- opening --- */

static int open_signals(struct sender *sender, struct err *err)
{
	sigset_t waited;
	sigemptyset(&waited);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGHUP);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &waited, NULL) != 0)
		return err_sys(err, ERR_INTERNAL, errno, "setting up signals");
	sender->signal_fd = signalfd(-1, &waited, SFD_CLOEXEC | SFD_NONBLOCK);
	return sender->signal_fd < 0 ? err_sys(err, ERR_UNAVAILABLE, errno, "signalfd")
				     : 0;
}

/* The one before may be about to end, with its worker: that is waited for, as long as our
 * own is there. 1 it is ours, 0 it is not needed any more, -1. */
static int take_lock(struct sender *sender, struct err *err)
{
	AUTO_FREE char *path = config_path(sender->config, SENDER_LOCK);
	bool is_logged = false;
	while (file_lock(path, &sender->lock_fd, err) != 0) {
		struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
				       {.fd = sender->signal_fd, .events = POLLIN}};
		if (err->code != ERR_CONFLICT)
			return -1;
		if (!is_logged)
			log_event(LOG_INFO, "waiting", LOG_TEXT("lock", path), LOG_END);
		is_logged = true;
		(void)poll(fds, ARRAY_SIZE(fds), LOCK_POLL_MS);
		if (fds[0].revents != 0)
			on_input(sender);
		if (fds[1].revents != 0)
			on_signal(sender);
		if (sender->over_us != 0)
			return 0;
	}
	return 1;
}

/* Only here: one that is gone later has been taken away, and the one in force stays. */
static int make_secret(const struct config *config, struct err *err)
{
	const int made = webhook_secret_make(config, err);
	if (made == 1)
		log_event(LOG_INFO, "secret_made",
			  LOG_TEXT("file", config->callbacks.secret_file), LOG_END);
	return made < 0 ? -1 : 0;
}

/* 1 it may run, 0 it need not, -1. */
static int open_all(struct sender *sender, struct err *err)
{
	const struct config *config = sender->config;
	if (open_signals(sender, err) != 0)
		return -1;
	const int locked = take_lock(sender, err);
	if (locked != 1)
		return locked;
	if (make_secret(config, err) != 0 ||
	    webhook_keys_load(config, &sender->keys, err) != 0 ||
	    queue_open(&sender->queue, config->state_dir, QUEUE_WRITE, err) != 0)
		return -1;
	sender->courier = courier_open(err);
	if (sender->courier == NULL)
		return -1;
	sender->ringer = bell_ringer_open(config->state_dir);
	if (bell_listen(config->state_dir, SENDER_BELL, &sender->bell_fd, err) != 0)
		return -1;
	return 1;
}

static void close_all(struct sender *sender)
{
	for (size_t i = 0; i < sender->count; i++)
		delivery_free(sender->courier, sender->delivery[i]);
	free(sender->delivery);
	if (sender->bell_fd >= 0)
		bell_unlisten(sender->config->state_dir, SENDER_BELL);
	mem_close(&sender->bell_fd);
	mem_close(&sender->signal_fd);
	bell_ringer_close(sender->ringer);
	courier_close(sender->courier);
	if (sender->queue != NULL)
		queue_close(sender->queue);
	webhook_keys_forget(&sender->keys);
	mem_close(&sender->lock_fd);
}

int sender_run(struct config *config, const char *path)
{
	struct sender sender = {.config = config,
				.config_path = path,
				.lock_fd = -1,
				.bell_fd = -1,
				.signal_fd = -1,
				.due_at = INT64_MAX,
				.wants_look = true};
	struct err err = ERR_INIT;
	const int opened = open_all(&sender, &err);
	if (opened < 0) {
		log_event(LOG_ERROR, "start_failed", LOG_TEXT("error", err.text),
			  LOG_END);
		sender.exit_code =
			err_is_retryable(err.code) ? EXIT_TEMPORARY : EXIT_PERMANENT;
	}
	if (opened == 1) {
		log_event(LOG_INFO, "ready", LOG_TEXT("state_dir", config->state_dir),
			  LOG_END);
		while (!sender.is_over)
			step(&sender);
		log_event(LOG_INFO, "stopped", LOG_INT("under_way", sender.count),
			  LOG_END);
	}
	close_all(&sender);
	return sender.exit_code;
}
