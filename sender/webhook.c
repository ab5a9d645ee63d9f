/* webhook.c - see webhook.h. */
#include "sender/webhook.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <nettle/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "whsec_"
#define KEY_BYTES_MIN 24
#define KEY_BYTES_NEW 32
#define FILE_BYTES_MAX 4096
#define BLANKS " \t\r\n"

/* --- secrets --- */

static int key_read(const char *text, size_t length, struct webhook_key *ret,
		    struct err *err)
{
	const size_t prefix = strlen(PREFIX);
	uint8_t *bytes = NULL;
	size_t count = 0;
	if (length < prefix || strncmp(text, PREFIX, prefix) != 0 ||
	    base64_decode(text + prefix, length - prefix, &bytes, &count) != 0)
		return err_set(err, ERR_INVALID,
			       "a secret must be written " PREFIX " and base64");
	const bool fits = count >= KEY_BYTES_MIN && count <= sizeof ret->bytes;
	if (fits) {
		memcpy(ret->bytes, bytes, count);
		ret->length = count;
	}
	explicit_bzero(bytes, count);
	free(bytes);
	return fits ? 0
		    : err_set(err, ERR_INVALID, "a secret must have %d to %d bytes",
			      KEY_BYTES_MIN, WEBHOOK_KEY_BYTES_MAX);
}

int webhook_keys_read(const char *text, struct webhook_keys *ret, struct err *err)
{
	struct webhook_keys keys = {.count = 0};
	int result = 0;
	text += strspn(text, BLANKS);
	while (*text != '\0' && result == 0) {
		const size_t length = strcspn(text, BLANKS);
		result = keys.count == WEBHOOK_KEYS_MAX
				 ? err_set(err, ERR_INVALID, "more than %d secrets",
					   WEBHOOK_KEYS_MAX)
				 : key_read(text, length, &keys.key[keys.count], err);
		keys.count++;
		text += length;
		text += strspn(text, BLANKS);
	}
	if (result == 0 && keys.count == 0)
		result = err_set(err, ERR_INVALID, "there is no secret in it");
	if (result == 0)
		*ret = keys;
	webhook_keys_forget(&keys);
	return result;
}

void webhook_keys_forget(struct webhook_keys *keys)
{
	explicit_bzero(keys, sizeof *keys);
}

/* --- their file --- */

static int secret_make(const char *path, struct err *err)
{
	uint8_t bytes[KEY_BYTES_NEW];
	random_bytes(bytes, sizeof bytes);
	char *encoded = base64_encode(bytes, sizeof bytes);
	char *text = mem_printf(PREFIX "%s\n", encoded);
	const int result =
		file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, err);
	explicit_bzero(encoded, strlen(encoded));
	explicit_bzero(text, strlen(text));
	free(encoded);
	free(text);
	return result;
}

/* The file that is judged is the file that is read. */
static int secret_read(const char *path, struct buf *ret, struct err *err)
{
	AUTO_CLOSE const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) != 0)
		return err_sys(err, ERR_INTERNAL, errno, "%s", path);
	if (!S_ISREG(status.st_mode))
		return err_set(err, ERR_INVALID, "%s is not a file", path);
	if (status.st_uid != geteuid() && status.st_uid != 0)
		return err_set(err, ERR_DENIED, "%s belongs to another user (uid %u)",
			       path, (unsigned)status.st_uid);
	if ((status.st_mode & 077) != 0)
		return err_set(err, ERR_DENIED,
			       "%s may be read by others than its owner; chmod 600 it",
			       path);
	char *room = buf_reserve(ret, FILE_BYTES_MAX);
	const ssize_t got = file_read_full(fd, room, FILE_BYTES_MAX);
	if (got < 0)
		return err_sys(err, ERR_INTERNAL, errno, "%s", path);
	if (got == FILE_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE, "%s is too large", path);
	ret->length += (size_t)got;
	buf_seal(ret);
	return 0;
}

int webhook_secret_make(const struct config *config, struct err *err)
{
	AUTO_FREE char *path = config_path(config, config->callbacks.secret_file);
	if (access(path, F_OK) == 0 || errno != ENOENT)
		return 0;
	return secret_make(path, err) == 0
		       ? 1
		       : err_wrap(err, "making the secret of callbacks");
}

int webhook_keys_load(const struct config *config, struct webhook_keys *ret,
		      struct err *err)
{
	AUTO_FREE char *path = config_path(config, config->callbacks.secret_file);
	AUTO_BUF struct buf text = BUF_INIT(FILE_BYTES_MAX);
	if (secret_read(path, &text, err) != 0)
		return -1;
	const int result = webhook_keys_read(buf_text(&text), ret, err);
	explicit_bzero(text.data, text.length);
	return result == 0 ? 0 : err_wrap(err, "%s", path);
}

/* --- signing --- */

static void sign_with(const struct webhook_key *key, const char *head, const char *body,
		      uint8_t ret[DIGEST_BYTES])
{
	struct hmac_sha256_ctx hmac;
	hmac_sha256_set_key(&hmac, key->length, key->bytes);
	hmac_sha256_update(&hmac, strlen(head), (const uint8_t *)head);
	hmac_sha256_update(&hmac, strlen(body), (const uint8_t *)body);
	hmac_sha256_digest(&hmac, DIGEST_BYTES, ret);
	explicit_bzero(&hmac, sizeof hmac);
}

void webhook_sign(const struct webhook_keys *keys, const char *id, int64_t timestamp_s,
		  const char *body, char ret[WEBHOOK_SIGNATURE_BYTES])
{
	AUTO_FREE char *head = mem_printf("%s.%" PRId64 ".", id, timestamp_s);
	size_t at = 0;
	ret[0] = '\0';
	for (size_t i = 0; i < keys->count; i++) {
		uint8_t digest[DIGEST_BYTES];
		sign_with(&keys->key[i], head, body, digest);
		AUTO_FREE char *text = base64_encode(digest, sizeof digest);
		at += (size_t)snprintf(ret + at, WEBHOOK_SIGNATURE_BYTES - at, "%sv1,%s",
				       i > 0 ? " " : "", text);
	}
}
