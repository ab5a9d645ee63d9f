/* load.c - the definitions of a configuration: its list, and the files beside it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "tasks/definition.h"

#define FILE_BYTES_MAX (1024 * 1024)

/* Takes the task over, unless its name is there already. */
static void add(struct tasks *tasks, struct task_reader *reader, const char *path,
		struct task *task)
{
	const struct task *other = task->name ? tasks_find(tasks, task->name) : NULL;

	if (other) {
		task_fault(reader, path, "the task \"%s\" is there already, at %s",
			   task->name, other->place);
		task_release(task);
		return;
	}
	tasks->item = mem_grow(tasks->item, (tasks->count + 1) * sizeof(*tasks->item));
	tasks->item[tasks->count++] = *task;
}

static void read_one(struct tasks *tasks, struct task_reader *reader, const char *path,
		     const cJSON *object)
{
	struct task task;

	task_read(reader, path, object, &task);
	add(tasks, reader, path, &task);
}

static cJSON *parse(struct task_reader *reader, const char *text, size_t length)
{
	static const struct json_rules rules = {.allow_comments = true};
	struct err err = ERR_INIT;
	cJSON *tree = NULL;

	if (json_parse(text, length, &rules, &tree, &err))
		faults_add_syntax(&reader->faults, reader->name, err.text);
	return tree;
}

static void load_list(struct tasks *tasks, struct task_reader *reader,
		      const struct json_source *source)
{
	cJSON *tree;
	const cJSON *element;
	int index = 0;

	if (!source->text)
		return;
	reader->name = source->name;
	reader->text = source->is_file ? source->text : NULL;
	reader->length = source->length;
	tree = parse(reader, source->text, source->length);
	cJSON_ArrayForEach(element, json_get(tree, "tasks"))
	{
		AUTO_FREE char *path = mem_printf("tasks.%d", index++);

		read_one(tasks, reader, path, element);
	}
	cJSON_Delete(tree);
}

static void load_file(struct tasks *tasks, struct task_reader *reader, const char *path)
{
	AUTO_BUF struct buf content = BUF_INIT(FILE_BYTES_MAX);
	struct err err = ERR_INIT;
	cJSON *tree;

	reader->name = path;
	reader->text = NULL;
	if (file_read(AT_FDCWD, path, &content, &err)) {
		faults_add(&reader->faults, err.text);
		return;
	}
	reader->text = buf_text(&content);
	reader->length = content.length;
	tree = parse(reader, reader->text, reader->length);
	if (tree)
		read_one(tasks, reader, "", tree);
	cJSON_Delete(tree);
	reader->name = reader->text = NULL;
}

/* Names that people and editors leave beside the real ones are none. */
static int is_definition(const struct dirent *entry)
{
	const size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > strlen(".json") &&
	       text_equal(entry->d_name + length - strlen(".json"), ".json");
}

static void load_dir(struct tasks *tasks, struct task_reader *reader, const char *dir)
{
	struct dirent **entry = NULL;
	const int count = scandir(dir, &entry, is_definition, alphasort);

	if (count < 0 && errno != ENOENT) {
		AUTO_FREE char *sentence =
			mem_printf("tasks_dir: %s: %s", dir, strerror(errno));

		faults_add(&reader->faults, sentence);
	}
	for (int i = 0; i < count; i++) {
		AUTO_FREE char *path = file_join(dir, entry[i]->d_name);

		load_file(tasks, reader, path);
		free(entry[i]);
	}
	free(entry);
}

static int by_name(const void *a, const void *b)
{
	const struct task *left = a, *right = b;

	return strcmp(left->name, right->name);
}

int tasks_load(struct tasks *ret, const struct config *config, struct err *err)
{
	struct task_reader reader = {.queues = &config->queues};
	struct tasks tasks = {0};

	load_list(&tasks, &reader, &config->tasks);
	if (config->tasks_dir)
		load_dir(&tasks, &reader, config->tasks_dir);
	if (faults_report(&reader.faults, err) < 0) {
		tasks_release(&tasks);
		return -1;
	}
	if (tasks.count > 0)
		qsort(tasks.item, tasks.count, sizeof(*tasks.item), by_name);
	*ret = tasks;
	return 0;
}

void tasks_release(struct tasks *tasks)
{
	for (size_t i = 0; i < tasks->count; i++)
		task_release(&tasks->item[i]);
	free(tasks->item);
	*tasks = (struct tasks){0};
}

const struct task *tasks_find(const struct tasks *tasks, const char *name)
{
	for (size_t i = 0; name && i < tasks->count; i++)
		if (text_equal(tasks->item[i].name, name))
			return &tasks->item[i];
	return NULL;
}

const char *tasks_nearest(const struct tasks *tasks, const char *name)
{
	const char **names = mem_array(tasks->count + 1, sizeof(char *)), *nearest;

	for (size_t i = 0; i < tasks->count; i++)
		names[i] = tasks->item[i].name;
	nearest = text_nearest(name, names, tasks->count);
	free(names);
	return nearest;
}
