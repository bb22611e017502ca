"""Upgrades at a site of three: the WAN carries what is new, also for the one that holds nothing."""
import json
import random
import subprocess
from pathlib import Path

from harness import SITE, expect, main, wait_for
from scenes import PUBLISH, SLEEP, apply, http, set_up

MIB = 1 << 20
SIZE = 48 * MIB


def image(path, seed):
    """Half noise, half text, as compiled programs and their lists are."""
    source = random.Random(seed)
    with open(path, "wb") as file:
        for begin in range(0, SIZE, 64 << 10):
            file.write(source.randbytes(32 << 10))
            text = "".join(f"package-{source.randrange(10**6)} is here\n" for _ in range(1500))
            file.write(text.encode()[:32 << 10].ljust(32 << 10, b"\n"))
    return path


def upgraded(path, old):
    """A package more in the middle, a file changed, a list refreshed at the end: 1.3 MB of 48."""
    source = random.Random(99)
    data = bytearray(Path(old).read_bytes())
    data[SIZE // 3:SIZE // 3] = source.randbytes(600_001)
    data[SIZE // 2:SIZE // 2 + 100_000] = source.randbytes(100_000)
    data[-600_000:] = source.randbytes(600_000)
    Path(path).write_bytes(data)
    return path


def add(site, version, path, form):
    """Registers a version; the origin gets what `--store` writes, or the file itself."""
    name = f"image-{version}"
    arguments = ["artifact", "add", f"image@{version}", path, "--type", "binary", "--repository",
                 "origin", "--path", name, "-o", "json"]
    served = site.www / name
    if form == "zstd":
        arguments += ["--store", "zstd", "--output", served]
    else:
        subprocess.run(["cp", str(path), str(served)], check=True)
    answer = json.loads(site.cli(*arguments))
    served.chmod(0o644)
    if form == "zstd":
        expect(answer["stored_bytes"] == served.stat().st_size, "stored_bytes is not the file's")
        done = subprocess.run(["zstd", "-q", "-d", "-c", str(served)], capture_output=True)
        expect(done.stdout == Path(path).read_bytes(), "zstd -d does not give back the artifact")
    return served.stat().st_size


def expected_wan_bytes(site):
    """As `clarity plan` says it, in its text and as JSON."""
    text = site.cli("plan", SITE, "-e", "prod", code=3)
    expect("to fetch over the WAN" in text + site.last.stderr, f"no bytes in: {text}")
    plan = json.loads(site.cli("plan", SITE, "-e", "prod", "-o", "json", code=3))
    return plan["wan_bytes_expected"]


def publish(site, names):
    """Bytes on the origin's link until these servers run it."""
    before = site.origin_sent()
    site.cli(*PUBLISH)
    seq = wait_for("status from the coordinator", 20, site.status)["plan"]["seq"]
    wait_for("the plan settled", 60, lambda: site.settled(seq, names))
    return site.origin_sent() - before


def upgrade(build, form):
    folder = Path(build).resolve() / "samples"
    folder.mkdir(exist_ok=True)
    one = image(folder / "delta-1.bin", 1)
    two = upgraded(folder / "delta-2.bin", one)
    services = {}
    with set_up(build, services, {}, nodes=3) as site:
        stored_one = add(site, "1.0.0", one, form)
        holders = site.names[:2]
        site.services["image"] = ("binary", "1.0.0", SLEEP, holders)
        apply(site)
        expected = expected_wan_bytes(site)
        first = publish(site, holders)
        print(f"FIGURE: {form}: first pull: {first} bytes on the link, {expected} expected, "
              f"{stored_one} stored, {SIZE} plain")
        expect(stored_one * 0.999 <= expected <= stored_one, f"{expected} bytes expected")
        expect(first <= 1.06 * stored_one, f"{first} bytes over the WAN for {stored_one}")
        expect("image-1.0.0" not in site.log("edge-3"), "edge-3 has the old version")

        stored_two = add(site, "2.0.0", two, form)
        site.services["image"] = ("binary", "2.0.0", SLEEP)
        apply(site)
        expected = expected_wan_bytes(site)
        second = publish(site, site.names)
        print(f"FIGURE: {form}: upgrade: {second} bytes on the link, {expected} expected, "
              f"{stored_two} stored")
        expect(expected < stored_two / 12, f"{expected} bytes expected for an upgrade")
        # Headers, and the pieces of a file that the fetcher asked for in ranges.
        expect(second <= 1.08 * expected + 50_000, f"{second} bytes over the WAN for {expected}")
        check_nodes(site)


def borrowed(build):
    """the only server with a route to the origin has no old version: it gets it over the LAN first"""
    folder = Path(build).resolve() / "samples"
    folder.mkdir(exist_ok=True)
    one = image(folder / "delta-1.bin", 1)
    two = upgraded(folder / "delta-2.bin", one)
    with set_up(build, {}, {}, nodes=3) as site:
        add(site, "1.0.0", one, "zstd")
        holders, last = site.names[:2], site.names[2]
        site.services["image"] = ("binary", "1.0.0", SLEEP, holders)
        apply(site)
        publish(site, holders)
        stored = add(site, "2.0.0", two, "zstd")
        for name in holders:
            subprocess.run([*site.net.enter(name), "ip", "route", "add", "unreachable",
                            f"{site.origin}/32"], check=True)
        # The old version's bytes outlive a restart of those who hold it, and so does their offer.
        for name in holders:
            site.stop(name)
            site.start_agent(name)
        wait_for("all agents alive in each other's eyes", 30, site.all_alive)
        site.services["image"] = ("binary", "2.0.0", SLEEP)
        apply(site)
        expected = expected_wan_bytes(site)
        sent = publish(site, site.names)
        print(f"FIGURE: borrowed: upgrade by one that held nothing: {sent} bytes on the link, "
              f"{expected} expected, {stored} stored")
        expect(sent <= 1.08 * expected + 50_000, f"{sent} bytes over the WAN for {expected}")
        expect("gets 1.0.0 over the LAN first" in site.log(last), "no base was borrowed")
        text = http(site, last, f"http://{site.address[last]}:8474/metrics")
        lines = {line.split()[0]: float(line.split()[1]) for line in text.splitlines()
                 if line.startswith("orchestrix_agent_") and "{" not in line}
        expect(lines["orchestrix_agent_bases_borrowed"] == 1, f"bases_borrowed: {lines}")
        # The others make most pieces of what they have, and hand them on.
        expect(lines["orchestrix_agent_delta_bytes"] > 0, f"delta_bytes: {lines}")


def check_nodes(site):
    """Who held nothing pulled nothing; the metrics tell what was taken from the old version."""
    status = wait_for("status", 10, lambda: site.status("edge-1"))
    artifact = next(each for each in status["artifacts"]
                    if each["artifact"] == "image" and each["version"] == "2.0.0")
    expect(artifact["wan_bytes"] > 0, f"no WAN bytes counted: {artifact}")
    expect("fetching image@2.0.0" not in site.log("edge-3"), "edge-3 fetched from the origin")
    fetchers = [name for name in site.names if "fetching image@2.0.0" in site.log(name)]
    expect(len(fetchers) == 1, f"fetched by {fetchers}")
    text = http(site, fetchers[0], f"http://{site.address[fetchers[0]]}:8474/metrics")
    local = [line for line in text.splitlines()
             if line.startswith("orchestrix_agent_delta_bytes ")]
    expect(local and float(local[0].split()[-1]) > 0.9 * SIZE, f"delta_bytes: {local}")


def plain(build):
    """an upgrade of a plain file over ranges: the WAN carries the new chunks only"""
    upgrade(build, "plain")


def zstd(build):
    """an upgrade of a file stored as zstd: the WAN carries the new chunks only, packed"""
    upgrade(build, "zstd")


if __name__ == "__main__":
    main([plain, zstd, borrowed])
