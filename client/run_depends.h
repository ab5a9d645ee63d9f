/* run_depends.h - the options of `run` that name other jobs, and the work that a job is.
 * Private to cmd_run.c. */
#ifndef REEVE_CLIENT_RUN_DEPENDS_H
#define REEVE_CLIENT_RUN_DEPENDS_H

#include "client/api.h"

/* --after, --any, --stdin-from, --unique, --keep as members of a submission. Ids are
 * completed by asking the service, since a submission names whole ones. ERR_INVALID,
 * ERR_NOT_FOUND, and those of a request. */
int put_depends(struct json_writer *json, struct cli *cli, struct err *err);

#endif
