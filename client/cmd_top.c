/* cmd_top.c - `reeve top`: queues, running jobs and throughput, drawn anew each second.
 *
 * The screen is only this program's while it runs: the alternate screen is left and the
 * keyboard put back on every way out, signals included. They are blocked while we draw
 * and looked at once a second, so that no handler and no global is needed. */
#include "client/api.h"

#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "client/neutral.h"
#include "client/output.h"

#define REFRESH_US US_PER_S
#define JOBS_MAX 100
#define FRAME_BYTES_MAX (4u << 20)
#define WINDOW_ROWS 24

#define SCREEN_ENTER "\033[?1049h\033[?25l\033[?7l" /* alternate, no cursor, no wrap */
#define SCREEN_LEAVE "\033[?7h\033[?25h\033[?1049l"
#define SCREEN_HOME "\033[H"
#define LINE_REST "\033[K"
#define SCREEN_REST "\033[J"

/* clang-format off */
static const struct column QUEUE_ROWS[] = {
	{"queue",     "name",        COLUMN_TEXT, IN_ALL},
	{"waiting",   "waiting",     COLUMN_INT,  IN_ALL},
	{"queued",    "queued",      COLUMN_INT,  IN_ALL},
	{"running",   "running",     COLUMN_INT,  IN_ALL},
	{"limit",     "max_running", COLUMN_INT,  IN_ALL},
	{"paused_by", "pause.by",    COLUMN_TEXT, IN_ALL},
	{"why",       "pause.reason", COLUMN_TEXT, IN_TABLE | IN_WIDE},
};
static const struct column JOB_ROWS[] = {
	{"id",        "id",          COLUMN_ID,   IN_ALL},
	{"queue",     "queue",       COLUMN_TEXT, IN_ALL},
	{"owner",     "owner",       COLUMN_TEXT, IN_ALL},
	{"since",     "started_at",  COLUMN_TIME, IN_TSV},
	{"took",      "started_at",  COLUMN_TOOK, IN_TABLE | IN_WIDE},
	{"pid",       "process.pid", COLUMN_INT,  IN_ALL},
	{"name",      "name",        COLUMN_TEXT, IN_ALL},
	{"command",   "command",     COLUMN_ARGV, IN_ALL},
};
/* clang-format on */
static const struct columns TOP_QUEUES = {QUEUE_ROWS, ARRAY_SIZE(QUEUE_ROWS)};
static const struct columns TOP_JOBS = {JOB_ROWS, ARRAY_SIZE(JOB_ROWS)};

/* One look at the service. */
struct look {
	cJSON *queues, *jobs, *stats; /* stats NULL: this service has none */
};

static void look_release(struct look *look)
{
	cJSON_Delete(look->queues);
	cJSON_Delete(look->jobs);
	cJSON_Delete(look->stats);
	*look = (struct look){0};
}

/* All three at once. *ret_may_return: it failed, but asking again makes sense. */
static int look_take(struct cli *cli, struct look *ret, bool *ret_may_return,
		     struct err *err)
{
	struct exchange queues, jobs, stats;
	struct err ignored = ERR_INIT;
	exchange_init(&queues, "GET", "/v1/queues");
	exchange_init(&jobs, "GET", "/v1/jobs?state=running&limit=%d", JOBS_MAX);
	exchange_init(&stats, "GET", "/v1/stats");
	struct exchange *const list[] = {&queues, &jobs, &stats};
	*ret = (struct look){0};
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		list[i]->timeout_us = cli->timeout_us;
	int status = http_perform(cli, list, ARRAY_SIZE(list), false, err);
	*ret_may_return = status == 0 && http_may_return(cli, &queues);
	if (status == 0)
		status = api_answer(cli, &queues, &ret->queues, err);
	if (status == 0)
		status = api_answer(cli, &jobs, &ret->jobs, err);
	if (status == 0 && api_answer(cli, &stats, &ret->stats, &ignored) < 0)
		ret->stats = NULL;
	buf_reset(&cli->notes);
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		exchange_release(list[i]);
	if (status < 0)
		look_release(ret);
	return status;
}

/* --- as text --- */

static int64_t sum_of(const cJSON *items, const char *name)
{
	int64_t sum = 0;
	const cJSON *item = NULL;
	cJSON_ArrayForEach(item, items)
	{
		sum += item_int(item, name, 0);
	}
	return sum;
}

static void put_heading(const struct look *look, struct buf *out)
{
	const cJSON *queues = json_get(look->queues, "items");
	const int64_t slots = item_int(look->stats, "worker.slots", -1);
	buf_printf(out, "%lld running, %lld queued, %lld waiting",
		   (long long)sum_of(queues, "running"),
		   (long long)sum_of(queues, "queued"),
		   (long long)sum_of(queues, "waiting"));
	if (slots >= 0)
		buf_printf(out, "; %lld slots%s", (long long)slots,
			   cJSON_IsTrue(item_at(look->stats, "worker.alive"))
				   ? ""
				   : ", but no worker is there");
	buf_append_char(out, '\n');
}

static void put_draining(const struct look *look, struct buf *out)
{
	const char *by = item_text(look->queues, "drain.by");
	const char *reason = item_text(look->queues, "drain.reason");
	if (!cJSON_IsTrue(item_at(look->queues, "drain.draining")))
		return;
	buf_append_text(out, "draining: nothing is started, by ");
	neutral_text(by != NULL ? by : "?", true, out);
	buf_append_text(out, reason != NULL ? ": " : "");
	neutral_text(reason != NULL ? reason : "", true, out);
	buf_append_char(out, '\n');
}

static void put_throughput(const struct look *look, struct buf *out)
{
	const cJSON *flow = item_at(look->stats, "last.minute");
	const cJSON *wait = item_at(flow, "mean_wait_s");
	if (flow == NULL)
		return;
	buf_printf(out, "last minute: %lld submitted, %lld succeeded, %lld failed",
		   (long long)item_int(flow, "submitted", 0),
		   (long long)item_int(flow, "succeeded", 0),
		   (long long)item_int(flow, "failed", 0));
	if (wait != NULL)
		buf_printf(out, ", mean wait %.3gs", wait->valuedouble);
	buf_append_char(out, '\n');
}

static int put_items(struct cli *cli, const cJSON *items, const struct columns *columns,
		     struct buf *out, struct err *err)
{
	struct listing *listing = listing_open(cli, columns);
	const cJSON *item = NULL;
	cJSON_ArrayForEach(item, items)
	{
		if (listing_add(listing, item, err) < 0) {
			listing_drop(listing);
			return -1;
		}
	}
	listing_put(listing, out);
	return 0;
}

static int put_frame(struct cli *cli, const struct look *look, struct buf *out,
		     struct err *err)
{
	put_heading(look, out);
	put_draining(look, out);
	put_throughput(look, out);
	buf_append_char(out, '\n');
	if (put_items(cli, json_get(look->queues, "items"), &TOP_QUEUES, out, err) < 0)
		return -1;
	buf_append_char(out, '\n');
	return put_items(cli, json_get(look->jobs, "items"), &TOP_JOBS, out, err);
}

/* --- once --- */

static int print_lines(struct cli *cli, const cJSON *items, const char *word,
		       const struct columns *columns, struct err *err)
{
	struct listing *listing = listing_open(cli, columns);
	const cJSON *item = NULL;
	int status = 0;
	cJSON_ArrayForEach(item, items)
	{
		if (status == 0)
			status = out_write(cli, word, strlen(word), err);
		if (status == 0)
			status = listing_add(listing, item, err);
	}
	listing_drop(listing);
	return status;
}

static int print_json(struct cli *cli, const struct look *look, struct err *err)
{
	cJSON *all = cJSON_CreateObject();
	cJSON_AddItemReferenceToObject(all, "queues", look->queues);
	cJSON_AddItemReferenceToObject(all, "running", look->jobs);
	if (look->stats != NULL)
		cJSON_AddItemReferenceToObject(all, "stats", look->stats);
	const int status = json_print(cli, all, cli->format == FORMAT_JSONL, err);
	cJSON_Delete(all);
	return status;
}

static int print_once(struct cli *cli, const struct look *look, struct err *err)
{
	AUTO_BUF struct buf frame = BUF_INIT(FRAME_BYTES_MAX);
	const cJSON *jobs = json_get(look->jobs, "items");
	switch (cli->format) {
	case FORMAT_JSON:
	case FORMAT_JSONL:
		return print_json(cli, look, err);
	case FORMAT_ID:
		return print_lines(cli, jobs, "", &TOP_JOBS, err);
	case FORMAT_TSV:
		if (print_lines(cli, json_get(look->queues, "items"), "queue\t",
				&TOP_QUEUES, err) < 0)
			return -1;
		return print_lines(cli, jobs, "job\t", &TOP_JOBS, err);
	case FORMAT_AUTO:
	case FORMAT_TABLE:
	case FORMAT_WIDE:
		break;
	}
	if (put_frame(cli, look, &frame, err) < 0)
		return -1;
	return out_write(cli, buf_text(&frame), frame.length, err);
}

/* --- live --- */

struct screen {
	struct termios keyboard; /* as it was */
	bool has_keyboard;
	sigset_t signals; /* as they were */
};

static void block_signals(sigset_t *ret_before)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTSTP);
	sigprocmask(SIG_BLOCK, &set, ret_before);
}

/* Somebody wants us gone: we leave the screen first, then the signal does its work. */
static bool is_ended_by_signal(void)
{
	sigset_t set;
	sigpending(&set);
	return sigismember(&set, SIGTERM) || sigismember(&set, SIGHUP) ||
	       sigismember(&set, SIGQUIT);
}

static int screen_enter(struct cli *cli, struct screen *ret, struct err *err)
{
	*ret = (struct screen){0};
	block_signals(&ret->signals);
	ret->has_keyboard = tcgetattr(STDIN_FILENO, &ret->keyboard) == 0;
	if (ret->has_keyboard) {
		struct termios raw = ret->keyboard;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 0;
		raw.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	return out_write(cli, SCREEN_ENTER, strlen(SCREEN_ENTER), err);
}

/* A stop that was asked for meanwhile (Ctrl-Z) is forgotten: there is nothing to stop. */
static void screen_leave(struct cli *cli, const struct screen *screen)
{
	struct err ignored = ERR_INIT;
	(void)out_write(cli, SCREEN_LEAVE, strlen(SCREEN_LEAVE), &ignored);
	if (screen->has_keyboard)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &screen->keyboard);
	(void)signal(SIGTSTP, SIG_IGN);
	sigprocmask(SIG_SETMASK, &screen->signals, NULL);
}

static size_t window_rows(void)
{
	struct winsize window = {0};
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) < 0 || window.ws_row == 0)
		return WINDOW_ROWS;
	return window.ws_row;
}

/* Over what is there, line by line: a screen that is cleared first would flicker. */
static int draw(struct cli *cli, const struct buf *frame, struct err *err)
{
	AUTO_BUF struct buf out = BUF_INIT(FRAME_BYTES_MAX * 2u);
	const size_t rows = window_rows();
	const char *at = buf_text(frame);
	buf_append_text(&out, SCREEN_HOME);
	for (size_t row = 0; row < rows && *at != '\0'; row++) {
		const size_t length = strcspn(at, "\n");
		buf_append_text(&out, row > 0 ? "\r\n" : "");
		buf_append(&out, at, length);
		buf_append_text(&out, LINE_REST);
		at += length + (at[length] == '\n');
	}
	buf_append_text(&out, SCREEN_REST);
	return out_write(cli, buf_text(&out), out.length, err);
}

/* Has somebody pressed q? A keyboard that is gone counts too. */
static bool is_quit_pressed(void)
{
	char keys[64];
	const ssize_t count = read(STDIN_FILENO, keys, sizeof(keys));
	return count <= 0 || memchr(keys, 'q', (size_t)count) != NULL ||
	       memchr(keys, 'Q', (size_t)count) != NULL;
}

/* 1: the end is wanted, 0: time for the next frame, -1. */
static int pause_between(struct cli *cli, const struct screen *screen, struct err *err)
{
	const int fd = screen->has_keyboard ? STDIN_FILENO : -1;
	const int status = http_pause_or_input(cli, REFRESH_US, fd, err);
	if (status < 0)
		return cli->is_interrupted ? 1 : -1;
	return (status > 0 && is_quit_pressed()) || is_ended_by_signal() ? 1 : 0;
}

/* A service that is away for a while is waited for; the screen says so. */
static int draw_next(struct cli *cli, struct err *err)
{
	AUTO_BUF struct buf frame = BUF_INIT(FRAME_BYTES_MAX);
	struct look look;
	struct err lost = ERR_INIT;
	bool may_return = false;
	if (look_take(cli, &look, &may_return, &lost) < 0) {
		if (!may_return) {
			*err = lost;
			return -1;
		}
		neutral_text(lost.text, true, &frame);
		return draw(cli, &frame, err);
	}
	int status = put_frame(cli, &look, &frame, err);
	look_release(&look);
	return status < 0 ? -1 : draw(cli, &frame, err);
}

static int run_live(struct cli *cli, const struct look *first, struct err *err)
{
	AUTO_BUF struct buf frame = BUF_INIT(FRAME_BYTES_MAX);
	struct screen screen;
	if (http_listen_for_interrupt(cli, err) < 0 ||
	    put_frame(cli, first, &frame, err) < 0)
		return -1;
	int status = screen_enter(cli, &screen, err);
	if (status == 0)
		status = draw(cli, &frame, err);
	while (status == 0) {
		status = pause_between(cli, &screen, err);
		if (status == 0)
			status = draw_next(cli, err);
	}
	screen_leave(cli, &screen);
	/* Ctrl-C is how it is meant to end, also when it came during a request. */
	return status > 0 || cli->is_interrupted ? 0 : status;
}

int cmd_top(struct cli *cli, struct err *err)
{
	struct look look;
	bool may_return = false;
	if (look_take(cli, &look, &may_return, err) < 0)
		return -1;
	const bool is_live = cli->out_is_terminal && !cli->is_format_given;
	const int status =
		is_live ? run_live(cli, &look, err) : print_once(cli, &look, err);
	look_release(&look);
	return status;
}
