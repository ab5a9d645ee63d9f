/* test_walreset.c - the writers' lock closes SQLite's WAL-reset race.
 *
 * Up to SQLite 3.51.2 a checkpoint reads the log's header and only then decides from
 * shared memory how much is left to copy. A commit in between may begin the log anew; the
 * checkpoint then takes the new log for one that it has copied before, and frames of
 * acknowledged commits never reach the file (https://www.sqlite.org/wal.html, "the
 * WAL-reset bug"). Exactly in that gap SQLite calls xUnfetch(file, 0, NULL): a VFS that
 * is the system's but for this one method lets us commit there.
 *
 * First the race is shown to be seen: without the lock rows are lost. Then the same
 * schedule runs through queue.h, and last many processes commit and checkpoint while they
 * are killed. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue/db.h"
#include "tests/unit/queue_fixture.h"

#define FIXED_IN 3051003 /* 3.51.3 */

/* --- a VFS that calls back in the gap --- */

static struct {
	sqlite3_vfs vfs, *real;
	sqlite3_io_methods methods;
	int (*real_unfetch)(sqlite3_file *, sqlite3_int64, void *);
	void (*in_gap)(void *context); /* called once; NULL: not armed */
	void *context;
	int fired;
} gap;

static int gap_unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
	void (*call)(void *) = gap.in_gap;
	if (call != NULL && page == NULL) {
		gap.in_gap = NULL;
		gap.fired++;
		call(gap.context);
	}
	return gap.real_unfetch(file, offset, page);
}

/* The file stays the system's; only its table of methods is another one. */
static int gap_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
		    int *ret_flags)
{
	(void)vfs;
	const int code = gap.real->xOpen(gap.real, name, file, flags, ret_flags);
	if (code == SQLITE_OK && flags & SQLITE_OPEN_MAIN_DB) {
		gap.methods = *file->pMethods;
		gap.real_unfetch = gap.methods.xUnfetch;
		gap.methods.xUnfetch = gap_unfetch;
		file->pMethods = &gap.methods;
	}
	return code;
}

static int gap_install(void **state)
{
	(void)state;
	gap.real = sqlite3_vfs_find(NULL);
	gap.vfs = *gap.real;
	gap.vfs.zName = "gap";
	gap.vfs.xOpen = gap_open;
	return sqlite3_vfs_register(&gap.vfs, 1);
}

static int gap_remove(void **state)
{
	(void)state;
	return sqlite3_vfs_unregister(&gap.vfs);
}

static void gap_arm(void (*call)(void *), void *context)
{
	gap.fired = 0;
	gap.in_gap = call;
	gap.context = context;
}

/* --- without the lock --- */

/* One who commits and two who checkpoint, each with a connection of its own. */
struct plain {
	sqlite3 *committer, *first, *second;
	char path[128];
	int acknowledged; /* rows 1 to this */
};

static sqlite3 *plain_connect(const char *path)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "PRAGMA journal_mode = WAL;"
				      "PRAGMA wal_autocheckpoint = 0;"
				      "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY "
				      "KEY, filling BLOB);"
				      "SELECT count(*) FROM t",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	return db;
}

static void plain_commit(void *context)
{
	struct plain *plain = context;
	char sql[96];
	(void)snprintf(sql, sizeof sql, "INSERT INTO t VALUES (%d, randomblob(3000))",
		       plain->acknowledged + 1);
	if (sqlite3_exec(plain->committer, sql, NULL, NULL, NULL) == SQLITE_OK)
		plain->acknowledged++;
}

static void plain_checkpoint(sqlite3 *db, int mode)
{
	(void)sqlite3_wal_checkpoint_v2(db, NULL, mode, NULL, NULL);
}

/* A row that cannot be read, since the file is damaged, is lost as well. */
static int plain_count_lost(const struct plain *plain)
{
	int lost = 0;
	sqlite3 *db;
	sqlite3_stmt *stmt = NULL;
	assert_int_equal(sqlite3_open(plain->path, &db), SQLITE_OK);
	(void)sqlite3_prepare_v2(db, "SELECT filling FROM t WHERE id = ?1", -1, &stmt,
				 NULL);
	for (int i = 1; i <= plain->acknowledged; i++) {
		(void)sqlite3_reset(stmt);
		(void)sqlite3_bind_int(stmt, 1, i);
		lost += stmt == NULL || sqlite3_step(stmt) != SQLITE_ROW;
	}
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return lost;
}

static void test_without_the_lock_commits_are_lost(void **state)
{
	char dir[64];
	struct plain plain = {.acknowledged = 0};
	(void)state;
	fixture_make_dir(dir);
	(void)snprintf(plain.path, sizeof plain.path, "%s/plain.db", dir);
	plain.committer = plain_connect(plain.path);
	plain.first = plain_connect(plain.path);
	plain.second = plain_connect(plain.path);
	for (int i = 0; i < 30; i++)
		plain_commit(&plain);
	/* all is copied: the next commit may begin the log anew */
	plain_checkpoint(plain.second, SQLITE_CHECKPOINT_PASSIVE);
	gap_arm(plain_commit, &plain);
	plain_checkpoint(plain.first, SQLITE_CHECKPOINT_PASSIVE);
	assert_int_equal(gap.fired, 1);
	for (int i = 0; i < 8; i++)
		plain_commit(&plain);
	plain_checkpoint(plain.second, SQLITE_CHECKPOINT_PASSIVE);
	for (int i = 0; i < 40; i++)
		plain_commit(&plain);
	plain_checkpoint(plain.second, SQLITE_CHECKPOINT_TRUNCATE);
	(void)sqlite3_close(plain.committer);
	(void)sqlite3_close(plain.first);
	(void)sqlite3_close(plain.second);
	const int lost = plain_count_lost(&plain);
	print_message("# SQLite %s, no lock: %d acknowledged, %d lost\n",
		      sqlite3_libversion(), plain.acknowledged, lost);
	if (sqlite3_libversion_number() < FIXED_IN)
		assert_true(lost > 0);
	else
		assert_int_equal(lost, 0);
	fixture_remove_dir(dir);
}

/* --- with it --- */

struct guarded {
	char dir[64];
	struct queue *committer, *first, *second;
	struct submission submission;
	char *filling;
	struct buf acknowledged; /* ids, JOB_ID_BYTES each */
	int refused;		 /* times the lock kept the committer out of the gap */
};

static void guarded_commit(struct guarded *g)
{
	struct err err = ERR_INIT;
	struct submitted job;
	assert_done(queue_begin(g->committer, &err), &err);
	assert_done(queue_submit(g->committer, &g->submission, &job, &err), &err);
	assert_done(queue_commit(g->committer, &err), &err);
	assert_int_equal(buf_append(&g->acknowledged, job.id, sizeof job.id), 0);
}

/* Who would wait for the lock would wait for ever: the checkpoint is our own thread. So
 * the committer only tries, and commits now if nothing keeps it out. */
static void guarded_commit_in_gap(void *context)
{
	struct guarded *g = context;
	AUTO_FREE char *path = file_join(g->dir, "reeve.db.writers");
	AUTO_CLOSE const int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		g->refused++;
		return;
	}
	assert_int_equal(flock(fd, LOCK_UN), 0);
	guarded_commit(g);
}

static struct queue *guarded_open(const char *dir)
{
	struct err err = ERR_INIT;
	struct queue *queue;
	int64_t last;
	assert_done(queue_open(&queue, dir, QUEUE_WRITE, &err), &err);
	assert_done(queue_event_last(queue, &last, &err), &err);
	return queue;
}

static void guarded_setup(struct guarded *g)
{
	memset(g, 0, sizeof *g);
	fixture_make_dir(g->dir);
	g->committer = guarded_open(g->dir);
	g->first = guarded_open(g->dir);
	g->second = guarded_open(g->dir);
	g->filling = mem_alloc(3001);
	memset(g->filling, 'x', 3000);
	g->submission = fixture_submission();
	g->submission.name = g->filling;
	buf_init(&g->acknowledged, 1 << 20);
}

static void assert_nothing_lost(const char *dir, const struct buf *acknowledged)
{
	struct err err = ERR_INIT;
	struct queue *queue;
	struct verify_result verified;
	struct job job;
	AUTO_BUF struct buf findings = BUF_INIT(1 << 16);
	assert_done(queue_open(&queue, dir, QUEUE_WRITE, &err), &err);
	for (size_t at = 0; at < acknowledged->length; at += JOB_ID_BYTES) {
		assert_int_equal(queue_job_get(queue, &FIXTURE_ADMIN,
					       acknowledged->data + at, &job, &err),
				 1);
		job_release(&job);
	}
	assert_int_equal(queue_check(queue, &findings, &err), 0);
	assert_int_equal(queue_verify(queue, dir, &verified, &err), 0);
	queue_close(queue);
}

static void guarded_teardown(struct guarded *g)
{
	queue_close(g->committer);
	queue_close(g->first);
	queue_close(g->second);
	assert_nothing_lost(g->dir, &g->acknowledged);
	buf_release(&g->acknowledged);
	free(g->filling);
	fixture_remove_dir(g->dir);
}

/* As the product checkpoints; or PASSIVE, the mode that loses rows, under the same lock.
 */
static void guarded_checkpoint(struct queue *queue, bool is_passive)
{
	struct err err = ERR_INIT;
	if (!is_passive) {
		assert_done(queue_checkpoint(queue, 1, &err), &err);
		return;
	}
	assert_done(writers_lock(queue, &err), &err);
	plain_checkpoint(queue->db, SQLITE_CHECKPOINT_PASSIVE);
	writers_unlock(queue);
}

static void schedule_under_the_lock(bool is_passive)
{
	struct guarded g;
	struct err err = ERR_INIT;
	guarded_setup(&g);
	for (int i = 0; i < 30; i++)
		guarded_commit(&g);
	guarded_checkpoint(g.second, is_passive);
	if (!is_passive)
		guarded_commit(&g); /* or there would be nothing to checkpoint */
	gap_arm(guarded_commit_in_gap, &g);
	guarded_checkpoint(g.first, is_passive);
	assert_int_equal(gap.fired, 1);
	assert_int_equal(g.refused, 1);
	for (int i = 0; i < 8; i++)
		guarded_commit(&g);
	guarded_checkpoint(g.second, is_passive);
	for (int i = 0; i < 40; i++)
		guarded_commit(&g);
	assert_done(queue_checkpoint(g.second, 0, &err), &err);
	guarded_teardown(&g);
}

static void test_the_lock_keeps_commits_out_of_the_gap(void **state)
{
	(void)state;
	schedule_under_the_lock(false);
}

static void test_the_lock_alone_is_enough(void **state)
{
	(void)state;
	schedule_under_the_lock(true);
}

/* --- many processes, killed --- */

#define WRITERS 3
#define ROUNDS 12
#define COMMITS_MAX 100000

/* Commits, tells the ids, checkpoints, until it is killed; at the latest with the test.
 */
static void write_until_killed(const char *dir, int fd, bool is_truncating)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		_exit(7);
	struct err err = ERR_INIT;
	struct queue *queue;
	struct submitted jobs[3];
	const struct submission submission = fixture_submission();
	if (queue_open(&queue, dir, QUEUE_WRITE, &err) != 0)
		_exit(1);
	for (int n = 0; n < COMMITS_MAX; n++) {
		if (queue_begin(queue, &err) != 0)
			_exit(2);
		for (int i = 0; i < 3; i++)
			if (queue_submit(queue, &submission, &jobs[i], &err) != 0)
				_exit(3);
		if (queue_commit(queue, &err) != 0)
			_exit(4);
		for (int i = 0; i < 3; i++)
			if (write(fd, jobs[i].id, JOB_ID_BYTES) != JOB_ID_BYTES)
				_exit(5);
		if (queue_checkpoint(queue, is_truncating ? 0 : 30000, &err) != 0)
			_exit(6);
	}
	_exit(8);
}

struct writer {
	pid_t pid;
	int fd; /* its acknowledgements */
};

static void writer_start(struct writer *writer, const char *dir, bool is_truncating)
{
	int fds[2];
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	writer->pid = fork();
	assert_true(writer->pid >= 0);
	if (writer->pid == 0)
		write_until_killed(dir, fds[1], is_truncating);
	assert_int_equal(close(fds[1]), 0);
	writer->fd = fds[0];
}

/* Kills it in whatever it is doing, and takes what it acknowledged before. */
static void writer_kill(struct writer *writer, struct buf *acknowledged)
{
	char id[JOB_ID_BYTES];
	int status;
	assert_int_equal(kill(writer->pid, SIGKILL), 0);
	assert_int_equal(waitpid(writer->pid, &status, 0), writer->pid);
	assert_true(WIFSIGNALED(status));
	while (file_read_full(writer->fd, id, sizeof id) == (ssize_t)sizeof id)
		assert_int_equal(buf_append(acknowledged, id, sizeof id), 0);
	assert_int_equal(close(writer->fd), 0);
}

static void test_killed_processes_lose_nothing(void **state)
{
	char dir[64], id[JOB_ID_BYTES];
	struct writer writers[WRITERS];
	struct buf acknowledged = BUF_INIT(16 << 20);
	uint32_t random = 2026;
	(void)state;
	fixture_make_dir(dir);
	for (int i = 0; i < WRITERS; i++)
		writer_start(&writers[i], dir, i == 0);
	for (int round = 0; round < ROUNDS; round++) {
		/* after some acknowledgements of one, another is killed, anywhere */
		random = random * 1664525 + 1013904223;
		struct writer *heard = &writers[(random >> 8) % WRITERS];
		struct writer *victim = &writers[(random >> 16) % WRITERS];
		for (uint32_t n = 3 + (random >> 24) % 60; n > 0; n--) {
			struct pollfd ready = {.fd = heard->fd, .events = POLLIN};
			assert_int_equal(poll(&ready, 1, 60000), 1);
			assert_int_equal(file_read_full(heard->fd, id, sizeof id),
					 sizeof id);
			assert_int_equal(buf_append(&acknowledged, id, sizeof id), 0);
		}
		writer_kill(victim, &acknowledged);
		writer_start(victim, dir, victim == &writers[0]);
	}
	for (int i = 0; i < WRITERS; i++)
		writer_kill(&writers[i], &acknowledged);
	print_message("# %d acknowledged, %d kills\n",
		      (int)(acknowledged.length / JOB_ID_BYTES), ROUNDS + WRITERS);
	assert_true(acknowledged.length > 0);
	assert_nothing_lost(dir, &acknowledged);
	buf_release(&acknowledged);
	fixture_remove_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_without_the_lock_commits_are_lost,
						gap_install, gap_remove),
		cmocka_unit_test_setup_teardown(
			test_the_lock_keeps_commits_out_of_the_gap, gap_install,
			gap_remove),
		cmocka_unit_test_setup_teardown(test_the_lock_alone_is_enough,
						gap_install, gap_remove),
		cmocka_unit_test(test_killed_processes_lose_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
