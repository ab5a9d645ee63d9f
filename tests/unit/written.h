/* written.h - an output as its shim would write it, beside an oracle.
 *
 * The test plays the shim: it writes a frame before its bytes. The oracle keeps each
 * stream's bytes apart from the start. */
#ifndef REEVE_TESTS_WRITTEN_H
#define REEVE_TESTS_WRITTEN_H

#include "tests/unit/queue_fixture.h"

/* A job with one attempt, and the files its shim would write. */
struct written {
	struct fixture *f;
	struct claim_list claims;
	int log_fd, index_fd;
	char log_path[ATTEMPT_PATH_BYTES];
	struct buf whole, streams[3], frames; /* streams by enum output_stream */
	enum output_stream last;
};

void written_open(struct written *w, struct fixture *f);
int written_create(struct written *w, const char *suffix);
void written_remove(struct written *w);
void written_close(struct written *w);
void written_frame(struct written *w, enum output_stream stream);
void written_bytes(struct written *w, const void *data, size_t bytes);
void written_add(struct written *w, enum output_stream stream, const char *text);
/* Random stretches, also of no bytes, of both streams. */
void written_random(struct written *w, unsigned seed, int stretches, int longest);
/* The same of few letters and NUL, so that lines and needles meet at every border. */
void written_letters(struct written *w, uint32_t seed, int stretches, int longest,
		     const char *letters);
struct output *written_output(struct written *w);
const struct buf *written_oracle(const struct written *w, enum output_stream stream);
/* From `offset` on, in pieces of `piece` bytes, it is the oracle's bytes to the end. */
void written_check_from(const struct written *w, struct output *output,
			enum output_stream stream, size_t offset, size_t piece);
void written_check(const struct written *w, struct output *output);
/* How the files are left when the attempt has ended. */
void written_import(struct written *w, bool is_folded);
/* Then: until nothing more is to be compressed. */
void written_compress(struct written *w);
/* A path of its files. */
void written_path(const struct written *w, const char *suffix, char ret[256]);

#endif
