/* path.c - where the files of an attempt lie, and what an id looks like.
 *
 * The worker, the shim and the readers must agree on these names, and the shim links no
 * SQLite and no libuuid: so only text is handled here. */
#include "queue/queue.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool is_dash_place(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

bool job_id_is_valid(const char *id)
{
	size_t i = 0;
	for (; id[i] != '\0'; i++)
		if (i >= JOB_ID_BYTES - 1 ||
		    (is_dash_place(i) ? id[i] != '-' : hex_digit(id[i]) < 0))
			return false;
	return i == JOB_ID_BYTES - 1;
}

/* "YYYY-MM-DD" of the moment in the top 48 bits of a UUIDv7 (milliseconds). A UUID of
 * another kind gives some day, always the same. */
static void id_day(const char *id, char ret[11])
{
	int64_t ms = 0;
	int digits = 0;
	for (size_t i = 0; id[i] != '\0' && digits < 12; i++) {
		const int digit = hex_digit(id[i]);
		if (digit < 0)
			continue;
		ms = ms << 4 | digit;
		digits++;
	}
	/* the largest 48-bit number is in the year 10889, which has no four digits */
	const int64_t last_ms = INT64_C(253402300799000);
	char text[CLOCK_TEXT_BYTES];
	clock_format((ms < last_ms ? ms : last_ms) * US_PER_MS, text);
	memcpy(ret, text, 10);
	ret[10] = '\0';
}

void attempt_key(const char *job_id, int number, char ret[ATTEMPT_KEY_BYTES])
{
	(void)snprintf(ret, ATTEMPT_KEY_BYTES, "%.36s-%d", job_id, number);
}

void attempt_journal_path(const char *job_id, int number, char ret[ATTEMPT_PATH_BYTES])
{
	(void)snprintf(ret, ATTEMPT_PATH_BYTES, "attempts/%.36s-%d", job_id, number);
}

void attempt_output_path(const char *job_id, int number, const char *suffix,
			 char ret[ATTEMPT_PATH_BYTES])
{
	char day[11];
	id_day(job_id, day);
	(void)snprintf(ret, ATTEMPT_PATH_BYTES, "output/%s/%.36s-%d%s%.8s", day, job_id,
		       number, suffix[0] == '.' ? "" : ".", suffix);
}
