/* download.c - what a job has written so far, from byte to byte.
 *
 * We count the bytes that have arrived. When the connection is lost the rest is asked for
 * with Range; a service that answers with the whole all the same is skipped over. So
 * nothing is printed twice and nothing is left out. Only the last lines, which are others
 * when asked again, are taken as one answer. */
#include "client/api.h"

#include <string.h>

#include "client/logs.h"
#include "client/printer.h"

#define STATUS_PARTIAL 206
#define STATUS_RANGE 416

struct download {
	struct cli *cli;
	const struct output_request *request;
	struct printer printer;
	int64_t offset;	     /* bytes that have been taken */
	int64_t skip;	     /* bytes of this answer that we have already */
	bool is_first_piece; /* of this answer */
	struct patience patience;
	struct err failure;
};

/* False ends the transfer: nobody reads our output any more. */
static bool on_piece(void *context, const struct exchange *exchange, const void *data,
		     size_t bytes)
{
	struct download *download = context;
	patience_renew(&download->patience);
	if (download->is_first_piece)
		download->skip =
			exchange->status == STATUS_PARTIAL ? 0 : download->offset;
	download->is_first_piece = false;
	const size_t passed =
		(uint64_t)download->skip < bytes ? (size_t)download->skip : bytes;
	download->skip -= (int64_t)passed;
	download->offset += (int64_t)(bytes - passed);
	return bytes == passed ||
	       printer_add(&download->printer, (const char *)data + passed,
			   bytes - passed, &download->failure) == 0;
}

static void prepare(struct download *download, struct exchange *exchange)
{
	const struct output_request *request = download->request;
	output_exchange(request, "", exchange);
	download->is_first_piece = true;
	if (request->tail_lines >= 0)
		return;
	exchange->sink = on_piece;
	exchange->sink_context = download;
	/* With times in it the bytes that we count are none of the output's. */
	exchange->range_from = request->has_timestamps ? 0 : download->offset;
}

/* After one answer: 1 that was all, 0 ask again, -1. */
static int judge(struct download *download, const struct exchange *exchange,
		 struct err *err)
{
	if (download->failure.code != ERR_NONE) {
		*err = download->failure;
		return -1;
	}
	if (exchange->is_finished && exchange->status == STATUS_RANGE &&
	    download->offset > 0)
		return 1;
	if (exchange->is_finished && exchange->status < 500) {
		if (api_answer(download->cli, exchange, NULL, err) < 0)
			return -1;
		if (download->request->tail_lines < 0)
			return 1;
		const struct buf *tail = &exchange->answer;
		return printer_add(&download->printer, buf_text(tail), tail->length,
				   err) < 0
			       ? -1
			       : 1;
	}
	return patience_wait(&download->patience, download->cli, exchange,
			     download->offset, err);
}

int output_download(struct cli *cli, const struct output_request *request,
		    struct err *err)
{
	struct download download = {.cli = cli, .request = request};
	int status = 0;
	printer_init(&download.printer, cli, request->is_raw);
	while (status == 0) {
		struct exchange exchange;
		struct exchange *const list[] = {&exchange};
		prepare(&download, &exchange);
		status = http_perform(cli, list, 1, false, err);
		if (status == 0)
			status = judge(&download, &exchange, err);
		exchange_release(&exchange);
	}
	return status < 0 ? -1 : printer_end(&download.printer, err);
}
