/* url.c - how Reeve reads URLs: for each argument a line "HOST:PORT TEXT", or "-" and
 * what is wrong. */
#include "common/common.h"

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct url url;
		struct err err = ERR_INIT;

		if (url_read(argv[i], &url, &err) == 0)
			printf("%s %s\n", url.host_port, url.text);
		else
			printf("- %s\n", err.text);
	}
	return 0;
}
