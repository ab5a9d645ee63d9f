/* config_rows.c - the settings, one row each, and their example file.
 *
 * To add a setting: a field in config.h and a row here. The file, the environment, the
 * example and the complaints follow from the row. */
#include <ctype.h>

#include "common/config_rows.h"
#include "common/mem.h"
#include "common/text.h"
#include "common/url.h"

/* Packaging sets this to /var/lib/reeve. */
#ifndef REEVE_STATE_DIR_DEFAULT
#define REEVE_STATE_DIR_DEFAULT "var"
#endif

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define TIB (1024 * 1024 * MIB)
#define DAY INT64_C(86400)

static const char *check_log_level(const char *text)
{
	enum log_level level;

	return log_level_parse(text, &level) ? "expected debug, info, warn or error"
					     : NULL;
}

static const char *check_absolute(const char *text)
{
	return text[0] == '/' ? NULL : "expected an absolute path";
}

static const char *check_search_path(const char *text)
{
	for (const char *at = text; at; at = strchr(at, ':')) {
		at += *at == ':';
		if (*at != '/')
			return "expected absolute paths with ':' between them";
	}
	return NULL;
}

static const char *check_cgroup(const char *text)
{
	if (text_equal(text, "auto") || text_equal(text, "off") || text[0] == '/')
		return NULL;
	return "expected auto, off or an absolute path";
}

static const char *check_variable_name(const char *text)
{
	size_t i = 0;

	if (text_equal(text, "*"))
		return NULL;
	while (isalnum((unsigned char)text[i]) || text[i] == '_')
		i++;
	return text[i] || isdigit((unsigned char)text[0])
		       ? "expected the name of an environment variable, or *"
		       : NULL;
}

/* clang-format off */
#define FIELD(member) .offset = offsetof(struct config, member)
const struct setting SETTINGS[] = {
	{.name = "state_dir", .kind = &KIND_TEXT, FIELD(state_dir),
	 .fallback = "\"" REEVE_STATE_DIR_DEFAULT "\"",
	 .fixed_in = CONFIG_INTAKE | CONFIG_WORKER,
	 .help = "Where the database, outputs and sockets live; relative to where it is started."},
	{.name = "log_level", .kind = &KIND_TEXT, FIELD(log_level_word), .check = check_log_level,
	 .fallback = "\"info\"",
	 .help = "The least that is logged: debug, info, warn or error."},
	{.name = "listeners", .kind = &KIND_LISTENERS, FIELD(listeners),
	 .fallback = "[{\"address\": \"unix:run/reeve.sock\", \"mode\": \"0660\"},"
		     " {\"address\": \"127.0.0.1:8080\"}]",
	 .fixed_in = CONFIG_INTAKE,
	 .help = "Where the intake listens: unix:PATH below state_dir, or a loopback ADDRESS:PORT."},
	{.name = "exec_roots", .kind = &KIND_ROOTS, FIELD(exec_roots),
	 .fallback = "[{\"path\": \"/usr/local/bin\", \"follow_links\": true},"
		     " \"/usr/bin\", \"/bin\"]",
	 .help = "Directories below which programs may be run; a name alone is tried in each in turn."},
	{.name = "allow_environment", .kind = &KIND_WORDS, FIELD(allow_environment),
	 .check = check_variable_name, .fallback = "[\"*\"]",
	 .help = "Variables that a request may set; * is all but the dangerous ones (LD_*, PATH, ...)."},
	{.name = "path", .kind = &KIND_TEXT, FIELD(search_path), .check = check_search_path,
	 .fallback = "\"/usr/local/bin:/usr/bin:/bin\"",
	 .help = "PATH as jobs see it."},
	{.name = "working_directory", .kind = &KIND_TEXT, FIELD(working_directory),
	 .check = check_absolute, .fallback = "\"/\"",
	 .help = "Where a job runs that names no directory of its own."},
	{.name = "tasks", .kind = &KIND_SOURCE, FIELD(tasks), .fallback = "[]",
	 .help = "Named commands with checked parameters: see docs/tasks.md."},
	{.name = "tasks_dir", .kind = &KIND_TEXT, FIELD(tasks_dir), .fallback = "\"tasks.d\"",
	 .help = "Each *.json in it is a task too; relative to the directory of this file."},
	{.name = "queues", .kind = &KIND_QUEUES, FIELD(queues), .fallback = "{}",
	 .help = "Queues, each with the most of its jobs that run at once, and their timeout."},
	{.name = "slots", .kind = &KIND_INTEGER, FIELD(slots), .fallback = "0", .max = 10000,
	 .help = "Jobs that run at the same time; 0 is as many as there are processors."},
	{.name = "timeout_s", .kind = &KIND_DURATION, FIELD(timeout_us), .fallback = "0",
	 .max = 366 * DAY,
	 .help = "How long a job may run that says nothing itself; 0 is for ever."},
	{.name = "kill_grace_s", .kind = &KIND_DURATION, FIELD(kill_grace_us), .fallback = "10",
	 .max = DAY,
	 .help = "Between the polite signal to a job and the end of all its processes."},
	{.name = "output_fold_bytes", .kind = &KIND_BYTES, FIELD(output_fold_bytes),
	 .fallback = "65536", .max = MIB,
	 .help = "Outputs up to this size move into the database when the job ends."},
	{.name = "output_compress_bytes", .kind = &KIND_BYTES, FIELD(output_compress_bytes),
	 .fallback = "0", .max = TIB,
	 .help = "Finished outputs at least so large are compressed (zstd) when there is time; 0 is none."},
	{.name = "cgroup", .kind = &KIND_TEXT, FIELD(cgroup), .check = check_cgroup,
	 .fallback = "\"auto\"",
	 .fixed_in = CONFIG_WORKER,
	 .help = "The cgroup v2 directory that is ours to fill: auto, off or its path."},
	{.name = "wal_bytes", .kind = &KIND_BYTES, FIELD(wal_bytes), .fallback = "16777216",
	 .min = 64 * KIB, .max = 1024 * MIB,
	 .help = "The write-ahead log is moved into the database when it has grown to this."},

	{.name = "limits.body_bytes", .kind = &KIND_BYTES, FIELD(limits.body_bytes),
	 .fallback = "25165824", .min = KIB, .max = 1024 * MIB,
	 .help = "Body of a request; holds stdin_bytes in base64 and some more."},
	{.name = "limits.stdin_bytes", .kind = &KIND_BYTES, FIELD(limits.stdin_bytes),
	 .fallback = "16777216", .max = 512 * MIB,
	 .help = "Standard input of a job, decoded."},
	{.name = "limits.args", .kind = &KIND_INTEGER, FIELD(limits.args), .fallback = "1024",
	 .max = 65536, .help = "Arguments of a job."},
	{.name = "limits.argv_bytes", .kind = &KIND_BYTES, FIELD(limits.argv_bytes),
	 .fallback = "131072", .min = KIB, .max = MIB,
	 .help = "Command and arguments of a job together."},
	{.name = "limits.environment_bytes", .kind = &KIND_BYTES, FIELD(limits.environment_bytes),
	 .fallback = "65536", .max = MIB,
	 .help = "Names and values that a request sets in the environment."},
	{.name = "limits.labels", .kind = &KIND_INTEGER, FIELD(limits.labels), .fallback = "64",
	 .max = 1000, .help = "Labels of a job."},
	{.name = "limits.header_bytes", .kind = &KIND_BYTES, FIELD(limits.header_bytes),
	 .fallback = "32768", .min = KIB, .max = MIB,
	 .fixed_in = CONFIG_INTAKE,
	 .help = "Headers of a request."},
	{.name = "limits.target_bytes", .kind = &KIND_BYTES, FIELD(limits.target_bytes),
	 .fallback = "8192", .min = 256, .max = 64 * KIB,
	 .fixed_in = CONFIG_INTAKE,
	 .help = "Path and query of a request."},
	{.name = "limits.connections", .kind = &KIND_INTEGER, FIELD(limits.connections),
	 .fallback = "512", .min = 4, .max = 65536,
	 .fixed_in = CONFIG_INTAKE,
	 .help = "Connections at the same time."},
	{.name = "limits.connections_per_address", .kind = &KIND_INTEGER,
	 FIELD(limits.connections_per_address), .fallback = "64", .min = 1, .max = 65536,
	 .fixed_in = CONFIG_INTAKE,
	 .help = "Connections at the same time from one address."},
	{.name = "limits.output_bytes", .kind = &KIND_BYTES, FIELD(output_bytes),
	 .fallback = "268435456", .max = TIB,
	 .help = "Output kept of a job that says nothing itself."},
	{.name = "limits.output_bytes_max", .kind = &KIND_BYTES, FIELD(limits.output_bytes_max),
	 .fallback = "17179869184", .max = TIB,
	 .help = "The most output that a job may ask to be kept."},
	{.name = "limits.dependencies", .kind = &KIND_INTEGER, FIELD(limits.dependencies),
	 .fallback = "1000", .max = 100000,
	 .help = "Jobs that one job may wait for."},
	{.name = "limits.batch_body_bytes", .kind = &KIND_BYTES, FIELD(limits.batch_body_bytes),
	 .fallback = "67108864", .min = KIB, .max = 1024 * MIB,
	 .help = "Body of a batch."},
	{.name = "limits.batch_jobs", .kind = &KIND_INTEGER, FIELD(limits.batch_jobs),
	 .fallback = "10000", .min = 1, .max = 100000,
	 .help = "Jobs of a batch, and of a rerun with all that depends on it."},
	{.name = "limits.batch_dependencies", .kind = &KIND_INTEGER,
	 FIELD(limits.batch_dependencies), .fallback = "100000", .min = 1, .max = 10000000,
	 .help = "Dependencies of all jobs of a batch together."},

	{.name = "http.threads", .kind = &KIND_INTEGER, FIELD(http.threads), .fallback = "0",
	 .max = 256,
	 .fixed_in = CONFIG_INTAKE,
	 .help = "Threads that serve the requests of each listener, and another when all have 125 "
		 "connections; 0 is a number fit for the machine."},
	{.name = "http.header_deadline_s", .kind = &KIND_DURATION, FIELD(http.header_deadline_us),
	 .fallback = "10", .min = 1, .max = 3600,
	 .help = "From the connection (or the last answer's end) to the request line, and again "
		 "from there to the end of the headers."},
	{.name = "http.body_deadline_s", .kind = &KIND_DURATION, FIELD(http.body_deadline_us),
	 .fallback = "30", .min = 1, .max = 3600,
	 .help = "From the end of the headers to the end of the body."},
	{.name = "http.request_deadline_s", .kind = &KIND_DURATION, FIELD(http.request_deadline_us),
	 .fallback = "60", .min = 1, .max = 3600,
	 .fixed_in = CONFIG_INTAKE,
	 .help = "The whole request, but for waiting and following."},
	{.name = "http.wait_max_s", .kind = &KIND_DURATION, FIELD(http.wait_max_us),
	 .fallback = "60", .max = 3600,
	 .help = "The longest time that ?wait may hold an answer back."},
	{.name = "http.idempotency_keep_s", .kind = &KIND_DURATION,
	 FIELD(http.idempotency_keep_us), .fallback = "604800", .min = 60, .max = 366 * DAY,
	 .help = "How long an Idempotency-Key is remembered."},
	{.name = "http.stall_s", .kind = &KIND_DURATION, FIELD(http.stall_us),
	 .fallback = "30", .min = 1, .max = 3600,
	 .help = "A client that follows something and takes nothing of it for so long is cut off."},

	{.name = "callbacks.allowed_hosts", .kind = &KIND_HOSTS, FIELD(callbacks.allowed_hosts),
	 .check = host_port_check, .fallback = "[]",
	 .help = "HOST:PORT of each receiver that a callback may name; none means no callbacks."},
	{.name = "callbacks.internal_hosts", .kind = &KIND_HOSTS, FIELD(callbacks.internal_hosts),
	 .check = host_port_check, .fallback = "[]",
	 .help = "Those of them that may have a loopback, private or link-local address."},
	{.name = "callbacks.secret_file", .kind = &KIND_TEXT, FIELD(callbacks.secret_file),
	 .fallback = "\"callback-secret\"",
	 .help = "The secret that signs callbacks (whsec_...); relative to state_dir, made when missing."},
	{.name = "callbacks.ca_file", .kind = &KIND_TEXT, FIELD(callbacks.ca_file),
	 .fallback = "\"system\"",
	 .help = "File of the certificate authorities that receivers' certificates come from (PEM); system: those of the machine."},
	{.name = "callbacks.timeout_s", .kind = &KIND_DURATION, FIELD(callbacks.timeout_us),
	 .fallback = "10", .min = 1, .max = 300,
	 .help = "How long one try of a callback may take, from the name to the answer."},
	{.name = "callbacks.parallel", .kind = &KIND_INTEGER, FIELD(callbacks.parallel),
	 .fallback = "16", .min = 1, .max = 256,
	 .help = "Callbacks under way at the same time."},
	{.name = "callbacks.parallel_per_host", .kind = &KIND_INTEGER,
	 FIELD(callbacks.parallel_per_host), .fallback = "4", .min = 1, .max = 256,
	 .help = "The same to one HOST:PORT, so that one that hangs does not hold up the others."},

	{.name = "retention.rules", .kind = &KIND_RETENTION, FIELD(retention.rules), .fallback = "[]",
	 .help = "How much is kept of which jobs, the first that fits: see docs/retention.md."},
	{.name = "retention.output_max_age_s", .kind = &KIND_DURATION,
	 FIELD(retention.output_age_us), .fallback = "2592000", .max = 36600 * DAY,
	 .help = "Outputs go so long after the end of their job where no rule says otherwise; 0 is never."},
	{.name = "retention.rows_max_age_s", .kind = &KIND_DURATION, FIELD(retention.rows_age_us),
	 .fallback = "31536000", .max = 36600 * DAY,
	 .help = "The same for the rows of jobs; a tombstone remains of each."},
	{.name = "retention.events_max_age_s", .kind = &KIND_DURATION,
	 FIELD(retention.events_age_us), .fallback = "31536000", .max = 36600 * DAY,
	 .help = "Events go when they are so old, the oldest first; 0 is never."},
	{.name = "retention.every_s", .kind = &KIND_DURATION, FIELD(retention.every_us),
	 .fallback = "3600", .max = 366 * DAY,
	 .help = "How often the worker looks for what may go; 0 is only `reeve db prune`."},
	{.name = "retention.slice", .kind = &KIND_INTEGER, FIELD(retention.slice), .fallback = "250",
	 .min = 1, .max = 500,
	 .help = "Most jobs or events that are removed in one transaction."},
};
#undef FIELD
/* clang-format on */
const size_t SETTINGS_COUNT = ARRAY_SIZE(SETTINGS);
_Static_assert(ARRAY_SIZE(SETTINGS) <= SETTINGS_MAX, "raise SETTINGS_MAX");

void setting_variable(const struct setting *row, char *ret, size_t bytes)
{
	(void)snprintf(ret, bytes, "REEVE_%s", row->name);
	for (; *ret; ret++)
		*ret = (char)(*ret == '.' ? '_' : toupper((unsigned char)*ret));
}

/* --- the example --- */

/* One row with its comment. `margin` is the indentation, `key` the last part of the name.
 */
static void print_row(FILE *out, const struct setting *row, const char *margin,
		      const char *key, bool is_last)
{
	char variable[64];

	setting_variable(row, variable, sizeof(variable));
	fprintf(out, "%s// %s\n%s// %s", margin, row->help, margin, row->kind->word);
	if (row->kind->is_number)
		fprintf(out, ", %lld to %lld", (long long)row->min, (long long)row->max);
	fprintf(out, "; %s%s\n%s\"%s\": %s%s\n", variable,
		row->fixed_in ? "; a change needs a restart" : "", margin, key,
		row->fallback, is_last ? "" : ",");
}

/* Length of the group in front of the last dot, 0 without one. */
static size_t group_length(const struct setting *row)
{
	const char *dot = strrchr(row->name, '.');

	return dot ? (size_t)(dot - row->name) : 0;
}

/* Is row `i` there and in the group of `row`? */
static bool group_goes_on(size_t i, const struct setting *row)
{
	size_t length = group_length(row);

	return i < SETTINGS_COUNT && group_length(&SETTINGS[i]) == length &&
	       strncmp(SETTINGS[i].name, row->name, length) == 0;
}

void config_print_example(FILE *out)
{
	fputs("// Every setting of Reeve with its default. Keep what you change.\n"
	      "// Each can also be set by the environment variable named beside it.\n{\n",
	      out);
	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		const struct setting *row = &SETTINGS[i];
		size_t group = group_length(row);
		bool is_first = i == 0 || !group_goes_on(i - 1, row);
		bool is_last = !group_goes_on(i + 1, row);

		if (group && is_first)
			fprintf(out, "\t\"%.*s\": {\n", (int)group, row->name);
		print_row(out, row, group ? "\t\t" : "\t",
			  row->name + group + (group > 0),
			  is_last && (group || i + 1 == SETTINGS_COUNT));
		if (group && is_last)
			fprintf(out, "\t}%s\n", i + 1 < SETTINGS_COUNT ? "," : "");
	}
	fputs("}\n", out);
}
