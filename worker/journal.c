/* journal.c - writing and reading the attempt journal.
 *
 * Why text with a checksum a line: a person can read it with cat, a torn line is told
 * from a whole one, and adding a fact later breaks no older reader. */
#include "worker/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#define CRC_TEXT " crc="
#define CRC_TEXT_BYTES (sizeof(CRC_TEXT) - 1)
#define CRC_DIGITS 8

/* CRC-32 as in IEEE 802.3, four bits at a time: a line is short, a big table is not. */
static uint32_t crc32_of(const char *data, size_t bytes)
{
	static const uint32_t nibble[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = ~UINT32_C(0);

	for (size_t i = 0; i < bytes; i++) {
		crc ^= (uint8_t)data[i];
		crc = (crc >> 4) ^ nibble[crc & 15];
		crc = (crc >> 4) ^ nibble[crc & 15];
	}
	return ~crc;
}

/* --- fields --- */

/* The numbers of an exit record, by name. One list writes and reads them. */
struct end_field {
	const char *name;
	size_t offset;
};

/* clang-format off */
static const struct end_field END_FIELDS[] = {
	{ .name = "started_at",    .offset = offsetof(struct attempt_end, started_at) },
	{ .name = "ended_at",      .offset = offsetof(struct attempt_end, ended_at) },
	{ .name = "pid_started",   .offset = offsetof(struct attempt_end, pid_started) },
	{ .name = "cpu_user_us",   .offset = offsetof(struct attempt_end, cpu_user_us) },
	{ .name = "cpu_system_us", .offset = offsetof(struct attempt_end, cpu_system_us) },
	{ .name = "max_rss_bytes", .offset = offsetof(struct attempt_end, max_rss_bytes) },
	{ .name = "read_bytes",    .offset = offsetof(struct attempt_end, read_bytes) },
	{ .name = "written_bytes", .offset = offsetof(struct attempt_end, written_bytes) },
	{ .name = "stdout_bytes",  .offset = offsetof(struct attempt_end, stdout_bytes) },
	{ .name = "stderr_bytes",  .offset = offsetof(struct attempt_end, stderr_bytes) },
	{ .name = "dropped_bytes", .offset = offsetof(struct attempt_end, dropped_bytes) },
};
/* clang-format on */

static int64_t *end_number(struct attempt_end *end, const struct end_field *field)
{
	return (int64_t *)(void *)((char *)end + field->offset);
}

static int64_t end_number_of(const struct attempt_end *end, const struct end_field *field)
{
	return *(const int64_t *)(const void *)((const char *)end + field->offset);
}

/* Blanks and controls as %XX, so that a value is one word of the line. */
static void put_escaped(struct buf *ret, const char *text)
{
	for (; *text != '\0'; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c <= ' ' || c == '%' || c == 0x7f)
			(void)buf_printf(ret, "%%%02x", (unsigned)c);
		else
			(void)buf_append_char(ret, *text);
	}
}

static void unescape(const char *text, char *ret, size_t bytes)
{
	size_t used = 0;

	while (*text != '\0' && used + 1 < bytes) {
		unsigned char c = 0;

		if (*text == '%' && text[1] != '\0' && text[2] != '\0') {
			const char digits[3] = {text[1], text[2], '\0'};

			if (text_unhex(digits, &c, 1) != 0)
				c = '?';
			text += 3;
		} else {
			c = (unsigned char)*text++;
		}
		ret[used++] = (char)c;
	}
	ret[used] = '\0';
}

static void put_crc(struct buf *ret, size_t from)
{
	const uint32_t crc = crc32_of(ret->data + from, ret->length - from);

	(void)buf_printf(ret, CRC_TEXT "%08" PRIx32 "\n", crc);
}

/* The word of a line, and whose it is. */
static void put_start(struct buf *ret, const char *word, const char *key)
{
	(void)buf_append_text(ret, word);
	if (key[0] != '\0')
		(void)buf_printf(ret, " of=%s", key);
}

void journal_put_started(struct buf *ret, const struct journal *facts)
{
	const size_t from = ret->length;

	put_start(ret, "started", facts->key);
	(void)buf_printf(ret, " shim=%d shim_started=%" PRId64 " boot=%s cgroup=",
			 (int)facts->shim_pid, facts->shim_started, facts->boot_id);
	put_escaped(ret, facts->cgroup[0] != '\0' ? facts->cgroup : "-");
	put_crc(ret, from);
}

void journal_put_process(struct buf *ret, const struct journal *facts)
{
	const size_t from = ret->length;

	put_start(ret, "process", facts->key);
	(void)buf_printf(ret, " pid=%d started=%" PRId64 " at=%" PRId64, (int)facts->pid,
			 facts->pid_started, facts->started_at);
	put_crc(ret, from);
}

void journal_put_ended(struct buf *ret, const char *key, const struct attempt_end *end)
{
	const size_t from = ret->length;
	char hex[2 * DIGEST_BYTES + 1];

	put_start(ret, "ended", key);
	(void)buf_printf(ret, " pid=%d", (int)end->pid);
	for (size_t i = 0; i < ARRAY_SIZE(END_FIELDS); i++) {
		(void)buf_printf(ret, " %s=%" PRId64, END_FIELDS[i].name,
				 end_number_of(end, &END_FIELDS[i]));
	}
	if (end->has_exit_code)
		(void)buf_printf(ret, " exit=%d", end->exit_code);
	if (end->has_signal)
		(void)buf_printf(ret, " signal=%d", end->signal);
	if (end->stop_reason != STOP_NONE)
		(void)buf_printf(ret, " stop=%s", stop_reason_word(end->stop_reason));
	text_hex(end->sha256, DIGEST_BYTES, hex);
	(void)buf_printf(ret, " sha256=%s", hex);
	if (end->error[0] != '\0') {
		(void)buf_append_text(ret, " error=");
		put_escaped(ret, end->error);
	}
	put_crc(ret, from);
}

/* --- reading --- */

static int parse_number(const char *text, int64_t *ret)
{
	return text_parse_int(text, INT64_MIN, INT64_MAX, ret);
}

static int parse_int(const char *text, int *ret)
{
	int64_t number = 0;

	if (text_parse_int(text, INT32_MIN, INT32_MAX, &number) != 0)
		return -1;
	*ret = (int)number;
	return 0;
}

/* One "key=value" of a line, given to the journal. -1: the line cannot be trusted. */
typedef int field_fn(struct journal *journal, const char *key, const char *value);

static int take_started(struct journal *journal, const char *key, const char *value)
{
	if (text_equal(key, "shim"))
		return parse_int(value, &journal->shim_pid);
	if (text_equal(key, "shim_started"))
		return parse_number(value, &journal->shim_started);
	if (text_equal(key, "boot"))
		unescape(value, journal->boot_id, sizeof(journal->boot_id));
	if (text_equal(key, "cgroup") && !text_equal(value, "-"))
		unescape(value, journal->cgroup, sizeof(journal->cgroup));
	return 0;
}

static int take_process(struct journal *journal, const char *key, const char *value)
{
	if (text_equal(key, "pid"))
		return parse_int(value, &journal->pid);
	if (text_equal(key, "started"))
		return parse_number(value, &journal->pid_started);
	if (text_equal(key, "at"))
		return parse_number(value, &journal->started_at);
	return 0;
}

static int take_ended_word(struct attempt_end *end, const char *key, const char *value)
{
	if (text_equal(key, "stop")) {
		end->stop_reason = stop_reason_parse(value);
		return end->stop_reason == STOP_NONE ? -1 : 0;
	}
	if (text_equal(key, "sha256"))
		return strlen(value) == 2 * (size_t)DIGEST_BYTES
			       ? text_unhex(value, end->sha256, DIGEST_BYTES)
			       : -1;
	if (text_equal(key, "error"))
		unescape(value, end->error, sizeof(end->error));
	return 0;
}

static int take_ended(struct journal *journal, const char *key, const char *value)
{
	struct attempt_end *end = &journal->end;

	for (size_t i = 0; i < ARRAY_SIZE(END_FIELDS); i++) {
		if (text_equal(key, END_FIELDS[i].name))
			return parse_number(value, end_number(end, &END_FIELDS[i]));
	}
	if (text_equal(key, "pid"))
		return parse_int(value, &end->pid);
	if (text_equal(key, "exit")) {
		end->has_exit_code = true;
		return parse_int(value, &end->exit_code);
	}
	if (text_equal(key, "signal")) {
		end->has_signal = true;
		return parse_int(value, &end->signal);
	}
	return take_ended_word(end, key, value);
}

/* The kinds of line. */
struct line_kind {
	const char *word;
	field_fn *take;
	size_t flag; /* offset of the bool in struct journal */
};

/* clang-format off */
static const struct line_kind LINE_KINDS[] = {
	{ .word = "started", .take = take_started, .flag = offsetof(struct journal, has_started) },
	{ .word = "process", .take = take_process, .flag = offsetof(struct journal, has_process) },
	{ .word = "ended",   .take = take_ended,   .flag = offsetof(struct journal, has_ended) },
};
/* clang-format on */

/* Cuts the checksum off a line that carries the right one. */
static bool line_is_whole(char *line, size_t bytes)
{
	const size_t tail = CRC_TEXT_BYTES + CRC_DIGITS;
	char hex[CRC_DIGITS + 1];

	if (bytes <= tail || memchr(line, '\0', bytes) != NULL)
		return false;
	if (memcmp(line + bytes - tail, CRC_TEXT, CRC_TEXT_BYTES) != 0)
		return false;
	snprintf(hex, sizeof(hex), "%08" PRIx32, crc32_of(line, bytes - tail));
	if (memcmp(hex, line + bytes - CRC_DIGITS, CRC_DIGITS) != 0)
		return false;
	line[bytes - tail] = '\0';
	return true;
}

/* The first line that says it decides whose the journal is. */
static int take_key(struct journal *journal, const char *value)
{
	if (journal->key[0] != '\0')
		return text_equal(journal->key, value) ? 0 : -1;
	snprintf(journal->key, sizeof(journal->key), "%s", value);
	return 0;
}

static int take_field(const struct line_kind *kind, struct journal *journal,
		      const char *key, const char *value)
{
	if (text_equal(key, "of"))
		return take_key(journal, value);
	return kind->take(journal, key, value);
}

/* Reads one whole line into a copy of the facts, so that a bad field leaves no trace. */
static void parse_line(char *line, struct journal *journal)
{
	char *rest = line;
	const char *word = strsep(&rest, " ");
	const struct line_kind *kind = NULL;
	struct journal copy = *journal;

	for (size_t i = 0; i < ARRAY_SIZE(LINE_KINDS); i++) {
		if (text_equal(word, LINE_KINDS[i].word))
			kind = &LINE_KINDS[i];
	}
	if (kind == NULL)
		return;
	while (rest != NULL) {
		char *value = strsep(&rest, " ");
		const char *key = strsep(&value, "=");

		if (value == NULL || take_field(kind, &copy, key, value) != 0)
			return;
	}
	*(bool *)(void *)((char *)&copy + kind->flag) = true;
	*journal = copy;
}

void journal_parse(const char *text, size_t bytes, struct journal *ret)
{
	AUTO_FREE char *copy = mem_strndup(text, bytes);
	char *at = copy;
	char *const end = copy + bytes;

	memset(ret, 0, sizeof(*ret));
	while (at < end) {
		char *newline = memchr(at, '\n', (size_t)(end - at));

		if (newline == NULL)
			return;
		if (line_is_whole(at, (size_t)(newline - at)))
			parse_line(at, ret);
		at = newline + 1;
	}
}

/* --- the file --- */

int journal_append(int fd, const struct buf *line)
{
	const ssize_t wrote = sys.write(fd, line->data, line->length);
	int saved = ENOSPC;

	if (wrote == (ssize_t)line->length)
		return 0;
	if (wrote < 0) {
		saved = errno;
	} else {
		/* What came is at the end: nobody else writes here. */
		const off_t end = lseek(fd, 0, SEEK_END);

		if (end >= wrote)
			(void)!ftruncate(fd, end - wrote);
	}
	errno = saved;
	return -1;
}

int journal_read(int fd, struct journal *ret)
{
	char text[JOURNAL_BYTES_MAX];
	size_t used = 0;

	while (used < sizeof(text)) {
		const ssize_t got =
			sys.pread(fd, text + used, sizeof(text) - used, (off_t)used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		used += (size_t)got;
		/* less than there was room for: this is its end, for now */
		if (used < sizeof(text))
			break;
	}
	journal_parse(text, used, ret);
	return 0;
}
