/* health.c - who am I, are you well, and what does that error mean. */
#include <errno.h>
#include <sys/statvfs.h>

#include "httpapi/answer.h"
#include "httpapi/handlers.h"
#include "httpapi/health.h"
#include "httpapi/readers.h"
#include "httpapi/writer.h"

/* Space left in the state directory. */
#define DISK_WARN_BYTES (INT64_C(1) << 30)
#define DISK_FAIL_BYTES (INT64_C(64) << 20)

enum verdict { PASS, WARN, FAIL };
static const char *const VERDICTS[] = {[PASS] = "pass", [WARN] = "warn", [FAIL] = "fail"};

struct checking {
	struct write write;
};

static struct MHD_Response *health_json(struct buf *body)
{
	struct MHD_Response *response = answer_json(body);
	MHD_del_response_header(response, "Content-Type", "application/json");
	MHD_add_response_header(response, "Content-Type", "application/health+json");
	return response;
}

enum MHD_Result handle_live(struct request *request)
{
	struct buf body = BUF_INIT(256);
	buf_append_text(&body, "{\"status\":\"pass\"}");
	return answer_send(request, MHD_HTTP_OK, health_json(&body));
}

/* One check as draft-inadarei-api-health-check writes it: an array per component. */
static void put_check(struct json_writer *json, const char *name, enum verdict verdict,
		      const char *output)
{
	json_open(json, name, '[');
	json_open(json, NULL, '{');
	json_put_text(json, "status", VERDICTS[verdict]);
	if (output)
		json_put_text(json, "output", output);
	json_close(json, '}');
	json_close(json, ']');
}

bool worker_is_alive(const struct worker_info *worker)
{
	return worker->stopped_at == 0 &&
	       clock_now_us() - worker->heartbeat_at <= WORKER_ALIVE_US;
}

static enum verdict check_worker(struct request *request, const char **ret_output)
{
	struct readers *readers = request->server->readers;
	struct queue *queue = NULL;
	struct err err = ERR_INIT;
	struct worker_info worker = {0};
	int found = readers_take(readers, &queue, &err);
	if (found == 0)
		found = queue_worker_last(queue, &worker, &err);
	readers_give(readers, queue);
	*ret_output = NULL;
	if (found <= 0)
		*ret_output = found < 0 ? "the database cannot be read"
					: "no worker has ever started";
	else if (worker.stopped_at != 0)
		*ret_output = "the worker has been stopped";
	else if (!worker_is_alive(&worker))
		*ret_output = "the worker's heartbeat is old";
	return *ret_output ? FAIL : PASS;
}

/* Not a fault, but what somebody who sees nothing start wants to know first. */
static void put_draining(struct request *request, struct json_writer *json)
{
	struct readers *readers = request->server->readers;
	struct queue *queue = NULL;
	struct err err = ERR_INIT;
	struct drain drain = {0};
	AUTO_BUF struct buf words = BUF_INIT(4096);
	if (readers_take(readers, &queue, &err) < 0)
		return; /* check_worker says so */
	if (queue_drain_get(queue, &drain, &err) > 0) {
		char since[CLOCK_TEXT_BYTES];
		clock_format(drain.since, since);
		buf_printf(&words, "draining since %s by %s%s%s", since, drain.by,
			   drain.reason ? ": " : "", drain.reason ? drain.reason : "");
		drain_release(&drain);
	}
	readers_give(readers, queue);
	put_check(json, "worker:draining", PASS, words.length ? buf_text(&words) : NULL);
}

int64_t state_dir_free_bytes(const struct config *config)
{
	struct statvfs fs;
	if (statvfs(config->state_dir, &fs) < 0)
		return -1;
	return (int64_t)(fs.f_bavail * fs.f_frsize);
}

static enum verdict check_disk(const struct request *request, const char **ret_output)
{
	int64_t free_bytes = state_dir_free_bytes(&request->settings->config);
	*ret_output = NULL;
	if (free_bytes < 0) {
		*ret_output = "the state directory cannot be read";
		return FAIL;
	}
	if (free_bytes >= DISK_WARN_BYTES)
		return PASS;
	*ret_output = "the disk is nearly full";
	return free_bytes < DISK_FAIL_BYTES ? FAIL : WARN;
}

static enum MHD_Result answer_ready(struct request *request)
{
	const struct checking *checking = request->work;
	const char *worker_output, *disk_output;
	enum verdict database = checking->write.result < 0 ? FAIL : PASS;
	enum verdict worker = check_worker(request, &worker_output);
	enum verdict disk = check_disk(request, &disk_output);
	enum verdict worst = database > worker ? database : worker;
	worst = disk > worst ? disk : worst;
	if (database == FAIL)
		log_event(LOG_ERROR, "probe_failed",
			  LOG_TEXT("error", checking->write.err.text), LOG_END);
	struct buf body = BUF_INIT(4096);
	struct json_writer json;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	json_put_text(&json, "status", VERDICTS[worst]);
	json_put_text(&json, "version", REEVE_VERSION);
	json_open(&json, "checks", '{');
	put_check(&json, "database:writable", database,
		  database == FAIL ? "the database cannot be written" : NULL);
	put_check(&json, "worker:heartbeat", worker, worker_output);
	put_draining(request, &json);
	put_check(&json, "disk:free", disk, disk_output);
	json_close(&json, '}');
	json_close(&json, '}');
	return answer_send(request,
			   worst == FAIL ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK,
			   health_json(&body));
}

static int run_probe(struct queue *queue, struct write *write)
{
	return queue_probe_write(queue, &write->err);
}

enum MHD_Result handle_ready(struct request *request)
{
	struct checking *checking = mem_alloc(sizeof(*checking));
	request_keep(request, checking, free);
	checking->write.is_apart = true;
	return writer_commit(request, &checking->write, run_probe, answer_ready);
}

enum MHD_Result handle_whoami(struct request *request)
{
	struct buf body = BUF_INIT(4096);
	struct json_writer json;
	json_writer_init(&json, &body);
	json_open(&json, NULL, '{');
	json_put_text(&json, "principal", request->who.name);
	json_put_text(&json, "role", role_word(request->who.role));
	json_close(&json, '}');
	return answer_send(request, MHD_HTTP_OK, answer_json(&body));
}

enum MHD_Result handle_problem(struct request *request)
{
	const char *text = answer_problem_text(request->argument);
	struct err err = ERR_INIT;
	if (text)
		return answer_send(request, MHD_HTTP_OK, answer_text(text));
	err_set(&err, ERR_NOT_FOUND, "there is no such type of problem");
	return answer_error(request, &err);
}
