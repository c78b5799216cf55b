"""How sdks.py speaks with a program in Python."""

import json
import sys


def serve(send):
    """A line of JSON in, one out."""
    for line in sys.stdin:
        try:
            said = send(json.loads(line))
        except Exception as wrong:  # its own, before anything is sent
            said = {"error": repr(wrong)}
        print(json.dumps(said), flush=True)
