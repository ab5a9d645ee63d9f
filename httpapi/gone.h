/* gone.h - what is said of what was here and has been removed: 410 with the facts that
 * remain, as the member `removed` of the problem document. */
#ifndef REEVE_HTTPAPI_GONE_H
#define REEVE_HTTPAPI_GONE_H

#include "httpapi/request.h"

/* The job of this id, if it was pruned and was this asker's: always -1, with ERR_GONE or,
 * when nothing is known of it, ERR_NOT_FOUND. */
int gone_job(struct request *request, struct queue *queue, const char *id,
	     struct err *err);

/* Puts length, hash and time of an attempt's removed output beside the error that says
 * so, and the time into its words. */
void gone_output(struct request *request, struct queue *queue, const struct job *job,
		 int attempt, struct err *err);

#endif
