/* test_sender_webhook.c - the standard's own vector, secrets, and the file they are in.
 */
#include "tests/unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "sender/webhook.h"

/* Of the reference implementations of Standard Webhooks. */
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define AT 1614265330
#define BODY "{\"test\": 2432232314}"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

#define OTHER "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void sign(const char *secrets, char ret[WEBHOOK_SIGNATURE_BYTES])
{
	struct webhook_keys keys;
	struct err err = ERR_INIT;
	if (webhook_keys_read(secrets, &keys, &err) != 0)
		fail_msg("%s", err.text);
	webhook_sign(&keys, ID, AT, BODY, ret);
}

static void test_the_vector(void **state)
{
	char signature[WEBHOOK_SIGNATURE_BYTES];
	(void)state;
	sign(SECRET, signature);
	assert_string_equal(signature, SIGNATURE);
	sign("\n" SECRET "\r\n", signature);
	assert_string_equal(signature, SIGNATURE);
}

static void test_several_secrets(void **state)
{
	char both[WEBHOOK_SIGNATURE_BYTES], other[WEBHOOK_SIGNATURE_BYTES];
	char expected[2 * WEBHOOK_SIGNATURE_BYTES];
	(void)state;
	sign(OTHER, other);
	sign(OTHER "\n" SECRET, both);
	(void)snprintf(expected, sizeof expected, "%s " SIGNATURE, other);
	assert_string_equal(both, expected);
	sign(OTHER " " OTHER " " OTHER " " OTHER " " OTHER " " OTHER " " OTHER " " SECRET,
	     both);
	assert_string_equal(both + strlen(both) - strlen(SIGNATURE), SIGNATURE);
	assert_int_equal(strlen(both), 8 * strlen(SIGNATURE) + 7);
}

static void test_what_is_no_secret(void **state)
{
	static const char *const rows[][2] = {
		{"", "there is no secret"},
		{" \n", "there is no secret"},
		{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_"},
		{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "base64"},
		{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_", "base64"},
		{"whsec_", "24 to 64 bytes"},
		{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ==", "24 to 64 bytes"},
		{SECRET " nonsense", "whsec_"},
		{SECRET " " SECRET " " SECRET " " SECRET " " SECRET " " SECRET " " SECRET
			" " SECRET " " SECRET,
		 "more than 8"},
	};
	struct webhook_keys keys;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = ERR_INIT;
		assert_int_equal(webhook_keys_read(rows[i][0], &keys, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		if (strstr(err.text, rows[i][1]) == NULL)
			fail_msg("%s: %s", rows[i][0], err.text);
		assert_null(strstr(err.text, "MfKQ9"));
	}
}

/* --- the file --- */

static void test_the_file_is_made_once(void **state)
{
	char *dir = scratch_make(), name[] = "callback-secret";
	const struct config config = {.state_dir = dir,
				      .callbacks = {.secret_file = name}};
	struct webhook_keys keys, again;
	struct err err = ERR_INIT;
	struct stat status;
	AUTO_FREE char *path = file_join(dir, name);
	(void)state;
	assert_int_equal(webhook_keys_load(&config, &keys, &err), -1);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(webhook_secret_make(&config, &err), 1);
	assert_int_equal(webhook_keys_load(&config, &keys, &err), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(keys.count, 1);
	assert_int_equal(keys.key[0].length, 32);
	assert_int_equal(webhook_secret_make(&config, &err), 0);
	assert_int_equal(webhook_keys_load(&config, &again, &err), 0);
	assert_memory_equal(&keys, &again, sizeof keys);
	scratch_remove(dir);
}

static void test_a_file_that_others_read_is_refused(void **state)
{
	static const mode_t modes[] = {0640, 0604, 0620, 0602, 0601};
	char *dir = scratch_make(), name[] = "secret";
	const struct config config = {.state_dir = dir,
				      .callbacks = {.secret_file = name}};
	AUTO_FREE char *path = file_join(dir, name);
	struct webhook_keys keys;
	struct err err = ERR_INIT;
	(void)state;
	scratch_file(dir, name, SECRET "\n", 0600);
	assert_int_equal(webhook_keys_load(&config, &keys, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_int_equal(webhook_keys_load(&config, &keys, &err), -1);
		assert_int_equal(err.code, ERR_DENIED);
		assert_non_null(strstr(err.text, path));
	}
	/* nor does somebody else's count; only root can show that */
	assert_int_equal(chmod(path, 0600), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 4711, 4711), 0);
		assert_int_equal(webhook_keys_load(&config, &keys, &err), -1);
		assert_int_equal(err.code, ERR_DENIED);
		assert_int_equal(chown(path, 0, 0), 0);
	}
	assert_int_equal(webhook_keys_load(&config, &keys, &err), 0);
	scratch_remove(dir);
}

static void test_an_empty_file_is_not_filled(void **state)
{
	char *dir = scratch_make(), name[] = "secret";
	const struct config config = {.state_dir = dir,
				      .callbacks = {.secret_file = name}};
	struct webhook_keys keys;
	struct err err = ERR_INIT;
	(void)state;
	scratch_file(dir, name, "", 0600);
	assert_int_equal(webhook_keys_load(&config, &keys, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	scratch_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_vector),
		cmocka_unit_test(test_several_secrets),
		cmocka_unit_test(test_what_is_no_secret),
		cmocka_unit_test(test_the_file_is_made_once),
		cmocka_unit_test(test_a_file_that_others_read_is_refused),
		cmocka_unit_test(test_an_empty_file_is_not_filled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
