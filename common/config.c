/* config.c - from defaults, file and environment to the configuration in force.
 *
 * Everything is read before anything is judged, so that a person sees all mistakes at
 * once. What a setting is and which there are stands in config_rows.c. */
#include "common/config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/config_rows.h"
#include "common/file.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/text.h"

#define FILE_BYTES_MAX (1024 * 1024)

/* --- faults --- */

static const struct setting *setting_find(const char *name)
{
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		if (text_equal(SETTINGS[i].name, name))
			return &SETTINGS[i];
	return NULL;
}

/* "FILE:LINE:COLUMN: ", "VARIABLE: " or "", then the setting's name. */
static char *fault_place(const struct config_reader *reader, const char *path)
{
	AUTO_FREE char *place = NULL;

	if (reader->variable &&
	    (setting_find(path) || text_equal(path, reader->variable)))
		return mem_printf("%s: ", reader->variable);
	if (reader->variable)
		return mem_printf("%s: %s: ", reader->variable, path);
	if (!reader->file)
		return mem_printf("%s: ", path);
	place = faults_place(reader->file, reader->text, reader->length, path);
	return mem_printf("%s: %s: ", place, path);
}

void config_fault(struct config_reader *reader, const char *path, const char *format, ...)
{
	AUTO_FREE char *place = fault_place(reader, path);
	va_list args;

	va_start(args, format);
	faults_vprintf(&reader->faults, place, format, args);
	va_end(args);
}

void config_fault_unknown(struct config_reader *reader, const char *path, const char *key,
			  const char *const *names, size_t count)
{
	const char *nearest = text_nearest(key, names, count);

	if (nearest)
		config_fault(reader, path, "unknown; did you mean %s?", nearest);
	else
		config_fault(reader, path, "unknown");
}

/* --- rows --- */

static void *setting_field(const struct setting *row, struct config *config)
{
	return (char *)config + row->offset;
}

void setting_read(struct config_reader *reader, const struct setting *row,
		  const cJSON *value)
{
	row->kind->read(reader, row, row->name, value,
			setting_field(row, reader->config));
}

/* Does any setting's name start with "<name>."? */
static bool is_group(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		if (text_has_prefix(SETTINGS[i].name, name) &&
		    SETTINGS[i].name[length] == '.')
			return true;
	return false;
}

static void read_defaults(struct config_reader *reader)
{
	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		const struct setting *row = &SETTINGS[i];
		struct err err = ERR_INIT;
		cJSON *value = NULL;

		if (json_parse(row->fallback, strlen(row->fallback), NULL, &value, &err))
			config_fault(reader, row->name, "default: %s", err.text);
		else
			setting_read(reader, row, value);
		cJSON_Delete(value);
	}
}

/* --- the file --- */

/* The row that a key without its group may have meant: "body_bytes". */
static const char *name_without_group(const char *key)
{
	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		const char *dot = strrchr(SETTINGS[i].name, '.');

		if (dot && text_equal(dot + 1, key))
			return SETTINGS[i].name;
	}
	return NULL;
}

static void unknown_setting(struct config_reader *reader, const char *path,
			    const char *key)
{
	const char *names[SETTINGS_MAX], *full = name_without_group(key);

	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		names[i] = SETTINGS[i].name;
	if (full)
		config_fault(reader, path, "unknown; did you mean %s?", full);
	else if (setting_find(key))
		config_fault(reader, path, "write it as an object in an object");
	else
		config_fault_unknown(reader, path, path, names, SETTINGS_COUNT);
}

static void read_object(struct config_reader *reader, const cJSON *object,
			const char *prefix)
{
	const cJSON *member;

	cJSON_ArrayForEach(member, object)
	{
		AUTO_FREE char *path = mem_printf("%s%s", prefix, member->string);
		const struct setting *row = setting_find(path);

		if (row && !strchr(member->string, '.')) {
			setting_read(reader, row, member);
		} else if (!is_group(path)) {
			unknown_setting(reader, path, member->string);
		} else if (!cJSON_IsObject(member)) {
			config_fault(reader, path, "expected an object");
		} else {
			AUTO_FREE char *inner = mem_printf("%s.", path);

			read_object(reader, member, inner);
		}
	}
}

/* Reads the file `path`; -1 when it cannot be read at all. */
static int read_file(struct config_reader *reader, const char *path, struct err *err)
{
	static const struct json_rules rules = {.allow_comments = true};
	AUTO_BUF struct buf content = BUF_INIT(FILE_BYTES_MAX);
	struct err wrong = ERR_INIT;
	cJSON *tree = NULL;

	if (file_read(AT_FDCWD, path, &content, err))
		return err_wrap(err, "configuration");
	reader->config->path = mem_strdup(path);
	reader->file = path;
	reader->text = buf_text(&content);
	reader->length = content.length;
	if (json_parse(reader->text, reader->length, &rules, &tree, &wrong))
		faults_add_syntax(&reader->faults, path, wrong.text);
	else if (!cJSON_IsObject(tree))
		faults_add_syntax(&reader->faults, path,
				  "line 1, column 1: expected an object");
	else
		read_object(reader, tree, "");
	cJSON_Delete(tree);
	reader->file = NULL;
	return 0;
}

/* --- what follows from the settings --- */

static int64_t processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	return CPU_COUNT(&set);
}

/* state_dir made absolute, without slashes at its end. */
static void make_absolute(struct config_reader *reader)
{
	struct config *config = reader->config;
	size_t length = strlen(config->state_dir);
	AUTO_FREE char *here = NULL;
	char *full;

	while (length > 1 && config->state_dir[length - 1] == '/')
		config->state_dir[--length] = '\0';
	if (config->state_dir[0] == '/')
		return;
	here = getcwd(NULL, 0);
	if (!here) {
		config_fault(reader, "state_dir", "no current directory: %s",
			     strerror(errno));
		return;
	}
	full = mem_printf("%s/%s", text_equal(here, "/") ? "" : here, config->state_dir);
	free(config->state_dir);
	config->state_dir = full;
}

/* A Unix socket's whole path must fit into sockaddr_un. */
static void check_socket_paths(struct config_reader *reader)
{
	const struct listeners *listeners = &reader->config->listeners;
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	for (size_t i = 0; i < listeners->count; i++) {
		AUTO_FREE char *path = NULL;

		if (!listeners->item[i].is_unix)
			continue;
		path = config_path(reader->config,
				   listeners->item[i].address + strlen("unix:"));
		if (strlen(path) > max)
			config_fault(reader, "listeners",
				     "the path %s is longer than %zu bytes, the most "
				     "that a Unix socket can have",
				     path, max);
	}
}

/* tasks_dir beside the configuration file. Without a file there is nothing for a relative
 * one to be beside. */
static void place_tasks_dir(struct config *config)
{
	const char *slash = config->path ? strrchr(config->path, '/') : NULL;
	AUTO_FREE char *given = config->tasks_dir;

	if (given && given[0] == '/')
		config->tasks_dir = mem_strdup(given);
	else if (!config->path || !given)
		config->tasks_dir = NULL;
	else
		config->tasks_dir =
			mem_printf("%.*s%s", slash ? (int)(slash - config->path + 1) : 0,
				   config->path, given);
}

/* An internal host that no callback may name is a slip of the pen, and looks as if it
 * were allowed. */
static void check_internal_hosts(struct config_reader *reader)
{
	const struct words *internal = &reader->config->callbacks.internal_hosts;

	for (size_t i = 0; i < internal->count; i++)
		if (!words_have(&reader->config->callbacks.allowed_hosts,
				internal->item[i]))
			config_fault(reader, "callbacks.internal_hosts",
				     "%s is not in callbacks.allowed_hosts as well",
				     internal->item[i]);
}

/* Fills in what is derived and compares settings with each other. */
static void complete(struct config_reader *reader)
{
	struct config *config = reader->config;

	make_absolute(reader);
	place_tasks_dir(config);
	check_socket_paths(reader);
	check_internal_hosts(reader);
	(void)log_level_parse(config->log_level_word, &config->log_level);
	if (!config->slots)
		config->slots = processors();
	if (!config->http.threads)
		config->http.threads = processors() < 2	  ? 4
				       : processors() > 8 ? 16
							  : 2 * processors();
	if (config->output_bytes > config->limits.output_bytes_max)
		config_fault(reader, "limits.output_bytes",
			     "larger than limits.output_bytes_max");
}

int config_load(struct config *ret, const char *path, struct err *err)
{
	struct config config = {0};
	struct config_reader reader = {.config = &config};

	if (!path)
		path = getenv("REEVE_CONFIG");
	read_defaults(&reader);
	if (path && read_file(&reader, path, err)) {
		config_release(&config);
		return -1;
	}
	config_read_environment(&reader);
	complete(&reader);
	if (faults_report(&reader.faults, err) < 0) {
		config_release(&config);
		return -1;
	}
	*ret = config;
	return 0;
}

void config_release(struct config *config)
{
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		SETTINGS[i].kind->release(setting_field(&SETTINGS[i], config));
	free(config->path);
	*config = (struct config){0};
}

bool words_have(const struct words *words, const char *word)
{
	for (size_t i = 0; i < words->count; i++)
		if (strcmp(words->item[i], word) == 0)
			return true;
	return false;
}

char *config_path(const struct config *config, const char *name)
{
	return file_join(config->state_dir, name);
}
