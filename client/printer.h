/* printer.h - a job's output on its way to standard output: the very bytes, or, on a
 * terminal, made harmless. */
#ifndef REEVE_CLIENT_PRINTER_H
#define REEVE_CLIENT_PRINTER_H

#include "client/cli.h"
#include "client/neutral.h"

struct printer {
	struct cli *cli;
	struct neutral neutral;
	bool is_neutral;
};

/* `is_raw`: as it is, on a terminal too. */
void printer_init(struct printer *printer, struct cli *cli, bool is_raw);

/* The next piece; a character may be cut by its end. -1 as out_write. */
int printer_add(struct printer *printer, const void *data, size_t bytes, struct err *err);

/* That was the last one. */
int printer_end(struct printer *printer, struct err *err);

#endif
