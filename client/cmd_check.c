/* cmd_check.c - `reeve check` and `reeve version`: about the program and its settings,
 * without any service. */
#include "client/cli.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/neutral.h"
#include "tasks/tasks.h"

/* Things that a configuration may say but that will not work here. */
static void warn(const struct cli *cli, const struct config *config)
{
	struct stat status;
	for (size_t i = 0; i < config->exec_roots.count; i++) {
		const char *path = config->exec_roots.item[i].path;
		if (stat(path, &status) < 0)
			say(cli, "exec_roots: %s: %s", path, strerror(errno));
		else if (!S_ISDIR(status.st_mode))
			say(cli, "exec_roots: %s is no directory", path);
	}
}

/* A program may be installed later, so its absence is no fault. */
static void warn_of_tasks(const struct cli *cli, const struct tasks *tasks)
{
	for (size_t i = 0; i < tasks->count; i++)
		if (access(tasks->item[i].executable, X_OK) < 0)
			say(cli, "%s: task %s: %s: %s", tasks->item[i].place,
			    tasks->item[i].name, tasks->item[i].executable,
			    strerror(errno));
}

/* A fault is what was looked for, not a wrong use of this command: exit code 1. */
static int fault(struct cli *cli, const struct err *err)
{
	AUTO_BUF struct buf line = BUF_INIT(4096);
	neutral_text(err->text, false, &line);
	buf_append_char(&line, '\n');
	(void)cli;
	(void)file_write_all(STDERR_FILENO, buf_text(&line), line.length);
	return 1;
}

/* The same reading of the file as at a daemon's start, so that what passes here starts
 * there. */
int cmd_check(struct cli *cli, struct err *err)
{
	if (args_has(&cli->args, "example")) {
		config_print_example(stdout);
		return 0;
	}
	const char *path =
		cli->args.words > 0 ? cli->args.word[0] : args_text(&cli->args, "config");
	struct config config = {0};
	if (config_load(&config, path, err) < 0)
		return err->code == ERR_NOT_FOUND ? -1 : fault(cli, err);
	struct tasks tasks = {0};
	if (tasks_load(&tasks, &config, err) < 0) {
		config_release(&config);
		return fault(cli, err);
	}
	warn(cli, &config);
	warn_of_tasks(cli, &tasks);
	AUTO_FREE char *line =
		mem_printf("%s: sound; state_dir %s; %zu tasks\n",
			   config.path != NULL ? config.path : "no file, defaults",
			   config.state_dir, tasks.count);
	tasks_release(&tasks);
	config_release(&config);
	return out_write(cli, line, strlen(line), err);
}

int cmd_version(struct cli *cli, struct err *err)
{
	static const char LINE[] = "reeve " REEVE_VERSION "\n";
	return out_write(cli, LINE, strlen(LINE), err);
}
