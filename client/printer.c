/* printer.c - see printer.h. */
#include "client/printer.h"

#define SHOWN_BYTES_MAX (512u << 20)

void printer_init(struct printer *printer, struct cli *cli, bool is_raw)
{
	*printer = (struct printer){.cli = cli,
				    .is_neutral = cli->out_is_terminal && !is_raw};
}

int printer_add(struct printer *printer, const void *data, size_t bytes, struct err *err)
{
	if (!printer->is_neutral)
		return out_write(printer->cli, data, bytes, err);
	AUTO_BUF struct buf shown = BUF_INIT(SHOWN_BYTES_MAX);
	neutral_add(&printer->neutral, data, bytes, &shown);
	return out_write(printer->cli, buf_text(&shown), shown.length, err);
}

int printer_end(struct printer *printer, struct err *err)
{
	if (!printer->is_neutral)
		return 0;
	AUTO_BUF struct buf rest = BUF_INIT(64);
	neutral_end(&printer->neutral, &rest);
	return out_write(printer->cli, buf_text(&rest), rest.length, err);
}
