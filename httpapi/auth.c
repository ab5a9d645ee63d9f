/* auth.c - who asks, and may they (see auth.h). */
#include "httpapi/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "httpapi/clients.h"
#include "httpapi/server.h"

#define TOKEN_BYTES 32

const char *role_word(enum role role)
{
	static const char *const words[] = {
		[ROLE_NONE] = "none",
		[ROLE_READONLY] = "readonly",
		[ROLE_FULL] = "full",
		[ROLE_ADMIN] = "admin",
	};
	return words[role];
}

/* The kernel vouches for the peer of a Unix socket. */
static void identify_peer(const struct client *client, struct principal *ret)
{
	snprintf(ret->name, sizeof(ret->name), "uid:%lu", (unsigned long)client->uid);
	if (client->uid == 0 || client->uid == geteuid())
		ret->role = ROLE_ADMIN;
}

static void identify_bearer(const struct server *server, const char *authorization,
			    struct principal *ret)
{
	static const char scheme[] = "Bearer ";
	if (!authorization || !server->has_token ||
	    strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return;
	const char *token = authorization + sizeof(scheme) - 1;
	token += strspn(token, " ");
	/* Hashes are compared, in constant time: the way to a wrong answer says nothing
	 * about the right one. */
	uint8_t hash[DIGEST_BYTES];
	digest_of(token, strlen(token), hash);
	if (!text_equal_secret(hash, sizeof(hash), server->token_hash,
			       sizeof(server->token_hash)))
		return;
	snprintf(ret->name, sizeof(ret->name), "token:local");
	ret->role = ROLE_ADMIN;
}

void auth_identify(const struct server *server, const struct client *client,
		   const char *authorization, struct principal *ret)
{
	*ret = (struct principal){.role = ROLE_NONE};
	if (client->has_uid)
		identify_peer(client, ret);
	else
		identify_bearer(server, authorization, ret);
}

int auth_permit(const struct principal *who, enum role needed, struct err *err)
{
	if (needed == ROLE_NONE)
		return 0;
	if (!who->name[0])
		return err_set(err, ERR_UNAUTHENTICATED,
			       "send 'Authorization: Bearer <token>' with the token of "
			       "this server");
	if (who->role < needed)
		return err_set(err, ERR_DENIED, "%s has the role %s; this needs %s",
			       who->name, role_word(who->role), role_word(needed));
	return 0;
}

bool auth_sees_all(const struct principal *who)
{
	return who->role == ROLE_ADMIN;
}

/* --- the token --- */

static int token_make(const char *path, struct err *err)
{
	uint8_t secret[TOKEN_BYTES];
	char text[2 * TOKEN_BYTES + 2];
	random_bytes(secret, sizeof(secret));
	text_hex(secret, sizeof(secret), text);
	text[2 * TOKEN_BYTES] = '\n';
	return file_write_atomic(AT_FDCWD, path, text, 2 * TOKEN_BYTES + 1, 0600, err);
}

static int token_check_mode(const char *path, struct err *err)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return err_sys(err, ERR_INTERNAL, errno, "%s", path);
	if (st.st_mode & 077)
		return err_set(err, ERR_DENIED,
			       "%s may be read by others than its owner; chmod 600 it",
			       path);
	return 0;
}

int auth_token_load(const struct config *config, uint8_t ret_hash[DIGEST_BYTES],
		    bool *ret_made, struct err *err)
{
	AUTO_FREE char *path = config_path(config, "token");
	bool is_new = access(path, F_OK) < 0;
	if (is_new && token_make(path, err) < 0)
		return err_wrap(err, "making the bearer token");
	if (token_check_mode(path, err) < 0)
		return -1;
	AUTO_BUF struct buf text = BUF_INIT(1024);
	if (file_read(AT_FDCWD, path, &text, err) < 0)
		return -1;
	size_t length = strcspn(buf_text(&text), " \t\r\n");
	if (length < TOKEN_BYTES)
		return err_set(err, ERR_INVALID,
			       "%s holds no token of at least %d characters", path,
			       TOKEN_BYTES);
	digest_of(buf_text(&text), length, ret_hash);
	*ret_made = is_new;
	return 0;
}
