/* output.c - one listing, six formats. See output.h. */
#include "client/output.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/columns.h"
#include "client/neutral.h"

#define CELL_BYTES_MAX (32u << 20)
#define TABLE_BYTES_MAX (256u << 20)
#define GAP "  "
#define WINDOW_COLUMNS 80
#define LAST_COLUMN_LEAST 20
/* A UUIDv7 begins with its time; 18 characters are that and 12 random bits. */
#define ID_SHORT_BYTES 18
#define SHORTENED_ROWS_MAX 1000 /* comparing all with all must stay quick */

#define COLOUR_END "\033[0m"

static const struct {
	const char *state, *colour;
} COLOURS[] = {
	{"succeeded", "\033[32m"}, {"failed", "\033[31m"},    {"lost", "\033[1;31m"},
	{"running", "\033[36m"},   {"queued", "\033[33m"},    {"waiting", "\033[33m"},
	{"starting", "\033[36m"},  {"cancelled", "\033[35m"}, {"skipped", "\033[35m"},
};

struct listing {
	struct cli *cli;
	struct columns columns;
	unsigned where;
	char **cell; /* tables: count * rows texts, made harmless */
	size_t cells;
	bool has_any;
};

static const char *colour_of(const char *state)
{
	for (size_t i = 0; i < ARRAY_SIZE(COLOURS); i++)
		if (strcmp(COLOURS[i].state, state) == 0)
			return COLOURS[i].colour;
	return NULL;
}

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
	for (size_t i = 0; i < listing->columns.count; i++) {
		const struct column *column = &listing->columns.row[i];
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
	column_put(item, &listing->columns.row[0], true, &line);
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
	const size_t count = listing->columns.count;
	listing->cell =
		mem_grow(listing->cell, (listing->cells + count) * sizeof(char *));
	AUTO_BUF struct buf raw = BUF_INIT(CELL_BYTES_MAX);
	for (size_t i = 0; i < count; i++) {
		struct buf shown = BUF_INIT(CELL_BYTES_MAX);
		const struct column *column = &listing->columns.row[i];
		buf_reset(&raw);
		if ((column->where & listing->where) != 0)
			column_put(item, column, false, &raw);
		neutral_text(buf_text(&raw), true, &shown);
		listing->cell[listing->cells++] = buf_take(&shown);
	}
}

struct listing *listing_open(struct cli *cli, const struct columns *columns)
{
	struct listing *listing = mem_alloc(sizeof(*listing));
	listing->cli = cli;
	listing->columns = *columns;
	listing->where = cli->format == FORMAT_WIDE ? IN_WIDE : IN_TABLE;
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

/* --- tables --- */

/* Would two different ids look the same? */
static bool is_prefix_shared(const struct listing *listing, size_t column, size_t length)
{
	const size_t count = listing->columns.count;
	for (size_t a = column; a < listing->cells; a += count)
		for (size_t b = column; b < a; b += count)
			if (strcmp(listing->cell[a], listing->cell[b]) != 0 &&
			    strncmp(listing->cell[a], listing->cell[b], length) == 0)
				return true;
	return false;
}

/* Ids are cut to what tells them apart, if the table is for looking at. */
static void shorten_ids(struct listing *listing)
{
	const size_t count = listing->columns.count;
	const bool is_long = listing->cells / count > SHORTENED_ROWS_MAX;
	for (size_t i = 0; i < count; i++) {
		if (listing->columns.row[i].kind != COLUMN_ID || is_long ||
		    listing->where == IN_WIDE ||
		    is_prefix_shared(listing, i, ID_SHORT_BYTES))
			continue;
		for (size_t at = i; at < listing->cells; at += count)
			if (strlen(listing->cell[at]) > ID_SHORT_BYTES)
				listing->cell[at][ID_SHORT_BYTES] = '\0';
	}
}

/* A terminal that does not know its size is 80 columns wide. */
static size_t window_columns(void)
{
	struct winsize window = {0};
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) < 0 || window.ws_col == 0)
		return WINDOW_COLUMNS;
	return window.ws_col;
}

/* How wide each column is (0: not shown at all), and how much room the last one has. */
static size_t measure(const struct listing *listing, size_t *width)
{
	const size_t count = listing->columns.count;
	size_t used = 0;
	size_t last = 0;
	for (size_t i = 0; i < count; i++) {
		const struct column *column = &listing->columns.row[i];
		bool has_any = false;
		width[i] = 0;
		if ((column->where & listing->where) == 0)
			continue;
		for (size_t at = i; at < listing->cells; at += count) {
			const size_t columns = text_columns(listing->cell[at]);
			has_any = has_any || columns > 0;
			width[i] = columns > width[i] ? columns : width[i];
		}
		if (!has_any) /* nothing to say in any row */
			continue;
		if (strlen(column->title) > width[i])
			width[i] = strlen(column->title);
		used += last > 0 ? last + strlen(GAP) : 0;
		last = width[i];
	}
	return used;
}

static bool is_number(enum column_kind kind)
{
	return kind == COLUMN_INT || kind == COLUMN_NUMBER || kind == COLUMN_BYTES;
}

static void pad(struct buf *out, size_t columns)
{
	for (; columns > 0; columns--)
		buf_append_char(out, ' ');
}

struct cell_style {
	size_t width;
	bool is_right, is_last;
	size_t room; /* of the last one; 0: any */
	const char *colour;
};

/* Padding stands outside of the colour, and never at the end of a line. */
static void put_cell(const char *text, const struct cell_style *style, struct buf *out)
{
	AUTO_BUF struct buf cut = BUF_INIT(CELL_BYTES_MAX);
	if (style->is_last && style->room > 0)
		text_cut(text, style->room, &cut);
	else
		buf_append_text(&cut, text);
	const size_t columns = text_columns(buf_text(&cut));
	const size_t gap = style->width > columns ? style->width - columns : 0;
	if (style->is_right)
		pad(out, gap);
	if (style->colour != NULL)
		buf_append_text(out, style->colour);
	buf_append(out, buf_text(&cut), cut.length);
	if (style->colour != NULL)
		buf_append_text(out, COLOUR_END);
	if (!style->is_right && !style->is_last)
		pad(out, gap);
	buf_append_text(out, style->is_last ? "\n" : GAP);
}

/* One line; `row` is NULL for the titles. */
static void put_line(const struct listing *listing, char *const *row, const size_t *width,
		     size_t room, struct buf *out)
{
	size_t last = 0;
	for (size_t i = 0; i < listing->columns.count; i++)
		last = width[i] > 0 ? i : last;
	for (size_t i = 0; i <= last; i++) {
		const struct column *column = &listing->columns.row[i];
		if (width[i] == 0)
			continue;
		const char *text = row != NULL ? row[i] : column->title;
		struct cell_style style = {.width = width[i],
					   .is_right = is_number(column->kind),
					   .is_last = i == last,
					   .room = room};
		if (listing->cli->out_has_colour && row == NULL)
			style.colour = "\033[1m";
		else if (listing->cli->out_has_colour && column->kind == COLUMN_STATE)
			style.colour = colour_of(text);
		put_cell(text, &style, out);
	}
}

/* The last column takes what room the window has left. */
static int print_table(struct listing *listing, struct err *err)
{
	shorten_ids(listing);
	const size_t count = listing->columns.count;
	size_t *width = mem_array(count, sizeof(*width));
	const size_t used = measure(listing, width);
	size_t room = 0;
	if (listing->cli->out_is_terminal && listing->where != IN_WIDE) {
		const size_t window = window_columns();
		room = window > used + LAST_COLUMN_LEAST ? window - used
							 : LAST_COLUMN_LEAST;
	}
	AUTO_BUF struct buf out = BUF_INIT(TABLE_BYTES_MAX);
	put_line(listing, NULL, width, room, &out);
	for (size_t at = 0; at < listing->cells; at += count)
		put_line(listing, &listing->cell[at], width, room, &out);
	free(width);
	if (out.is_full)
		return err_set(err, ERR_TOO_LARGE,
			       "the table is too large; -o jsonl is not");
	return out_write(listing->cli, buf_text(&out), out.length, err);
}

void listing_drop(struct listing *listing)
{
	for (size_t i = 0; i < listing->cells; i++)
		free(listing->cell[i]);
	free(listing->cell);
	free(listing);
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
		   listing->cells > 0) {
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
					     ? colour_of(value)
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
