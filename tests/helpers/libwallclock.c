/* libwallclock.c - a wall clock that a test sets, preloaded into the programs under test.
 *
 * WALLCLOCK_FILE names a file of eight bytes: microseconds that are added to
 * CLOCK_REALTIME, read anew at each look, so that the clock jumps while a program runs.
 * Timers on that clock (timerfd) are set off by as much. Other clocks are left alone, as
 * they are when somebody sets the machine's. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define US INT64_C(1000000)
#define FDS_MAX 4096

static const volatile int64_t *offset_us;
static bool is_wall[FDS_MAX]; /* timerfds on CLOCK_REALTIME */

static int (*real_gettime)(clockid_t clock, struct timespec *ret);
static int (*real_create)(int clock, int flags);
static int (*real_settime)(int fd, int flags, const struct itimerspec *when,
			   struct itimerspec *was);

/* POSIX says that this is how a function comes out of dlsym(3). */
#define FIND(pointer, name) (*(void **)(&(pointer)) = dlsym(RTLD_NEXT, (name)))

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("WALLCLOCK_FILE");
	const int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	FIND(real_gettime, "clock_gettime");
	FIND(real_create, "timerfd_create");
	FIND(real_settime, "timerfd_settime");
	if (fd < 0)
		return;
	void *map = mmap(NULL, sizeof *offset_us, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	offset_us = map == MAP_FAILED ? NULL : map;
}

static int64_t offset(void)
{
	return offset_us != NULL ? *offset_us : 0;
}

static void add(struct timespec *at, int64_t us)
{
	int64_t sum = (int64_t)at->tv_sec * US + at->tv_nsec / 1000 + us;

	if (sum < 1) /* a timer at 0 would be none */
		sum = 1;
	at->tv_nsec = sum % US * 1000 + at->tv_nsec % 1000;
	at->tv_sec = sum / US;
}

/* glibc's declarations have names of their own for the parameters */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	if (real_gettime == NULL) /* another library's constructor */
		FIND(real_gettime, "clock_gettime");
	const int result = real_gettime(clock, ret);
	if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		add(ret, offset());
	return result;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return -1;
	*ret = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *ret)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (ret != NULL)
		*ret = now.tv_sec;
	return now.tv_sec;
}

int timerfd_create(int clock, int flags)
{
	const int fd = real_create(clock, flags);

	if (fd >= 0 && fd < FDS_MAX)
		is_wall[fd] = clock == CLOCK_REALTIME;
	return fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when,
		    struct itimerspec *was)
{
	struct itimerspec shifted = *when;
	const bool is_set = when->it_value.tv_sec != 0 || when->it_value.tv_nsec != 0;

	if (fd >= 0 && fd < FDS_MAX && is_wall[fd] && (flags & TFD_TIMER_ABSTIME) != 0 &&
	    is_set)
		add(&shifted.it_value, -offset());
	return real_settime(fd, flags, &shifted, was);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
