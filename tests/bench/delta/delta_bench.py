#!/usr/bin/env python3
"""What a first pull and an upgrade of a Debian image cost the WAN: Clarity, casync and zsync.

  sudo python3 tests/bench/delta/delta_bench.py [--build build/release] [--images FOLDER]
      [--level N] [--only clarity,casync,zsync] [--json FILE] [--check]

The images (make-images, beside this) are made once and kept in FOLDER, by default
BUILD/samples/delta. Every byte is counted on the link of the origin (nginx, in a network namespace
of its own), from the Ethernet header on, in that direction only. `zstd -3` is the size of the file
that it makes of the whole second image. Clarity: real agents, two hold the first version and a
third holds nothing. casync and zsync: one client that holds the first version, from Debian's
packages (deploy/packages/bench-delta.txt); left out, with a note, where they cannot be installed.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests/bench")]
from harness import SITE, Site, expect, wait_for  # noqa: E402
from network import can_make_namespaces  # noqa: E402
from packages import Unavailable, install  # noqa: E402
from scenes import PUBLISH, SLEEP, apply, set_up  # noqa: E402

PROGRAMS = ("casync", "zsync", "zstd", "debootstrap")


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*command, **options):
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()[-400:]}")
    return done.stdout


class Bench:
    def __init__(self, options):
        self.options = options
        self.build = options.build
        self.folder = Path(options.images or ROOT / options.build / "samples/delta").resolve()
        self.images = [self.folder / "1.tar", self.folder / "2.tar"]
        if not all(path.exists() for path in self.images):
            say("making the images")
            run(Path(__file__).with_name("make-images"), self.folder)
        self.sizes = [path.stat().st_size for path in self.images]
        self.rows = []

    def zstd_3(self):
        sizes = []
        for path in self.images:
            out = path.with_suffix(".zst-3")
            if not out.exists():
                run("zstd", "-q", "-3", "-f", path, "-o", out)
            sizes.append(out.stat().st_size)
        return sizes

    def row(self, system, first, upgrade, **more):
        self.rows.append({"system": system, "first_bytes": first, "upgrade_bytes": upgrade, **more})
        say(f"{system}: first pull {first}, upgrade {upgrade} {more}")

    # Clarity -------------------------------------------------------------------------------

    def clarity(self, form, level):
        with set_up(self.build, {}, {}, nodes=3) as site:
            holders = site.names[:2]
            add_s = []
            first = upgrade = None
            for number, version in enumerate(("1.0.0", "2.0.0")):
                started = time.monotonic()
                self.add(site, version, self.images[number], form, level)
                add_s.append(time.monotonic() - started)
                where = [holders] if number == 0 else []
                site.services["image"] = ("binary", version, SLEEP, *where)
                apply(site)
                plan = json.loads(site.cli("plan", SITE, "-e", "prod", "-o", "json", code=3))
                bytes_, took = self.publish(site, holders if number == 0 else site.names)
                if number == 0:
                    first, first_expected, first_s = bytes_, plan["wan_bytes_expected"], took
                else:
                    upgrade, upgrade_expected, upgrade_s = bytes_, plan["wan_bytes_expected"], took
            stored = (site.www / "image-2.0.0").stat().st_size
            name = "Clarity, plain file" if form == "plain" else f"Clarity, zstd (level {level})"
            self.row(name, first, upgrade, first_expected=first_expected, stored_second=stored,
                     upgrade_expected=upgrade_expected, add_s=round(sum(add_s), 1),
                     first_s=round(first_s, 1), upgrade_s=round(upgrade_s, 1))

    def add(self, site, version, path, form, level):
        served = site.www / f"image-{version}"
        arguments = ["artifact", "add", f"image@{version}", path, "--type", "binary",
                     "--repository", "origin", "--path", served.name]
        if form == "zstd":
            arguments += ["--store", "zstd", "--level", level, "--output", served]
        else:
            os.link(path, served) if same_disk(path, served) else shutil.copy(path, served)
        site.cli(*arguments, timeout_s=600)
        if form == "zstd":
            served.chmod(0o644)
            check = subprocess.run(f"zstd -q -d -c {served} | cmp - {path}", shell=True)
            expect(check.returncode == 0, "zstd -d does not give back the image")

    def publish(self, site, names):
        before = site.origin_sent()
        started = time.monotonic()
        site.cli(*PUBLISH, timeout_s=300)
        seq = wait_for("status", 20, site.status)["plan"]["seq"]
        wait_for("the plan settled", 120, lambda: site.settled(seq, names))
        return site.origin_sent() - before, time.monotonic() - started

    # Peers ---------------------------------------------------------------------------------

    def with_origin(self, work):
        """Runs `work(site, folder)` with nginx up and nothing else; one node as the client."""
        with Site(self.build, nodes=1) as site:
            site.start_origin()
            wait_for("nginx", 10, lambda: subprocess.run(
                [*site.net.enter("edge-1"), "curl", "-s", "-m", "2", f"http://{site.origin}/"],
                capture_output=True).returncode == 0)
            folder = site.dir / "edge-1"
            folder.mkdir()
            work(site, folder)

    def counted(self, site, *command):
        before = site.origin_sent()
        run(*site.net.enter("edge-1"), *command)
        return site.origin_sent() - before

    def casync(self):
        def work(site, folder):
            store = site.www / "default.castr"
            for number, path in enumerate(self.images, 1):
                run("casync", "make", f"--store={store}", site.www / f"{number}.caibx", path)
            run("chmod", "-R", "a+rX", site.www)
            url = f"http://{site.origin}"
            extract = ("casync", "extract", f"--store={url}/default.castr")
            first = self.counted(site, *extract, f"{url}/1.caibx", folder / "1.tar")
            upgrade = self.counted(site, *extract, f"--seed={folder / '1.tar'}",
                                   f"{url}/2.caibx", folder / "2.tar")
            run("cmp", folder / "2.tar", self.images[1])
            self.row("casync", first, upgrade)
        self.with_origin(work)

    def zsync(self):
        def work(site, folder):
            for number, path in enumerate(self.images, 1):
                shutil.copy(path, site.www / f"{number}.tar")
            url = f"http://{site.origin}/2.tar"
            run("zsyncmake", "-u", url, "-o", site.www / "2.tar.zsync", site.www / "2.tar")
            first = self.counted(site, "curl", "-s", "-o", folder / "1.tar",
                                 f"http://{site.origin}/1.tar")
            upgrade = self.counted(site, "zsync", "-q", "-i", folder / "1.tar", "-o",
                                   folder / "2.tar", url + ".zsync")
            run("cmp", folder / "2.tar", self.images[1])
            self.row("zsync", first, upgrade)
        self.with_origin(work)


def same_disk(path, served):
    return path.stat().st_dev == served.parent.stat().st_dev


def table(bench, zstd):
    def mb(value):
        return "" if value is None else f"{value / 1e6:.2f} MB"
    lines = ["| | first pull | / `zstd -3` | upgrade | expected before approval |",
             "| --- | --- | --- | --- | --- |"]
    for row in bench.rows:
        lines.append(f"| {row['system']} | {mb(row['first_bytes'])} "
                     f"| {row['first_bytes'] / zstd[0]:.3f} | {mb(row['upgrade_bytes'])} "
                     f"| {mb(row.get('upgrade_expected'))} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--images")
    parser.add_argument("--level", default="12")
    parser.add_argument("--only", default="clarity,plain,casync,zsync")
    parser.add_argument("--json")
    parser.add_argument("--check", action="store_true", help="end with 1 when a target is missed")
    options = parser.parse_args()
    reason = can_make_namespaces()
    if reason:
        say(f"cannot run: {reason}")
        return 2
    try:
        install("bench-delta", say, lambda: all(map(shutil.which, PROGRAMS)))
    except Unavailable as reason:
        say(f"not all is installed: {reason}")
    bench = Bench(options)
    zstd = bench.zstd_3()
    only = options.only.split(",")
    for peer in ("casync", "zsync"):
        if peer in only:
            getattr(bench, peer)() if shutil.which(peer) else say(f"{peer}: left out")
    if "clarity" in only:
        bench.clarity("zstd", options.level)
    if "plain" in only:
        bench.clarity("plain", options.level)
    print(f"images: {bench.sizes[0]} and {bench.sizes[1]} bytes; zstd -3 of the whole: "
          f"{zstd[0]} and {zstd[1]}")
    print(table(bench, zstd))
    if options.json:
        Path(options.json).write_text(json.dumps(
            {"images": bench.sizes, "zstd_3": zstd, "rows": bench.rows}, indent=1) + "\n")
    return 1 if options.check and missed(bench, zstd) else 0


def missed(bench, zstd):
    def first_of(name):
        return next((row for row in bench.rows if row["system"].startswith(name)), None)
    ours, peer = first_of("Clarity, zstd"), first_of("casync")
    out = False
    if ours and ours["first_bytes"] > 1.15 * zstd[0]:
        say(f"missed: first pull {ours['first_bytes']} > 1.15 x {zstd[0]}")
        out = True
    if ours and peer and ours["upgrade_bytes"] >= peer["upgrade_bytes"]:
        say(f"missed: upgrade {ours['upgrade_bytes']} >= casync's {peer['upgrade_bytes']}")
        out = True
    return out


if __name__ == "__main__":
    sys.exit(main())
