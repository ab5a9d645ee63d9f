/* written.c - see written.h. */
#include "tests/unit/written.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

void written_open(struct written *w, struct fixture *f)
{
	struct submitted submitted;
	char path[256];
	memset(w, 0, sizeof *w);
	w->f = f;
	fixture_submit(f, "uid:1000", &submitted);
	fixture_claim(f, &w->claims);
	attempt_output_path(submitted.id, 1, "log", w->log_path);
	(void)snprintf(path, sizeof path, "%s/%.17s", f->dir, w->log_path);
	assert_done(file_make_dirs(path, 0700, &f->err), &f->err);
	w->log_fd = w->index_fd = -1;
	buf_init(&w->whole, 64 << 20);
	buf_init(&w->streams[OUTPUT_STDOUT], 64 << 20);
	buf_init(&w->streams[OUTPUT_STDERR], 64 << 20);
	buf_init(&w->frames, 64 << 20);
}

int written_create(struct written *w, const char *suffix)
{
	char path[256], name[ATTEMPT_PATH_BYTES];
	attempt_output_path(w->claims.item[0].job.id, 1, suffix, name);
	(void)snprintf(path, sizeof path, "%s/%s", w->f->dir, name);
	const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

void written_remove(struct written *w)
{
	char path[256], name[ATTEMPT_PATH_BYTES];
	const char *const suffixes[] = {"log", "idx"};
	for (int i = 0; i < 2; i++) {
		attempt_output_path(w->claims.item[0].job.id, 1, suffixes[i], name);
		(void)snprintf(path, sizeof path, "%s/%s", w->f->dir, name);
		assert_int_equal(unlink(path), 0);
	}
}

void written_close(struct written *w)
{
	if (w->log_fd >= 0)
		assert_int_equal(close(w->log_fd), 0);
	if (w->index_fd >= 0)
		assert_int_equal(close(w->index_fd), 0);
	buf_release(&w->whole);
	buf_release(&w->streams[OUTPUT_STDOUT]);
	buf_release(&w->streams[OUTPUT_STDERR]);
	buf_release(&w->frames);
	claim_list_release(&w->claims);
}

void written_frame(struct written *w, enum output_stream stream)
{
	uint8_t packed[FRAME_BYTES];
	const struct frame frame = {.at_us = 1700000000000000 + (int64_t)w->frames.length,
				    .offset = (int64_t)w->whole.length,
				    .stdout_bytes =
					    (int64_t)w->streams[OUTPUT_STDOUT].length,
				    .stream = stream};
	frame_pack(&frame, packed);
	if (w->index_fd < 0)
		w->index_fd = written_create(w, ".idx");
	assert_int_equal(write(w->index_fd, packed, sizeof packed), sizeof packed);
	assert_int_equal(buf_append(&w->frames, packed, sizeof packed), 0);
	w->last = stream;
}

void written_bytes(struct written *w, const void *data, size_t bytes)
{
	if (w->log_fd < 0)
		w->log_fd = written_create(w, "log");
	assert_int_equal(write(w->log_fd, data, bytes), (ssize_t)bytes);
	assert_int_equal(buf_append(&w->whole, data, bytes), 0);
	assert_int_equal(buf_append(&w->streams[w->last], data, bytes), 0);
}

void written_add(struct written *w, enum output_stream stream, const char *text)
{
	written_frame(w, stream);
	written_bytes(w, text, strlen(text));
}

void written_random(struct written *w, unsigned seed, int stretches, int longest)
{
	char data[512];
	uint32_t random = seed;
	for (int i = 0; i < stretches; i++) {
		random = random * 1664525 + 1013904223;
		const size_t bytes = (random >> 8) % (unsigned)longest;
		for (size_t k = 0; k < bytes; k++)
			data[k] = (char)(random >> (k % 24)) + (char)k;
		if (i == 0 || (random >> 28) < 12)
			written_frame(w,
				      random >> 30 & 1 ? OUTPUT_STDERR : OUTPUT_STDOUT);
		written_bytes(w, data, bytes);
	}
}

struct output *written_output(struct written *w)
{
	struct output *output = NULL;
	const int found = queue_output_open(
		w->f->queue, w->f->dir, &w->claims.item[0].job, 1, &output, &w->f->err);
	assert_done(found, &w->f->err);
	assert_int_equal(found, 1);
	return output;
}

const struct buf *written_oracle(const struct written *w, enum output_stream stream)
{
	return stream == OUTPUT_BOTH ? &w->whole : &w->streams[stream];
}

void written_check_from(const struct written *w, struct output *output,
			enum output_stream stream, size_t offset, size_t piece)
{
	const struct buf *oracle = written_oracle(w, stream);
	struct err err = ERR_INIT;
	char *data = mem_alloc(piece);
	for (;;) {
		const ssize_t got =
			output_read(output, stream, (int64_t)offset, data, piece, &err);
		assert_done((int)got, &err);
		if (got == 0)
			break;
		assert_true(offset + (size_t)got <= oracle->length);
		assert_memory_equal(data, oracle->data + offset, (size_t)got);
		offset += (size_t)got;
	}
	assert_int_equal(offset, oracle->length);
	free(data);
}

void written_check(const struct written *w, struct output *output)
{
	struct err err = ERR_INIT;
	for (int s = OUTPUT_BOTH; s <= OUTPUT_STDERR; s++) {
		const enum output_stream stream = (enum output_stream)s;
		const size_t length = written_oracle(w, stream)->length;
		int64_t size;
		assert_done(output_size(output, stream, &size, &err), &err);
		assert_int_equal(size, length);
		written_check_from(w, output, stream, 0, 4096);
		/* backwards, so that no cursor helps */
		for (size_t i = 0; i <= 8; i++)
			written_check_from(w, output, stream, length - length * i / 8,
					   65536);
		written_check_from(w, output, stream, length / 2, 113);
	}
}

void written_import(struct written *w, bool is_folded)
{
	struct attempt_end end = fixture_end(0);
	end.stdout_bytes = (int64_t)w->streams[OUTPUT_STDOUT].length;
	end.stderr_bytes = (int64_t)w->streams[OUTPUT_STDERR].length;
	digest_of(w->whole.data, w->whole.length, end.sha256);
	if (is_folded) {
		end.content = w->whole.data;
		end.content_bytes = w->whole.length;
		end.frames = w->frames.data;
		end.frames_bytes = w->frames.length;
	} else {
		end.path = w->log_path;
	}
	assert_int_equal(fixture_import(w->f, &w->claims.item[0], &end), 1);
}

void written_letters(struct written *w, uint32_t seed, int stretches, int longest,
		     const char *letters)
{
	const size_t count = strlen(letters) + 1; /* NUL as well */
	char data[512];
	uint32_t random = seed;
	for (int i = 0; i < stretches; i++) {
		random = random * 1664525 + 1013904223;
		const size_t bytes = (random >> 8) % (unsigned)longest;
		for (size_t k = 0; k < bytes; k++) {
			random = random * 1664525 + 1013904223;
			data[k] = letters[(random >> 8) % count];
		}
		if (i == 0 || random >> 30 > 0)
			written_frame(w,
				      random >> 29 & 1 ? OUTPUT_STDERR : OUTPUT_STDOUT);
		written_bytes(w, data, bytes);
	}
}

void written_path(const struct written *w, const char *suffix, char ret[256])
{
	char name[ATTEMPT_PATH_BYTES];
	attempt_output_path(w->claims.item[0].job.id, 1, suffix, name);
	(void)snprintf(ret, 256, "%s/%s", w->f->dir, name);
}

void written_compress(struct written *w)
{
	struct compression *run = compression_open(1);
	char path[256];
	int more;
	while ((more = queue_compression_step(w->f->queue, run, &w->f->err)) == 1)
		;
	assert_done(more, &w->f->err);
	assert_true(compression_report(run).outputs > 0);
	compression_close(run);
	written_path(w, ".log", path);
	assert_int_equal(access(path, F_OK), -1);
	written_path(w, ".log.zst", path);
	assert_int_equal(access(path, F_OK), 0);
}
