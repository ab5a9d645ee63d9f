/* steer.h - changing how the service runs jobs: one small body, one commit, one answer.
 *
 * Pausing, limiting and draining differ in the members of their bodies, in what is
 * written and in what is answered; each is a row, and steer_run does the rest. */
#ifndef REEVE_HTTPAPI_STEER_H
#define REEVE_HTTPAPI_STEER_H

#include "httpapi/request.h"
#include "httpapi/writer.h"

/* What the asker wishes, as far as the members of the body say it. */
struct steer_wish {
	const char *principal; /* who asks */
	const char *lane;      /* the queue that the path names, or NULL */
	const char *reason;    /* words of a person, or NULL */
	int64_t until;	       /* 0: no end */
	int64_t max_running;   /* as queue_lane_limit takes it */
};

/* A member of the body. `read` puts it into the wish, or complains. */
struct steer_member {
	const char *name;
	bool is_required;
	bool takes_null; /* else null is the same as leaving it out */
	void (*read)(struct problems *problems, const char *pointer, const cJSON *value,
		     struct steer_wish *wish);
};

struct steering {
	/* Writes it (see struct write). */
	int (*run)(struct queue *queue, const struct steer_wish *wish, struct err *err);
	const struct steer_member *member;
	size_t members;
	/* Answers once it is committed. */
	enum MHD_Result (*answer)(struct request *request);
};

/* Reads the body by the rows, has it committed in the name of the asker, for the queue
 * that the path names (if it names one), and answers. */
enum MHD_Result steer_run(struct request *request, const struct steering *steering);

/* Words of a person: a string of at most 1000 bytes, into wish->reason. */
void steer_reason(struct problems *problems, const char *pointer, const cJSON *value,
		  struct steer_wish *wish);

#endif
