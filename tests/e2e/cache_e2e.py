"""The artifact cache: fetching ahead, pins, room, and damage on a disk, at a site of four."""
import hashlib
import json
import shutil
import time

from harness import SITE, expect, main, wait_for
from samples import noise
from scenes import (PUBLISH, SLEEP, add_artifact, apply, http, server_of, service_of,
                    set_up)

MIB = 1 << 20
SIZE = 8 * MIB
SLACK = 400_000  # what requests, TLS and the link's own frames may cost


def add(site, version, seed):
    """Registers blob@version; returns its file."""
    folder = site.dir / "made"
    folder.mkdir(exist_ok=True)
    path = noise(folder / f"blob-{version}", SIZE, seed)
    add_artifact(site, "blob", "binary", version, path)
    return path


def ordered(site, *arguments, code=0):
    return json.loads(site.cli("artifact", *arguments, "-o", "json", code=code, timeout_s=180))


def peers(site, version, *where):
    """Who has it, by hostname."""
    answer = json.loads(site.cli("artifact", "peers", f"blob@{version}", *(where or (SITE,)), "-o",
                                 "json"))
    artifacts = answer["artifacts"]
    return {each["server"]: each for each in artifacts[0]["peers"]} if artifacts else {}


def holders(site, version):
    return {name for name, each in peers(site, version).items() if each["complete"]}


def metric(site, name, metric_name):
    for line in http(site, name, f"http://{site.address[name]}:8474/metrics").splitlines():
        if line.startswith("orchestrix_agent_" + metric_name + " "):
            return float(line.split()[1])
    return None


def in_cache(site, name, path):
    """The artifact's file in this server's cache, there or not."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return site.dir / name / "state/cache/objects" / digest[:2] / digest


def prefetch(build):
    """an artifact is fetched ahead of any plan, to some and then to all, over the WAN once"""
    with set_up(build, {}, {}) as site:
        path = add(site, "1.0.0", 1)
        before = site.origin_sent()
        ordered(site, "prefetch", "blob@1.0.0", SITE, "--count", "2", "--timeout", "120s")
        some = holders(site, "1.0.0")
        expect(len(some) == 2, f"{some} have it, not two")
        pulled = site.origin_sent() - before
        expect(pulled < SIZE * 1.05 + SLACK, f"{pulled} bytes over the WAN for {SIZE}")
        again = ordered(site, "prefetch", "blob@1.0.0", SITE, "--count", "2", "--detach")
        chosen = {each["server"] for each in again["servers"]}
        expect(chosen == some, f"the same order again went to {chosen}, not to {some}")

        ordered(site, "prefetch", "blob@1.0.0", SITE, "--timeout", "120s")
        expect(len(holders(site, "1.0.0")) == 4, "not all have it")
        more = site.origin_sent() - before - pulled
        expect(more < SLACK, f"the others pulled {more} bytes over the WAN again")
        socket = site.dir / "edge-3" / "run" / "query.sock"
        text = json.loads(site.cli("artifact", "peers", "blob", "--socket", socket, "-o", "json",
                                   host="edge-3"))
        expect(text["answered_by"] == "edge-3" and text["artifacts"][0]["copies"] == 4,
               f"a node says: {text}")
        expect(all(in_cache(site, name, path).exists() for name in site.names), "files are missing")

        # A restart in the midst of it goes on.
        two = add(site, "2.0.0", 2)
        ordered(site, "prefetch", "blob@2.0.0", SITE, "--server", "edge-1", "--detach")
        site.stop("edge-1", 9)
        site.start_agent("edge-1")
        wait_for("the restarted server to have it", 90, lambda: in_cache(site, "edge-1",
                                                                        two).exists())
        pins = wait_for("its pin", 20, lambda: peers(site, "2.0.0").get("edge-1"))
        expect(pins["pinned"], "what was fetched ahead is not pinned after a restart")
        print(f"NOTE: {pulled} bytes over the WAN for {SIZE} to two of four, {more} for the rest")


def room(build):
    """a full cache drops what nobody needs, never a pin, never the last copies of one"""
    with set_up(build, {}, {}, agents=False) as site:
        for name in site.names:
            site.write_agent(name, f"cache: {{size_max_bytes: {SIZE * 5 // 2}}}\n")
            site.start_agent(name)
        wait_for("all agents alive", 30, site.all_alive)
        for number in (1, 2):
            add(site, f"{number}.0.0", number)
            ordered(site, "prefetch", f"blob@{number}.0.0", SITE, "--timeout", "120s")
        pinned = ordered(site, "pin", "blob@1.0.0", SITE, "--server", "edge-1")
        expect("operator" in pinned["servers"][0]["pins"], f"pin said {pinned}")
        for number in (1, 2):
            ordered(site, "unpin", f"blob@{number}.0.0", SITE, "--server", "edge-2", "--server",
                    "edge-3", "--server", "edge-4")
        ordered(site, "unpin", "blob@2.0.0", SITE, "--server", "edge-1")
        site.stop("edge-1", 9)
        site.start_agent("edge-1")
        wait_for("the pin after a restart", 30,
                 lambda: peers(site, "1.0.0").get("edge-1", {}).get("pinned"))
        wait_for("all agents alive", 30, site.all_alive)

        gone = ordered(site, "gc", SITE, "--dry-run")
        expect(all(each["dropped_count"] == 0 for each in gone["servers"]),
               f"two artifacts fit, but gc would drop some: {gone}")
        # The third does not fit beside the two: everybody makes room at the same moment.
        add(site, "3.0.0", 3)
        ordered(site, "prefetch", "blob@3.0.0", SITE, "--timeout", "120s")
        one = wait_for("copies of the pinned one", 20, lambda: holders(site, "1.0.0"))
        expect("edge-1" in one, f"the pinning server dropped its copy; {one} have it")
        expect(len(one) >= 2, f"of the pinned artifact {one} are left")
        expect(holders(site, "3.0.0") == set(site.names), "the third is not everywhere")
        dropped = sum(metric(site, name, "cache_evicted_total") for name in site.names)
        expect(dropped >= 4, f"only {dropped} copies went")
        for name in site.names:
            held = metric(site, name, "cache_bytes")
            expect(held <= SIZE * 5 // 2, f"{name} holds {held} bytes, over its limit")
        print(f"NOTE: {int(dropped)} copies went; of the pinned artifact {sorted(one)} are left")


def damage(build):
    """a byte that flips on a disk is found, and its piece comes from a peer, not the origin"""
    with set_up(build, {}, {}) as site:
        path = add(site, "1.0.0", 1)
        ordered(site, "prefetch", "blob@1.0.0", SITE, "--timeout", "120s")
        bad = in_cache(site, "edge-2", path)
        with open(bad, "r+b") as file:
            file.seek(5 * MIB + 17)
            byte = file.read(1)
            file.seek(5 * MIB + 17)
            file.write(bytes([byte[0] ^ 1]))
        for each in site.www.glob("blob-*"):
            each.unlink()  # nothing to be had there any more
        before = site.origin_sent()
        said = ordered(site, "verify", SITE, "--artifact", "blob@1.0.0", "--timeout", "60s", code=1)
        rows = {each["server"]: each for each in said["servers"]}
        expect([row["damaged"] for name, row in rows.items() if name != "edge-2"] == [[], [], []],
               f"damage where there is none: {said}")
        found = rows["edge-2"]["damaged"]
        expect(len(found) == 1 and found[0]["bad_pieces"] == 1, f"verify said {found}")
        began = time.monotonic()
        wait_for("the piece to be fetched again", 60,
                 lambda: bad.exists() and peers(site, "1.0.0")["edge-2"]["complete"])
        took = time.monotonic() - began
        expect(bad.read_bytes() == path.read_bytes(), "the repaired file is not the artifact")
        pulled = site.origin_sent() - before
        expect(pulled < 50_000, f"{pulled} bytes came from the origin")
        expect(metric(site, "edge-2", "cache_damaged_total") == 1, "not counted as damaged")
        expect(metric(site, "edge-2", "cache_repaired_total") == 1, "not counted as repaired")
        expect("damaged on this server's disk" in site.log("edge-2"), "the log does not say so")
        again = ordered(site, "verify", SITE, "--timeout", "60s")
        expect(all(each["damaged"] == [] for each in again["servers"]), f"again: {again}")
        shutil.rmtree(site.dir / "made")
        print(f"NOTE: whole again after {took:.1f} s, {pulled} bytes on the origin's link")


def staged(build):
    """a staged plan fetches and starts nothing; published again, it begins without the WAN's bytes"""
    services = {}
    with set_up(build, services, {}, nodes=2) as site:
        add(site, "1.0.0", 1)
        services["blob"] = ("binary", "1.0.0", SLEEP)
        apply(site)
        site.cli(*PUBLISH)
        add(site, "2.0.0", 2)
        services["blob"] = ("binary", "2.0.0", SLEEP)
        apply(site)
        said = json.loads(site.cli("publish", SITE, "-e", "prod", "--yes", "--stage", "-o", "json"))
        expect(said["staged"], f"publish --stage said {said}")
        wait_for("the staged artifact", 60, lambda: holders(site, "2.0.0") == set(site.names))
        seq = said["seq"]
        for name in site.names:
            server = server_of(site.status(), name)
            blob = service_of(site.status(), name, "blob")
            expect(blob["version"] == "1.0.0" and blob["state"] == "running",
                   f"{name} runs {blob} while the plan is staged")
            expect(not server["settled"] and any("staged" in line for line in server["notices"]),
                   f"{name} does not say that plan {seq} is staged: {server['notices']}")
        # A restart changes nothing of that.
        site.stop("edge-1", 9)
        site.start_agent("edge-1")
        wait_for("edge-1 to run the old version again", 30,
                 lambda: (service_of(site.status("edge-1"), "edge-1", "blob") or {}).get("state")
                 == "running")
        before = site.origin_sent()
        site.cli(*PUBLISH)
        for name in site.names:
            blob = service_of(site.status(), name, "blob")
            expect(blob["version"] == "2.0.0", f"{name} runs {blob} after it was published again")
        pulled = site.origin_sent() - before
        expect(pulled < 50_000, f"{pulled} bytes over the WAN to begin what was staged")

        # The same by the clock.
        add(site, "3.0.0", 3)
        services["blob"] = ("binary", "3.0.0", SLEEP)
        apply(site)
        site.cli("publish", SITE, "-e", "prod", "--yes", "--at", "8s")
        expect(service_of(site.status(), "edge-2", "blob")["version"] == "2.0.0", "too early")
        wait_for("the plan to begin at its time", 60, lambda: all(
            service_of(site.status(), name, "blob")["version"] == "3.0.0" for name in site.names))


if __name__ == "__main__":
    main([prefetch, room, damage, staged])
