"""How long an agent takes to start with 1,000 artifacts in its cache, and what it reads for that.

    tests/bench/cache/cache_bench.py [--build build/release] [--artifacts 1000] [--runs 5]

A real coordinator and one real agent in network namespaces; the cache is filled with real artifacts
of 64 KiB by `bench_cache fill` while the agent is stopped. Start-up is from the start of the process
to its first answer on /healthz. That nothing is hashed again shows in the bytes that it has read by
then, of everything and by every means (rchar of /proc/PID/io).
"""
import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from harness import Failure, wait_for  # noqa: E402
from network import can_make_namespaces  # noqa: E402
from scenes import set_up  # noqa: E402

NAME = "edge-1"


def healthy(site):
    """Asked from inside the agent's namespace by a process that is there already."""
    return site.probe.stdin.write("x\n") and site.probe.stdin.flush() is None and \
        site.probe.stdout.readline().strip() == "ok"


PROBE = """
import sys, urllib.request
for line in sys.stdin:
    try:
        urllib.request.urlopen(sys.argv[1], timeout=1).read()
        print("ok", flush=True)
    except OSError:
        print("no", flush=True)
"""


def started(site):
    """Seconds to the first answer, and the bytes read by then."""
    began = time.monotonic()
    site.start_agent(NAME)
    wait_for("the agent to answer", 30, lambda: healthy(site), poll_s=0.002)
    took = time.monotonic() - began
    text = Path(f"/proc/{site.processes[NAME].pid}/io").read_text()
    return took, int(text.split("rchar: ")[1].split()[0])


def measure(site, runs):
    """Medians of several starts."""
    seconds, read = [], []
    for _ in range(runs):
        site.stop(NAME)
        took, read_bytes = started(site)
        seconds.append(took)
        read.append(read_bytes)
    return {"start_s": round(statistics.median(seconds), 3), "start_max_s": round(max(seconds), 3),
            "read_bytes": int(statistics.median(read))}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--artifacts", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    if reason := can_make_namespaces():
        print(f"SKIP: {reason}")
        return 0
    with set_up(options.build, {}, {}, nodes=1) as site:
        url = f"http://{site.address[NAME]}:8474/healthz"
        site.probe = subprocess.Popen([*site.net.enter(NAME), sys.executable, "-c", PROBE, url],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            empty = measure(site, options.runs)
            site.stop(NAME)
            tool = ROOT / options.build / "bin/bench_cache"
            state = site.dir / NAME / "state"
            filled = json.loads(subprocess.run([tool, "fill", state, str(options.artifacts)],
                                               check=True, capture_output=True, text=True).stdout)
            opened = json.loads(subprocess.run([tool, "open", state], check=True,
                                               capture_output=True, text=True).stdout)
            full = measure(site, options.runs)
            site.stop(NAME)
        finally:
            site.probe.kill()
            site.probe.wait()
    result = {"artifacts": filled["artifacts"], "cache_bytes": filled["bytes"], "empty": empty,
              "full": full, "cache_open_ms": opened["cache_open_ms"],
              "store_open_ms": opened["store_open_ms"]}
    print(json.dumps(result, indent=2))
    if opened["artifacts"] != options.artifacts:
        raise Failure(f"{opened['artifacts']} artifacts are there")
    rehashed = full["read_bytes"] - empty["read_bytes"] > filled["bytes"] / 4
    return 1 if full["start_max_s"] > 1 or rehashed else 0


if __name__ == "__main__":
    sys.exit(main())
