"""The file of a queue on SQLite. It is only read here: what a kill has left is left to Postern."""

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path

SENDING = 1  # queue_state of queue.h


def queue_file(data):
    return data / "queue" / "queue.db"


def count(file, where="1"):
    """How many messages wait, or are sent."""
    sql = f"SELECT count(*) FROM postern_message WHERE {where}"
    try:
        return _ask(f"file:{file}?mode=ro", sql)
    except sqlite3.OperationalError:  # its index of the log is gone, which this would have to write
        with tempfile.TemporaryDirectory(prefix="postern-copy-") as folder:
            for end in ("", "-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy(f"{file}{end}", Path(folder) / f"queue.db{end}")
            return _ask(f"file:{folder}/queue.db", sql)


def _ask(place, sql):
    with contextlib.closing(sqlite3.connect(place, uri=True, timeout=30)) as db:
        return db.execute(sql).fetchone()[0]
