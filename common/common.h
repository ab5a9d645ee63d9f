/* common.h - the one header that other folders include from common/.
 *
 * common/ knows nothing of jobs. It holds what every part of Reeve needs: errors, the
 * log, memory, bounded buffers, text, time, digests, files, JSON, the settings and the
 * doorbell. Each module has its own header, readable alone; this one only gathers them.
 */
#ifndef REEVE_COMMON_H
#define REEVE_COMMON_H

#include "common/bell.h"
#include "common/beneath.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/faults.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/problem.h"
#include "common/program.h"
#include "common/queue_names.h"
#include "common/signals.h"
#include "common/sys.h"
#include "common/text.h"
#include "common/url.h"

#define REEVE_VERSION "0.1.0"

#endif
