"""Where things are, and where the tests may leave something."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", "build"))
if not BUILD.is_absolute():
    BUILD = REPO / BUILD
BINARY = Path(os.environ.get("POSTERN_BIN", BUILD / "postern"))
if not BINARY.is_absolute():
    BINARY = REPO / BINARY
# The lean program of the same build.
LEAN = BINARY.with_name(BINARY.name + "-lean")
# Tools that don't depend on how the program was built are installed once, for all builds.
TOOLS = REPO / "build"
# Tests of minutes, which a whole run has in a process of their own beside the others; no status of the contract is seen
# by them alone.
LONG = {"test_crash.py", "test_disk.py", "test_failover.py"}


def scratch(name):
    """A new directory that other users (Postfix's) can enter, removed when the program ends."""
    path = Path(tempfile.mkdtemp(prefix=f"postern-{name}-"))
    path.chmod(0o755)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
