/* body.c - reading a small body by a table (see body.h). */
#include "httpapi/body.h"

#define REASON_BYTES_MAX 1000
#define MEMBERS_MAX 8

const char *body_reason(struct problems *problems, const char *pointer,
			const cJSON *value)
{
	if (cJSON_IsString(value) && strlen(value->valuestring) <= REASON_BYTES_MAX)
		return value->valuestring;
	problems_add(problems, pointer, "must be a string of at most %d bytes",
		     REASON_BYTES_MAX);
	return NULL;
}

bool body_flag(struct problems *problems, const char *pointer, const cJSON *value)
{
	if (!cJSON_IsBool(value))
		problems_add(problems, pointer, "must be true or false");
	return cJSON_IsTrue(value);
}

void body_complain_unknown(struct problems *problems, const char *pointer,
			   const char *name, const char *const *known, size_t count)
{
	const char *nearest = text_nearest(name, known, count);
	if (nearest)
		problems_add_member(problems, pointer, name,
				    "unknown key; did you mean \"%s\"?", nearest);
	else
		problems_add_member(problems, pointer, name, "unknown key");
}

static void read_member(const struct body_member *rows, size_t count, const cJSON *value,
			void *wish, struct problems *problems)
{
	const char *names[MEMBERS_MAX];
	for (size_t i = 0; i < count; i++) {
		names[i] = rows[i].name;
		if (strcmp(rows[i].name, value->string) != 0)
			continue;
		char pointer[64];
		snprintf(pointer, sizeof(pointer), "#/%s", rows[i].name);
		if (rows[i].takes_null || !cJSON_IsNull(value))
			rows[i].read(problems, pointer, value, wish);
		return;
	}
	body_complain_unknown(problems, "#", value->string, names, count);
}

static bool is_there(const struct body_member *row, const cJSON *tree)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(tree, row->name);
	return value && (row->takes_null || !cJSON_IsNull(value));
}

int body_read(const struct request *request, const struct body_member *rows, size_t count,
	      void *wish, cJSON **ret_tree, struct problems *problems, struct err *err)
{
	const cJSON *value;
	*ret_tree = NULL;
	if (request->body.length > 0 &&
	    json_parse(buf_text(&request->body), request->body.length, NULL, ret_tree,
		       err) < 0)
		return -1;
	if (*ret_tree && !cJSON_IsObject(*ret_tree)) {
		problems_add(problems, "#", "must be an object");
		return 0;
	}
	cJSON_ArrayForEach(value, *ret_tree)
	{
		read_member(rows, count, value, wish, problems);
	}
	for (size_t i = 0; i < count; i++)
		if (rows[i].is_required && !is_there(&rows[i], *ret_tree))
			problems_add_member(problems, "#", rows[i].name, "is required");
	return 0;
}
