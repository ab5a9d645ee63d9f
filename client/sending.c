/* sending.c - see sending.h. */
#include "client/sending.h"

#include <string.h>

#include "client/output.h"

#define STATUS_OK 200

/* Pauses before each repetition of a submission whose outcome is unknown. */
static const int64_t PAUSES_US[] = {100000, 200000, 400000, 800000, 1600000, 3200000};

void sending_make_key(char ret[SENDING_KEY_BYTES])
{
	uint8_t bytes[16];
	char hex[33];
	random_bytes(bytes, sizeof(bytes));
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* RFC 9562, version 4 */
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	text_hex(bytes, sizeof(bytes), hex);
	snprintf(ret, SENDING_KEY_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
		 hex + 12, hex + 16, hex + 20);
}

/* So that it cannot end the header's line and begin another one. */
int sending_check_key(const char *key, size_t spare, struct err *err)
{
	const size_t length = strlen(key);
	const size_t max = SENDING_KEY_MAX - spare;
	bool is_fit = length > 0 && length <= max;
	for (size_t i = 0; i < length; i++)
		is_fit = is_fit && key[i] > 0x20 && key[i] < 0x7f && key[i] != '"';
	if (is_fit)
		return 0;
	return err_set(err, ERR_INVALID,
		       "--idempotency-key wants 1 to %zu visible ASCII characters, "
		       "no quotes",
		       max);
}

static int perform(struct cli *cli, const struct sending *sending, const char *key,
		   struct exchange *exchange, struct err *err)
{
	exchange_init(exchange, "POST", "%s", sending->path);
	exchange->body = sending->body;
	exchange->body_bytes = sending->bytes;
	exchange->idempotency_key = key;
	exchange->timeout_us = sending->timeout_us;
	struct exchange *const list[] = {exchange};
	return http_perform(cli, list, 1, false, err);
}

/* One try. 1 with the answer, 0 when it is not known whether it was stored, -1. */
static int send_once(struct cli *cli, struct sending *sending, const char *key,
		     bool is_repeated, cJSON **ret, struct err *err)
{
	struct exchange exchange;
	const int performed = perform(cli, sending, key, &exchange, err);
	const bool is_sent = exchange.was_sent || exchange.is_finished;
	const bool is_known = exchange.is_finished && exchange.status < 500 &&
			      !(is_repeated && exchange.status == 409);
	int status = -1;
	if (performed == 0 && api_answer(cli, &exchange, ret, err) == 0)
		status = 1;
	else if (performed == 0 && !is_known && (is_sent || is_repeated))
		status = 0;
	sending->is_replay = exchange.is_replay;
	sending->is_existing = exchange.status == STATUS_OK;
	exchange_release(&exchange);
	if (status == 1 && sending->is_replay && is_repeated)
		say(cli, "the first try had arrived");
	return status;
}

/* Repeats until the outcome is known or patience ends; each try names the same key, so
 * at most one submission comes of it. */
int send_submission(struct cli *cli, struct sending *sending, cJSON **ret,
		    struct err *err)
{
	char own_key[SENDING_KEY_BYTES];
	const char *key = sending->key;
	if (key == NULL) {
		sending_make_key(own_key);
		key = own_key;
	}
	for (size_t i = 0;; i++) {
		const int status = send_once(cli, sending, key, i > 0, ret, err);
		if (status != 0)
			return status > 0 ? 0 : -1;
		if (i == ARRAY_SIZE(PAUSES_US))
			break;
		say(cli, "%s; repeating", err->text);
		buf_reset(&cli->notes);
		if (http_pause(cli, PAUSES_US[i], err) < 0)
			return -1;
	}
	buf_printf(&cli->notes,
		   "  it is not known whether it was stored; to repeat safely:\n"
		   "  reeve %s --idempotency-key %s ...\n",
		   sending->verb, key);
	return -1;
}

int send_dry_run(struct cli *cli, const struct sending *sending, cJSON **ret,
		 struct err *err)
{
	struct exchange exchange;
	int status = perform(cli, sending, NULL, &exchange, err);
	if (status == 0)
		status = api_answer(cli, &exchange, ret, err);
	exchange_release(&exchange);
	return status;
}
