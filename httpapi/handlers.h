/* handlers.h - the functions that the table of routes names.
 *
 * Each is called with a request whose body is complete and whose asker is permitted. It
 * answers, or parks the request and goes on in request->resume. */
#ifndef REEVE_HTTPAPI_HANDLERS_H
#define REEVE_HTTPAPI_HANDLERS_H

#include "httpapi/request.h"

enum MHD_Result handle_job_submit(struct request *request);	   /* submit.c */
enum MHD_Result handle_batch_submit(struct request *request);	   /* batch.c */
enum MHD_Result handle_job_list(struct request *request);	   /* list.c */
enum MHD_Result handle_job_get(struct request *request);	   /* jobs.c */
enum MHD_Result handle_job_attempts(struct request *request);	   /* history.c */
enum MHD_Result handle_job_events(struct request *request);	   /* history.c */
enum MHD_Result handle_job_output(struct request *request);	   /* output.c */
enum MHD_Result handle_job_output_events(struct request *request); /* output_events.c */
enum MHD_Result handle_job_search(struct request *request);	   /* search.c */
enum MHD_Result handle_job_cancel(struct request *request);	   /* cancel.c */
enum MHD_Result handle_job_change(struct request *request);	   /* change.c */
enum MHD_Result handle_job_signal(struct request *request);	   /* signal.c */
enum MHD_Result handle_jobs_cancel(struct request *request);	   /* cancel_many.c */
enum MHD_Result handle_job_hold(struct request *request);	   /* hold.c */
enum MHD_Result handle_job_release(struct request *request);	   /* hold.c */
enum MHD_Result handle_job_rerun(struct request *request);	   /* rerun.c */
enum MHD_Result handle_job_graph(struct request *request);	   /* graph.c */
enum MHD_Result handle_job_explain(struct request *request);	   /* explain.c */
enum MHD_Result handle_queue_list(struct request *request);	   /* queues.c */
enum MHD_Result handle_queue_get(struct request *request);	   /* queues.c */
enum MHD_Result handle_queue_pause(struct request *request);	   /* queues.c */
enum MHD_Result handle_queue_resume(struct request *request);	   /* queues.c */
enum MHD_Result handle_queue_change(struct request *request);	   /* queues.c */
enum MHD_Result handle_drain_get(struct request *request);	   /* drain.c */
enum MHD_Result handle_drain(struct request *request);		   /* drain.c */
enum MHD_Result handle_undrain(struct request *request);	   /* drain.c */
enum MHD_Result handle_task_list(struct request *request);	   /* tasks.c */
enum MHD_Result handle_task_get(struct request *request);	   /* tasks.c */
enum MHD_Result handle_stats(struct request *request);		   /* stats.c */
enum MHD_Result handle_whoami(struct request *request);		   /* health.c */
enum MHD_Result handle_live(struct request *request);		   /* health.c */
enum MHD_Result handle_ready(struct request *request);		   /* health.c */
enum MHD_Result handle_problem(struct request *request);	   /* health.c */

#endif
