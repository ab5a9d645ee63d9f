/* lane_names.c - which queues there are to the configuration (see queue_names.h). */
#include "common/queue_names.h"

#include <string.h>

#include "common/text.h"

#define NAMES_MAX 64 /* that are searched for the nearest, and listed */
#define LISTED_BYTES_MAX 300

static const char standard[] = "default";

bool queue_name_is_known(const struct queue_settings *queues, const char *name)
{
	return strcmp(name, standard) == 0 || queue_setting_find(queues, name);
}

int64_t queue_timeout_us(const struct queue_settings *queues, const char *name)
{
	const struct queue_setting *setting = queue_setting_find(queues, name);
	return setting ? setting->default_timeout_us : 0;
}

/* `default` and those of the configuration. */
static size_t all_names(const struct queue_settings *queues, const char *ret[NAMES_MAX])
{
	size_t count = 0;
	ret[count++] = standard;
	for (size_t i = 0; i < queues->count && count < NAMES_MAX; i++)
		if (strcmp(queues->item[i].name, standard) != 0)
			ret[count++] = queues->item[i].name;
	return count;
}

void queue_name_complain(const struct queue_settings *queues, const char *name,
			 struct buf *out)
{
	const char *names[NAMES_MAX];
	size_t count = all_names(queues, names);
	const char *nearest = text_nearest(name, names, count);
	buf_printf(out, "there is no queue \"%s\"", name);
	if (nearest) {
		buf_printf(out, "; did you mean \"%s\"?", nearest);
		return;
	}
	buf_append_text(out, "; there are ");
	for (size_t i = 0; i < count; i++) {
		if (out->length > LISTED_BYTES_MAX) {
			buf_append_text(out, " and more");
			return;
		}
		buf_printf(out, "%s%s", i > 0 ? ", " : "", names[i]);
	}
}
