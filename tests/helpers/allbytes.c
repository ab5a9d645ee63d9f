/* allbytes.c - prints bytes that text tools would mangle, or very many of them.
 *
 *     allbytes              all 256 values on stdout, in order, then reversed on stderr
 *     allbytes BYTES        that many bytes on stdout, counting up from 0 to 250 and over
 *     allbytes BYTES N      the same in turns of N bytes to stdout and to stderr */
#include <stdlib.h>
#include <unistd.h>

#include "common/common.h"

#define PERIOD 251

static int print_all(void)
{
	unsigned char bytes[256];

	for (int i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;
	if (file_write_all(STDOUT_FILENO, bytes, sizeof(bytes)) != 0)
		return 1;
	for (int i = 0; i < 256; i++)
		bytes[i] = (unsigned char)(255 - i);
	return file_write_all(STDERR_FILENO, bytes, sizeof(bytes)) != 0;
}

int main(int argc, char **argv)
{
	static unsigned char pattern[PERIOD * 1024];
	int64_t total = 0;
	int64_t turn = 65536;

	if (argc < 2)
		return print_all();
	if (text_parse_int(argv[1], 0, INT64_MAX, &total) != 0 ||
	    (argc > 2 && text_parse_int(argv[2], 1, 65536, &turn) != 0))
		return 2;
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (unsigned char)(i % PERIOD);
	for (int64_t at = 0; at < total;) {
		const int64_t bytes = total - at < turn ? total - at : turn;
		const int fd =
			argc > 2 && at / turn % 2 == 1 ? STDERR_FILENO : STDOUT_FILENO;

		if (file_write_all(fd, pattern + at % PERIOD, (size_t)bytes) != 0)
			return 1;
		at += bytes;
	}
	return 0;
}
