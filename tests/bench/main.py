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

from tests.bench import (build, dialects, footprint, growth, hooks, netns, overload, queued, relays, rounds, svg, table, templates,
                         verify, works)
from tests.bench.procs import POSTERN, ROOT, Trouble

PARTS = {"idle": growth.idle, "busy": growth.busy, "sizes": growth.sizes, "overload": overload.overload,
         "fairness": overload.fairness, "queue": queued.queue, "template": templates.template, "hooks": hooks.hooks, "dialects": dialects.dialects,
         "footprint": footprint.footprint}
QUICK = ["3KB", "footprint"]


def arguments():
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="about 90 s: the 3 KB mail in clear, all peers")
    names = [s.key for s in works.SCENES] + list(PARTS)
    options.add_argument("--only", action="append", metavar="NAME", choices=names,
                         help=f"this alone, may be repeated: {', '.join(names)}")
    options.add_argument("--peers", type=lambda text: text.split(","), help="a,b: only these")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, help="of each measurement: 2, with --quick 1.5")
    options.add_argument("--soak", type=int, metavar="N", help="N mails to one Postern, and nothing else")
    options = options.parse_args()
    options.seconds = options.seconds or (1.5 if options.quick else 2)
    options.whole = not (options.quick or options.only or options.peers or options.soak)
    return options


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
            "curl": version("curl-config", "--version"), "postern": version(POSTERN, "version")}


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


def wanted(options, names):
    """What --quick, --only and --soak leave."""
    chosen = [] if options.soak else options.only or (QUICK if options.quick else names)
    return [n for n in names if n in chosen]


def measure_scenes(options, chosen, results):
    """The peers side by side."""
    scenes = {s.key: s for s in works.SCENES}
    for scene in map(scenes.get, wanted(options, list(scenes))):
        results["scenes"].append(rounds.run_scene(scene, chosen[scene.work], options, progress))
        if scene.far and netns.fault():
            results["notes"].append(f"The {relays.ROUND_TRIP} are made by the sink, not by netem, which can't be used "
                                    f"here: {netns.fault()}")


def measure(options):
    """Everything that was asked for."""
    progress("building the peers")
    build.build()
    chosen = works.all_works()
    works.prepare(chosen.values())
    verify.verify(chosen, progress)
    results = {"machine": machine(), "rounds": options.rounds, "seconds": options.seconds, "scenes": [], "parts": [],
               "notes": []}
    measure_scenes(options, chosen, results)
    for name in wanted(options, list(PARTS)):
        results["parts"].append(PARTS[name](chosen, progress))
    if options.soak:
        results["parts"].append(growth.soak(chosen, options.soak, progress))
    return results


def write(results, whole):
    """build/bench.json and the picture: docs/bench.svg is only drawn of a whole run."""
    (ROOT / "build" / "bench.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    picture = ROOT / "docs" / "bench.svg" if whole else ROOT / "build" / "bench.svg"
    picture.parent.mkdir(exist_ok=True)
    picture.write_text(svg.draw(results), encoding="utf-8")
    return picture


def main():
    """Measures, prints, writes."""
    options = arguments()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell started us with it ignored
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
    print(f"\nbuild/bench.json, {write(results, options.whole).relative_to(ROOT)}")


if __name__ == "__main__":
    main()
