"""File systems of a few MiB, for tests of a full disk."""

import contextlib
import os
import subprocess
import tempfile

import pytest


@contextlib.contextmanager
def mounted(place, kib):
    """A tmpfs at this directory; only root can make one."""
    if os.geteuid() != 0:
        pytest.skip("needs root for a file system of its own")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k,mode=0700", "none", place],
                      check=False).returncode != 0:
        pytest.skip("no mounting here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@contextlib.contextmanager
def small_disk_of(kib):
    place = tempfile.mkdtemp(prefix="rvd-", dir="/tmp")
    try:
        with mounted(place, kib):
            yield place
    finally:
        os.rmdir(place)


def fill(place):
    """Takes all the room that there is; the path of the file that has it."""
    path = os.path.join(place, "ballast")
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 16, 1 << 12):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue
    return path
