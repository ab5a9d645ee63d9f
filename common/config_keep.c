/* config_keep.c - a new configuration for a program that is running: what cannot change
 * while it runs stays as it was. Which settings that are is a column of SETTINGS. */
#include "common/config_rows.h"
#include "common/mem.h"
#include "common/text.h"

bool number_is_same(const void *one, const void *other)
{
	return *(const int64_t *)one == *(const int64_t *)other;
}

void number_copy(const void *from, void *to)
{
	*(int64_t *)to = *(const int64_t *)from;
}

bool text_is_same(const void *one, const void *other)
{
	return text_equal(*(char *const *)one, *(char *const *)other);
}

void text_copy(const void *from, void *to)
{
	*(char **)to = mem_strdup(*(char *const *)from);
}

bool listeners_is_same(const void *one, const void *other)
{
	const struct listeners *left = one, *right = other;

	if (left->count != right->count)
		return false;
	for (size_t i = 0; i < left->count; i++)
		if (!text_equal(left->item[i].address, right->item[i].address) ||
		    left->item[i].mode != right->item[i].mode)
			return false;
	return true;
}

void listeners_copy(const void *from, void *to)
{
	const struct listeners *old = from;
	struct listeners *copy = to;

	*copy = (struct listeners){.item = mem_array(old->count, sizeof(*old->item)),
				   .count = old->count};
	for (size_t i = 0; i < old->count; i++) {
		struct listener *listener = &copy->item[i];

		*listener = old->item[i];
		listener->address = mem_strdup(listener->address);
		if (listener->host)
			listener->host = mem_strdup(listener->host);
	}
}

void config_keep_fixed(struct config *fresh, const struct config *old,
		       enum config_program program,
		       void (*differs)(void *context, const char *name), void *context)
{
	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		const struct setting *row = &SETTINGS[i];
		const void *was = (const char *)old + row->offset;
		void *field = (char *)fresh + row->offset;

		if (!(row->fixed_in & program) || row->kind->is_same(was, field))
			continue;
		row->kind->release(field);
		row->kind->copy(was, field);
		differs(context, row->name);
	}
}
