"""The file of a queue on SQLite. It is only read here: what a kill has left is left to Postern."""

import contextlib
import sqlite3

SENDING = 1  # queue_state of queue.h


def queue_file(data):
    return data / "queue" / "queue.db"


def count(file, where="1"):
    """How many messages wait, or are sent."""
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as db:
        return db.execute(f"SELECT count(*) FROM postern_message WHERE {where}").fetchone()[0]
