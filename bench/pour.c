/* pour.c - writes so many MiB of text to its standard output, as fast as that is taken.
 *
 *   pour MIB          in writes of 64 KiB, as programs with a large buffer do */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/tools.h"

int main(int argc, char **argv)
{
	static char piece[65536];
	if (argc != 2) {
		fprintf(stderr, "usage: pour MIB\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof piece; i++)
		piece[i] = i % 64 == 63 ? '\n' : (char)('!' + i / 64 % 90);
	for (int64_t left = number(argv[1], "MIB", 1, 1 << 20) << 20; left > 0;) {
		const size_t wanted =
			left < (int64_t)sizeof piece ? (size_t)left : sizeof piece;
		const ssize_t n = write(STDOUT_FILENO, piece, wanted);
		if (n < 0)
			die("write");
		left -= n;
	}
	return 0;
}
