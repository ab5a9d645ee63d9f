/* probe.c - a job whose running twice cannot go unseen.
 *
 *     probe DIR EXIT_CODE [SLEEP_MS]
 *
 * Makes the directory DIR/<job id>-<attempt>; if it is there already, this attempt has
 * run before, and DIR/<key>.twice is made. Then sleeps, notes that it came to its end as
 * DIR/<key>.done, and exits with the code. */
#include <sys/stat.h>
#include <unistd.h>

#include "common/common.h"

int main(int argc, char **argv)
{
	AUTO_FREE char *seen = NULL;
	AUTO_FREE char *twice = NULL;
	AUTO_FREE char *done = NULL;
	int64_t code = 0;
	int64_t sleep_ms = 0;

	if (argc < 3 || getenv("REEVE_JOB_ID") == NULL ||
	    text_parse_int(argv[2], 0, 255, &code) != 0 ||
	    (argc > 3 && text_parse_int(argv[3], 0, 1000000, &sleep_ms) != 0))
		return 99;
	seen = mem_printf("%s/%s-%s", argv[1], getenv("REEVE_JOB_ID"),
			  getenv("REEVE_ATTEMPT"));
	twice = mem_printf("%s.twice", seen);
	done = mem_printf("%s.done", seen);
	if (mkdir(seen, 0700) != 0)
		(void)!mkdir(twice, 0700);
	(void)usleep((useconds_t)(sleep_ms * 1000));
	(void)!mkdir(done, 0700);
	return (int)code;
}
