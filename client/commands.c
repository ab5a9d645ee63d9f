/* commands.c - every command of `reeve`, one row each. A new command is a row here, its
 * options above it, and a function in a cmd_*.c. */
#include "client/cli.h"

#include <stddef.h>
#include <string.h>

#define INT_OPTION(lo, hi) .kind = OPTION_INT, .min = (lo), .max = (hi)
#define ROWS(array)                                                                      \
	{                                                                                \
		(array), ARRAY_SIZE(array)                                               \
	}
#define NO_OPTIONS                                                                       \
	{                                                                                \
		NULL, 0                                                                  \
	}
#define EXAMPLES(...)                                                                    \
	(const char *const[])                                                            \
	{                                                                                \
		__VA_ARGS__, NULL                                                        \
	}
#define LINES_MAX 1000000

/* clang-format off */

static const struct option_row GLOBAL_ROWS[] = {
	{"server", 0, NULL, "WHERE",
	 "unix:PATH, http://HOST:PORT or https://HOST:PORT", .kind = OPTION_TEXT},
	{"token-file", 0, NULL, "FILE",
	 "bearer token; refused when others can read the file", .kind = OPTION_TEXT},
	{"profile", 0, NULL, "NAME",
	 "server and token file from $XDG_CONFIG_HOME/reeve/config.json", .kind = OPTION_TEXT},
	{"config", 0, NULL, "FILE",
	 "the service's configuration, which says where its socket is", .kind = OPTION_TEXT},
	{"timeout", 0, "request-timeout", "TIME",
	 "give up on a request after this long (10s); streams never end so", .kind = OPTION_DURATION},
	{"output", 'o', NULL, "table|wide|tsv|json|jsonl|id",
	 "table on a terminal, else tsv", .kind = OPTION_WORD},
	{"color", 0, NULL, "auto|always|never",
	 "auto: on a terminal, unless NO_COLOR is set", .kind = OPTION_WORD},
	{"quiet", 'q', NULL, NULL, "no messages but errors", .kind = OPTION_FLAG},
	{"help", 'h', NULL, NULL, "this help", .kind = OPTION_FLAG},
	{"version", 0, NULL, NULL, "the version (before a verb)", .kind = OPTION_FLAG},
};

static const struct option_row RUN_ROWS[] = {
	{"wait", 'w', NULL, NULL,
	 "wait for the end; the exit code is the job's", .kind = OPTION_FLAG},
	{"follow", 'f', NULL, NULL,
	 "print the output as it comes, then as --wait", .kind = OPTION_FLAG},
	{"raw", 0, NULL, NULL,
	 "with --follow: control characters go to the terminal as they are", .kind = OPTION_FLAG},
	{"task", 0, NULL, "TASK", "submit this task instead of a command", .kind = OPTION_TEXT},
	{"parameter", 'p', NULL, "NAME=VALUE",
	 "a parameter of the task; may be repeated", .kind = OPTION_PAIR},
	{"name", 'n', NULL, "TEXT", "a name for people", .kind = OPTION_TEXT},
	{"label", 'l', NULL, "NAME=VALUE", "a label; may be repeated", .kind = OPTION_PAIR},
	{"env", 'e', NULL, "NAME=VALUE",
	 "a variable for the job's environment; may be repeated", .kind = OPTION_PAIR},
	{"cwd", 'C', NULL, "DIR", "the job's working directory", .kind = OPTION_TEXT},
	{"timeout", 't', NULL, "TIME", "stop the job after this long", .kind = OPTION_DURATION},
	{"timeout-s", 0, "timeout", "SECONDS", "the same", .kind = OPTION_DURATION},
	{"queue", 0, NULL, "NAME", "the queue that it goes to (default)", .kind = OPTION_TEXT},
	{"priority", 0, NULL, "N", "-100 to 100; higher starts first", INT_OPTION(-100, 100)},
	{"at", 0, NULL, "TIME",
	 "start it not before: 2026-11-21T06:00:00Z, or +10m from now", .kind = OPTION_TEXT},
	{"expires", 0, NULL, "TIME",
	 "let it fail if it has not started by then", .kind = OPTION_TEXT},
	{"deadline", 0, NULL, "TIME",
	 "stop it this long after now, waits and retries counted", .kind = OPTION_DURATION},
	{"hold", 0, NULL, NULL, "start it only when it is released", .kind = OPTION_FLAG},
	{"retries", 0, NULL, "N", "try again up to N times", INT_OPTION(0, 999)},
	{"retry-delay", 0, NULL, "TIME", "before the first retry; doubles (10s)", .kind = OPTION_DURATION},
	{"retry-on", 0, NULL, "WORD",
	 "exit, signal, timeout, output_limit, start_failed, lost; may be repeated", .kind = OPTION_TEXT},
	{"stdin", 'i', NULL, "FILE",
	 "the job's standard input; - is ours; else it has none", .kind = OPTION_TEXT},
	{"after", 0, NULL, "ID[:CONDITION]",
	 "start it after that job: success (default), failure, any, started; may be repeated", .kind = OPTION_TEXT},
	{"any", 0, NULL, NULL, "one of the --after is enough", .kind = OPTION_FLAG},
	{"stdin-from", 0, NULL, "ID",
	 "after the success of that job, with its standard output as standard input", .kind = OPTION_TEXT},
	{"unique", 0, NULL, "KEY[:WORD]",
	 "only one of this key is alive; else: return it (default), reject, replace", .kind = OPTION_TEXT},
	{"keep", 0, NULL, NULL, "never remove it by age or number", .kind = OPTION_FLAG},
	{"callback", 0, NULL, "URL", "tell this address when the job has ended", .kind = OPTION_TEXT},
	{"callback-on", 0, NULL, "WORD",
	 "when else: started, final, or one of the final states; may be repeated", .kind = OPTION_TEXT},
	{"idempotency-key", 0, NULL, "KEY",
	 "the same key and request give the same job (default: a new one)", .kind = OPTION_TEXT},
	{"dry-run", 0, NULL, NULL, "check and show, store nothing", .kind = OPTION_FLAG},
};

static const struct option_row SUBMIT_ROWS[] = {
	{"idempotency-key", 0, NULL, "KEY",
	 "the same key and file give the same jobs (default: a new one)", .kind = OPTION_TEXT},
	{"dry-run", 0, NULL, NULL, "check and show, store nothing", .kind = OPTION_FLAG},
};

static const struct option_row RERUN_ROWS[] = {
	{"cascade", 0, NULL, NULL,
	 "and all jobs that depend on it, with the same dependencies", .kind = OPTION_FLAG},
};

static const struct option_row GRAPH_ROWS[] = {
	{"output", 'o', NULL, "tree|tsv|json|dot|id",
	 "tree on a terminal, else tsv; dot is for Graphviz", .kind = OPTION_WORD},
};

#define LS_HOW_MANY \
	{"limit", 'n', NULL, "N", "at most so many (50)", INT_OPTION(1, LINES_MAX)}, \
	{"all", 'a', NULL, NULL, "as many as there are", .kind = OPTION_FLAG}, \
	{"count", 0, NULL, NULL, "only how many fit; from 10000 on: 10000+", .kind = OPTION_FLAG}

static const struct option_row LS_ROWS[] = {LS_HOW_MANY};

static const struct option_row LOGS_ROWS[] = {
	{"follow", 'f', NULL, NULL, "go on until the job has ended", .kind = OPTION_FLAG},
	{"lines", 'n', NULL, "LINES", "begin with the last LINES lines", INT_OPTION(0, LINES_MAX)},
	{"timestamps", 't', NULL, NULL, "when each line was written, before it", .kind = OPTION_FLAG},
	{"grep", 'g', NULL, "TEXT", "only the lines with TEXT, and their numbers", .kind = OPTION_TEXT},
	{"ignore-case", 'i', NULL, NULL, "with --grep: A to Z are a to z", .kind = OPTION_FLAG},
	{"stream", 0, NULL, "both|stdout|stderr", "what it wrote there (both)", .kind = OPTION_WORD},
	{"stdout", 0, NULL, NULL, "only what went to standard output", .kind = OPTION_FLAG},
	{"stderr", 0, NULL, NULL, "only what went to standard error", .kind = OPTION_FLAG},
	{"attempt", 0, NULL, "N", "of this attempt (the last)", INT_OPTION(1, LINES_MAX)},
	{"raw", 0, NULL, NULL,
	 "control characters go to the terminal as they are", .kind = OPTION_FLAG},
};

static const struct option_row EVENTS_ROWS[] = {
	{"follow", 'f', NULL, NULL,
	 "go on until the jobs have ended, without any for ever", .kind = OPTION_FLAG},
	{"after", 0, NULL, "ID",
	 "begin after this event; now: only what comes", .kind = OPTION_TEXT},
	{"queue", 0, NULL, "NAME", "of the jobs of this queue; may be repeated", .kind = OPTION_TEXT},
	{"label", 'l', NULL, "NAME=VALUE", "of the jobs with this label; may be repeated", .kind = OPTION_TEXT},
	{"kind", 0, NULL, "KIND", "only of this kind, as ended; may be repeated", .kind = OPTION_TEXT},
};

static const struct option_row STOP_ROWS[] = {
	{"reason", 0, NULL, "TEXT", "why; goes into the history", .kind = OPTION_TEXT},
	{"force", 0, NULL, NULL, "kill at once, without the grace", .kind = OPTION_FLAG},
	{"cascade", 0, NULL, NULL, "and all living jobs that depend on it", .kind = OPTION_FLAG},
	{"dry-run", 0, NULL, NULL, "say what would happen, stop nothing", .kind = OPTION_FLAG},
	{"yes", 'y', NULL, NULL, "do not ask before stopping several", .kind = OPTION_FLAG},
};

static const struct option_row WAIT_ROWS[] = {
	{"timeout", 't', "wait-timeout", "TIME",
	 "stop waiting after this long: exit code 124", .kind = OPTION_DURATION},
	{"any", 0, NULL, NULL, "until the first of them has ended", .kind = OPTION_FLAG},
};

static const struct option_row CHANGE_ROWS[] = {
	{"name", 'n', NULL, "TEXT", "a name for people; '' for none", .kind = OPTION_TEXT},
	{"priority", 0, NULL, "N", "-100 to 100; higher starts first", INT_OPTION(-100, 100)},
	{"label", 'l', NULL, "NAME=VALUE",
	 "may be repeated; these replace all labels", .kind = OPTION_PAIR},
	{"no-labels", 0, NULL, NULL, "take all labels away", .kind = OPTION_FLAG},
	{"at", 0, NULL, "TIME",
	 "start it not before: 2026-11-21T06:00:00Z, +10m, or now", .kind = OPTION_TEXT},
	{"keep", 0, NULL, NULL, "never prune it or its output", .kind = OPTION_FLAG},
	{"no-keep", 0, NULL, NULL, "prune it as any other", .kind = OPTION_FLAG},
};

static const struct option_row PAUSE_ROWS[] = {
	{"reason", 0, NULL, "TEXT", "why; everybody who asks is told", .kind = OPTION_TEXT},
	{"until", 0, NULL, "TIME",
	 "resume by itself then: 2026-11-21T06:00:00Z, or +10m from now", .kind = OPTION_TEXT},
};

static const struct option_row CALLBACKS_ROWS[] = {
	{"state", 's', NULL, "pending|delivered|dead", "only those", .kind = OPTION_WORD},
	{"limit", 'n', NULL, "N", "at most so many (50)", INT_OPTION(1, LINES_MAX)},
	{"all", 'a', NULL, NULL, "as many as there are", .kind = OPTION_FLAG},
};

static const struct option_row REDELIVER_ROWS[] = {
	{"dead", 0, NULL, NULL, "all that are dead", .kind = OPTION_FLAG},
};

static const struct option_row DRAIN_ROWS[] = {
	{"reason", 0, NULL, "TEXT", "why; everybody who asks is told", .kind = OPTION_TEXT},
	{"wait", 'w', NULL, NULL, "until nothing runs any more", .kind = OPTION_FLAG},
	{"timeout", 't', "wait-timeout", "TIME",
	 "with --wait: stop waiting after this long, exit code 124", .kind = OPTION_DURATION},
};

static const struct option_row CHECK_ROWS[] = {
	{"example", 0, NULL, NULL,
	 "print a configuration with every setting and its default", .kind = OPTION_FLAG},
};

static const struct option_row HELP_ROWS[] = {
	{"markdown", 0, NULL, NULL, "all of it, as docs/cli.md has it", .kind = OPTION_FLAG},
};

#define DB_WHERE \
	{"db", 0, NULL, "FILE", "the database file", .kind = OPTION_TEXT}, \
	{"state-dir", 0, NULL, "DIR", "the directory with reeve.db", .kind = OPTION_TEXT}

static const struct option_row DB_ROWS[] = {DB_WHERE};
static const struct option_row DB_PRUNE_ROWS[] = {
	DB_WHERE,
	{"dry-run", 0, NULL, NULL, "say what would go, change nothing", .kind = OPTION_FLAG},
	{"rule", 0, NULL, "N", "only what rule N lets go: 0 is the first, rest what none fits", .kind = OPTION_TEXT},
};
static const struct option_row DB_LS_ROWS[] = {DB_WHERE, LS_HOW_MANY};
static const struct option_row DB_LOGS_ROWS[] = {
	DB_WHERE,
	{"stdout", 0, NULL, NULL, "only what went to standard output", .kind = OPTION_FLAG},
	{"stderr", 0, NULL, NULL, "only what went to standard error", .kind = OPTION_FLAG},
	{"attempt", 0, NULL, "N", "of this attempt (the last)", INT_OPTION(1, LINES_MAX)},
	{"raw", 0, NULL, NULL,
	 "control characters go to the terminal as they are", .kind = OPTION_FLAG},
};

#define ID_NOTE "ID is a job's UUID, its first characters (4 or more, if no other job begins so), or\n" \
	"last: your newest job.\n"
#define FILTER_BEGIN "Filters: state:STATE, queue:NAME, task:NAME, owner:PRINCIPAL, batch:ID, label:NAME=VALUE,\n" \
	"q:TEXT (part of the name or the command, in any case), after:TIME, before:TIME"
#define FILTER_TIME "TIME is how long ago (90s, 5m, 2h, 1d),\n" \
	"a day (2026-11-21) or a moment (2026-11-21T06:00:00Z).\n"
#define FILTER_NOTE FILTER_BEGIN ",\n" \
	"finished-after:TIME, finished-before:TIME. Each of them narrows; of several values of one\n" \
	"(state:failed,lost or label:a=1 label:a=2) any fits. " FILTER_TIME \
	"States: waiting, queued, running, succeeded, failed, cancelled, skipped, lost.\n"
#define FILTER_LIVING_NOTE FILTER_BEGIN ".\n" \
	"Each of them narrows; of several values of one (state:queued,waiting or label:a=1\n" \
	"label:a=2) any fits. " FILTER_TIME \
	"States: waiting, queued, running.\n"
#define SORT_NOTE "sort:submitted and sort:finished show the newest first, sort:+submitted and sort:+finished\n" \
	"the oldest; by finished only what has ended is listed. limit:N is --limit N.\n" \
	"What no index serves is refused: q: alone, for one, wants another filter beside it.\n"
#define DB_NOTE "Reads the database file itself: no service needs to run, and a running one is not\n" \
	"disturbed. Without --db or --state-dir the configuration says where it is.\n"

static const struct command COMMAND_ROWS[] = {
	{.name = "run", .synopsis = "[options] [--] COMMAND ARG... | --task TASK [-p NAME=VALUE...]",
	 .summary = "Submit a job; prints its id",
	 .examples = EXAMPLES(
		 "reeve run -- ffmpeg -i a.mp4 -vframes 1 a.png\tprints the job's id",
		 "reeve run --wait make -C /srv/site\tends with the job's exit code",
		 "reeve run --follow --timeout 10m -- backup.sh\tshows its output meanwhile",
		 "reeve run --stdin data.csv -- sort -u\tgives it a file as standard input",
		 "reeve run --task createthumb -p id=58271\ta task of the service's configuration",
		 "reeve run --queue thumbs -- convert a.png b.jpg\ta queue of the service's configuration",
		 "reeve run --at 2026-11-21T06:00:00+01:00 -- report\tstarts it then",
		 "reeve run --retries 3 --retry-delay 30s -- fetch\ttries again after 30s, 60s, 120s"),
	 .notes = "COMMAND is the path of a program below one of the service's exec_roots, absolute or\n"
		  "relative to the first root that has it. No shell is involved: for pipes and variables\n"
		  "run `sh -c '...'`. A relative --cwd is taken from here.\n"
		  "\n"
		  "The request is repeated when its outcome is unknown (lost connection, 5xx), always with\n"
		  "the same idempotency key, so that it never makes two jobs. Ctrl-C while waiting or\n"
		  "following detaches; the job goes on.\n",
	 .options = ROWS(RUN_ROWS), .words_max = -1, .stops_at_word = true,
	 .run = cmd_run},
	{.name = "submit", .synopsis = "[options] FILE|-", .summary = "Submit jobs written as JSON",
	 .examples = EXAMPLES(
		 "reeve submit job.json\tone job, as POST /v1/jobs takes it; prints its id",
		 "reeve submit nightly.json\ta batch: {\"jobs\": [...]}, or the array alone; all or none",
		 "generate | reeve submit -\tone job a line",
		 "reeve submit --idempotency-key import-7 jobs.jsonl\tgoes on where it was interrupted"),
	 .notes = "Of a batch a line is printed for each job: id, ref, state, reason, existing. Jobs one a\n"
		  "line are submitted one after the other, each once: with the same --idempotency-key and\n"
		  "file those that had arrived are not made again. The first line that is refused ends it,\n"
		  "with its number and the command that goes on. See docs/pipelines.md.\n",
	 .options = ROWS(SUBMIT_ROWS), .words_min = 1, .words_max = 1, .run = cmd_submit},
	{.name = "rerun", .synopsis = "[--cascade] ID", .summary = "A new job like one that has ended",
	 .examples = EXAMPLES("reeve rerun last\tprints the id of the new job",
			      "reeve rerun --cascade 0193f2c4\tand all that depends on it, however indirectly"),
	 .notes = ID_NOTE, .options = ROWS(RERUN_ROWS), .words_min = 1, .words_max = 1,
	 .takes_ids = true, .run = cmd_rerun},
	{.name = "graph", .synopsis = "[-o FORMAT] ID", .summary = "What waits for what",
	 .examples = EXAMPLES("reeve graph last\ta tree, from the jobs that wait for nobody downwards",
			      "reeve graph -o dot last | dot -Tsvg > jobs.svg\ta picture, by Graphviz"),
	 .notes = ID_NOTE
		  "\n"
		  "All jobs that hang together with it are shown. In the tree a job goes on straight below\n"
		  "(↓) when it is the only one that waits for the one above, and waits for no other. As tsv\n"
		  "a line is a dependency: job, on, parent, state.\n",
	 .options = ROWS(GRAPH_ROWS), .words_min = 1, .words_max = 1, .takes_ids = true,
	 .run = cmd_graph},
	{.name = "ls", .synopsis = "[FILTER...]", .summary = "List jobs, newest first",
	 .examples = EXAMPLES("reeve ls\tthe newest 50",
			      "reeve ls state:failed limit:10\tthe last ten that failed",
			      "reeve ls state:failed,lost finished-after:2h\tof the last two hours",
			      "reeve ls label:app=library q:mp4 --count\thow many",
			      "reeve ls -o id state:running\tonly ids, for scripts",
			      "reeve ls -o jsonl limit:10000 | jq .command\tone JSON object a line"),
	 .notes = FILTER_NOTE SORT_NOTE
		  "\n"
		  "Elsewhere than on a terminal the columns are: id, state, reason, exit_code, signal,\n"
		  "submitted, started, finished, owner, priority, attempt, labels, name, command.\n",
	 .options = ROWS(LS_ROWS), .words_max = -1, .run = cmd_ls},
	{.name = "show", .synopsis = "ID...", .summary = "Everything about a job",
	 .examples = EXAMPLES("reeve show last\tyour newest job",
			      "reeve show -o json 0193f2c4\tas the service tells it"),
	 .notes = ID_NOTE, .options = NO_OPTIONS, .words_min = 1, .words_max = -1,
	 .takes_ids = true, .run = cmd_show},
	{.name = "attempts", .synopsis = "ID", .summary = "The executions of a job",
	 .examples = EXAMPLES("reeve attempts last"), .notes = ID_NOTE,
	 .options = NO_OPTIONS, .words_min = 1, .words_max = 1, .takes_ids = true,
	 .run = cmd_attempts},
	{.name = "events", .synopsis = "[options] [ID...]", .summary = "What happened, and what happens",
	 .examples = EXAMPLES("reeve events last\twho did what to it, and when",
			      "reeve events -f --kind ended\tevery end, as it comes",
			      "reeve events -f -o jsonl --after 1234 --label app=library\tfor a program"),
	 .notes = ID_NOTE
		  "\n"
		  "Of several jobs, queues and labels any will do. With --follow and no ID it begins now, else with\n"
		  "the oldest event there is. It survives restarts of the service: no event is missed and none\n"
		  "comes twice. Ctrl-C ends it with exit code 0. Some 200 IDs fit into one request. docs/events.md\n"
		  "has the kinds.\n",
	 .options = ROWS(EVENTS_ROWS), .words_max = -1, .takes_ids = true, .run = cmd_events},
	{.name = "logs", .synopsis = "[options] ID", .summary = "The output of a job",
	 .examples = EXAMPLES("reeve logs last\tall of it so far",
			      "reeve logs -f -n 20 last\tthe last 20 lines and all that follow",
			      "reeve logs --stderr last 2>/dev/null\tonly its standard error",
			      "reeve logs -t last\tthe time before each line",
			      "reeve logs --grep error -i last\twhere it stands, as LINE:TEXT"),
	 .notes = ID_NOTE
		  "\n"
		  "On a terminal, control characters are shown instead of obeyed, unless --raw. Elsewhere\n"
		  "the bytes come as the job wrote them. Ctrl-C while following detaches; the job goes on.\n"
		  "\n"
		  "Without --attempt it is the last attempt; -f goes on with those that come. A connection\n"
		  "that is lost is made anew and goes on at its byte, for six times --timeout at most.\n"
		  "\n"
		  "--grep is done by the service, which reads all that is there: exit code 1 when no line has\n"
		  "TEXT. Of a line of over 4096 bytes it is the part around it. With -o json or jsonl each\n"
		  "has its time, stream and offset too.\n",
	 .options = ROWS(LOGS_ROWS), .words_min = 1, .words_max = 1, .takes_ids = true,
	 .run = cmd_logs},
	{.name = "stop", .synopsis = "[options] ID... | FILTER...", .summary = "Cancel or stop jobs",
	 .examples = EXAMPLES("reeve stop last",
			      "reeve stop --reason 'wrong file' 0193f2c4-a1b2",
			      "reeve stop --dry-run state:queued label:app=library\thow many that would be",
			      "reeve stop --yes state:queued label:app=library\tall of them"),
	 .notes = ID_NOTE
		  "\n"
		  FILTER_LIVING_NOTE
		  "Only jobs that have not ended are meant; with filters, all that fit are stopped.\n"
		  "\n"
		  "A job that has not started is cancelled; a running one gets SIGTERM and, after its grace,\n"
		  "is killed with all its descendants. This command does not wait for that: `reeve wait`.\n",
	 .options = ROWS(STOP_ROWS), .words_min = 1, .words_max = -1, .takes_ids = true,
	 .run = cmd_stop},
	{.name = "hold", .synopsis = "ID...", .summary = "Keep jobs from starting",
	 .examples = EXAMPLES("reeve hold last"),
	 .notes = ID_NOTE "\nA job that has started cannot be held.\n",
	 .options = NO_OPTIONS, .words_min = 1, .words_max = -1, .takes_ids = true,
	 .run = cmd_hold},
	{.name = "release", .synopsis = "ID...", .summary = "Let held jobs start",
	 .examples = EXAMPLES("reeve release last"), .notes = ID_NOTE,
	 .options = NO_OPTIONS, .words_min = 1, .words_max = -1, .takes_ids = true,
	 .run = cmd_release},
	{.name = "change", .synopsis = "[options] ID", .summary = "Change a job that has not started",
	 .examples = EXAMPLES("reeve change --priority 50 last",
			      "reeve change --at +2h last\tlater; --at now: as soon as it can",
			      "reeve change --label app=library --label batch=7 last\tthese and no others"),
	 .notes = ID_NOTE
		  "\n"
		  "Also between two attempts of a job that is tried again. A job that runs or has ended only\n"
		  "takes --keep and --no-keep.\n",
	 .options = ROWS(CHANGE_ROWS), .words_min = 1, .words_max = 1, .takes_ids = true,
	 .run = cmd_change},
	{.name = "signal", .synopsis = "ID SIGNAL", .summary = "Send a signal to a running job",
	 .examples = EXAMPLES("reeve signal last USR1\tor SIGUSR1, or 10",
			      "reeve signal last STOP\tand CONT to let it go on"),
	 .notes = ID_NOTE
		  "\n"
		  "Its main process gets it, and no other. The history says whether it did: `reeve events`.\n"
		  "To end a job use `reeve stop`, which ends all of its processes and is not taken for a failure.\n",
	 .options = NO_OPTIONS, .words_min = 2, .words_max = 2, .takes_ids = true,
	 .run = cmd_signal},
	{.name = "wait", .synopsis = "[options] ID...", .summary = "Wait until jobs have ended",
	 .examples = EXAMPLES("reeve wait last && echo well",
			      "reeve wait --timeout 30s last\t124 when it takes longer",
			      "reeve wait --any 0193f2c4-a1b2 0193f2c4-c3d4"),
	 .notes = ID_NOTE
		  "\n"
		  "The exit code is the job's, or 128 + n if signal n ended it; of several jobs the first\n"
		  "that is not 0, in the order of the arguments. A job that did not succeed and has no exit\n"
		  "code but 0 gives 1.\n",
	 .options = ROWS(WAIT_ROWS), .words_min = 1, .words_max = -1, .takes_ids = true,
	 .run = cmd_wait},
	{.name = "explain", .synopsis = "ID", .summary = "Why a job does not run yet",
	 .examples = EXAMPLES("reeve explain last\tevery reason, what is ahead, when it could start",
			      "reeve explain -o json 0193f2c4\tthe same for programs"),
	 .notes = ID_NOTE
		  "\n"
		  "All reasons are named, not only the first: what would still hold it back if the others\n"
		  "went away. Elsewhere than on a terminal each line is a word and its values, parted by\n"
		  "tabs: summary, reason (code, sentence, until), ahead, earliest_at.\n",
	 .options = NO_OPTIONS, .words_min = 1, .words_max = 1, .takes_ids = true,
	 .run = cmd_explain},
	{.name = "queues", .synopsis = "[NAME]", .summary = "The queues, and what waits in them",
	 .examples = EXAMPLES("reeve queues", "reeve queues thumbs\tall about one"),
	 .notes = "A queue is a named lane with a limit of running jobs: docs/queues.md. Whether the\n"
		  "service is draining is said on standard error.\n",
	 .options = NO_OPTIONS, .words_max = 1, .run = cmd_queues},
	{.name = "queue pause", .synopsis = "[options] NAME",
	 .summary = "Start nothing of a queue for a while",
	 .examples = EXAMPLES("reeve queue pause thumbs --reason 'the disk is full'",
			      "reeve queue pause thumbs --until +2h\tresumes by itself"),
	 .notes = "What runs goes on, and submissions are accepted. Needs the role admin.\n",
	 .options = ROWS(PAUSE_ROWS), .words_min = 1, .words_max = 1, .run = cmd_queue_pause},
	{.name = "queue resume", .synopsis = "NAME", .summary = "Start jobs of a queue again",
	 .examples = EXAMPLES("reeve queue resume thumbs"),
	 .notes = "Needs the role admin.\n",
	 .options = NO_OPTIONS, .words_min = 1, .words_max = 1, .run = cmd_queue_resume},
	{.name = "queue limit", .synopsis = "NAME N|none|configured",
	 .summary = "How many jobs of a queue may run at once",
	 .examples = EXAMPLES("reeve queue limit thumbs 4",
			      "reeve queue limit thumbs none\tonly the worker's slots limit it",
			      "reeve queue limit thumbs configured\tas the configuration says again"),
	 .notes = "The limit holds until it is changed, also after restarts. A lower one stops nothing\n"
		  "that runs. Needs the role admin.\n",
	 .options = NO_OPTIONS, .words_min = 2, .words_max = 2, .run = cmd_queue_limit},
	{.name = "callbacks", .synopsis = "[options] [JOB|CALLBACK]",
	 .summary = "What others are told about jobs, and how that went",
	 .examples = EXAMPLES("reeve callbacks --state dead\tthose that nobody took",
			      "reeve callbacks last\tthose of one job",
			      "reeve callbacks msg_0f6d2b9d3c5e4a7f8b1a2c3d4e5f6071\tall about one, with its body"),
	 .notes = "Newest first. A job names whom to tell with `reeve run --callback`: docs/callbacks.md.\n\n"
		  ID_NOTE,
	 .options = ROWS(CALLBACKS_ROWS), .words_max = 1, .takes_ids = true, .run = cmd_callbacks},
	{.name = "redeliver", .synopsis = "CALLBACK... | --dead", .summary = "Send callbacks again",
	 .examples = EXAMPLES("reeve redeliver msg_0f6d2b9d3c5e4a7f8b1a2c3d4e5f6071",
			      "reeve redeliver --dead\twhen the receiver is back"),
	 .notes = "Dead ones and those that were taken alike, with the same id and body and all tries anew.\n"
		  "What is still to be tried is tried at once.\n",
	 .options = ROWS(REDELIVER_ROWS), .words_max = -1, .run = cmd_redeliver},
	{.name = "drain", .synopsis = "[options]",
	 .summary = "Start nothing any more; what runs goes on",
	 .examples = EXAMPLES("reeve drain --wait --reason 'kernel upgrade'\treturns when nothing runs",
			      "reeve drain --wait --timeout 10m || echo still busy"),
	 .notes = "Jobs are still accepted and wait. It holds until `reeve undrain`, also after restarts.\n"
		  "Ctrl-C while waiting ends the waiting, not the draining. Needs the role admin.\n",
	 .options = ROWS(DRAIN_ROWS), .run = cmd_drain},
	{.name = "undrain", .synopsis = "", .summary = "Start jobs again",
	 .examples = EXAMPLES("reeve undrain"), .notes = "Needs the role admin.\n",
	 .options = NO_OPTIONS, .run = cmd_undrain},
	{.name = "top", .synopsis = "", .summary = "Queues, running jobs and throughput, live",
	 .examples = EXAMPLES("reeve top\tq or Ctrl-C ends it", "reeve top | grep ^queue\tonce, for programs"),
	 .notes = "On a terminal it is drawn anew each second. Elsewhere, and with -o, it is printed once: a\n"
		  "line for each queue (name, waiting, queued, running, limit, paused by) and for each running\n"
		  "job (id, queue, owner, started, pid, name, command), parted by tabs.\n",
	 .options = NO_OPTIONS, .run = cmd_top},
	{.name = "tasks", .synopsis = "[NAME]", .summary = "The tasks that can be run",
	 .examples = EXAMPLES("reeve tasks\twhat there is",
			      "reeve tasks createthumb\tits parameters and their rules",
			      "reeve tasks -o json createthumb\tall that a form needs"),
	 .notes = "A task is a command that the service's configuration names, with parameters that are\n"
		  "checked: docs/tasks.md. Run one with `reeve run --task NAME -p PARAMETER=VALUE`.\n",
	 .options = NO_OPTIONS, .words_max = 1, .run = cmd_tasks},
	{.name = "stats", .synopsis = "", .summary = "How many jobs there are, and how fast they go",
	 .examples = EXAMPLES("reeve stats",
			      "reeve stats -o json | jq .last.hour.mean_wait_s"),
	 .notes = "Three parts: the service, a line for each queue with its jobs by state (of all owners,\n"
		  "those that were pruned too), and a line for the last minute, hour and day. Each of these\n"
		  "reaches back to a whole minute: at most a minute further than its name says.\n",
	 .options = NO_OPTIONS, .run = cmd_stats},
	{.name = "whoami", .synopsis = "", .summary = "Who we are to the service",
	 .examples = EXAMPLES("reeve whoami"), .options = NO_OPTIONS, .run = cmd_whoami},
	{.name = "api", .synopsis = "METHOD PATH [BODY]", .summary = "A request of your own",
	 .examples = EXAMPLES("reeve api GET /v1/jobs?limit=2",
			      "reeve api POST /v1/jobs '{\"command\": \"true\"}'",
			      "reeve api POST /v1/jobs @job.json\tthe body from a file; - is standard input"),
	 .options = NO_OPTIONS, .words_min = 2, .words_max = 3, .run = cmd_api},
	{.name = "check", .synopsis = "[FILE]", .summary = "Check a configuration",
	 .examples = EXAMPLES("reeve check reeve.json\tsays line and column of what is wrong",
			      "reeve check --example > reeve.json\tevery setting with its default"),
	 .notes = "Without FILE: that of --config, of REEVE_CONFIG, or none; with the REEVE_ variables of\n"
		  "the environment in any case.\n",
	 .options = ROWS(CHECK_ROWS), .words_max = 1, .run = cmd_check},
	{.name = "db ls", .synopsis = "[FILTER...]", .summary = "List jobs from the database file",
	 .examples = EXAMPLES("reeve db ls --db var/reeve.db state:failed"),
	 .notes = DB_NOTE "\n" FILTER_NOTE SORT_NOTE, .options = ROWS(DB_LS_ROWS), .words_max = -1,
	 .run = cmd_db_ls},
	{.name = "db show", .synopsis = "ID...", .summary = "Everything about a job, from the file",
	 .examples = EXAMPLES("reeve db show --state-dir /var/lib/reeve last"),
	 .notes = DB_NOTE "\n" ID_NOTE, .options = ROWS(DB_ROWS), .words_min = 1,
	 .words_max = -1, .run = cmd_db_show},
	{.name = "db logs", .synopsis = "[options] ID", .summary = "The output of a job, from the file",
	 .examples = EXAMPLES("reeve db logs last"),
	 .notes = DB_NOTE "Large outputs lie in files beside it, below the state directory.\n\n" ID_NOTE,
	 .options = ROWS(DB_LOGS_ROWS), .words_min = 1, .words_max = 1, .run = cmd_db_logs},
	{.name = "db check", .synopsis = "", .summary = "Is the database file sound?",
	 .examples = EXAMPLES("reeve db check --db backup.db"),
	 .notes = "Looks for damage, dangling references, states that no event explains, and jobs that only\n"
		  "events know. Exit code 1 when something was found, one line each.\n\n" DB_NOTE,
	 .options = ROWS(DB_ROWS), .run = cmd_db_check},
	{.name = "db verify", .synopsis = "", .summary = "Was the history changed by anybody?",
	 .examples = EXAMPLES("reeve db verify --db var/reeve.db"),
	 .notes = "Walks the hash chain of the events and checks the stored hashes of outputs. Exit code 1\n"
		  "when something does not fit, naming the first row.\n\n" DB_NOTE,
	 .options = ROWS(DB_ROWS), .run = cmd_db_verify},
	{.name = "db backup", .synopsis = "FILE", .summary = "Copy the live database",
	 .examples = EXAMPLES("reeve db backup /backup/reeve-$(date +%F).db"),
	 .notes = "FILE must not exist. A plain copy of a live database is a broken one; this is not.\n"
		  "Large outputs lie in files of their own and are not part of it.\n\n" DB_NOTE,
	 .options = ROWS(DB_ROWS), .words_min = 1, .words_max = 1, .run = cmd_db_backup},
	{.name = "db prune", .synopsis = "[--dry-run] [--rule N]",
	 .summary = "Let go of what is old, by the configuration",
	 .examples = EXAMPLES("reeve db prune --dry-run\twhat would go, by rule, and the oldest that stays",
			      "reeve db prune --rule 0\tonly by the first of retention.rules"),
	 .notes = "The worker does this by itself every retention.every_s; here it is done now, in slices, so\n"
		  "that running daemons go on. Outputs, then rows, then events; then files that no job has.\n"
		  "`jobs` and `outputs` are what goes, `exempt` what would and stays: it is kept, or a job that\n"
		  "has not ended needs it. Always by the present configuration. docs/retention.md\n\n"
		  "Without --db or --state-dir the configuration says where the database is.\n",
	 .options = ROWS(DB_PRUNE_ROWS), .run = cmd_db_prune},
	{.name = "db schema", .synopsis = "", .summary = "The tables and views, as SQL",
	 .examples = EXAMPLES("reeve db schema | less"),
	 .notes = "What this program's migrations make; it needs no database.\n",
	 .options = NO_OPTIONS, .run = cmd_db_schema},
	{.name = "version", .synopsis = "", .summary = "The version",
	 .examples = EXAMPLES("reeve version"), .options = NO_OPTIONS, .run = cmd_version},
	{.name = "help", .synopsis = "[VERB]", .summary = "Help",
	 .examples = EXAMPLES("reeve help run", "reeve help db ls"),
	 .options = ROWS(HELP_ROWS), .words_max = 2, .run = cmd_help},
	{.name = "completion", .synopsis = "bash", .summary = "A completion script for the shell",
	 .examples = EXAMPLES("eval \"$(reeve completion bash)\"\tin ~/.bashrc"),
	 .options = NO_OPTIONS, .words_min = 1, .words_max = 1, .run = cmd_completion},
};

/* clang-format on */

const struct command_table COMMANDS = ROWS(COMMAND_ROWS);
const struct option_rows GLOBAL_OPTIONS = ROWS(GLOBAL_ROWS);
