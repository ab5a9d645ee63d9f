/* steer.h - changing how the service runs jobs: one small body, one commit, one answer.
 *
 * Pausing, limiting and draining differ in the members of their bodies, in what is
 * written and in what is answered; each is a row, and steer_run does the rest. */
#ifndef REEVE_HTTPAPI_STEER_H
#define REEVE_HTTPAPI_STEER_H

#include "httpapi/body.h"
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

struct steering {
	/* Writes it (see struct write). */
	int (*run)(struct queue *queue, const struct steer_wish *wish, struct err *err);
	const struct body_member *member; /* of struct steer_wish */
	size_t members;
	/* Answers once it is committed. */
	enum MHD_Result (*answer)(struct request *request);
};

/* Reads the body by the rows, has it committed in the name of the asker, for the queue
 * that the path names (if it names one), and answers. */
enum MHD_Result steer_run(struct request *request, const struct steering *steering);

/* The reader of `reason` of a struct steer_wish. */
void steer_reason(struct problems *problems, const char *pointer, const cJSON *value,
		  void *wish);

#endif
