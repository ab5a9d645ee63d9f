/* connect.c - see connect.h. */
#include "client/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FILE_BYTES_MAX (64u << 10)
#define TOKEN_BYTES_MAX 4096

/* The token is wiped, so that it is not in a core dump of what comes later. */
void endpoint_release(struct endpoint *endpoint)
{
	free(endpoint->url);
	free(endpoint->unix_path);
	if (endpoint->token != NULL)
		explicit_bzero(endpoint->token, strlen(endpoint->token));
	free(endpoint->token);
	free(endpoint->where);
	*endpoint = (struct endpoint){0};
}

/* --- the token --- */

/* Checked on the open descriptor: no moment in which the file could be another one. */
static int check_private(int fd, const char *path, struct err *err)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return err_sys(err, ERR_INTERNAL, errno, "%s", path);
	if (!S_ISREG(status.st_mode))
		return err_set(err, ERR_INVALID, "%s is not a regular file", path);
	if ((status.st_mode & 077) != 0)
		return err_set(err, ERR_DENIED,
			       "%s can be used by others (mode %04o); chmod 600 it", path,
			       (unsigned)(status.st_mode & 07777));
	return 0;
}

/* Only visible ASCII: a stray newline in a header would begin another header. */
static int read_token(const char *path, char **ret, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_DENIED, errno,
			       "token file %s", path);
	if (check_private(fd, path, err) < 0)
		return -1;
	char text[TOKEN_BYTES_MAX + 1];
	const ssize_t bytes = file_read_full(fd, text, TOKEN_BYTES_MAX);
	if (bytes < 0)
		return err_sys(err, ERR_INTERNAL, errno, "token file %s", path);
	size_t length = (size_t)bytes;
	while (length > 0 && strchr("\r\n \t", text[length - 1]) != NULL)
		length--;
	text[length] = '\0';
	bool is_token = length > 0 && strlen(text) == length;
	for (size_t i = 0; i < length; i++)
		is_token = is_token && text[i] > 0x20 && text[i] < 0x7f;
	if (!is_token)
		return err_set(err, ERR_INVALID, "%s does not hold a token", path);
	*ret = mem_strndup(text, length);
	explicit_bzero(text, sizeof(text));
	return 0;
}

/* Does the token stay on this machine, or travel encrypted? */
static bool is_safe_for_token(const char *url)
{
	if (text_has_prefix(url, "https://"))
		return true;
	const char *host = url + strlen("http://");
	if (text_has_prefix(host, "[::1]"))
		return true;
	AUTO_FREE char *name = mem_strndup(host, strcspn(host, ":/"));
	struct in_addr address;
	if (inet_pton(AF_INET, name, &address) == 1)
		return ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
	return strcmp(name, "localhost") == 0;
}

/* --- the server's name --- */

/* The kernel would cut a longer path, or curl refuse it without saying why. */
static int set_unix(struct endpoint *ret, const char *path, struct err *err)
{
	const struct sockaddr_un *address = NULL;
	if (strlen(path) >= sizeof(address->sun_path))
		return err_set(err, ERR_INVALID,
			       "the socket's path is over %zu bytes long: %s",
			       sizeof(address->sun_path) - 1, path);
	ret->unix_path = mem_strdup(path);
	ret->url = mem_strdup("http://localhost");
	ret->where = mem_printf("unix:%s", path);
	return 0;
}

/* No user, no path, no query: credentials in an address end up in process lists. */
static int set_server(struct endpoint *ret, const char *server, struct err *err)
{
	if (text_has_prefix(server, "unix:"))
		return set_unix(ret, server + strlen("unix:"), err);
	if (text_has_prefix(server, "http://") || text_has_prefix(server, "https://"))
		ret->url = mem_strdup(server);
	else if (server[0] != '\0' && strstr(server, "://") == NULL)
		ret->url = mem_printf("http://%s", server);
	else
		return err_set(err, ERR_INVALID,
			       "\"%s\" is no server: unix:PATH, http://HOST:PORT or "
			       "https://HOST:PORT",
			       server);
	size_t length = strlen(ret->url);
	while (length > 0 && ret->url[length - 1] == '/')
		ret->url[--length] = '\0';
	if (strchr(ret->url, '@') != NULL || strpbrk(ret->url, "?# ") != NULL)
		return err_set(err, ERR_INVALID,
			       "a server is a scheme, a host and a port, nothing more");
	ret->where = mem_strdup(ret->url);
	return 0;
}

/* --- the profile --- */

static char *profile_path(void)
{
	const char *base = getenv("XDG_CONFIG_HOME");
	if (base != NULL && base[0] == '/')
		return mem_printf("%s/reeve/config.json", base);
	const char *home = getenv("HOME");
	if (home == NULL || home[0] != '/')
		return NULL;
	return mem_printf("%s/.config/reeve/config.json", home);
}

static int profile_text(const cJSON *profile, const char *key, const char *path,
			const char **ret, struct err *err)
{
	const cJSON *value = json_get(profile, key);
	if (value != NULL && !cJSON_IsString(value))
		return err_set(err, ERR_INVALID, "%s: \"%s\" must be a text", path, key);
	*ret = cJSON_GetStringValue(value);
	return 0;
}

/* Nothing is silently ignored: a misspelt key would mean another server. */
static int check_profile_keys(const cJSON *profile, const char *path, struct err *err)
{
	static const char *const KEYS[] = {"server", "token_file", "profiles"};
	const cJSON *member = NULL;
	cJSON_ArrayForEach(member, profile)
	{
		bool is_known = false;
		for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++)
			is_known = is_known || strcmp(member->string, KEYS[i]) == 0;
		if (is_known)
			continue;
		const char *nearest =
			text_nearest(member->string, KEYS, ARRAY_SIZE(KEYS));
		return err_set(err, ERR_INVALID, "%s: unknown key \"%s\"%s%s%s", path,
			       member->string, nearest != NULL ? "; did you mean " : "",
			       nearest != NULL ? nearest : "",
			       nearest != NULL ? "?" : "");
	}
	return 0;
}

/* Most people have no such file; 0 then. */
static int read_profile(cJSON **ret, const char *path, struct err *err)
{
	AUTO_BUF struct buf text = BUF_INIT(FILE_BYTES_MAX);
	const struct json_rules rules = {.allow_comments = true};
	struct err local = ERR_INIT;
	if (file_read(AT_FDCWD, path, &text, &local) < 0) {
		if (local.code == ERR_NOT_FOUND)
			return 0;
		*err = local;
		return -1;
	}
	if (json_parse(buf_text(&text), text.length, &rules, ret, err) < 0)
		return err_wrap(err, "%s", path);
	return 1;
}

/* Fills server and token_file from the profile; they belong to `tree`. */
static int use_profile(const char *name, cJSON **tree, const char **ret_server,
		       const char **ret_token_file, struct err *err)
{
	AUTO_FREE char *path = profile_path();
	const int found = path != NULL ? read_profile(tree, path, err) : 0;
	if (found < 0)
		return -1;
	const cJSON *profile = *tree;
	if (found > 0 && check_profile_keys(profile, path, err) < 0)
		return -1;
	if (name != NULL) {
		profile = json_get(json_get(*tree, "profiles"), name);
		if (profile == NULL)
			return err_set(err, ERR_NOT_FOUND, "no profile \"%s\" in %s",
				       name, path != NULL ? path : "$HOME/.config");
		if (check_profile_keys(profile, path, err) < 0)
			return -1;
	}
	if (profile == NULL)
		return 0;
	if (profile_text(profile, "server", path, ret_server, err) < 0 ||
	    profile_text(profile, "token_file", path, ret_token_file, err) < 0)
		return -1;
	return 0;
}

/* --- the local service --- */

/* The first Unix socket that the service listens on. */
static int set_local(struct endpoint *ret, const char *config_file, struct err *err)
{
	struct config config = {0};
	if (config_load(&config, config_file, err) < 0)
		return err_wrap(err, "where the service is");
	const char *name = "run/reeve.sock";
	for (size_t i = 0; i < config.listeners.count; i++) {
		const struct listener *listener = &config.listeners.item[i];
		if (!listener->is_unix)
			continue;
		name = listener->address + strlen("unix:");
		break;
	}
	AUTO_FREE char *path = file_join(config.state_dir, name);
	config_release(&config);
	return set_unix(ret, path, err);
}

/* What was chosen; NULL: nothing was. */
struct choice {
	const char *server, *token_file;
};

/* `tree` owns the profile's texts; the caller frees it when all is copied. */
static int choose_server(struct choice *ret, const struct args *args, cJSON **tree,
			 struct err *err)
{
	const char *name = args_text(args, "profile");
	ret->server = args_text(args, "server");
	if (ret->server == NULL && name == NULL)
		ret->server = getenv("REEVE_SERVER");
	if (ret->server != NULL && ret->server[0] != '\0')
		return 0;
	ret->server = NULL;
	/* a configuration named by hand means the local service */
	if (name == NULL && args_has(args, "config"))
		return 0;
	return use_profile(name, tree, &ret->server, &ret->token_file, err);
}

/* The variable is for servers over TCP: a stale one must not spoil the local socket. */
static void choose_token_file(struct choice *ret, const struct args *args)
{
	const char *given = args_text(args, "token-file");
	if (given != NULL)
		ret->token_file = given;
	else if (ret->token_file == NULL && ret->server != NULL &&
		 !text_has_prefix(ret->server, "unix:"))
		ret->token_file = getenv("REEVE_TOKEN_FILE");
}

static int find(struct endpoint *ret, const struct args *args, cJSON **tree,
		struct err *err)
{
	struct choice choice = {0};
	if (choose_server(&choice, args, tree, err) < 0)
		return -1;
	choose_token_file(&choice, args);
	const int status = choice.server != NULL
				   ? set_server(ret, choice.server, err)
				   : set_local(ret, args_text(args, "config"), err);
	if (status < 0 || choice.token_file == NULL)
		return status;
	if (ret->unix_path == NULL && !is_safe_for_token(ret->url))
		return err_set(err, ERR_DENIED,
			       "the token would travel in clear to %s; use https://",
			       ret->where);
	return read_token(choice.token_file, &ret->token, err);
}

int endpoint_find(struct endpoint *ret, const struct args *args, struct err *err)
{
	struct endpoint endpoint = {0};
	cJSON *tree = NULL;
	const int status = find(&endpoint, args, &tree, err);
	cJSON_Delete(tree);
	if (status < 0)
		endpoint_release(&endpoint);
	else
		*ret = endpoint;
	return status;
}
