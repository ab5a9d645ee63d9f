/* test_config.c - settings from defaults, files and the environment; every complaint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/common.h"

#define SECOND US_PER_S

/* A directory of its own, as working directory, and no REEVE_ variable. */
struct place {
	char directory[64];
	char *before;
};

static void forget_variables(void)
{
	for (size_t i = 0; environ && environ[i];) {
		AUTO_FREE char *name = NULL;

		if (!text_has_prefix(environ[i], "REEVE_")) {
			i++;
			continue;
		}
		name = mem_strndup(environ[i], strcspn(environ[i], "="));
		(void)unsetenv(name);
	}
}

static int place_make(void **state)
{
	struct place *place = mem_alloc(sizeof(*place));

	forget_variables();
	place->before = getcwd(NULL, 0);
	(void)snprintf(place->directory, sizeof(place->directory),
		       "/tmp/reeve-config-XXXXXX");
	*state = place;
	return !mkdtemp(place->directory) || chdir(place->directory);
}

static int place_drop(void **state)
{
	struct place *place = *state;
	int failed;

	forget_variables();
	(void)unlink("reeve.json");
	failed = chdir(place->before) || rmdir(place->directory);
	free(place->before);
	free(place);
	return failed;
}

static void write_file(const char *text)
{
	struct err err = ERR_INIT;

	assert_int_equal(
		file_write_atomic(AT_FDCWD, "reeve.json", text, strlen(text), 0600, &err),
		0);
}

/* Loads reeve.json with `text` in it (NULL: no file), which must work. */
static void load(struct config *ret, const char *text)
{
	struct err err = ERR_INIT;

	if (text)
		write_file(text);
	if (config_load(ret, text ? "reeve.json" : NULL, &err))
		fail_msg("%s: %s", text ? text : "no file", err.text);
}

/* Loads `text`, which must fail with exactly `complaint`. */
static void load_fails(const char *text, const char *complaint)
{
	struct config config;
	struct err err = ERR_INIT;

	if (text)
		write_file(text);
	if (!config_load(&config, text ? "reeve.json" : NULL, &err))
		fail_msg("accepted: %s", text ? text : "no file");
	assert_int_equal(err.code, ERR_INVALID);
	assert_string_equal(err.text, complaint);
}

static void defaults_are_in_force(void **state)
{
	const struct place *place = *state;
	AUTO_FREE char *state_dir = mem_printf("%s/var", place->directory);
	AUTO_FREE char *database = mem_printf("%s/var/reeve.db", place->directory);
	struct config config;

	load(&config, NULL);
	assert_null(config.path);
	assert_string_equal(config.state_dir, state_dir);
	assert_string_equal(config.log_level_word, "info");
	assert_int_equal(config.log_level, LOG_INFO);
	assert_int_equal(config.listeners.count, 2);
	assert_true(config.listeners.item[0].is_unix);
	assert_string_equal(config.listeners.item[0].address, "unix:run/reeve.sock");
	assert_int_equal(config.listeners.item[0].mode, 0660);
	assert_false(config.listeners.item[1].is_unix);
	assert_string_equal(config.listeners.item[1].host, "127.0.0.1");
	assert_int_equal(config.listeners.item[1].port, 8080);
	assert_int_equal(config.exec_roots.count, 3);
	assert_string_equal(config.exec_roots.item[0].path, "/usr/local/bin");
	assert_string_equal(config.exec_roots.item[2].path, "/bin");
	assert_true(config.exec_roots.item[2].follow_links);
	assert_int_equal(config.allow_environment.count, 1);
	assert_string_equal(config.search_path, "/usr/local/bin:/usr/bin:/bin");
	assert_string_equal(config.working_directory, "/");
	assert_true(config.slots >= 1 && config.http.threads >= 2);
	assert_int_equal(config.timeout_us, 0);
	assert_int_equal(config.kill_grace_us, 10 * SECOND);
	assert_int_equal(config.output_bytes, 256 << 20);
	assert_int_equal(config.output_fold_bytes, 64 << 10);
	assert_string_equal(config.cgroup, "auto");
	assert_int_equal(config.limits.body_bytes, 24 << 20);
	assert_int_equal(config.limits.stdin_bytes, 16 << 20);
	assert_int_equal(config.limits.args, 1024);
	assert_int_equal(config.limits.argv_bytes, 128 << 10);
	assert_int_equal(config.limits.connections, 512);
	assert_int_equal(config.limits.connections_per_address, 64);
	assert_int_equal(config.http.header_deadline_us, 10 * SECOND);
	assert_int_equal(config.http.idempotency_keep_us, 86400 * SECOND);
	{
		AUTO_FREE char *path = config_path(&config, "reeve.db");

		assert_string_equal(path, database);
	}
	config_release(&config);
}

static void a_file_overrides(void **state)
{
	struct config config;

	(void)state;
	load(&config,
	     "// ours\n{\"state_dir\": \"/srv/reeve//\", \"log_level\": \"debug\",\n"
	     "\"listeners\": [\"unix:/run/r.sock\",\n"
	     " {\"address\": \"unix:b\", \"mode\": \"600\"},\n"
	     " \"[::1]:0\", \"127.8.9.1:65535\"], // four\n"
	     "\"exec_roots\": [\"/opt/a/\", {\"path\": \"/opt/b\"},\n"
	     " {\"path\": \"/opt/c\", \"follow_links\": false}],\n"
	     "\"allow_environment\": [], \"slots\": 3, \"timeout_s\": 1.5,\n"
	     "\"kill_grace_s\": 0.0000015, \"cgroup\": \"/sys/fs/cgroup/x\",\n"
	     "\"limits\": {\"args\": 7, \"output_bytes\": 0},\n"
	     "\"http\": {\"wait_max_s\": 30}}");
	assert_string_equal(config.path, "reeve.json");
	assert_string_equal(config.state_dir, "/srv/reeve");
	assert_int_equal(config.log_level, LOG_DEBUG);
	assert_int_equal(config.listeners.count, 4);
	assert_int_equal(config.listeners.item[0].mode, 0660);
	assert_int_equal(config.listeners.item[1].mode, 0600);
	assert_string_equal(config.listeners.item[2].host, "::1");
	assert_int_equal(config.listeners.item[2].port, 0);
	assert_int_equal(config.listeners.item[3].port, 65535);
	assert_int_equal(config.exec_roots.count, 3);
	assert_string_equal(config.exec_roots.item[0].path, "/opt/a");
	assert_true(config.exec_roots.item[1].follow_links);
	assert_false(config.exec_roots.item[2].follow_links);
	assert_int_equal(config.allow_environment.count, 0);
	assert_int_equal(config.slots, 3);
	assert_int_equal(config.timeout_us, 1500000);
	assert_int_equal(config.kill_grace_us, 2);
	assert_string_equal(config.cgroup, "/sys/fs/cgroup/x");
	assert_int_equal(config.limits.args, 7);
	assert_int_equal(config.output_bytes, 0);
	assert_int_equal(config.http.wait_max_us, 30 * SECOND);
	assert_int_equal(config.limits.labels, 64); /* its neighbours stay */
	config_release(&config);
}

static void the_environment_overrides_the_file(void **state)
{
	struct config config;

	(void)state;
	(void)setenv("REEVE_SLOTS", "5", 1);
	(void)setenv("REEVE_LIMITS_BODY_BYTES", "2048", 1);
	(void)setenv("REEVE_TIMEOUT_S", "2.25", 1);
	(void)setenv("REEVE_STATE_DIR", "relative/to here", 1);
	(void)setenv("REEVE_EXEC_ROOTS", "/opt/a:/opt/b/", 1);
	(void)setenv("REEVE_ALLOW_ENVIRONMENT", "", 1);
	(void)setenv("REEVE_LISTENERS", "[{\"address\":\"127.0.0.1:0\"}]", 1);
	load(&config, "{\"slots\": 3, \"limits\": {\"labels\": 9}, \"exec_roots\": []}");
	assert_int_equal(config.slots, 5);
	assert_int_equal(config.limits.body_bytes, 2048);
	assert_int_equal(config.limits.labels, 9);
	assert_int_equal(config.timeout_us, 2250000);
	assert_non_null(strstr(config.state_dir, "/relative/to here"));
	assert_int_equal(config.state_dir[0], '/');
	assert_int_equal(config.exec_roots.count, 2);
	assert_string_equal(config.exec_roots.item[1].path, "/opt/b");
	assert_int_equal(config.allow_environment.count, 0);
	assert_int_equal(config.listeners.count, 1);
	config_release(&config);
	(void)setenv("REEVE_ALLOW_ENVIRONMENT", "LANG:TZ", 1);
	(void)setenv("REEVE_EXEC_ROOTS", "[{\"path\":\"/x\",\"follow_links\":false}]", 1);
	load(&config, NULL);
	assert_int_equal(config.allow_environment.count, 2);
	assert_string_equal(config.allow_environment.item[1], "TZ");
	assert_int_equal(config.exec_roots.count, 1);
	assert_false(config.exec_roots.item[0].follow_links);
	config_release(&config);
}

static void the_environment_names_the_file(void **state)
{
	struct config config;
	struct err err = ERR_INIT;

	(void)state;
	write_file("{\"slots\": 9}");
	(void)setenv("REEVE_CONFIG", "reeve.json", 1);
	assert_int_equal(config_load(&config, NULL, &err), 0);
	assert_int_equal(config.slots, 9);
	config_release(&config);
	(void)setenv("REEVE_CONFIG", "nowhere.json", 1);
	assert_int_equal(config_load(&config, NULL, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "nowhere.json"));
	assert_int_equal(config_load(&config, "reeve.json", &err), 0); /* goes first */
	config_release(&config);
}

static void variables_of_others_are_let_through(void **state)
{
	static const char *const names[] = {"REEVE_SERVER", "REEVE_TOKEN_FILE",
					    "REEVE_JOB_ID", "REEVE_ATTEMPT"};
	struct config config;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)setenv(names[i], "anything", 1);
	load(&config, NULL);
	config_release(&config);
}

struct complaint {
	const char *text, *words;
};

/* clang-format off */
static const struct complaint FILES[] = {
	/* not JSON, or not an object */
	{"{\n\"slots\": 1,,\n}", "reeve.json:2:12: expected a key in double quotes, found ','"},
	{"", "reeve.json:1:1: expected a value, found the end"},
	{"[]", "reeve.json:1:1: expected an object"},
	{"{\"slots\":1,\"slots\":2}", "reeve.json:1:12: a key that is there twice"},
	/* keys that nobody knows */
	{"{\n  \"slotz\": 1}", "reeve.json:2:3: slotz: unknown; did you mean slots?"},
	{"{\"limits\": {\n\t\"body_byte\": 1}}",
	 "reeve.json:2:2: limits.body_byte: unknown; did you mean limits.body_bytes?"},
	{"{\"body_bytes\": 1}", "reeve.json:1:2: body_bytes: unknown; did you mean limits.body_bytes?"},
	{"{\"limits.args\": 1}", "reeve.json:1:2: limits.args: write it as an object in an object"},
	{"{\"Slots\": 1}", "reeve.json:1:2: Slots: unknown; did you mean slots?"},
	{"{\"zzzzzzzz\": 1}", "reeve.json:1:2: zzzzzzzz: unknown"},
	{"{\"limits\": 1}", "reeve.json:1:2: limits: expected an object"},
	{"{\"listeners\": [{\"adress\": \"unix:a\", \"address\": \"unix:b\"}]}",
	 "reeve.json:1:17: listeners.0.adress: unknown; did you mean address?"},
	{"{\"exec_roots\": [\"/a\", {\"path\": \"/b\", \"links\": true}]}",
	 "reeve.json:1:38: exec_roots.1.links: unknown"},
	/* numbers */
	{"{\"slots\": -1}", "reeve.json:1:2: slots: too small: expected 0 to 10000"},
	{"{\"slots\": 10001}", "reeve.json:1:2: slots: too large: expected 0 to 10000"},
	{"{\"slots\": 1.5}", "reeve.json:1:2: slots: expected a whole number"},
	{"{\"slots\": \"1\"}", "reeve.json:1:2: slots: expected a number"},
	{"{\"slots\": null}", "reeve.json:1:2: slots: expected a number"},
	{"{\"slots\": true}", "reeve.json:1:2: slots: expected a number"},
	{"{\"wal_bytes\": 1}",
	 "reeve.json:1:2: wal_bytes: too small: expected 65536 to 1073741824 bytes"},
	{"{\"kill_grace_s\": 86400.1}",
	 "reeve.json:1:2: kill_grace_s: too large: expected 0 to 86400 seconds"},
	{"{\"limits\": {\"output_bytes\": 2, \"output_bytes_max\": 1}}",
	 "limits.output_bytes: larger than limits.output_bytes_max"},
	/* texts */
	{"{\"state_dir\": \"\"}",
	 "reeve.json:1:2: state_dir: expected something, found an empty string"},
	{"{\"state_dir\": 1}", "reeve.json:1:2: state_dir: expected a string"},
	{"{\"state_dir\": \"a\\nb\"}",
	 "reeve.json:1:2: state_dir: control characters are not allowed"},
	{"{\"log_level\": \"loud\"}",
	 "reeve.json:1:2: log_level: expected debug, info, warn or error"},
	{"{\"working_directory\": \"a\"}",
	 "reeve.json:1:2: working_directory: expected an absolute path"},
	{"{\"path\": \"/bin::/usr/bin\"}",
	 "reeve.json:1:2: path: expected absolute paths with ':' between them"},
	{"{\"path\": \"/bin:.\"}",
	 "reeve.json:1:2: path: expected absolute paths with ':' between them"},
	{"{\"cgroup\": \"on\"}",
	 "reeve.json:1:2: cgroup: expected auto, off or an absolute path"},
	/* lists */
	{"{\"exec_roots\": \"/bin\"}", "reeve.json:1:2: exec_roots: expected a list"},
	{"{\"exec_roots\": [\"bin\"]}",
	 "reeve.json:1:17: exec_roots.0: expected an absolute path"},
	{"{\"exec_roots\": [\"/\"]}", "reeve.json:1:17: exec_roots.0: "
	 "/ would allow every program there is: name the directories"},
	{"{\"exec_roots\": [\"/bin/../etc\"]}",
	 "reeve.json:1:17: exec_roots.0: \"..\" is not allowed"},
	{"{\"exec_roots\": [\"/bin/..\"]}",
	 "reeve.json:1:17: exec_roots.0: \"..\" is not allowed"},
	{"{\"exec_roots\": [1]}", "reeve.json:1:17: exec_roots.0: "
	 "expected a string, or an object with a string \"path\""},
	{"{\"exec_roots\": [{\"path\": \"/a\", \"follow_links\": 1}]}",
	 "reeve.json:1:17: exec_roots.0: follow_links: expected true or false"},
	{"{\"allow_environment\": [\"LANG\", \"A=B\"]}", "reeve.json:1:32: "
	 "allow_environment.1: expected the name of an environment variable, or *"},
	{"{\"allow_environment\": [\"1A\"]}", "reeve.json:1:24: "
	 "allow_environment.0: expected the name of an environment variable, or *"},
	{"{\"listeners\": []}", "reeve.json:1:2: listeners: expected at least one listener"},
	{"{\"listeners\": [{\"address\": \"127.0.0.1:1\", \"mode\": \"0600\"}]}",
	 "reeve.json:1:16: listeners.0: mode: only a Unix socket has one"},
	{"{\"listeners\": [{\"address\": \"unix:a\", \"mode\": \"0999\"}]}", "reeve.json:1:16: "
	 "listeners.0: mode: expected a string of octal digits such as \"0660\""},
	{"{\"listeners\": [{\"address\": \"unix:a\", \"mode\": 384}]}", "reeve.json:1:16: "
	 "listeners.0: mode: expected a string of octal digits such as \"0660\""},
	{"{\"listeners\": [\"unix:a\", \"unix:a\"]}",
	 "reeve.json:1:26: listeners.1: unix:a is there twice"},
};

static const struct complaint ADDRESSES[] = {
	{"8080", "expected unix:PATH or ADDRESS:PORT, port 0 to 65535"},
	{"127.0.0.1", "expected unix:PATH or ADDRESS:PORT, port 0 to 65535"},
	{"127.0.0.1:", "expected unix:PATH or ADDRESS:PORT, port 0 to 65535"},
	{"127.0.0.1:65536", "expected unix:PATH or ADDRESS:PORT, port 0 to 65535"},
	{"127.0.0.1:-1", "expected unix:PATH or ADDRESS:PORT, port 0 to 65535"},
	{"127.0.0.1:http", "expected unix:PATH or ADDRESS:PORT, port 0 to 65535"},
	{":8080", "expected a numeric address such as 127.0.0.1 or [::1]"},
	{"localhost:8080", "expected a numeric address such as 127.0.0.1 or [::1]"},
	{"127.1:8080", "expected a numeric address such as 127.0.0.1 or [::1]"},
	{"::1:8080", "expected a numeric address such as 127.0.0.1 or [::1]"},
	{"[127.0.0.1]:8080", "expected a numeric address such as 127.0.0.1 or [::1]"},
	{"[]:8080", "expected a numeric address such as 127.0.0.1 or [::1]"},
	{"0.0.0.0:8080", "is not a loopback address"},
	{"10.0.0.1:8080", "is not a loopback address"},
	{"126.255.255.255:8080", "is not a loopback address"},
	{"128.0.0.1:8080", "is not a loopback address"},
	{"[::]:8080", "is not a loopback address"},
	{"[::2]:8080", "is not a loopback address"},
	{"[fe80::1]:8080", "is not a loopback address"},
	{"[::ffff:127.0.0.1]:80", "is not a loopback address"},
	{"unix:", "unix: needs the path of a socket"},
	{"unix:run/", "unix: needs the path of a socket"},
};

static const struct complaint VARIABLES[] = {
	{"REEVE_SLOT=1", "REEVE_SLOT: unknown; did you mean REEVE_SLOTS?"},
	{"REEVE_=1", "REEVE_: unknown"},
	{"REEVE_SLOTS=", "REEVE_SLOTS: expected integer in JSON: "
	 "line 1, column 1: expected a value, found the end"},
	{"REEVE_SLOTS=-1", "REEVE_SLOTS: too small: expected 0 to 10000"},
	{"REEVE_LOG_LEVEL=loud", "REEVE_LOG_LEVEL: expected debug, info, warn or error"},
	{"REEVE_STATE_DIR=\xff", "REEVE_STATE_DIR: expected UTF-8"},
	{"REEVE_EXEC_ROOTS=/bin:x", "REEVE_EXEC_ROOTS: exec_roots.1: expected an absolute path"},
	{"REEVE_LISTENERS=unix:a", "REEVE_LISTENERS: expected list of {\"address\", \"mode\"} "
	 "in JSON: line 1, column 1: expected a value, found 'u'"},
};
/* clang-format on */

static void every_mistake_in_a_file_has_its_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(FILES); i++)
		load_fails(FILES[i].text, FILES[i].words);
}

static void addresses_that_cannot_be_served_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ADDRESSES); i++) {
		AUTO_FREE char *text =
			mem_printf("{\"listeners\": [\"%s\"]}", ADDRESSES[i].text);
		struct config config;
		struct err err = ERR_INIT;

		write_file(text);
		if (!config_load(&config, "reeve.json", &err))
			fail_msg("accepted: %s", text);
		assert_true(text_has_prefix(err.text, "reeve.json:1:16: listeners.0: "));
		if (!strstr(err.text, ADDRESSES[i].words))
			fail_msg("%s: %s", text, err.text);
	}
}

static void every_mistake_in_the_environment_has_its_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(VARIABLES); i++) {
		size_t length = strcspn(VARIABLES[i].text, "=");
		AUTO_FREE char *name = mem_strndup(VARIABLES[i].text, length);

		(void)setenv(name, VARIABLES[i].text + length + 1, 1);
		load_fails(NULL, VARIABLES[i].words);
		(void)unsetenv(name);
	}
}

static void several_mistakes_come_together(void **state)
{
	AUTO_BUF struct buf text = BUF_INIT(1 << 16);
	struct config config;
	struct err err = ERR_INIT;

	(void)state;
	(void)setenv("REEVE_SLOTS", "x", 1);
	load_fails("{\"slotz\": 1,\n\"limits\": {\"args\": -1},\n\"http\": []}",
		   "reeve.json:1:2: slotz: unknown; did you mean slots?; "
		   "reeve.json:2:12: limits.args: too small: expected 0 to 65536; "
		   "reeve.json:3:1: http: expected an object; "
		   "REEVE_SLOTS: expected integer in JSON: "
		   "line 1, column 1: expected a value, found 'x'");
	(void)buf_append_text(&text, "{\"zzzzzzzz\": 0");
	for (int i = 0; i < 99; i++)
		(void)buf_printf(&text, ",\n\"zzzzzzzz%d\": 0", i);
	(void)buf_append_text(&text, "}");
	write_file(buf_text(&text));
	(void)unsetenv("REEVE_SLOTS");
	assert_int_equal(config_load(&config, "reeve.json", &err), -1);
	assert_true(text_has_prefix(err.text, "reeve.json:1:2: zzzzzzzz: unknown; "));
	assert_non_null(strstr(err.text, "; and "));
	assert_string_equal(err.text + strlen(err.text) - strlen(" more"), " more");
}

static void a_socket_path_must_fit(void **state)
{
	char text[256];
	struct config config;
	struct err err = ERR_INIT;

	(void)state;
	(void)snprintf(text, sizeof(text), "{\"listeners\": [\"unix:/%0105d\"]}", 0);
	load(&config, text); /* 106 bytes */
	config_release(&config);
	(void)snprintf(text, sizeof(text), "{\"listeners\": [\"unix:/%0107d\"]}", 0);
	write_file(text);
	assert_int_equal(config_load(&config, "reeve.json", &err), -1);
	assert_non_null(strstr(err.text, "is longer than 107 bytes"));
}

/* The example as config_print_example prints it, into the file reeve.json. */
static void write_example(void)
{
	FILE *out = fopen("reeve.json", "w");

	assert_non_null(out);
	config_print_example(out);
	assert_int_equal(fclose(out), 0);
}

static void assert_same_listeners(const struct listeners *a, const struct listeners *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		assert_string_equal(a->item[i].address, b->item[i].address);
		assert_int_equal(a->item[i].mode, b->item[i].mode);
	}
}

static void the_example_reads_back_to_the_defaults(void **state)
{
	struct config defaults, example;
	struct err err = ERR_INIT;

	(void)state;
	load(&defaults, NULL);
	write_example();
	if (config_load(&example, "reeve.json", &err))
		fail_msg("%s", err.text);
	assert_string_equal(example.state_dir, defaults.state_dir);
	assert_string_equal(example.search_path, defaults.search_path);
	assert_string_equal(example.cgroup, defaults.cgroup);
	assert_same_listeners(&example.listeners, &defaults.listeners);
	assert_int_equal(example.exec_roots.count, defaults.exec_roots.count);
	assert_int_equal(example.slots, defaults.slots);
	assert_int_equal(example.kill_grace_us, defaults.kill_grace_us);
	assert_int_equal(example.output_bytes, defaults.output_bytes);
	assert_int_equal(example.wal_bytes, defaults.wal_bytes);
	assert_memory_equal(&example.limits, &defaults.limits, sizeof(defaults.limits));
	assert_memory_equal(&example.http, &defaults.http, sizeof(defaults.http));
	config_release(&example);
	config_release(&defaults);
}

/* Sets REEVE_<PREFIX>_<NAME> to what `member` says. */
static void set_variable(const char *prefix, const cJSON *member)
{
	AUTO_FREE char *name =
		mem_printf("REEVE_%s%s%s", prefix, *prefix ? "_" : "", member->string);
	AUTO_FREE char *printed = cJSON_PrintUnformatted(member);

	for (char *c = name; *c; c++)
		*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
	assert_int_equal(
		setenv(name, cJSON_IsString(member) ? member->valuestring : printed, 1),
		0);
}

/* Every setting of the example can be given by its variable as well. */
static void every_setting_has_its_variable(void **state)
{
	static const struct json_rules rules = {.allow_comments = true};
	AUTO_BUF struct buf text = BUF_INIT(1 << 20);
	struct config config;
	struct err err = ERR_INIT;
	const cJSON *member, *inner;
	cJSON *tree = NULL;
	int settings = 0;

	(void)state;
	write_example();
	assert_int_equal(file_read(AT_FDCWD, "reeve.json", &text, &err), 0);
	assert_int_equal(json_parse(text.data, text.length, &rules, &tree, &err), 0);
	cJSON_ArrayForEach(member, tree)
	{
		bool is_group = cJSON_IsObject(member);

		settings += is_group ? cJSON_GetArraySize(member) : 1;
		if (!is_group)
			set_variable("", member);
		for (inner = is_group ? member->child : NULL; inner; inner = inner->next)
			set_variable(member->string, inner);
	}
	cJSON_Delete(tree);
	assert_true(settings >= 31);
	load(&config, NULL); /* an unknown variable would be refused */
	config_release(&config);
}

int main(void)
{
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_drop)
	const struct CMUnitTest tests[] = {
		IN_PLACE(defaults_are_in_force),
		IN_PLACE(a_file_overrides),
		IN_PLACE(the_environment_overrides_the_file),
		IN_PLACE(the_environment_names_the_file),
		IN_PLACE(variables_of_others_are_let_through),
		IN_PLACE(every_mistake_in_a_file_has_its_words),
		IN_PLACE(addresses_that_cannot_be_served_are_refused),
		IN_PLACE(every_mistake_in_the_environment_has_its_words),
		IN_PLACE(several_mistakes_come_together),
		IN_PLACE(a_socket_path_must_fit),
		IN_PLACE(the_example_reads_back_to_the_defaults),
		IN_PLACE(every_setting_has_its_variable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
