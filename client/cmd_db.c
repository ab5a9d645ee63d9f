/* cmd_db.c - `reeve db`: the database file itself, for operators. The daemons may run or
 * not; nothing here writes to it. */
#include "client/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/db_json.h"
#include "client/filter.h"
#include "client/neutral.h"
#include "client/output.h"
#include "queue/queue.h"

#define FINDINGS_BYTES_MAX (16u << 20)
#define CHUNK_BYTES 65536

/* An open database and the directory that its files are named from. */
struct db {
	struct queue *queue;
	char *state_dir;
	char principal[32];
};

static void db_close(struct db *db)
{
	queue_close(db->queue);
	free(db->state_dir);
	*db = (struct db){0};
}

/* Large outputs are named relative to the directory that the file lies in. */
static int db_open_file(struct db *db, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	db->state_dir = slash == NULL	? mem_strdup(".")
			: slash == path ? mem_strdup("/")
					: mem_strndup(path, (size_t)(slash - path));
	return queue_open_file(&db->queue, path, err);
}

/* The principal is only for `last`: whoever can open the file sees everybody's jobs. */
static int db_open(struct db *db, const struct args *args, struct err *err)
{
	*db = (struct db){0};
	snprintf(db->principal, sizeof(db->principal), "uid:%u", (unsigned)geteuid());
	int status = 0;
	if (args_has(args, "db")) {
		status = db_open_file(db, args_text(args, "db"), err);
	} else if (args_has(args, "state-dir")) {
		db->state_dir = mem_strdup(args_text(args, "state-dir"));
		status = queue_open(&db->queue, db->state_dir, QUEUE_READ, err);
	} else {
		struct config config = {0};
		if (config_load(&config, args_text(args, "config"), err) < 0)
			return err_wrap(err, "where the database is");
		db->state_dir = mem_strdup(config.state_dir);
		config_release(&config);
		status = queue_open(&db->queue, db->state_dir, QUEUE_READ, err);
	}
	if (status < 0)
		db_close(db);
	return status;
}

/* Always -1: there is no such job, or not any more. */
static int db_missing(const struct db *db, const struct viewer *viewer, const char *word,
		      struct err *err)
{
	struct tombstone stone;
	char ended[CLOCK_TEXT_BYTES], removed[CLOCK_TEXT_BYTES];
	const int found = queue_tombstone_get(db->queue, viewer, word, &stone, err);
	if (found <= 0)
		return found < 0 ? -1 : err_set(err, ERR_NOT_FOUND, "no job %s", word);
	clock_format(stone.finished_at, ended);
	clock_format(stone.pruned_at, removed);
	return err_set(err, ERR_GONE, "job %s ended at %s (%s) and was removed at %s",
		       word, ended, stone.state, removed);
}

/* The job that a person means; 0 or -1. */
static int db_find(const struct db *db, const char *word, struct job *ret,
		   struct err *err)
{
	const struct viewer viewer = {.principal = db->principal, .sees_all = true};
	const bool is_last = strcmp(word, "last") == 0;
	const int status = is_last ? queue_job_last(db->queue, &viewer, ret, err)
				   : queue_job_get(db->queue, &viewer, word, ret, err);
	if (status == 0 && is_last)
		return err_set(err, ERR_NOT_FOUND, "%s has no job yet", db->principal);
	if (status == 0)
		return db_missing(db, &viewer, word, err);
	return status < 0 ? -1 : 0;
}

/* --- ls --- */

static int add_job(const struct db *db, struct listing *listing, const struct job *job,
		   struct err *err)
{
	cJSON *item = NULL;
	if (db_job_json(db->queue, job, false, &item, err) < 0)
		return -1;
	const int status = listing_add(listing, item, err);
	cJSON_Delete(item);
	return status;
}

static int read_filter(const struct filters *filters, struct job_filter *ret,
		       struct err *err)
{
	*ret = (struct job_filter){.sort = SORT_DEFAULT};
	for (size_t i = 0; i < filters->count; i++) {
		const struct filter_term *term = &filters->term[i];
		if (job_filter_add(ret, term->param, term->value, err) < 0)
			return err_wrap(err, "%s", term->param);
	}
	return filters->sort != NULL ? job_filter_sort(ret, filters->sort, err) : 0;
}

/* By keyset, so that a long list neither slows down nor shows a job twice. */
static int list_pages(const struct db *db, const struct job_filter *filter, int64_t left,
		      struct listing *listing, struct err *err)
{
	const struct viewer viewer = {.principal = db->principal, .sees_all = true};
	struct list_page page = {.after = NULL};
	struct list_position after;
	bool has_next;
	int status = 0;
	do {
		struct job_list list = {0};
		page.limit = (int)(left < JOB_LIST_MAX ? left : JOB_LIST_MAX);
		if (queue_job_list(db->queue, &viewer, filter, &page, &list, err) < 0)
			return -1;
		for (size_t i = 0; i < list.count && status == 0; i++)
			status = add_job(db, listing, &list.item[i], err);
		left -= (int64_t)list.count;
		has_next = list.has_next;
		after = list.next;
		page.after = &after;
		job_list_release(&list);
	} while (status == 0 && left > 0 && has_next);
	return status;
}

static int list_jobs(struct cli *cli, const struct db *db, const struct filters *filters,
		     const struct job_filter *filter, struct err *err)
{
	struct listing *listing = listing_open(cli, &JOB_COLUMNS);
	const int status = list_pages(db, filter, filters->limit, listing, err);
	if (status == 0)
		return listing_end(listing, err);
	listing_drop(listing);
	return status;
}

static int count_jobs(struct cli *cli, const struct db *db,
		      const struct job_filter *filter, struct err *err)
{
	const struct viewer viewer = {.principal = db->principal, .sees_all = true};
	int64_t count;
	bool is_capped;
	if (queue_job_count(db->queue, &viewer, filter, &count, &is_capped, err) < 0)
		return -1;
	AUTO_FREE char *line =
		mem_printf("%lld%s\n", (long long)count, is_capped ? "+" : "");
	return out_write(cli, line, strlen(line), err);
}

int cmd_db_ls(struct cli *cli, struct err *err)
{
	struct db db;
	struct filters filters;
	struct job_filter filter;
	if (filters_read(&filters, cli, err) < 0)
		return -1;
	int status = read_filter(&filters, &filter, err);
	if (status == 0)
		status = db_open(&db, &cli->args, err);
	if (status == 0) {
		status = args_has(&cli->args, "count")
				 ? count_jobs(cli, &db, &filter, err)
				 : list_jobs(cli, &db, &filters, &filter, err);
		db_close(&db);
	}
	filters_release(&filters);
	return status;
}

/* --- show, logs --- */

static int show_one(struct cli *cli, const struct db *db, const char *word,
		    struct err *err)
{
	struct job job = {0};
	cJSON *item = NULL;
	if (db_find(db, word, &job, err) < 0)
		return -1;
	int status = db_job_json(db->queue, &job, true, &item, err);
	if (status == 0)
		status = record_print(cli, &JOB_COLUMNS, item, err);
	cJSON_Delete(item);
	job_release(&job);
	return status;
}

int cmd_db_show(struct cli *cli, struct err *err)
{
	struct db db;
	if (db_open(&db, &cli->args, err) < 0)
		return -1;
	int status = 0;
	for (size_t i = 0; i < cli->args.words && status == 0; i++) {
		if (i > 0 && cli->format == FORMAT_TABLE)
			status = out_write(cli, "\n", 1, err);
		if (status == 0)
			status = show_one(cli, &db, cli->args.word[i], err);
	}
	db_close(&db);
	return status;
}

/* By byte, not by line: an output of one endless line must not need memory. */
static int print_output(struct cli *cli, struct output *output, enum output_stream stream,
			struct err *err)
{
	const bool is_neutral = cli->out_is_terminal && !args_has(&cli->args, "raw");
	struct neutral neutral = {0};
	AUTO_FREE char *data = mem_alloc(CHUNK_BYTES);
	AUTO_BUF struct buf shown = BUF_INIT(CHUNK_BYTES * 16);
	int64_t offset = 0;
	for (;;) {
		const ssize_t bytes =
			output_read(output, stream, offset, data, CHUNK_BYTES, err);
		if (bytes < 0)
			return -1;
		offset += bytes;
		buf_reset(&shown);
		if (is_neutral && bytes > 0)
			neutral_add(&neutral, data, (size_t)bytes, &shown);
		else if (is_neutral)
			neutral_end(&neutral, &shown);
		const int status =
			is_neutral ? out_write(cli, buf_text(&shown), shown.length, err)
				   : out_write(cli, data, (size_t)bytes, err);
		if (status < 0 || bytes == 0)
			return status;
	}
}

int cmd_db_logs(struct cli *cli, struct err *err)
{
	struct db db;
	struct job job = {0};
	struct output *output = NULL;
	const bool wants_out = args_has(&cli->args, "stdout");
	const bool wants_err = args_has(&cli->args, "stderr");
	const enum output_stream stream = wants_out == wants_err ? OUTPUT_BOTH
					  : wants_out		 ? OUTPUT_STDOUT
								 : OUTPUT_STDERR;
	if (db_open(&db, &cli->args, err) < 0)
		return -1;
	int status = db_find(&db, cli->args.word[0], &job, err);
	if (status == 0) {
		const int number = (int)args_number(&cli->args, "attempt", job.attempt);
		const int found = queue_output_open(db.queue, db.state_dir, &job, number,
						    &output, err);
		status = found < 0 ? -1 : 0;
		if (found > 0)
			status = print_output(cli, output, stream, err);
		output_close(output);
	}
	job_release(&job);
	db_close(&db);
	return status;
}

/* --- check, verify, backup, schema --- */

/* The findings are the data that was asked for: they go to standard output. */
int cmd_db_check(struct cli *cli, struct err *err)
{
	struct db db;
	AUTO_BUF struct buf findings = BUF_INIT(FINDINGS_BYTES_MAX);
	if (db_open(&db, &cli->args, err) < 0)
		return -1;
	const int found = queue_check(db.queue, &findings, err);
	db_close(&db);
	if (found < 0)
		return -1;
	if (found == 0)
		buf_append_text(&findings, "sound\n");
	if (out_write(cli, buf_text(&findings), findings.length, err) < 0)
		return -1;
	return found > 0 ? 1 : 0;
}

/* What fits is data; what does not is the error, and exit code 1. */
int cmd_db_verify(struct cli *cli, struct err *err)
{
	struct db db;
	struct verify_result result = {0};
	if (db_open(&db, &cli->args, err) < 0)
		return -1;
	const int found = queue_verify(db.queue, db.state_dir, &result, err);
	db_close(&db);
	if (found < 0)
		return -1;
	AUTO_BUF struct buf line = BUF_INIT(4096);
	buf_printf(&line, "%lld events and %lld outputs fit", (long long)result.events,
		   (long long)result.outputs);
	if (result.pruned > 0)
		buf_printf(&line, "; those up to event %lld were pruned",
			   (long long)result.pruned);
	buf_append_text(&line, "\n");
	if (out_write(cli, buf_text(&line), line.length, err) < 0)
		return -1;
	if (found == 0)
		return 0;
	return err_set(err, ERR_INTERNAL, "the history does not fit: %s", result.detail);
}

int cmd_db_backup(struct cli *cli, struct err *err)
{
	struct db db;
	if (db_open(&db, &cli->args, err) < 0)
		return -1;
	const int status = queue_backup(db.queue, cli->args.word[0], err);
	db_close(&db);
	if (status == 0)
		say(cli, "copied to %s", cli->args.word[0]);
	return status;
}

int cmd_db_schema(struct cli *cli, struct err *err)
{
	AUTO_BUF struct buf schema = BUF_INIT(FINDINGS_BYTES_MAX);
	if (queue_schema(&schema, err) < 0)
		return -1;
	return out_write(cli, buf_text(&schema), schema.length, err);
}
