#!/usr/bin/env python3
"""How a site of real agents does on this machine, as a table.

  sudo python3 tests/bench/mesh/mesh_bench.py [--build build/release] [--nodes 16,64] [--quiet 30]

One coordinator and N agents in one network namespace, as in tests/e2e/mesh64_e2e.py, whose figures
these are: that test holds the bounds, this program compares sizes and builds. Ends with 1 when a
bound of the test did not hold. --quiet: seconds over which an idle site is measured.
"""
import argparse
import contextlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from harness import Failure  # noqa: E402
from mesh64_e2e import measure  # noqa: E402
from network import can_make_namespaces  # noqa: E402

ROWS = [
    ("enrolment of all, s", "enrol_s", "{:.1f}"),
    ("first start, all see all, s", "first_start_s", "{:.1f}"),
    ("cold start, all see all, s", "cold_start_s", "{:.1f}"),
    ("a record's update reaches all, s", "record_update_s", "{:.2f}"),
    ("a new roster reaches all, s", "document_update_s", "{:.2f}"),
    ("kill -9 seen by all, s (worst)", "kill_s", "{:.1f}"),
    ("started again, alive to all, s", "back_s", "{:.1f}"),
    ("idle: CPU, % of a core", "cpu_percent", "{:.2f}"),
    ("idle: wake-ups/s", "wakeups_s", "{:.0f}"),
    ("idle: threads", "threads", "{:.0f}"),
    ("idle: resident, kB", "rss", "{:.0f}"),
    ("idle: proportional share, kB", "pss", "{:.0f}"),
    ("idle: private, kB", "private", "{:.0f}"),
    ("idle: sent per node, kbit/s", "lan_kbit_s", "{:.1f}"),
    ("idle: of that the mesh's frames, kbit/s", "mesh_kbit_s", "{:.1f}"),
    ("idle: packets/s per node", "lan_packets_s", "{:.0f}"),
    ("idle: connections per node", "connections", "{:.1f}"),
    ("idle: connections opened per node and s", "opened_s", "{:.2f}"),
]


def cell(result, key, form):
    value = result.get(key)
    if value is None:
        return "—"
    return form.format(max(value) if isinstance(value, list) else value)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--nodes", default="16,64")
    parser.add_argument("--quiet", type=float, default=30)
    options = parser.parse_args()
    if reason := can_make_namespaces():
        sys.exit(f"mesh_bench: {reason}")
    sizes = [int(each) for each in options.nodes.split(",")]
    results, failed = [], False
    for size in sizes:
        result = {}
        try:
            with contextlib.redirect_stdout(sys.stderr):
                measure(options.build, size, options.quiet, result)
        except Failure as failure:
            failed = True
            print(f"N = {size}: {failure}", file=sys.stderr)
        results.append(result)
    print(f"| {options.build}, {os.cpu_count()} cores | "
          + " | ".join(f"N = {size}" for size in sizes) + " |")
    print("| --- " * (len(sizes) + 1) + "|")
    for title, key, form in ROWS:
        print(f"| {title} | " + " | ".join(cell(each, key, form) for each in results) + " |")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
