/* table.c - aligned columns: how wide they are, and one line after the other. */
#include "client/table.h"

#include <stdlib.h>
#include <string.h>

#include "client/neutral.h"

#define CELL_BYTES_MAX (32u << 20)
#define GAP "  "
#define LAST_COLUMN_LEAST 20
/* A UUIDv7 begins with its time; 18 characters are that and 12 random bits. */
#define ID_SHORT_BYTES 18
#define SHORTENED_ROWS_MAX 1000 /* comparing all with all must stay quick */

static const struct {
	const char *state, *colour;
} COLOURS[] = {
	{"succeeded", "\033[32m"}, {"failed", "\033[31m"},    {"lost", "\033[1;31m"},
	{"running", "\033[36m"},   {"queued", "\033[33m"},    {"waiting", "\033[33m"},
	{"starting", "\033[36m"},  {"cancelled", "\033[35m"}, {"skipped", "\033[35m"},
};

const char *state_colour(const char *state)
{
	for (size_t i = 0; i < ARRAY_SIZE(COLOURS); i++)
		if (strcmp(COLOURS[i].state, state) == 0)
			return COLOURS[i].colour;
	return NULL;
}

/* Would two different ids look the same? */
static bool is_prefix_shared(const struct table *table, size_t column, size_t length)
{
	const size_t count = table->columns.count;
	for (size_t a = column; a < table->cells; a += count)
		for (size_t b = column; b < a; b += count)
			if (strcmp(table->cell[a], table->cell[b]) != 0 &&
			    strncmp(table->cell[a], table->cell[b], length) == 0)
				return true;
	return false;
}

/* Ids are cut to what tells them apart. */
static void shorten_ids(struct table *table)
{
	const size_t count = table->columns.count;
	const bool is_long = table->cells / count > SHORTENED_ROWS_MAX;
	for (size_t i = 0; i < count; i++) {
		if (table->columns.row[i].kind != COLUMN_ID || is_long ||
		    is_prefix_shared(table, i, ID_SHORT_BYTES))
			continue;
		for (size_t at = i; at < table->cells; at += count)
			if (strlen(table->cell[at]) > ID_SHORT_BYTES)
				table->cell[at][ID_SHORT_BYTES] = '\0';
	}
}

/* How wide each column is (0: not shown at all), and how much room the last one has. */
static size_t measure(const struct table *table, size_t *width)
{
	const size_t count = table->columns.count;
	size_t used = 0;
	size_t last = 0;
	for (size_t i = 0; i < count; i++) {
		const struct column *column = &table->columns.row[i];
		bool has_any = false;
		width[i] = 0;
		if ((column->where & table->where) == 0)
			continue;
		for (size_t at = i; at < table->cells; at += count) {
			const size_t columns = text_columns(table->cell[at]);
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
static void put_line(const struct table *table, char *const *row, const size_t *width,
		     size_t room, struct buf *out)
{
	size_t last = 0;
	for (size_t i = 0; i < table->columns.count; i++)
		last = width[i] > 0 ? i : last;
	for (size_t i = 0; i <= last; i++) {
		const struct column *column = &table->columns.row[i];
		if (width[i] == 0)
			continue;
		const char *text = row != NULL ? row[i] : column->title;
		struct cell_style style = {.width = width[i],
					   .is_right = is_number(column->kind),
					   .is_last = i == last,
					   .room = room};
		if (table->has_colour && row == NULL)
			style.colour = "\033[1m";
		else if (table->has_colour && column->kind == COLUMN_STATE)
			style.colour = state_colour(text);
		put_cell(text, &style, out);
	}
}

void table_put(struct table *table, struct buf *out)
{
	const size_t count = table->columns.count;
	size_t *width = mem_array(count, sizeof(*width));
	size_t room = 0;
	if (table->window_columns > 0)
		shorten_ids(table);
	const size_t used = measure(table, width);
	if (table->window_columns > 0)
		room = table->window_columns > used + LAST_COLUMN_LEAST
			       ? table->window_columns - used
			       : LAST_COLUMN_LEAST;
	put_line(table, NULL, width, room, out);
	for (size_t at = 0; at < table->cells; at += count)
		put_line(table, &table->cell[at], width, room, out);
	free(width);
}
