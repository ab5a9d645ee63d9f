/* test_config.c - settings from defaults, files and the environment; every complaint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/common.h"
#include "tests/unit/config_texts.h"

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
	assert_int_equal(config.http.idempotency_keep_us, 7 * 86400 * SECOND);
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
	     " \"[::1]:0\", \"127.8.9.1:65535\", \"[::1]:0\"], // five\n"
	     "\"exec_roots\": [\"/opt/a/\", {\"path\": \"/opt/b\"},\n"
	     " {\"path\": \"/opt/c\", \"follow_links\": false}],\n"
	     "\"allow_environment\": [], \"slots\": 3, \"timeout_s\": 1.5,\n"
	     "\"kill_grace_s\": 0.0000015, \"cgroup\": \"/sys/fs/cgroup/x\",\n"
	     "\"limits\": {\"args\": 7, \"output_bytes\": 0},\n"
	     "\"http\": {\"wait_max_s\": 30}}");
	assert_string_equal(config.path, "reeve.json");
	assert_string_equal(config.state_dir, "/srv/reeve");
	assert_int_equal(config.log_level, LOG_DEBUG);
	assert_int_equal(config.listeners.count, 5);
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

static void queues_are_read_by_their_names(void **state)
{
	AUTO_FREE char *longest = mem_printf("{\"queues\": {\"%064d\": {}}}", 0);
	AUTO_FREE char *too_long = mem_printf("{\"queues\": {\"%065d\": {}}}", 0);
	struct config config;
	struct err err = ERR_INIT;

	(void)state;
	load(&config, NULL);
	assert_int_equal(config.queues.count, 0);
	config_release(&config);
	load(&config, "{\"queues\": {\"thumbs\": {\"max_running\": 2, "
		      "\"default_timeout_s\": 1.5},\n"
		      "\"A.z_0-9\": {}, \"default\": {\"max_running\": 0}}}");
	assert_int_equal(config.queues.count, 3);
	assert_string_equal(config.queues.item[0].name, "thumbs");
	assert_int_equal(config.queues.item[0].max_running, 2);
	assert_int_equal(config.queues.item[0].default_timeout_us, 1500000);
	assert_string_equal(config.queues.item[1].name, "A.z_0-9");
	assert_int_equal(config.queues.item[1].max_running, -1);
	assert_int_equal(config.queues.item[1].default_timeout_us, 0);
	assert_int_equal(config.queues.item[2].max_running, 0);
	config_release(&config);
	(void)setenv("REEVE_QUEUES", "{\"video\": {\"max_running\": 1}}", 1);
	load(&config, "{\"queues\": {\"thumbs\": {}}}");
	assert_int_equal(config.queues.count, 1);
	assert_string_equal(config.queues.item[0].name, "video");
	config_release(&config);
	(void)unsetenv("REEVE_QUEUES");
	load(&config, longest);
	config_release(&config);
	write_file(too_long);
	assert_int_equal(config_load(&config, "reeve.json", &err), -1);
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
		IN_PLACE(queues_are_read_by_their_names),
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
