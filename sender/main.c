/* main.c - reeve-sender: delivers callbacks.
 *
 *     reeve-sender [--config FILE]      (started by reeve-worker only)
 *
 * It ends when its standard input does, which is a pipe that the worker holds. */
#include "sender/sender.h"

int main(int argc, char **argv)
{
	struct config config;
	const char *path;
	int code = program_begin(
		argc, argv, "reeve-sender",
		"usage: reeve-sender [--config FILE]   (started by reeve-worker)",
		&config, &path);
	if (code >= 0)
		return code;
	code = sender_run(&config, path);
	config_release(&config);
	return code;
}
