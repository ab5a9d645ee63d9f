/* clock.c - reading clocks, and RFC 3339. */
#include "common/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/sys.h"

#define DAY_S INT64_C(86400)
#define YEAR_FIRST 1
#define YEAR_LAST 9999

static int64_t read_us(clockid_t clock)
{
	struct timespec now = {0};

	/* Fails only for a clock the kernel does not have; both exist since 2.6.39. */
	if (sys.clock_gettime(clock, &now) != 0)
		abort();
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
	return read_us(CLOCK_REALTIME);
}

int64_t clock_boot_us(void)
{
	return read_us(CLOCK_BOOTTIME);
}

struct date {
	int64_t year;
	int64_t month;
	int64_t day;
};

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar. Counting years
 * from March makes the leap day the last one, so that no table of months is needed
 * (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil). */
static int64_t days_of(struct date date)
{
	const int64_t year = date.month <= 2 ? date.year - 1 : date.year;
	const int64_t era = (year >= 0 ? year : year - 399) / 400;
	const int64_t year_of_era = year - era * 400;
	const int64_t march_month = (date.month + 9) % 12;
	const int64_t day_of_year = (153 * march_month + 2) / 5 + date.day - 1;
	const int64_t day_of_era =
		year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

/* The inverse: civil_from_days of the same source. */
static struct date date_of(int64_t days)
{
	const int64_t shifted = days + 719468;
	const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	const int64_t day_of_era = shifted - era * 146097;
	const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
				     day_of_era / 146096) /
				    365;
	const int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	const int64_t march_month = (5 * day_of_year + 2) / 153;
	const int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;

	return (struct date){
		.year = year_of_era + era * 400 + (month <= 2),
		.month = month,
		.day = day_of_year - (153 * march_month + 2) / 5 + 1,
	};
}

static const struct date date_first = {.year = YEAR_FIRST, .month = 1, .day = 1};
static const struct date date_after_last = {.year = YEAR_LAST + 1, .month = 1, .day = 1};

static int64_t first_us(void)
{
	return days_of(date_first) * DAY_S * US_PER_S;
}

static int64_t last_us(void)
{
	return days_of(date_after_last) * DAY_S * US_PER_S - 1;
}

/* `width` digits of `value`, then `after`. Returns where to go on. */
static char *put_number(char *at, int64_t value, int width, char after)
{
	for (int i = width - 1; i >= 0; i--, value /= 10)
		at[i] = (char)('0' + value % 10);
	at[width] = after;
	return at + width + 1;
}

void clock_format(int64_t at_us, char ret[CLOCK_TEXT_BYTES])
{
	/* Times outside what RFC 3339 can write become the nearest that it can. */
	const int64_t from_us = first_us();
	const int64_t to_us = last_us();
	const int64_t us = at_us < from_us ? from_us : at_us > to_us ? to_us : at_us;
	const int64_t since_us = us - from_us; /* never negative: divides without care */
	const int64_t second = since_us / US_PER_S % DAY_S;
	const struct date date =
		date_of(since_us / (DAY_S * US_PER_S) + days_of(date_first));
	char *at = ret;

	at = put_number(at, date.year, 4, '-');
	at = put_number(at, date.month, 2, '-');
	at = put_number(at, date.day, 2, 'T');
	at = put_number(at, second / 3600, 2, ':');
	at = put_number(at, second / 60 % 60, 2, ':');
	at = put_number(at, second % 60, 2, '.');
	at = put_number(at, since_us % US_PER_S, 6, 'Z');
	*at = '\0';
}

/* A reader that goes wrong once and stays wrong, so that one check at the end is enough.
 */
struct reader {
	const char *at;
	bool is_bad;
};

static int64_t read_number(struct reader *reader, int width, int64_t min, int64_t max)
{
	int64_t value = 0;

	for (int i = 0; i < width && !reader->is_bad; i++) {
		const char c = *reader->at;

		if (c < '0' || c > '9') {
			reader->is_bad = true;
			break;
		}
		value = value * 10 + (c - '0');
		reader->at++;
	}
	if (value < min || value > max)
		reader->is_bad = true;
	return value;
}

/* One of the characters in `allowed`; the one that was there. */
static char read_one_of(struct reader *reader, const char *allowed)
{
	const char c = *reader->at;

	if (reader->is_bad || c == '\0' || strchr(allowed, c) == NULL) {
		reader->is_bad = true;
		return '\0';
	}
	reader->at++;
	return c;
}

static int64_t month_days(struct date date)
{
	const struct date next = {
		.year = date.month == 12 ? date.year + 1 : date.year,
		.month = date.month == 12 ? 1 : date.month + 1,
		.day = 1,
	};

	return days_of(next) - days_of((struct date){date.year, date.month, 1});
}

static int64_t read_fraction_us(struct reader *reader)
{
	int64_t us = 0;
	int64_t place_us = US_PER_S / 10;

	if (reader->is_bad || *reader->at != '.')
		return 0;
	reader->at++;
	us = read_number(reader, 1, 0, 9) * place_us;
	while (!reader->is_bad && *reader->at >= '0' && *reader->at <= '9') {
		place_us /= 10;
		us += (*reader->at++ - '0') * place_us;
	}
	return us;
}

/* Seconds to subtract from the local time that was read to get UTC. */
static int64_t read_offset_s(struct reader *reader)
{
	const char sign = read_one_of(reader, "Zz+-");

	if (sign != '+' && sign != '-')
		return 0;
	const int64_t hours = read_number(reader, 2, 0, 23);

	read_one_of(reader, ":");
	const int64_t minutes = read_number(reader, 2, 0, 59);
	const int64_t offset_s = hours * 3600 + minutes * 60;

	return sign == '-' ? -offset_s : offset_s;
}

int clock_parse(const char *text, int64_t *ret_at_us)
{
	struct reader reader = {.at = text};
	struct date date = {0};

	date.year = read_number(&reader, 4, YEAR_FIRST, YEAR_LAST);
	read_one_of(&reader, "-");
	date.month = read_number(&reader, 2, 1, 12);
	read_one_of(&reader, "-");
	date.day = read_number(&reader, 2, 1, 31);
	read_one_of(&reader, "Tt");
	int64_t second = read_number(&reader, 2, 0, 23) * 3600;

	read_one_of(&reader, ":");
	second += read_number(&reader, 2, 0, 59) * 60;
	read_one_of(&reader, ":");
	const int64_t last = read_number(&reader, 2, 0, 60);
	const int64_t fraction_us = read_fraction_us(&reader);

	second += last - read_offset_s(&reader);
	if (reader.is_bad || *reader.at != '\0' || date.day > month_days(date))
		return -1;
	const int64_t at_s = days_of(date) * DAY_S + second;

	/* Leap seconds are inserted at the end of a UTC day and nowhere else. */
	if (last == 60 && at_s % DAY_S != 0)
		return -1;
	const int64_t at_us = at_s * US_PER_S + fraction_us;

	if (at_us < first_us() || at_us > last_us())
		return -1;
	*ret_at_us = at_us;
	return 0;
}

static char boot_id[CLOCK_BOOT_ID_BYTES];

/* Nothing can be concluded about a running job without it, so there is no going on. */
static void boot_id_read(void)
{
	AUTO_CLOSE const int fd = sys.openat(AT_FDCWD, "/proc/sys/kernel/random/boot_id",
					     O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0 || file_read_full(fd, boot_id, sizeof(boot_id) - 1) !=
			      (ssize_t)sizeof(boot_id) - 1) {
		fputs("level=error ev=no_boot_id "
		      "path=/proc/sys/kernel/random/boot_id\n",
		      stderr);
		_exit(111);
	}
}

const char *clock_boot_id(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, boot_id_read);
	return boot_id;
}
