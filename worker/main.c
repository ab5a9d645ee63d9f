/* main.c - reeve-worker: claims jobs, has them run, records how they ended.
 *
 *     reeve-worker [--config FILE]
 */
#include "worker/supervise.h"

int main(int argc, char **argv)
{
	struct config config;
	const char *path;
	int code = program_begin(argc, argv, "reeve-worker",
				 "usage: reeve-worker [--config FILE]", &config, &path);

	if (code >= 0)
		return code;
	code = supervise(&config, path);
	config_release(&config);
	return code;
}
