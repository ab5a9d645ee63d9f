/* test_worker_hand.c - in which order a worker starts what it has claimed ahead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/queue_fixture.h"
#include "worker/supervise.h"

#define WORKS_MAX 64

struct scene {
	struct supervisor supervisor; /* of which the hand is used */
	struct work work[WORKS_MAX];
	size_t count;
};

static int scene_make(void **state)
{
	*state = mem_alloc(sizeof(struct scene));
	return 0;
}

static int scene_drop(void **state)
{
	struct scene *scene = *state;

	for (size_t i = 0; i < scene->count; i++)
		claim_release(&scene->work[i].claim);
	hand_release(&scene->supervisor.hand);
	free(scene);
	return 0;
}

/* A claimed job, named by its owner and priority. */
static struct work *add(struct scene *scene, const char *owner, int priority)
{
	struct work *work = &scene->work[scene->count++];

	assert_true(scene->count <= WORKS_MAX);
	work->claim.job.owner = mem_strdup(owner);
	work->claim.job.queue = mem_strdup("default");
	work->claim.job.priority = priority;
	hand_add(&scene->supervisor.hand, work);
	return work;
}

static void add_many(struct scene *scene, const char *owner, int count)
{
	for (int i = 0; i < count; i++)
		(void)add(scene, owner, 0);
}

/* Starts up to `max`, and compares their owners. */
static void assert_starts(struct scene *scene, int max, const char *expected)
{
	AUTO_BUF struct buf owners = BUF_INIT(4096);
	struct work *work;

	while (max-- > 0 && (work = hand_first(&scene->supervisor.hand)) != NULL) {
		(void)buf_printf(&owners, "%s ", work->claim.job.owner);
		hand_start(&scene->supervisor.hand, work);
	}
	assert_string_equal(buf_text(&owners), expected);
}

static void owners_take_turns(void **state)
{
	struct scene *scene = *state;

	add_many(scene, "ann", 4);
	add_many(scene, "bob", 2);
	add_many(scene, "cid", 1);
	assert_starts(scene, 99, "ann bob cid ann bob ann ann ");
	assert_null(hand_first(&scene->supervisor.hand));
	assert_int_equal(scene->supervisor.hand.queues, 0);
}

static void a_newcomer_is_next(void **state)
{
	struct scene *scene = *state;

	add_many(scene, "ann", 16);
	assert_starts(scene, 5, "ann ann ann ann ann ");
	add_many(scene, "bob", 3);
	assert_starts(scene, 6, "bob ann bob ann bob ann ");
	/* and has no credit from the time when it was not there */
	add_many(scene, "cid", 2);
	assert_starts(scene, 5, "cid ann cid ann ann ");
}

/* Then whose turn it is follows from the order of the claims. */
static void an_empty_hand_remembers_nobody(void **state)
{
	struct scene *scene = *state;
	char owner[32];

	for (int i = 0; i < 20; i++) {
		(void)snprintf(owner, sizeof(owner), "owner%d", i);
		add_many(scene, owner, 1);
	}
	assert_int_equal(scene->supervisor.hand.owners, 20);
	while (hand_first(&scene->supervisor.hand) != NULL)
		hand_start(&scene->supervisor.hand, hand_first(&scene->supervisor.hand));
	assert_int_equal(scene->supervisor.hand.owners, 0);
	add_many(scene, "owner1", 1);
	add_many(scene, "owner30", 1);
	hand_remove(&scene->supervisor.hand, hand_first(&scene->supervisor.hand));
	assert_starts(scene, 9, "owner30 ");
}

static void priorities_come_first_and_have_turns_of_their_own(void **state)
{
	struct scene *scene = *state;

	add_many(scene, "ann", 2);
	(void)add(scene, "ann", 5);
	(void)add(scene, "ann", 5);
	(void)add(scene, "bob", 5);
	(void)add(scene, "bob", -5);
	(void)add(scene, "cid", 0);
	assert_starts(scene, 99, "ann bob ann ann cid ann bob ");
}

/* What is given back was no turn. */
static void a_turn_that_is_given_back_comes_again(void **state)
{
	struct scene *scene = *state;
	struct work *works[8];

	for (int i = 0; i < 8; i++)
		works[i] = add(scene, "ann", 0);
	assert_starts(scene, 1, "ann ");
	for (int i = 7; i > 1; i--)
		hand_remove(&scene->supervisor.hand, works[i]);
	add_many(scene, "ann", 2);
	add_many(scene, "bob", 4);
	assert_starts(scene, 99, "bob ann bob ann bob ann bob ");
}

/* --- who is queued meanwhile --- */

static void submit_of(struct fixture *f, const char *owner, int priority)
{
	struct submission s = fixture_submission();
	struct submitted submitted;

	s.owner = owner;
	s.priority = priority;
	assert_done(queue_begin(f->queue, &f->err), &f->err);
	assert_done(queue_submit(f->queue, &s, &submitted, &f->err), &f->err);
	assert_done(queue_commit(f->queue, &f->err), &f->err);
}

/* Starts what is at hand until somebody is to be claimed first; compares the owners. */
static void assert_starts_until_urgent(struct supervisor *supervisor,
				       const char *expected)
{
	AUTO_BUF struct buf owners = BUF_INIT(4096);
	struct work *work;

	supervisor->is_urgent = false;
	for (;;) {
		hand_look(supervisor);
		work = hand_first(&supervisor->hand);
		if (work == NULL || supervisor->is_urgent)
			break;
		assert_true(hand_is_current(supervisor));
		(void)buf_printf(&owners, "%s ", work->claim.job.owner);
		hand_start(&supervisor->hand, work);
	}
	assert_string_equal(buf_text(&owners), expected);
}

static struct scene *scene_on(const struct fixture *f)
{
	void *made;

	(void)scene_make(&made);
	struct scene *scene = made;
	scene->supervisor.queue = f->queue;
	return scene;
}

/* Nobody writes while these are started: what was no reason to wait for one of them may
 * be one for the next. */
static void who_is_queued_is_looked_for_at_each_turn(void **state)
{
	struct fixture *f = *state;
	struct scene *scene = scene_on(f);
	void *drop = scene;

	submit_of(f, "bob", 0);
	/* all claimed after the hand was empty: the first one's turn is the present */
	add_many(scene, "ann", 5);
	assert_starts_until_urgent(&scene->supervisor, "ann ");
	/* bob is claimed for once; it is ann's turn then, and bob's again */
	add_many(scene, "bob", 1);
	assert_starts_until_urgent(&scene->supervisor, "bob ann ");
	assert_int_equal(scene->supervisor.hand.count, 3);
	(void)scene_drop(&drop);
}

static void a_priority_between_is_looked_for_behind_the_higher(void **state)
{
	struct fixture *f = *state;
	struct scene *scene = scene_on(f);
	void *drop = scene;

	submit_of(f, "bob", 5);
	add_many(scene, "ann", 3);
	(void)add(scene, "ann", 9);
	assert_starts_until_urgent(&scene->supervisor, "ann ");
	assert_int_equal(hand_first(&scene->supervisor.hand)->claim.job.priority, 0);
	(void)scene_drop(&drop);
}

int main(void)
{
#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, scene_make, scene_drop)
#define IN_QUEUE(test)                                                                   \
	cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		IN_SCENE(owners_take_turns),
		IN_SCENE(a_newcomer_is_next),
		IN_SCENE(an_empty_hand_remembers_nobody),
		IN_SCENE(priorities_come_first_and_have_turns_of_their_own),
		IN_SCENE(a_turn_that_is_given_back_comes_again),
		IN_QUEUE(who_is_queued_is_looked_for_at_each_turn),
		IN_QUEUE(a_priority_between_is_looked_for_behind_the_higher),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
