/* faults.c - gathering what is wrong with a file (see faults.h). */
#include "common/faults.h"

#include <stdio.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/mem.h"

#define SENTENCE_BYTES_MAX 8192

void faults_add(struct faults *faults, const char *sentence)
{
	size_t used = strlen(faults->text);
	size_t room = sizeof(faults->text) - used - sizeof("; and 1000000 more");

	if (!used || strlen(sentence) + 2 < room) {
		(void)snprintf(faults->text + used, room, "%s%s", used ? "; " : "",
			       sentence);
		faults->shown++;
	}
	faults->count++;
}

void faults_vprintf(struct faults *faults, const char *place, const char *format,
		    va_list args)
{
	AUTO_BUF struct buf sentence = BUF_INIT(SENTENCE_BYTES_MAX);

	(void)buf_append_text(&sentence, place);
	(void)buf_vprintf(&sentence, format, args);
	faults_add(faults, buf_text(&sentence));
}

void faults_add_syntax(struct faults *faults, const char *file, const char *words)
{
	AUTO_FREE char *sentence = NULL;
	int line = 0, column = 0, skip = 0;

	if (sscanf(words, "line %d, column %d: %n", &line, &column, &skip) == 2)
		sentence = mem_printf("%s:%d:%d: %s", file, line, column, words + skip);
	else
		sentence = mem_printf("%s: %s", file, words);
	faults_add(faults, sentence);
}

int faults_report(const struct faults *faults, struct err *err)
{
	if (!faults->count)
		return 0;
	if (faults->shown < faults->count)
		return err_set(err, ERR_INVALID, "%s; and %zu more", faults->text,
			       faults->count - faults->shown);
	return err_set(err, ERR_INVALID, "%s", faults->text);
}

char *faults_place(const char *file, const char *text, size_t length, const char *path)
{
	int line = 1, column = 1;

	if (!text || (*path && json_locate(text, length, path, &line, &column)))
		return mem_strdup(file);
	return mem_printf("%s:%d:%d", file, line, column);
}
