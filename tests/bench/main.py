"""make bench: measures Postern beside its peers (README.md here)."""

import argparse
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import time

from tests.bench import build, netns, peers, relays, rounds, table, verify, works
from tests.bench.procs import OUT, ROOT, Trouble


def arguments():
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="about 90 s: the 3 KB mail in clear, all peers")
    options.add_argument("--only", action="append", metavar="NAME",
                         help=f"a scene or part, may be repeated: {', '.join(s.key for s in works.SCENES)}")
    options.add_argument("--peers", type=lambda text: text.split(","), help="a,b: only these")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=3, help="of each measurement")
    return options.parse_args()


def progress(text):
    """One line on a terminal that the next one overwrites."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    else:
        print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def machine():
    """What it was measured on."""
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        model = next((line.partition(":")[2].strip() for line in f if line.startswith("model name")), "")
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "go": version("go", "version"), "node": version("node", "--version"),
            "curl": version("curl-config", "--version"), "postern": version(OUT.parent / "postern", "version")}


def version(*argv):
    """The first line a program says of itself."""
    try:
        out = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, timeout=10).stdout
    except OSError:
        return None
    return out.partition("\n")[0]


def raise_limits():
    """Thousands of connections need descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def wanted_scenes(options):
    """What --quick and --only leave."""
    if options.only:
        return [s for s in works.SCENES if s.key in options.only]
    return works.SCENES[:1] if options.quick else works.SCENES


def measure(options):
    """Everything that was asked for."""
    scenes = wanted_scenes(options)
    progress("building the peers")
    build.build()
    chosen = works.all_works()
    works.prepare(chosen.values())
    verify.verify(chosen, progress)
    results = {"machine": machine(), "rounds": options.rounds, "seconds": options.seconds, "scenes": [],
               "notes": []}
    for scene in scenes:
        results["scenes"].append(rounds.run_scene(scene, chosen[scene.work], options, progress))
        if scene.far and netns.fault():
            results["notes"].append(f"The {relays.ROUND_TRIP} are made by the sink, not by netem, which this machine "
                                    f"does not let us use: {netns.fault()}")
    return results


def main():
    """Measures, prints, writes build/bench.json."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    raise_limits()
    try:
        results = measure(options)
    except Trouble as e:
        sys.exit(f"\nbench: {e}")
    except KeyboardInterrupt:
        sys.exit(130)
    progress("done\n")
    print(table.show(results))
    (ROOT / "build" / "bench.json").write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
