/* output.c - one listing, six formats. See output.h. */
#include "client/output.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/columns.h"
#include "client/neutral.h"
#include "client/table.h"

#define CELL_BYTES_MAX (32u << 20)
#define TABLE_BYTES_MAX (256u << 20)
#define WINDOW_COLUMNS 80

struct listing {
	struct cli *cli;
	struct table table; /* its cells only when the format is a table */
	bool has_any;
};

/* --- one item in each format --- */

/* So that a line is an item and a tab parts two values, whatever they hold. */
static void tsv_escape(const char *text, struct buf *out)
{
	for (const char *at = text; *at != '\0'; at++) {
		switch (*at) {
		case '\t':
			buf_append_text(out, "\\t");
			break;
		case '\n':
			buf_append_text(out, "\\n");
			break;
		case '\r':
			buf_append_text(out, "\\r");
			break;
		case '\\':
			buf_append_text(out, "\\\\");
			break;
		default:
			buf_append_char(out, *at);
		}
	}
}

static int add_tsv(struct listing *listing, const cJSON *item, struct err *err)
{
	AUTO_BUF struct buf line = BUF_INIT(CELL_BYTES_MAX);
	AUTO_BUF struct buf value = BUF_INIT(CELL_BYTES_MAX);
	bool is_first = true;
	for (size_t i = 0; i < listing->table.columns.count; i++) {
		const struct column *column = &listing->table.columns.row[i];
		if ((column->where & IN_TSV) == 0)
			continue;
		if (!is_first)
			buf_append_char(&line, '\t');
		is_first = false;
		buf_reset(&value);
		column_put(item, column, true, &value);
		tsv_escape(buf_text(&value), &line);
	}
	buf_append_char(&line, '\n');
	return out_write(listing->cli, buf_text(&line), line.length, err);
}

static int add_id(struct listing *listing, const cJSON *item, struct err *err)
{
	AUTO_BUF struct buf line = BUF_INIT(CELL_BYTES_MAX);
	column_put(item, &listing->table.columns.row[0], true, &line);
	buf_append_char(&line, '\n');
	return out_write(listing->cli, buf_text(&line), line.length, err);
}

int json_print(struct cli *cli, const cJSON *value, bool is_compact, struct err *err)
{
	AUTO_FREE char *text =
		is_compact ? cJSON_PrintUnformatted(value) : cJSON_Print(value);
	if (text == NULL)
		return err_set(err, ERR_INTERNAL, "the answer cannot be printed");
	AUTO_BUF struct buf line = BUF_INIT(TABLE_BYTES_MAX);
	if (cli->out_is_terminal)
		neutral_json(text, &line);
	else
		buf_append_text(&line, text);
	buf_append_char(&line, '\n');
	return out_write(cli, buf_text(&line), line.length, err);
}

/* The array of -o json: one item a line. */
static int add_json(struct listing *listing, const cJSON *item, struct err *err)
{
	const char *lead = listing->has_any ? ",\n" : "[\n";
	AUTO_FREE char *text = cJSON_PrintUnformatted(item);
	AUTO_BUF struct buf line = BUF_INIT(CELL_BYTES_MAX);
	buf_append_text(&line, lead);
	if (listing->cli->out_is_terminal)
		neutral_json(text, &line);
	else
		buf_append_text(&line, text);
	return out_write(listing->cli, buf_text(&line), line.length, err);
}

/* Every column has a cell, also those that are not shown: the index is row * count +
 * column. */
static void add_cells(struct listing *listing, const cJSON *item)
{
	const size_t count = listing->table.columns.count;
	listing->table.cell = mem_grow(listing->table.cell,
				       (listing->table.cells + count) * sizeof(char *));
	AUTO_BUF struct buf raw = BUF_INIT(CELL_BYTES_MAX);
	for (size_t i = 0; i < count; i++) {
		struct buf shown = BUF_INIT(CELL_BYTES_MAX);
		const struct column *column = &listing->table.columns.row[i];
		buf_reset(&raw);
		if ((column->where & listing->table.where) != 0)
			column_put(item, column, false, &raw);
		neutral_text(buf_text(&raw), true, &shown);
		listing->table.cell[listing->table.cells++] = buf_take(&shown);
	}
}

struct listing *listing_open(struct cli *cli, const struct columns *columns)
{
	struct listing *listing = mem_alloc(sizeof(*listing));
	listing->cli = cli;
	listing->table.columns = *columns;
	listing->table.where = cli->format == FORMAT_WIDE ? IN_WIDE : IN_TABLE;
	return listing;
}

int listing_add(struct listing *listing, const cJSON *item, struct err *err)
{
	int status = 0;
	switch (listing->cli->format) {
	case FORMAT_TSV:
		status = add_tsv(listing, item, err);
		break;
	case FORMAT_ID:
		status = add_id(listing, item, err);
		break;
	case FORMAT_JSON:
		status = add_json(listing, item, err);
		break;
	case FORMAT_JSONL:
		status = json_print(listing->cli, item, true, err);
		break;
	case FORMAT_AUTO:
	case FORMAT_TABLE:
	case FORMAT_WIDE:
		add_cells(listing, item);
		break;
	}
	listing->has_any = true;
	return status;
}

/* A terminal that does not know its size is 80 columns wide. */
static size_t window_columns(void)
{
	struct winsize window = {0};
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) < 0 || window.ws_col == 0)
		return WINDOW_COLUMNS;
	return window.ws_col;
}

static void put_table(struct listing *listing, struct buf *out)
{
	const struct cli *cli = listing->cli;
	listing->table.has_colour = cli->out_has_colour;
	if (cli->out_is_terminal && cli->format != FORMAT_WIDE)
		listing->table.window_columns = window_columns();
	table_put(&listing->table, out);
}

static int print_table(struct listing *listing, struct err *err)
{
	AUTO_BUF struct buf out = BUF_INIT(TABLE_BYTES_MAX);
	put_table(listing, &out);
	if (out.is_full)
		return err_set(err, ERR_TOO_LARGE,
			       "the table is too large; -o jsonl is not");
	return out_write(listing->cli, buf_text(&out), out.length, err);
}

void listing_drop(struct listing *listing)
{
	for (size_t i = 0; i < listing->table.cells; i++)
		free(listing->table.cell[i]);
	free(listing->table.cell);
	free(listing);
}

void listing_put(struct listing *listing, struct buf *out)
{
	if (listing->table.cells > 0)
		put_table(listing, out);
	listing_drop(listing);
}

/* A table without rows prints nothing, not even titles: `reeve ls` of nothing is silent.
 */
int listing_end(struct listing *listing, struct err *err)
{
	int status = 0;
	const enum output_format format = listing->cli->format;
	if (format == FORMAT_JSON) {
		const char *close = listing->has_any ? "\n]\n" : "[]\n";
		status = out_write(listing->cli, close, strlen(close), err);
	} else if ((format == FORMAT_TABLE || format == FORMAT_WIDE) &&
		   listing->table.cells > 0) {
		status = print_table(listing, err);
	}
	listing_drop(listing);
	return status;
}

/* --- one item, long --- */

/* In the order of the columns; long texts are not cut here. */
static void put_record_line(const struct cli *cli, const struct column *column,
			    const char *value, struct buf *out)
{
	if (cli->format == FORMAT_TSV) {
		buf_printf(out, "%s\t", column->title);
		tsv_escape(value, out);
	} else {
		AUTO_BUF struct buf shown = BUF_INIT(CELL_BYTES_MAX);
		neutral_text(value, true, &shown);
		const char *colour = cli->out_has_colour && column->kind == COLUMN_STATE
					     ? state_colour(value)
					     : NULL;
		buf_printf(out, "%-13s ", column->title);
		buf_append_text(out, colour != NULL ? colour : "");
		buf_append(out, buf_text(&shown), shown.length);
		buf_append_text(out, colour != NULL ? COLOUR_END : "");
	}
	buf_append_char(out, '\n');
}

/* For people, what is not known is left out; for programs, every line is there. */
int record_print(struct cli *cli, const struct columns *columns, const cJSON *item,
		 struct err *err)
{
	if (cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL)
		return json_print(cli, item, cli->format == FORMAT_JSONL, err);
	AUTO_BUF struct buf out = BUF_INIT(TABLE_BYTES_MAX);
	AUTO_BUF struct buf value = BUF_INIT(CELL_BYTES_MAX);
	const bool is_plain = cli->format == FORMAT_TSV;
	for (size_t i = 0; i < columns->count; i++) {
		const struct column *column = &columns->row[i];
		if ((column->where & IN_RECORD) == 0)
			continue;
		buf_reset(&value);
		column_put(item, column, is_plain, &value);
		if (column->kind == COLUMN_TIME && !is_plain && value.length > 0) {
			buf_reset(&value);
			column_put(item, column, true, &value);
			buf_append_text(&value, "  (");
			column_put(item, column, false, &value);
			buf_append_char(&value, ')');
		}
		if (cli->format == FORMAT_ID) {
			buf_append(&out, buf_text(&value), value.length);
			buf_append_char(&out, '\n');
			break;
		}
		if (value.length > 0 || is_plain)
			put_record_line(cli, column, buf_text(&value), &out);
	}
	return out_write(cli, buf_text(&out), out.length, err);
}
