"""Everything as one table of text."""

WIDTH = 34
COLUMNS = [("mails_per_s", "mails/s"), ("cpu_us", "CPU µs/mail"), ("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"),
           ("peak_mb", "peak MB"), ("cpu_ratio", "CPU to ours"), ("rate_ratio", "ours faster")]
LEGEND = ("CPU to ours: the peer's CPU per mail divided by Postern's in the same round. "
          "Ours faster: Postern's mails/s divided by the peer's.")


def number(value, times=False):
    """With as many decimals as are worth reading."""
    if value is None:
        return "-"
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return text + ("×" if times else "")


def line(title, cells):
    """One line."""
    return f"{title:{WIDTH}}" + "".join(f"{c:>13}" for c in cells)


def scene_lines(scene):
    """A scene's rows under its title."""
    yield ""
    yield f"{scene['title']}  ({scene['clients']} clients, request {scene['request_octets']:,} B)"
    for row in scene["rows"]:
        yield line("  " + row["title"], [number(row.get(k), k.endswith("_ratio")) for k, _ in COLUMNS])


def show(results):
    """The whole."""
    lines = [line("", [title for _, title in COLUMNS])] if results["scenes"] else []
    for scene in results["scenes"]:
        lines += scene_lines(scene)
    for part in results.get("parts", []):
        lines += part_lines(part)
    for note in [*([LEGEND] if results["scenes"] else []), *results["notes"]]:
        lines += ["", note]
    return "\n".join(lines)


def part_lines(part):
    """Growth, overload, footprint: a part has a title, its own columns, and rows of a title and cells."""
    yield ""
    yield line(part["title"], part["columns"])
    for row in part["rows"]:
        yield line("  " + row["title"], [c if isinstance(c, str) else number(c) for c in row["cells"]])
