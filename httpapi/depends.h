/* depends.h - from the names in a submission to the jobs that it waits for.
 *
 * A name is the whole id of a job that is there and that the asker may see, or in a batch
 * "@ref", another job of it. What comes out is what queue_submit takes; a job of the
 * batch is then still named by its place in the request (batch_order.h). */
#ifndef REEVE_HTTPAPI_DEPENDS_H
#define REEVE_HTTPAPI_DEPENDS_H

#include "httpapi/submission.h"

#define NOT_IN_BATCH SIZE_MAX

/* What the jobs of a batch are called. */
struct ref {
	const char *name; /* the request's */
	size_t index;	  /* of the job in the request */
};
struct refs {
	struct ref *item; /* by name */
	size_t count;
};

/* Collects the refs of a batch; a problem for each that comes twice. */
void refs_init(struct refs *refs, const struct intake *intake, size_t count,
	       struct problems *problems);
void refs_release(struct refs *refs);

/* A problem for each unique key that comes twice in a batch: the second job could only be
 * the first one, be refused because of it, or cancel it before it is answered. */
void unique_keys_check(const struct intake *intake, size_t count,
		       struct problems *problems);

/* Does the submission name any job at all? */
bool depends_has_any(const struct intake *intake);

/* Fills the intake's wishes and its submission's depends_on and stdin_from. `refs` is
 * NULL outside of a batch. In a wish for a job of the batch parent_item is its index in
 * the request, in any other NOT_IN_BATCH. Each wish has the place of its name; one of
 * which nothing was found has neither row nor item. What is wrong is in `problems`; -1
 * only when the database cannot be asked. */
int depends_resolve(struct intake *intake, const struct refs *refs, struct queue *queue,
		    const struct viewer *viewer, struct problems *problems,
		    struct err *err);

/* The member of the request that a wish came from: "#/depends_on/3/job". */
void depends_pointer(const struct intake *intake, size_t wish, char ret[64]);

#endif
