"""A wall clock for one service that a test sets, while its daemons run or between their
lives: tests/helpers/libwallclock.c, preloaded into everything that is started from then on.

Shims and jobs have clean environments and so the machine's own clock.
"""

import datetime
import mmap
import os
import struct

import harness

HOUR = 3600
DAY = 24 * HOUR


class WallClock:
    """The service's clock: `clock.set(HOUR)` puts it an hour ahead of the machine's."""

    def __init__(self, reeve):
        path = os.path.join(reeve.base, "clock")
        with open(path, "w+b") as file:
            file.write(bytes(8))
            file.flush()
            self._map = mmap.mmap(file.fileno(), 8)
        reeve.environ["WALLCLOCK_FILE"] = path
        reeve.environ["LD_PRELOAD"] = os.path.join(harness.TESTS, "libwallclock.so")
        # a preloaded library comes before the sanitizers' own
        reeve.environ["ASAN_OPTIONS"] = reeve.env()["ASAN_OPTIONS"] + ":verify_asan_link_order=0"

    def set(self, seconds):
        self._map[:] = struct.pack("=q", int(seconds * 1_000_000))

    def at(self, seconds):
        """So long from the service's now, as RFC 3339."""
        (offset_us,) = struct.unpack("=q", self._map[:])
        now = datetime.datetime.now(datetime.timezone.utc)
        return (now + datetime.timedelta(seconds=seconds, microseconds=offset_us)).isoformat()
