"""What a quiet site costs on its WAN link, by the link's own byte counters.

    sudo python3 tests/bench/uplink/uplink_bench.py --build build/dev [--agents 16] \\
        [--members 1000] [--seconds 600]

`--agents N`: N real agents, each in its namespace, with one service deployed, and a coordinator
beyond a WAN link (tests/e2e/wan_network.py). `--members N`: the same link and coordinator, N servers
really enrolled; two real uplinks (the agent's Uplink, in uplink_driver) report N members whose signed
records and mesh views are made up; nothing else of an agent runs. Counted is every byte on the link,
both directions, both uplinks, from the Ethernet header on; scaled to an hour. The REST API is not
used meanwhile: who looks at a site makes it report.
"""
import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "e2e"))
from harness import SITE, Site, expect, wait_for  # noqa: E402
import inventories  # noqa: E402
from scenes import PUBLISH  # noqa: E402
from uplinks import numbers, two_uplinks, wan_site  # noqa: E402
from wan_network import WanNetwork  # noqa: E402

BUDGET = 100_000  # bytes an hour, for 16
SETTLE_S = 90     # after the last change: what it set off has been told


def measure(net, seconds):
    """Bytes and packets (up, down) on the WAN link in that time, per hour."""
    began, before = time.monotonic(), (*net.wan_bytes(), *net.wan_packets())
    time.sleep(seconds)  # the measurement itself
    took, after = time.monotonic() - began, (*net.wan_bytes(), *net.wan_packets())
    up, down, up_packets, down_packets = ((b - a) * 3600 / took for a, b in zip(before, after))
    return {"up": up, "down": down, "packets": up_packets + down_packets, "measured_s": took}


def real_agents(build, nodes, seconds):
    with wan_site(build, nodes) as site:
        two_uplinks(site, 60)
        site.cli(*PUBLISH)
        wait_for("every server runs its service", 120, lambda: site.settled(1))
        primary, standby = two_uplinks(site, 60)
        time.sleep(SETTLE_S)
        before = {name: numbers(site, name) for name in (primary, standby)}
        out = measure(site.net, seconds)
        after = {name: numbers(site, name) for name in (primary, standby)}
        expect(two_uplinks(site, 5) == (primary, standby), "the uplinks moved meanwhile")
        for key in ("uplink_reports_total", "uplink_resyncs_total"):
            out[key] = sum(after[name][key] - before[name][key] for name in before)
        out["title"] = f"{nodes} real agents"
        status = site.status()
        out["alive"] = f"{status['summary']['alive']} of {nodes}"
        out["oldest_s"] = max(each["age_s"] for each in status["servers"])
        return out


def many_members(build, members, seconds):
    site = Site(build, nodes=1, network=WanNetwork())
    with site:
        state = site.start_coordinator()
        site.log_in(state)
        names = {f"edge-{i}": f"10.79.{i // 250}.{i % 250 + 1}" for i in range(1, members + 1)}
        inventories.write(site.inventory, "http://127.0.0.3", names,
                          {"none": ("binary", "1.0.0", "autostart: false\n")})
        site.cli("apply", site.inventory, "--yes")
        before = site.net.wan_bytes()
        site.spawn("driver", "edge-1", site.bin / "uplink_driver", f"https://{site.centre}:8470",
                   state / "ca.pem", state / "admin.token", SITE, members)
        wait_for("the driver's members are enrolled", 600,
                 lambda: "ENROLLED" in site.log("driver"), poll_s=0.5)
        enrolled = site.net.wan_bytes()
        wait_for("both uplinks agree with the coordinator", 120,
                 lambda: "AGREED" in site.log("driver"), poll_s=0.2)
        agreed = site.net.wan_bytes()
        time.sleep(SETTLE_S)
        reports = site.log("driver").count("REPORT")
        out = measure(site.net, seconds)
        expect(site.processes["driver"].poll() is None, "the driver has ended")
        out["uplink_reports_total"] = site.log("driver").count("REPORT") - reports
        out["uplink_resyncs_total"] = 0
        out["title"] = f"{members} members, two real uplinks"
        status = site.status()
        out["alive"] = f"{status['summary']['alive']} of {members}"
        out["oldest_s"] = max(each["age_s"] for each in status["servers"])
        out["first_bytes"] = sum(agreed) - sum(enrolled)
        print(f"FIGURE: enrolment of {members} by REST {(sum(enrolled) - sum(before)) / 1e6:.1f} MB; "
              f"then the whole site told once, both uplinks: {out['first_bytes'] / 1e3:.0f} kB",
              flush=True)
        return out


def table(results):
    lines = ["| quiet site | bytes an hour, up | down | together | packets | measured for | "
             "reports | alive at the coordinator, oldest evidence |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for each in results:
        total = each["up"] + each["down"]
        lines.append(f"| {each['title']} | {each['up'] / 1e3:.1f} kB | {each['down'] / 1e3:.1f} kB | "
                     f"{total / 1e3:.1f} kB{' ✗' if total > BUDGET else ''} | {each['packets']:.0f} | "
                     f"{each['measured_s']:.0f} s | {each['uplink_reports_total']:.0f} | "
                     f"{each['alive']}, {each['oldest_s']:.0f} s |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build/dev")
    parser.add_argument("--agents", type=int, default=0)
    parser.add_argument("--members", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=600)
    given = parser.parse_args()
    if not given.agents and not given.members:
        given.agents, given.members = 16, 1000
    found = []
    if given.agents:
        found.append(real_agents(given.build, given.agents, given.seconds))
    if given.members:
        found.append(many_members(given.build, given.members, given.seconds))
    print(table(found))
