/* main.c - reeve-sender: delivers callbacks.
 *
 *     reeve-sender [--config FILE]      (started by reeve-worker only)
 *
 * It ends when its standard input does, which is a pipe that the worker holds. */
#include <signal.h>

#include "sender/sender.h"

#define USAGE "usage: reeve-sender [--config FILE]   (started by reeve-worker)\n"

/* 0 go on, 1 done, -1 usage. */
static int parse_arguments(int argc, char **argv, const char **ret_path)
{
	if (argc == 2 && text_equal(argv[1], "--version")) {
		printf("reeve-sender %s\n", REEVE_VERSION);
		return 1;
	}
	if (argc == 2 && text_equal(argv[1], "--help")) {
		printf(USAGE);
		return 1;
	}
	if (argc == 3 && text_equal(argv[1], "--config")) {
		*ret_path = argv[2];
		return 0;
	}
	return argc == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
	const char *path = NULL;
	struct config config;
	struct err err = ERR_INIT;
	sigset_t early;
	int result = parse_arguments(argc, argv, &path);
	if (result != 0) {
		if (result < 0)
			(void)fprintf(stderr, USAGE);
		return result < 0 ? EXIT_PERMANENT : EXIT_SUCCESS;
	}
	log_init("reeve-sender", LOG_INFO);
	/* From before the settings are read: one that comes too early waits. */
	sigemptyset(&early);
	sigaddset(&early, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &early, NULL);
	if (config_load(&config, path, &err) != 0) {
		log_event(LOG_ERROR, "config_refused", LOG_TEXT("error", err.text),
			  LOG_END);
		return EXIT_PERMANENT;
	}
	log_set_least(config.log_level);
	result = sender_run(&config, path);
	config_release(&config);
	return result;
}
