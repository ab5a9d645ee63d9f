/* output_names.c - which files and directories are ours, by their names. */
#include "queue/retention_run.h"

#define UUID_LENGTH (JOB_ID_BYTES - 1)

bool output_name_parse(const char *name, const char *suffix, struct output_name *ret)
{
	char number[12];
	int64_t value;
	const size_t length = strlen(name), tail = strlen(suffix);
	if (length < UUID_LENGTH + 2 + tail || name[UUID_LENGTH] != '-' ||
	    length - UUID_LENGTH - 1 - tail >= sizeof number ||
	    strcmp(name + length - tail, suffix) != 0)
		return false;
	(void)snprintf(number, sizeof number, "%.*s",
		       (int)(length - UUID_LENGTH - 1 - tail), name + UUID_LENGTH + 1);
	(void)snprintf(ret->job_id, sizeof ret->job_id, "%.*s", (int)UUID_LENGTH, name);
	if (!job_id_is_valid(ret->job_id) ||
	    text_parse_int(number, 1, INT32_MAX, &value) != 0)
		return false;
	ret->attempt = (int)value;
	return true;
}

bool output_day_is(const char *name)
{
	for (size_t i = 0; i < 10; i++)
		if (i == 4 || i == 7 ? name[i] != '-' : name[i] < '0' || name[i] > '9')
			return false;
	return name[10] == '\0';
}
