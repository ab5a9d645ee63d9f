/* judge.c - the verdict table. The first row that fits decides; the last fits all. */
#include "worker/judge.h"

#include <stddef.h>

#include "common/common.h"

enum answer { ANY, YES, NO };

struct row {
	enum answer same_boot, locked, started, ended;
	enum verdict verdict;
};

/* clang-format off */
static const struct row ROWS[] = {
	{ .same_boot = ANY, .locked = ANY, .started = ANY, .ended = YES, .verdict = VERDICT_IMPORT },
	{ .same_boot = NO,  .locked = ANY, .started = ANY, .ended = NO,  .verdict = VERDICT_LOST_REBOOT },
	{ .same_boot = YES, .locked = YES, .started = ANY, .ended = NO,  .verdict = VERDICT_ALIVE },
	{ .same_boot = YES, .locked = NO,  .started = NO,  .ended = NO,  .verdict = VERDICT_REVOKE },
	{ .same_boot = YES, .locked = NO,  .started = YES, .ended = NO,  .verdict = VERDICT_LOST_SHIM },
};

static const char *const WORDS[VERDICTS] = {
	[VERDICT_ALIVE]       = "alive",
	[VERDICT_IMPORT]      = "import",
	[VERDICT_REVOKE]      = "revoke",
	[VERDICT_LOST_SHIM]   = "shim_died",
	[VERDICT_LOST_REBOOT] = "reboot",
};
/* clang-format on */

static bool fits(enum answer answer, bool fact)
{
	return answer == ANY || (answer == YES) == fact;
}

enum verdict judge(const struct evidence *evidence)
{
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		if (fits(ROWS[i].same_boot, evidence->is_same_boot) &&
		    fits(ROWS[i].locked, evidence->is_locked) &&
		    fits(ROWS[i].started, evidence->has_started) &&
		    fits(ROWS[i].ended, evidence->has_ended))
			return ROWS[i].verdict;
	}
	return VERDICT_ALIVE;
}

const char *verdict_word(enum verdict verdict)
{
	return (unsigned)verdict < VERDICTS ? WORDS[verdict] : "?";
}
