/* program.c - how a daemon begins (see program.h). */
#include "common/program.h"

#include <signal.h>

#include "common/common.h"

/* 0 go on, 1 done, -1 usage. */
static int parse_arguments(int argc, char **argv, const char *name, const char *usage,
			   const char **ret_path)
{
	*ret_path = NULL;
	if (argc == 2 && text_equal(argv[1], "--version")) {
		printf("%s %s\n", name, REEVE_VERSION);
		return 1;
	}
	if (argc == 2 && text_equal(argv[1], "--help")) {
		printf("%s\n", usage);
		return 1;
	}
	if (argc == 3 && text_equal(argv[1], "--config")) {
		*ret_path = argv[2];
		return 0;
	}
	return argc == 1 ? 0 : -1;
}

int program_begin(int argc, char **argv, const char *name, const char *usage,
		  struct config *ret, const char **ret_path)
{
	struct err err = ERR_INIT;
	sigset_t early;
	const int parsed = parse_arguments(argc, argv, name, usage, ret_path);

	if (parsed > 0)
		return 0;
	if (parsed < 0) {
		(void)fprintf(stderr, "%s\n", usage);
		return EXIT_PERMANENT;
	}
	log_init(name, LOG_INFO);
	sigemptyset(&early);
	sigaddset(&early, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &early, NULL);
	if (config_load(ret, *ret_path, &err) != 0) {
		log_event(LOG_ERROR, "config_refused", LOG_TEXT("error", err.text),
			  LOG_END);
		return EXIT_PERMANENT;
	}
	log_set_least(ret->log_level);
	return -1;
}
