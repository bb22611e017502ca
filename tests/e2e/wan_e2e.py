"""When and how much a site may pull: budget, pause and hours; meanwhile the LAN goes on sharing."""
import datetime
import json
import signal
import time
import zoneinfo

from faults_e2e import MIB, PIECE, SIZE, artifact_status, noise_site, publish
from harness import SITE, expect, main, wait_for

ZONE = "Asia/Kathmandu"  # a quarter of an hour off the full one, so that a wrong zone is seen


def start_with(site, extra):
    """The agents, each with these lines in its agent.yml."""
    for name in site.names:
        site.write_agent(name, extra)
        site.start_agent(name)
    wait_for("all agents alive in each other's eyes", 30, site.all_alive)


def shown(site):
    return json.loads(site.cli("wan", "show", SITE, "-o", "json"))


def by_server(site):
    return {each["server"]: each["wan"] for each in shown(site)["servers"]}


def reasons(artifact):
    return ", ".join(f"{key} {value / SIZE:.4f}" for key, value in artifact["wan"].items())


def budget_passes_on(build):
    """a day's budget that is used up: the next server goes on within seconds, no byte twice"""
    budget = 18 * MIB
    with noise_site(build, agents=False, nodes=3) as site:
        start_with(site, f"wan: {{budget_bytes_day: {budget}, time_zone: {ZONE}}}\n")
        before = site.origin_sent()
        started = time.monotonic()
        seq = publish(site)
        wait_for("all three run the service", 60, lambda: site.settled(seq))
        took = time.monotonic() - started
        sent = site.origin_sent() - before
        spent = {name: wan["spent_bytes"] for name, wan in by_server(site).items()}
        artifact = artifact_status(site)
        print(f"FIGURE: three servers with {budget / MIB:.0f} MiB a day each pulled {SIZE / MIB:.0f} "
              f"MiB in {took:.1f} s, WAN bytes {sent / SIZE:.4f} x size ({reasons(artifact)})")
        expect(sent <= 1.03 * SIZE, f"{sent} bytes over the WAN for {SIZE}")
        over = {name: each for name, each in spent.items() if each > budget + MIB}
        expect(not over, f"over their budget: {over}")
        expect(sum(each >= budget for each in spent.values()) == 2, f"who used it up: {spent}")
        # 8.1 s of WAN at its rate, starts on a busy machine; time-outs would be 20 s more.
        expect(took < SIZE * 8 / 50e6 + 14, f"{took:.1f} s: somebody was waited for")
        wan = [each for each in by_server(site).values() if each["state"] == "spent"]
        midnight = datetime.datetime.now(zoneinfo.ZoneInfo(ZONE)).replace(
            hour=0, minute=0, second=0, microsecond=0) + datetime.timedelta(days=1)
        told = midnight.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        expect(all(each["until"] == told for each in wan), f"until {told}? {wan}")


def pause_and_resume(build):
    """paused half-way by command: the LAN goes on, a restart does not end it, resume pulls the rest"""
    with noise_site(build, nodes=3) as site:
        before = site.origin_sent()
        seq = publish(site)
        wait_for("a third of the noise at the site", 30,
                 lambda: (artifact_status(site, "edge-1") or {"wan_bytes": 0})["wan_bytes"]
                 >= SIZE / 3)
        site.cli("wan", "pause", SITE)
        states = {name: wan["state"] for name, wan in by_server(site).items()}
        wait_for("every server paused", 10,
                 lambda: {wan["state"] for wan in by_server(site).values()} == {"paused"})
        held = site.origin_sent() - before
        expect(held < 0.9 * SIZE, f"paused too late: {held / SIZE:.0%}; {states}")

        def level():
            progress = artifact_status(site, "edge-1")["progress"]
            return len(progress) == 3 and min(progress.values()) == max(progress.values())
        wait_for("all servers to have what one has", 30, level)
        for name in site.names:
            site.stop(name, signal.SIGKILL)
        for name in site.names:
            site.start_agent(name)
        wait_for("all agents alive again", 30, site.all_alive)
        # Nothing may happen: that is looked at for as long as a claim and its stall would take.
        quiet = time.monotonic() + 6
        while time.monotonic() < quiet:
            expect(site.origin_sent() - before - held < PIECE, "pulled while paused")
        artifact = artifact_status(site)
        expect(len(artifact["passing"]) == 3 and artifact["fetcher"] is None, f"{artifact}")
        expect(all("paused" in each["reason"] for each in artifact["passing"].values()),
               f"{artifact['passing']}")
        text = site.cli("status", SITE)
        expect("is not fetched by edge-1, edge-2, edge-3: its WAN is paused" in
               " ".join(text.split()), f"status does not say why it waits:\n{text}")
        resumed = time.monotonic()
        site.cli("wan", "resume", SITE)
        wait_for("all three run the service", 60, lambda: site.settled(seq))
        sent = site.origin_sent() - before
        artifact = artifact_status(site)
        print(f"FIGURE: paused at {held / SIZE:.0%}, all killed and started, resumed: done "
              f"{time.monotonic() - resumed:.1f} s after it, WAN bytes {sent / SIZE:.4f} x size "
              f"({reasons(artifact)})")
        expect(sent <= 1.03 * SIZE, f"{sent} bytes over the WAN for {SIZE}")
        expect(artifact["wan"]["resumed"] > 0.3 * SIZE, f"{artifact['wan']}")


def hours_open(build):
    """out of hours nothing is pulled and status says until when; when they begin it is"""
    now = datetime.datetime.now(zoneinfo.ZoneInfo(ZONE))
    # The minute after the next: enough for three agents to start and be looked at.
    opens = (now + datetime.timedelta(seconds=60 + 25)).replace(second=0, microsecond=0)
    closes = opens + datetime.timedelta(hours=2)
    hours = f"{opens:%H:%M}-{closes:%H:%M}"
    told = opens.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    with noise_site(build, size=4 * MIB, agents=False, nodes=2) as site:
        start_with(site, f"wan: {{hours: [\"{hours}\"], time_zone: {ZONE}}}\n")
        before = site.origin_sent()
        seq = publish(site)
        wait_for("both servers to say why it waits", 20,
                 lambda: len((artifact_status(site, "edge-1") or {"passing": {}})["passing"]) == 2)
        passing = artifact_status(site, "edge-1")["passing"]
        expect(all(each["until"] == told and "hours" in each["reason"]
                   for each in passing.values()), f"until {told}? {passing}")
        expect(site.origin_sent() - before < MIB, "pulled out of hours")
        expect(time.time() < opens.timestamp(), "this machine was too slow to look in time")
        wait_for("both run the service", 120, lambda: site.settled(seq))
        late = time.time() - opens.timestamp()
        print(f"FIGURE: hours {hours} ({ZONE}): both done {late:.1f} s after they began")
        expect(0 < late < 30, f"done {late:.1f} s after the hours began")


if __name__ == "__main__":
    main([budget_passes_on, pause_and_resume, hours_open])
