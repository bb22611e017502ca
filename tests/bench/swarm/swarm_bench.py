#!/usr/bin/env python3
"""How a site of real agents gets an artifact, over shaped links, beside other ways, as a table.

  sudo python3 tests/bench/swarm/swarm_bench.py [--build build/release] [--nodes 16] [--mib 256]
      [--wan 50] [--lan 200] [--cases wan,lan,kill,cut,four,big] [--json FILE]
      [--congestion reno] [--peers aria2,transmission,http,registry] [--peer-mib 64] [--show FILE...]

Every node is a network namespace with one interface, shaped to --lan Mbit/s both ways; the origin
(nginx) is behind --wan Mbit/s. WAN bytes are those of the origin's interface, headers included,
which the kernel counts once for each packet that it hands over, of up to 64 KiB.
Times run from `clarity publish` to the last node's log line that says that the whole file is there
and its SHA-256 was checked. The bound is size / what the narrowest link carries of TCP's payload:
the shapers count frames, 1,514 bytes for 1,448 of payload. Services are staged, not started: what
an installation costs is not in the figures. Ends with 1 when a
transfer failed or, with --check, when a target was missed. --peers: what they are is in peers.py;
they take part in the cases wan and lan (http and registry: wan). --show: the table of earlier runs.
"""
import argparse
import json
import os
import re
import signal
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests/bench"), str(Path(__file__).parent)]
import peers  # noqa: E402
import samples  # noqa: E402
from harness import SITE, Failure, wait_for  # noqa: E402
from network import Network, can_make_namespaces, carry_s  # noqa: E402
from packages import Unavailable  # noqa: E402
from process_times import cpu_s  # noqa: E402
from scenes import PUBLISH, SLEEP, apply, set_up  # noqa: E402

HERE = re.compile(r"^(\d+-\d+-\d+T\d+:\d+:\d+\.\d+)Z.* (\S+)@\S+ is here: ", re.M)
FETCHING = re.compile(r"swarm: fetching (\S+)@")


def say(text):
    print(text, file=sys.stderr, flush=True)


class Run:
    """One site, its files at the origin, nothing published yet."""

    def __init__(self, options, artifacts=1, at_first=None):
        self.options = options
        self.size = options.mib << 20
        self.names = [f"payload-{n}" for n in range(1, artifacts + 1)]
        build = options.build
        folder = (ROOT / build / "samples").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        files, services = {}, {}
        for n, name in enumerate(self.names, 1):
            path = folder / f"noise-{options.mib // artifacts}-{n}"
            if not path.exists():
                samples.noise(path, self.size // artifacts, n)
            files[f"{name}-1.0.0"] = path
            services[name] = ("binary", "1.0.0", SLEEP, *([at_first] if at_first else []))
        self.site = set_up(build, services, files, nodes=options.nodes, wan_mbit=options.wan,
                           lan_mbit=options.lan, network=Network(options.congestion))
        self.total = sum(Path(path).stat().st_size for path in files.values())

    def __enter__(self):
        self.site.__enter__()
        return self

    def __exit__(self, *error):
        self.site.__exit__(*error)

    def arrived(self, name):
        """Artifact → Unix time at which that node had it whole and checked."""
        return {artifact: datetime.fromisoformat(at).replace(tzinfo=timezone.utc).timestamp()
                for at, artifact in HERE.findall(self.site.log(name))}

    def all_arrived(self, names):
        return all(len(self.arrived(name)) == len(self.names) for name in names)

    def cpu_s(self):
        processes = [self.site.processes.get(name) for name in self.site.names]
        return sum(cpu_s(each.pid) for each in processes if each is not None)

    def memory_mb(self, field):
        """The largest of the agents' figures of that name: VmHWM, RssAnon."""
        out = 0
        for name in self.site.names:
            process = self.site.processes.get(name)
            if process:
                text = Path(f"/proc/{process.pid}/status").read_text()
                out = max(out, int(re.search(field + r":\s+(\d+)", text).group(1)) / 1024)
        return out

    def publish(self):
        self.began = time.time()
        self.cpu = self.cpu_s()
        self.wan = self.site.origin_sent()
        self.site.cli(*PUBLISH, "--stage", "--detach")

    def finish(self, names=None, seconds=600, **more):
        names = names or self.site.names
        peak_mb = 0

        def done():
            nonlocal peak_mb
            peak_mb = max(peak_mb, self.memory_mb("RssAnon"))
            return self.all_arrived(names)
        wait_for("every node to have everything", seconds, done, 0.5)  # looking costs what is measured; times are those of the log
        ends = [max(self.arrived(name).values()) for name in names]
        return {"last_s": max(ends) - self.began, "first_s": min(ends) - self.began,
                "wan_ratio": (self.site.origin_sent() - self.wan) / self.total,
                "cpu_s": self.cpu_s() - self.cpu, "rss_mb": self.memory_mb("VmHWM"), "anonymous_mb": peak_mb,
                **more}

    def fetcher(self):
        for name in self.site.names:
            if name in self.site.processes and FETCHING.search(self.site.log(name)):
                return name
        return None


def wan(options):
    """WAN-limited: nobody has it, one pulls, all get it as it comes."""
    with Run(options) as run:
        run.publish()
        out = run.finish(bound_s=carry_s(run.total, min(options.wan, options.lan)))
        fetcher = run.fetcher()
        out["fetcher_uploads"] = run.site.net.sent_bytes(fetcher) / run.total
        return out


def lan(options):
    """LAN-limited: one node holds it, the origin is gone, 15 want it at once."""
    with Run(options, at_first=["edge-1"]) as run:
        run.site.cli(*PUBLISH)
        run.site.stop("nginx")
        run.site.services = {name: value[:3] for name, value in run.site.services.items()}
        apply(run.site)
        sent = run.site.net.sent_bytes("edge-1")
        run.publish()
        out = run.finish(names=run.site.names[1:], bound_s=carry_s(run.total, options.lan))
        out["wan_ratio"] = None
        out["fetcher_uploads"] = (run.site.net.sent_bytes("edge-1") - sent) / run.total
        return out


def at_half(run):
    """Waits until half of the bytes have come over the WAN; who fetches."""
    wait_for("half of the bytes", 300,
             lambda: run.site.origin_sent() - run.wan > run.total / 2, 0.05)
    return run.fetcher()


def kill(options):
    """The fetcher is killed (-9) at half, and stays away."""
    with Run(options) as run:
        run.publish()
        victim = at_half(run)
        run.site.stop(victim, signal.SIGKILL)
        rest = [name for name in run.site.names if name != victim]
        return run.finish(names=rest, bound_s=carry_s(run.total, options.wan))


def cut(options):
    """The origin's link is down for 30 s at half."""
    with Run(options) as run:
        run.publish()
        at_half(run)
        run.site.net.link("origin", False)
        until = threading.Event()
        until.wait(30)
        run.site.net.link("origin", True)
        return run.finish(bound_s=carry_s(run.total, options.wan) + 30)


def four(options):
    """Four artifacts of a quarter of the size each, at once."""
    with Run(options, artifacts=4) as run:
        run.publish()
        return run.finish(bound_s=carry_s(run.total, options.wan))


def big(options):
    """4 GiB to two nodes at 1 Gbit/s: what it takes of memory."""
    more = {"nodes": 2, "mib": 4096, "wan": 1000, "lan": 1000}
    with Run(argparse.Namespace(**{**vars(options), **more})) as run:
        run.publish()
        return run.finish(bound_s=carry_s(run.total, more["lan"]), mib=more["mib"],
                          nodes=more["nodes"])


CASES = {"wan": wan, "lan": lan, "kill": kill, "cut": cut, "four": four, "big": big}
TARGETS = {"wan": {"ratio": 1.03, "wan_ratio": 1.01}, "lan": {"ratio": 1.15, "cpu_s": 24},
           "kill": {"wan_ratio": 1.03}, "cut": {"wan_ratio": 1.03}, "four": {"wan_ratio": 1.03},
           "big": {"wan_ratio": 1.01, "anonymous_mb": 96}}


def cell(value, form, target=None):
    if value is None:
        return "—"
    mark = "" if target is None else f" (≤ {target}{'' if value <= target else ', missed'})"
    return form.format(value) + mark


def missed(row):
    return row["system"] == "Clarity" and \
        any(row[key] > most for key, most in TARGETS[row["case"]].items())


def table(rows):
    out = ["| system | case | MiB | last node, s | / bound | WAN bytes / size | source sent / size "
           "| CPU of all, s | peak RSS, MB | of it not files, MB |", "| --- " * 10 + "|"]
    for row in rows:
        target = TARGETS[row["case"]] if row["system"] == "Clarity" else {}
        out.append(f"| {row['system']} | {row['case']} | {row['mib']} | {row['last_s']:.1f} "
                   f"| {cell(row['ratio'], '{:.2f}', target.get('ratio'))} "
                   f"| {cell(row['wan_ratio'], '{:.4f}', target.get('wan_ratio'))} "
                   f"| {cell(row.get('fetcher_uploads'), '{:.2f}')} "
                   f"| {cell(row['cpu_s'], '{:.1f}', target.get('cpu_s'))} "
                   f"| {cell(row.get('rss_mb'), '{:.0f}')} "
                   f"| {cell(row.get('anonymous_mb'), '{:.0f}', target.get('anonymous_mb'))} |")
    return "\n".join(out)


def tasks(options):
    """(system, case, function that measures) of all that was asked for."""
    cases = options.cases.split(",")
    for case in cases:
        yield "Clarity", case, lambda case=case: {"mib": options.mib, **CASES[case](options)}
    for name in filter(None, options.peers.split(",")):
        for case in cases:
            if case in peers.PEERS[name].cases:
                yield name, case, lambda name=name, case=case: \
                    peers.measure(name, case, options, say)


def measure(options):
    """The rows, and whether something failed."""
    rows, failed = [], False
    for system, case, work in tasks(options):
        say(f"{system}, {case}: {CASES[case].__doc__}")
        try:
            row = {"system": system, "case": case, **work()}
            row["ratio"] = row["last_s"] / row["bound_s"]
            rows.append(row)
            say(f"  {row}")
        except Failure as failure:
            failed = True
            say(f"  failed: {failure}")
        except Unavailable as reason:
            say(f"  left out: {reason}")
    return rows, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--nodes", type=int, default=16)
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--wan", type=int, default=50, help="Mbit/s of the origin")
    parser.add_argument("--lan", type=int, default=200, help="Mbit/s of every node")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--congestion", default="reno", help="TCP's control; every kernel has reno, "
                        "and it costs what cubic, Debian's, does; bbr takes a tenth more of the CPU")
    parser.add_argument("--peers", default="")
    parser.add_argument("--peer-mib", type=int, help="the peers' file; default: as --mib")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--show", metavar="FILE", nargs="+")
    parser.add_argument("--check", action="store_true", help="end with 1 when a target is missed")
    options = parser.parse_args()
    options.peer_mib = options.peer_mib or options.mib
    if options.show:
        print(table([row for path in options.show
                     for row in json.loads(Path(path).read_text())["rows"]]))
        return 0
    if reason := can_make_namespaces():
        sys.exit(f"swarm_bench: {reason}")
    rows, failed = measure(options)
    print(f"{options.nodes} nodes, origin {options.wan} Mbit/s, LAN {options.lan} Mbit/s a node, "
          f"{os.cpu_count()} cores for all, {options.build}, TCP "
          f"{options.congestion}\n")
    print(table(rows))
    if options.json:
        Path(options.json).write_text(json.dumps({"options": vars(options), "rows": rows},
                                                 indent=1) + "\n")
    return 1 if failed or (options.check and any(map(missed, rows))) else 0


if __name__ == "__main__":
    sys.exit(main())
