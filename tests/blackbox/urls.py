"""How a relay is written."""

from urllib.parse import quote


def relay_url(scheme, port, user=None, password=None, host="localhost", **options):
    """The relay as POSTERN_RELAY wants it."""
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    tail = "&".join(f"{name}={quote(str(value), safe='/')}" for name, value in options.items())
    return f"{scheme}://{login}{host}:{port}" + (f"?{tail}" if tail else "")
