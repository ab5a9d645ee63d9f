/* test_config_keep.c - a configuration loaded anew, for a program that runs. */
#include <stdlib.h>
#include <string.h>

#include "common/config_rows.h"
#include "common/mem.h"
#include "common/text.h"
#include "tests/unit/unit.h"

/* Every setting that may be fixed, and a few others, as another one. */
static const char CHANGED[] =
	"{\"state_dir\": \"/srv/other\","
	" \"listeners\": [{\"address\": \"unix:run/other.sock\", \"mode\": \"0600\"},"
	" \"127.0.0.1:8081\"],"
	" \"slots\": 7, \"timeout_s\": 5, \"cgroup\": \"off\", \"path\": \"/opt/bin\","
	" \"limits\": {\"header_bytes\": 2000, \"target_bytes\": 300, \"connections\": 5,"
	" \"connections_per_address\": 6, \"args\": 3},"
	" \"http\": {\"threads\": 3, \"request_deadline_s\": 7, \"wait_max_s\": 8}}";

static void load(const char *text, struct config *ret)
{
	char *dir = scratch_make();
	AUTO_FREE char *path = mem_printf("%s/reeve.json", dir);
	struct err err = ERR_INIT;

	scratch_file(dir, "reeve.json", text, 0600);
	assert_int_equal(config_load(ret, path, &err), 0);
	scratch_remove(dir);
}

struct names {
	char text[1024];
};

static void add_name(void *context, const char *name)
{
	struct names *names = context;
	const size_t used = strlen(names->text);

	(void)snprintf(names->text + used, sizeof(names->text) - used, "%s ", name);
}

static void expected_names(unsigned program, struct names *ret)
{
	*ret = (struct names){0};
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		if (SETTINGS[i].fixed_in & program)
			add_name(ret, SETTINGS[i].name);
}

static void every_fixed_kind_can_be_kept(void **state)
{
	(void)state;
	size_t fixed = 0;

	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		if (!SETTINGS[i].fixed_in)
			continue;
		assert_non_null(SETTINGS[i].kind->is_same);
		assert_non_null(SETTINGS[i].kind->copy);
		fixed++;
	}
	assert_true(fixed > 0);
}

static void what_is_fixed_stays_and_is_named(void **state)
{
	(void)state;
	static const enum config_program programs[] = {CONFIG_INTAKE, CONFIG_WORKER};

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		struct config old, fresh;
		struct names names = {0}, expected;

		load("{\"state_dir\": \"/srv/reeve\", \"cgroup\": \"auto\"}", &old);
		load(CHANGED, &fresh);
		config_keep_fixed(&fresh, &old, programs[i], add_name, &names);
		expected_names(programs[i], &expected);
		assert_string_equal(names.text, expected.text);
		assert_string_equal(fresh.state_dir, "/srv/reeve");
		assert_ptr_not_equal(fresh.state_dir, old.state_dir);
		/* Nobody's fixed settings: as they were read. */
		assert_int_equal(fresh.slots, 7);
		assert_int_equal(fresh.timeout_us, 5000000);
		assert_int_equal(fresh.limits.args, 3);
		assert_int_equal(fresh.http.wait_max_us, 8000000);
		assert_string_equal(fresh.search_path, "/opt/bin");
		/* A second time there is no difference any more. */
		memset(&names, 0, sizeof(names));
		config_keep_fixed(&fresh, &old, programs[i], add_name, &names);
		assert_string_equal(names.text, "");
		config_release(&fresh);
		config_release(&old);
	}
}

static void each_program_has_its_own(void **state)
{
	(void)state;
	struct config old, fresh;
	struct names names = {0};

	load("{\"cgroup\": \"auto\"}", &old);
	load(CHANGED, &fresh);
	config_keep_fixed(&fresh, &old, CONFIG_INTAKE, add_name, &names);
	assert_string_equal(fresh.cgroup, "off");
	assert_int_equal(fresh.listeners.count, 2);
	assert_string_equal(fresh.listeners.item[0].address, "unix:run/reeve.sock");
	assert_int_equal(fresh.listeners.item[0].mode, 0660);
	assert_string_equal(fresh.listeners.item[1].host, "127.0.0.1");
	assert_int_equal(fresh.listeners.item[1].port, 8080);
	assert_int_equal(fresh.limits.connections, old.limits.connections);
	assert_int_equal(fresh.http.threads, old.http.threads);
	config_release(&fresh);
	load(CHANGED, &fresh);
	config_keep_fixed(&fresh, &old, CONFIG_WORKER, add_name, &names);
	assert_string_equal(fresh.cgroup, "auto");
	assert_string_equal(fresh.listeners.item[0].address, "unix:run/other.sock");
	assert_int_equal(fresh.limits.connections, 5);
	config_release(&fresh);
	config_release(&old);
}

static void a_mode_alone_makes_listeners_differ(void **state)
{
	(void)state;
	struct config old, fresh;
	struct names names = {0};

	load("{\"listeners\": [{\"address\": \"unix:a\", \"mode\": \"0600\"}]}", &old);
	load("{\"listeners\": [{\"address\": \"unix:a\", \"mode\": \"0660\"}]}", &fresh);
	config_keep_fixed(&fresh, &old, CONFIG_INTAKE, add_name, &names);
	assert_string_equal(names.text, "listeners ");
	assert_int_equal(fresh.listeners.item[0].mode, 0600);
	config_release(&fresh);
	config_release(&old);
}

int main(void)
{
	/* The environment would be over the files. */
	static const char *const variables[] = {"REEVE_STATE_DIR", "REEVE_CGROUP",
						"REEVE_LISTENERS"};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fixed_kind_can_be_kept),
		cmocka_unit_test(what_is_fixed_stays_and_is_named),
		cmocka_unit_test(each_program_has_its_own),
		cmocka_unit_test(a_mode_alone_makes_listeners_differ),
	};

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		(void)unsetenv(variables[i]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
