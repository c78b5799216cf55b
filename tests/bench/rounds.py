"""One scene: all peers in turn, round after round, and what comes of it."""

from tests.bench import load, peers, relays
from tests.bench.measure import cpu_seconds, median, median_of, memory_kb

WARM_TIME = "2s"  # mostly for what compiles while it runs
FAR_WARM = 16  # mails, where each takes several round trips

def measure_server(peer, relay, work, seconds, warm=None, clients=None, idle=0, settings=None):
    """A server just started: warmed up, then loaded. Figures, and all the mails it sent."""
    clients = clients or work.clients
    with peer.start(relay, **(settings or {})) as (process, address):
        warmed = load.only_sent(load.run(address, work, min(8, clients), n=warm or work.warm, d=WARM_TIME))
        with load.idle(address, idle):
            before = cpu_seconds(process.pid)
            figures = load.only_sent(load.run(address, work, clients, d=f"{seconds}s"))
            figures["cpu"] = cpu_seconds(process.pid) - before
            figures["peak_kb"] = memory_kb(process.pid, "VmHWM")
    return figures, warmed["mails"] + figures["mails"]


def measure_floor(peer, relay, work, seconds, rates):
    """A sender without HTTP: a probe says how many mails make the time (kept for the next rounds)."""
    sent = 0
    if peer.key not in rates:
        probe = FAR_WARM if rates["far"] else work.probe
        figures = peer.send(relay, work, probe)
        rates[peer.key] = probe / figures["seconds"]
        sent = probe
    mails = max(4, round(rates[peer.key] * seconds))
    return peer.send(relay, work, mails), sent + mails


def one_round(peer, scene, work, seconds, rates):
    """One peer, once."""
    with scene.relay(peer) as relay:
        if peer.serve:
            figures, sent = measure_server(peer, relay, work, seconds, FAR_WARM if scene.far else None)
        else:
            figures, sent = measure_floor(peer, relay, work, seconds, rates)
    relays.check_count(relay, sent, f"{scene.title}, {peer.title}")
    return {"mails_per_s": figures["mails"] / figures["seconds"], "cpu_us": figures["cpu"] / figures["mails"] * 1e6,
            "p50_ms": figures.get("p50_ms"), "p99_ms": figures.get("p99_ms"),
            "peak_mb": figures["peak_kb"] / 1024}


def run_scene(scene, work, options, progress):
    """All rounds; a row for each peer, with the ratios to Postern in the same round."""
    taking = [p for p in peers.ALL if p.fits(scene) and (not options.peers or p.key in options.peers)]
    rounds = {p.key: [] for p in taking}
    rates = {"far": scene.far}
    for number in range(options.rounds):
        for peer in taking:
            progress(f"{scene.title}: round {number + 1} of {options.rounds}, {peer.title}")
            rounds[peer.key].append(one_round(peer, scene, work, options.seconds, rates))
    return {"key": scene.key, "title": scene.title, "request_octets": work.body.stat().st_size,
            "message_octets": work.size, "clients": work.clients, "sessions": peers.SESSIONS,
            "rows": [row(p, rounds[p.key], rounds.get("postern")) for p in taking]}


def row(peer, rounds, ours):
    """The medians of one peer."""
    out = {"peer": peer.key, "title": peer.title, "server": peer.serve is not None}
    for key in ("mails_per_s", "cpu_us", "p50_ms", "p99_ms", "peak_mb"):
        out[key] = significant(median_of(rounds, key))
    if ours and ours is not rounds:
        out["cpu_ratio"] = ratio(rounds, ours, "cpu_us")
        out["rate_ratio"] = ratio(ours, rounds, "mails_per_s")
    out["rounds"] = [{k: significant(v) for k, v in r.items()} for r in rounds]
    return out


def ratio(above, below, key):
    """The median of the rounds' ratios."""
    return significant(median(a[key] / b[key] for a, b in zip(above, below)), 3)


def significant(value, digits=4):
    """Rounded to so many digits."""
    return None if value is None else float(f"{value:.{digits}g}")
