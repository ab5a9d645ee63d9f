/* cmd_prune.c - `reeve db prune`: retention by hand, or what it would do.
 *
 * It works on the file itself, beside running daemons (under the writers' lock, slice by
 * slice) or without them, by the configuration of the moment. */
#include "client/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/output.h"
#include "queue/queue.h"

struct prune {
	struct config config;
	struct queue *queue;
	bool is_preview;
	size_t only;
	char principal[32];
};

static void prune_close(struct prune *prune)
{
	queue_close(prune->queue);
	config_release(&prune->config);
}

/* Nothing is made here: a database that is not there is a mistake. */
static int open_state(struct prune *prune, const char *state_dir, struct err *err)
{
	AUTO_FREE char *path = file_join(state_dir, "reeve.db");
	if (access(path, F_OK) != 0)
		return err_set(err, ERR_NOT_FOUND, "no database at %s", path);
	return queue_open(&prune->queue, state_dir,
			  prune->is_preview ? QUEUE_READ : QUEUE_WRITE, err);
}

static int open_file(struct prune *prune, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	AUTO_FREE char *dir = slash == NULL   ? mem_strdup(".")
			      : slash == path ? mem_strdup("/")
					      : mem_strndup(path, (size_t)(slash - path));
	if (prune->is_preview)
		return queue_open_file(&prune->queue, path, err);
	if (strcmp(name, "reeve.db") != 0)
		return err_set(err, ERR_INVALID,
			       "only a reeve.db in its state directory can be pruned; of "
			       "another file there is --dry-run");
	return open_state(prune, dir, err);
}

/* "0", "1", ... or "rest" */
static int read_rule(struct prune *prune, const char *word, struct err *err)
{
	const size_t rules = prune->config.retention.rules.count;
	int64_t index = 0;
	prune->only = RETENTION_ALL;
	if (word == NULL)
		return 0;
	if (strcmp(word, "rest") == 0) {
		prune->only = rules;
		return 0;
	}
	if (rules == 0 || text_parse_int(word, 0, (int64_t)rules - 1, &index) < 0)
		return err_set(err, ERR_INVALID,
			       "--rule %s: retention.rules has %zu; the first is 0, and "
			       "rest is what none fits",
			       word, rules);
	prune->only = (size_t)index;
	return 0;
}

static int prune_open(struct prune *prune, const struct args *args, struct err *err)
{
	int status = 0;
	*prune = (struct prune){.is_preview = args_has(args, "dry-run")};
	snprintf(prune->principal, sizeof(prune->principal), "uid:%u",
		 (unsigned)geteuid());
	if (config_load(&prune->config, args_text(args, "config"), err) < 0)
		return err_wrap(err, "by which rules");
	if (read_rule(prune, args_text(args, "rule"), err) < 0)
		status = -1;
	else if (args_has(args, "db"))
		status = open_file(prune, args_text(args, "db"), err);
	else
		status = open_state(prune,
				    args_has(args, "state-dir")
					    ? args_text(args, "state-dir")
					    : prune->config.state_dir,
				    err);
	if (status < 0)
		prune_close(prune);
	return status;
}

/* --- what is said --- */

/* clang-format off */
static const struct column RULE_ROWS[] = {
	{"rule",          "rule",             COLUMN_TEXT,  IN_ALL},
	{"for",           "for",              COLUMN_TEXT,  IN_ALL},
	{"seen",          "seen",             COLUMN_INT,   IN_ALL},
	{"jobs",          "jobs",             COLUMN_INT,   IN_ALL},
	{"outputs",       "outputs",          COLUMN_INT,   IN_ALL},
	{"bytes",         "bytes",            COLUMN_BYTES, IN_ALL},
	{"exempt",        "exempt",           COLUMN_INT,   IN_ALL},
	{"oldest_job",    "oldest_job_at",    COLUMN_TIME,  IN_ALL},
	{"oldest_output", "oldest_output_at", COLUMN_TIME,  IN_ALL},
};
/* clang-format on */
static const struct columns RULE_COLUMNS = {RULE_ROWS, ARRAY_SIZE(RULE_ROWS)};

/* "queue ci, task thumb, failed or lost" */
static void describe_rule(const struct retention_rule *rule, struct buf *out)
{
	const unsigned any = (1u << OUTCOME_COUNT_) - 1;
	const char *between = "";
	if (rule->queue != NULL)
		buf_printf(out, "queue %s", rule->queue);
	if (rule->task != NULL)
		buf_printf(out, "%stask %s", out->length > 0 ? ", " : "", rule->task);
	if ((rule->outcomes & any) == any) {
		buf_append_text(out, out->length > 0 ? "" : "any job");
		return;
	}
	buf_append_text(out, out->length > 0 ? ", " : "");
	for (int i = 0; i < OUTCOME_COUNT_; i++) {
		if ((rule->outcomes >> i & 1) == 0)
			continue;
		buf_printf(out, "%s%s", between,
			   retention_outcome_word((enum retention_outcome)i));
		between = " or ";
	}
}

static cJSON *rule_item(const struct prune *prune, size_t index,
			const struct retention_tally *tally)
{
	const struct retention_rules *rules = &prune->config.retention.rules;
	AUTO_BUF struct buf text = BUF_INIT(1 << 16), words = BUF_INIT(1 << 14);
	struct json_writer json;
	char name[24] = "rest";
	cJSON *item = NULL;
	if (index < rules->count) {
		snprintf(name, sizeof(name), "%zu", index);
		describe_rule(&rules->item[index], &words);
	} else {
		buf_append_text(&words,
				rules->count > 0 ? "what no rule fits" : "any job");
	}
	json_writer_init(&json, &text);
	json_open(&json, NULL, '{');
	json_put_text(&json, "rule", name);
	json_put_text(&json, "for", buf_text(&words));
	json_put_int(&json, "seen", tally->seen);
	json_put_int(&json, "jobs", tally->jobs);
	json_put_int(&json, "outputs", tally->outputs);
	json_put_int(&json, "bytes", tally->output_bytes);
	json_put_int(&json, "exempt", tally->exempt);
	/* only a preview walks through all that stays */
	json_put_time(&json, "oldest_job_at",
		      prune->is_preview ? tally->oldest_job_at : 0);
	json_put_time(&json, "oldest_output_at",
		      prune->is_preview ? tally->oldest_output_at : 0);
	json_close(&json, '}');
	(void)json_parse(buf_text(&text), text.length, NULL, &item, NULL);
	return item;
}

static int print_rules(struct cli *cli, const struct prune *prune,
		       const struct retention_report *report, struct err *err)
{
	struct listing *listing = listing_open(cli, &RULE_COLUMNS);
	for (size_t i = 0; i < report->rules; i++) {
		if (prune->only != RETENTION_ALL && prune->only != i)
			continue;
		cJSON *item = rule_item(prune, i, &report->rule[i]);
		const int status = listing_add(listing, item, err);
		cJSON_Delete(item);
		if (status < 0) {
			listing_drop(listing);
			return -1;
		}
	}
	return listing_end(listing, err);
}

static void say_sum(const struct cli *cli, const struct prune *prune,
		    const struct retention_report *report,
		    const struct sweep_report *swept)
{
	say(cli, "%s %lld jobs, %lld outputs of %lld bytes, %lld events",
	    prune->is_preview ? "would remove" : "removed", (long long)report->jobs,
	    (long long)report->outputs, (long long)report->output_bytes,
	    (long long)report->events);
	if (swept->files + swept->missing > 0)
		say(cli, "%s %lld files that no job has; %lld outputs without their file",
		    prune->is_preview ? "would remove" : "removed",
		    (long long)swept->files, (long long)swept->missing);
	if (swept->is_refused)
		say(cli, "output/ is empty, though it should not be: is its disk "
			 "mounted? Nothing was marked");
	if (report->unremovable > 0)
		say(cli, "%lld files could not be removed and are tried again next time",
		    (long long)report->unremovable);
}

/* --- doing it --- */

/* The log is moved into the file now and then, so that it does not grow with history. */
static int prune_all(const struct prune *prune, struct retention *run,
		     struct sweep *sweep, struct err *err)
{
	int more;
	while ((more = queue_retention_step(prune->queue, run, err)) == 1)
		if (!prune->is_preview &&
		    queue_checkpoint(prune->queue, prune->config.wal_bytes, err) < 0)
			return -1;
	while (more == 0 && prune->only == RETENTION_ALL &&
	       (more = queue_sweep_step(prune->queue, sweep, err)) == 1)
		more = 0;
	return more;
}

int cmd_db_prune(struct cli *cli, struct err *err)
{
	struct prune prune;
	if (prune_open(&prune, &cli->args, err) < 0)
		return -1;
	struct retention *run = retention_open(&prune.config.retention, prune.only,
					       prune.is_preview, prune.principal);
	struct sweep *sweep = sweep_open(prune.is_preview, prune.principal);
	int status = prune_all(&prune, run, sweep, err);
	if (status == 0) {
		const struct retention_report report = retention_report(run);
		const struct sweep_report swept = sweep_report(sweep);
		status = print_rules(cli, &prune, &report, err);
		if (status == 0)
			say_sum(cli, &prune, &report, &swept);
	}
	retention_close(run);
	sweep_close(sweep);
	prune_close(&prune);
	return status;
}
