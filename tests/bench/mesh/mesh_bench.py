#!/usr/bin/env python3
"""How soon a site's members know of each other and what that costs, beside memberlist: a table.

  sudo python3 tests/bench/mesh/mesh_bench.py [--build build/release] [--nodes 16,64,128]
      [--runs 10] [--peer memberlist,encrypted,one-process | none] [--simulate 1000,10000]
      [--quick] [--json FILE] [--check]
  python3 tests/bench/mesh/mesh_bench.py --show FILE...

Real processes, all in one network namespace, each with an address of its own; one system and size
after the other. docs/benchmarks.md defines every figure. --quick: 2 starts, few of the rest.
--show prints the table of earlier runs' JSON. Ends with 1 when something could not be measured, and
with --check also when a target is missed. Progress goes to stderr.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(HERE.parent), str(HERE)]
import memberlist  # noqa: E402
import mesh_figures  # noqa: E402
import simulated  # noqa: E402
import table  # noqa: E402
from harness import Failure  # noqa: E402
from mesh_site import MeshSite  # noqa: E402
from network import can_make_namespaces  # noqa: E402
from packages import Unavailable  # noqa: E402

PEERS = ("memberlist", "encrypted", "one-process")
KEY = "00112233445566778899aabbccddeeff"  # AES-128-GCM
FULL = {"quiet_s": 30, "updates": 5, "kills": 5}
QUICK = {"quiet_s": 10, "updates": 2, "kills": 1}
START_LIMIT_S = 120
UPDATE_LIMIT_S = 30
KILL_LIMIT_S = 60

began = time.monotonic()


def say(text):
    print(f"{time.monotonic() - began:6.0f} s  {text}", file=sys.stderr, flush=True)


def knows(group, options, out):
    """How soon members know; `group` runs."""
    plan = options.plan
    out["update_s"] = mesh_figures.updates(group, plan["updates"], UPDATE_LIMIT_S, say)
    out["kill_s"], out["back_s"] = mesh_figures.kills(group, plan["kills"], KILL_LIMIT_S, say)


def costs(group, options, out):
    say(f"idle for {options.plan['quiet_s']} s")
    out.update(mesh_figures.idle(group, options.plan["quiet_s"]))


def clarity(nodes, options, out):
    with MeshSite(options.build, nodes) as site:
        out["enrol_s"] = site.enrol_all()
        say(f"enrolled in {out['enrol_s']:.1f} s")
        out["first_start_s"] = site.all_see_all(site.start_all(), START_LIMIT_S)
        say(f"first start, {nodes} different rosters: all see all after "
            f"{out['first_start_s']:.2f} s")
        site.kill_all()
        site.stop("coordinator")
        out["start_s"] = mesh_figures.starts(site, options.runs, START_LIMIT_S, say)
        site.start_coordinator()
        costs(site, options, out)
        knows(site, options, out)
        out["wrong"] = mesh_figures.falsely_held(site)


def peer(kind, nodes, options, out):
    group = memberlist.OneProcess if kind == "one-process" else memberlist.Memberlist
    with group(options.program, nodes, KEY if kind == "encrypted" else "") as cluster:
        out["start_s"] = mesh_figures.starts(cluster, options.runs, START_LIMIT_S, say)
        if kind != "one-process":
            costs(cluster, options, out)
        knows(cluster, options, out)


def measured(system, nodes, measure, results):
    """False when it could not be brought to an end; what was measured until then is kept."""
    out = {"system": system, "nodes": nodes, "limit_s": START_LIMIT_S}
    results.append(out)
    say(f"== {table.heading(out)}")
    try:
        measure(out)
        return True
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        out["failed"] = str(failure)
        say(f"FAILED: {failure}")
        return False


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return f"{os.cpu_count()} cores ({model}), {memory} GB, Linux {platform.release()}"


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    numbers = lambda text: [int(each) for each in text.split(",") if each]  # noqa: E731
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--nodes", type=numbers, default=[16, 64, 128])
    parser.add_argument("--runs", type=int)
    parser.add_argument("--peer", default="memberlist")
    parser.add_argument("--simulate", type=numbers, default=[])
    parser.add_argument("--no-clarity", action="store_true", help="peers and simulations only")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--show", nargs="+", metavar="FILE")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    options.plan = QUICK if options.quick else FULL
    options.runs = options.runs or (2 if options.quick else 10)
    options.peer = [] if options.peer == "none" else options.peer.split(",")
    if unknown := set(options.peer) - set(PEERS):
        parser.error(f"no such peer: {', '.join(unknown)}; there are {', '.join(PEERS)} and none")
    return options


def measure_all(options):
    """(results, whether all could be measured)"""
    results, complete = [], True
    for nodes in [] if options.no_clarity else options.nodes:
        complete &= measured("clarity", nodes, lambda out: clarity(nodes, options, out), results)
    for nodes in options.simulate:
        complete &= measured("clarity", nodes,
                             lambda out: simulated.measure(options.build, nodes, out, say), results)
    if options.peer and options.nodes:
        try:
            options.program = memberlist.build(say)
        except Unavailable as reason:
            print(f"SKIP: no memberlist to compare with: {reason}", flush=True)
            return results, complete
    for kind in options.peer:
        name = f"memberlist {memberlist.version()}" + {"memberlist": "", "encrypted": ", encrypted",
                                                       "one-process": ", one process"}[kind]
        for nodes in options.nodes:
            complete &= measured(name, nodes, lambda out: peer(kind, nodes, options, out), results)
    return results, complete


def main():
    options = parsed()
    complete = True
    if options.show:
        runs = [json.loads(Path(file).read_text()) for file in options.show]
        results = [each for run in runs for each in run["results"]]
    else:
        if reason := can_make_namespaces():
            sys.exit(f"mesh_bench: {reason}")
        results, complete = measure_all(options)
        took = time.monotonic() - began
        if options.json:
            Path(options.json).write_text(json.dumps(
                {"machine": machine(), "build": options.build, "runs": options.runs,
                 **options.plan, "took_s": round(took), "results": results}, indent=1) + "\n")
        print(f"{machine()}; {options.build}; {options.runs} starts, {options.plan['updates']} "
              f"updates, {options.plan['kills']} kills, idle for {options.plan['quiet_s']} s; "
              f"{took / 60:.0f} min in all.\n")
    print(table.markdown(results))
    missed = table.misses(results)
    print(f"\n✗ = misses its target ({len(missed)} of them)." if missed else "")
    for line in missed:
        print("MISSED: " + line)
    for each in results:
        if "failed" in each:
            print(f"NOT MEASURED: {table.heading(each)}: {each['failed']}")
        if each.get("wrong"):
            print(f"WRONG: {table.heading(each)}: {each['wrong']} times a live member is held "
                  "dead or suspect")
    sys.exit(1 if not complete or (options.check and missed) else 0)


if __name__ == "__main__":
    main()
