/* reopener.c - floods stdout while another process writes to stderr past its descriptor.
 *
 *     reopener LINES     LINES times "e\n" through /dev/stderr opened anew, and lines
 *                        of 63 "o" on stdout until they are written */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/common.h"

static int write_errors(int64_t lines)
{
	const int fd = open("/dev/stderr", O_WRONLY);

	while (lines-- > 0) {
		if (file_write_all(fd, "e\n", 2) != 0)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	char line[64];
	int64_t lines = 0;
	int status = 0;
	pid_t writer = -1;

	if (argc != 2 || text_parse_int(argv[1], 1, INT64_MAX, &lines) != 0)
		return 2;
	writer = fork();
	if (writer < 0)
		return 1;
	if (writer == 0)
		_exit(write_errors(lines));
	memset(line, 'o', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int64_t i = 0; i % 16 != 0 || waitpid(writer, &status, WNOHANG) == 0; i++) {
		if (file_write_all(STDOUT_FILENO, line, sizeof(line)) != 0)
			return 1;
	}
	return status == 0 ? 0 : 1;
}
