"""Two uplinks of a site: they move when one dies or loses its WAN, and nobody else needs one."""
import signal
import time

from harness import expect, main, wait_for
from scenes import PUBLISH, server_of
from uplinks import two_uplinks, uplinks, wan_site


def seen(site, server):
    """That server as the coordinator sees it."""
    return server_of(site.status(), server) or {"state": "none"}


def uplink_killed(build):
    """primary uplink killed: another speaks for the site within 5 s; its WAN gone: the next in 16 s"""
    with wan_site(build, 5) as site:
        primary, standby = two_uplinks(site)
        others = [name for name in site.names if name != primary]
        wait_for("the coordinator sees all five", 15,
                 lambda: site.status()["summary"]["alive"] == 5)
        killed = time.monotonic()
        site.stop(primary, signal.SIGKILL)
        wait_for("a new primary that reaches the coordinator", 10,
                 lambda: uplinks(site, others)[0] == [standby])
        moved = time.monotonic() - killed
        now = two_uplinks(site, 10, others)
        both = time.monotonic() - killed
        wait_for("the coordinator hears that it is gone", 15,
                 lambda: seen(site, primary)["state"] == "dead")
        told = time.monotonic() - killed
        row = seen(site, primary)
        print(f"FIGURE: primary killed: {now[0]} speaks for the site after {moved:.1f} s, two "
              f"uplinks again after {both:.1f} s, dead at the coordinator after {told:.1f} s")
        expect(moved <= 5, f"the primary moved after {moved:.1f} s")
        expect(both <= 7, f"two uplinks again only after {both:.1f} s")
        expect(told <= 10, f"dead at the coordinator only after {told:.1f} s")
        expect(row["witness"] and row["age_s"] >= told - 1,
               f"looks fresher than it is: {row['age_s']} s old, dead for {told:.1f} s")
        # The one that took over watches its line as closely as the first one did.
        site.net.swallow(site.address[now[0]], True)
        cut = time.monotonic()
        wait_for("the next primary that reaches the coordinator", 30,
                 lambda: now[1] in uplinks(site, [each for each in others if each != now[0]])[0])
        again = time.monotonic() - cut
        print(f"FIGURE: then its WAN swallowed: {now[1]} speaks for the site after {again:.1f} s")
        expect(again <= 16, f"the primary moved after {again:.1f} s")


def wan_swallowed(build):
    """the primary's WAN swallows packets: the site is spoken for within 16 s, and it says so"""
    with wan_site(build, 5) as site:
        primary, standby = two_uplinks(site)
        others = [name for name in site.names if name != primary]
        # Nothing is under way then: only the probes of a quiet connection can find it.
        wait_for("a quiet minute's begin", 40, lambda: site.status()["summary"]["alive"] == 5)
        time_of = time.monotonic()
        site.net.swallow(site.address[primary], True)
        wait_for("another primary that reaches the coordinator", 30,
                 lambda: standby in uplinks(site, others)[0])
        moved = time.monotonic() - time_of
        two_uplinks(site, 20)
        both = time.monotonic() - time_of
        print(f"FIGURE: WAN of the primary swallowed: moved after {moved:.1f} s, two uplinks that "
              f"reach it after {both:.1f} s")
        expect(moved <= 16, f"the primary moved after {moved:.1f} s")
        expect(both <= 20, f"two uplinks again only after {both:.1f} s")
        row = wait_for("the coordinator sees it alive, through others", 15,
                       lambda: seen(site, primary) if seen(site, primary)["state"] == "alive"
                       and seen(site, primary)["age_s"] < 30 else None)
        expect(row["witness"] != primary, f"witness {row['witness']} has no WAN")
        site.net.swallow(site.address[primary], False)
        wait_for("the first in rank back as primary, and two uplinks", 60,
                 lambda: (lambda found: found[0] == [primary] and len(found[1]) == 2)
                 (uplinks(site)))


def no_route(build):
    """a server without any route to the coordinator is a full member, and its status gets there"""
    with wan_site(build, 5, agents=False) as site:
        for name in site.names:
            site.write_agent(name)
            site.start_agent(name)
        wait_for("all enrolled and alive", 30, site.all_alive)
        primary, _ = two_uplinks(site)
        site.stop(primary)
        site.net.route(primary, False)  # the very one that ranks first
        site.start_agent(primary)
        wait_for("all alive again", 30, site.all_alive)
        found = two_uplinks(site, 30)
        expect(primary not in found, f"{primary} has no route and is an uplink: {found}")
        site.cli(*PUBLISH)
        wait_for("its service runs, as the coordinator hears", 30, lambda: any(
            each["state"] == "running" for each in seen(site, primary).get("services", [])))
        row = seen(site, primary)
        own = server_of(site.status(primary), primary)
        expect(row["state"] == "alive" and row["plan_seq"] == own["plan_seq"],
               f"the coordinator has {row['state']}, plan {row['plan_seq']} of {primary}")
        fresh = site.status(primary)["plan"]["freshness_s"]
        expect(fresh is not None and fresh < 70, f"{primary} heard of the coordinator {fresh} s ago")


def site_cut_off(build):
    """the whole site cut off: who looks learns it within 30 s; back again it agrees at once"""
    with wan_site(build, 4) as site:
        two_uplinks(site)
        wait_for("all alive at the coordinator", 15,
                 lambda: site.status()["summary"]["alive"] == 4)
        for name in site.names:
            site.net.swallow(site.address[name], True)
        cut = time.monotonic()
        wait_for("unknown at the coordinator", 30, lambda: all(
            each["state"] == "unknown" for each in site.status()["servers"]), poll_s=0.5)
        told = time.monotonic() - cut
        ages = [each["age_s"] for each in site.status()["servers"]]
        expect(min(ages) >= told - 6, f"ages {ages} after {told:.1f} s without a word")
        wait_for("nobody claims to reach it", 40, lambda: uplinks(site)[1] == [])
        for name in site.names:
            site.net.swallow(site.address[name], False)
        back = time.monotonic()
        wait_for("alive at the coordinator again", 40,
                 lambda: site.status()["summary"]["alive"] == 4, poll_s=0.5)
        print(f"FIGURE: site cut off: unknown after {told:.1f} s, seen again "
              f"{time.monotonic() - back:.1f} s after the line came back")


if __name__ == "__main__":
    main([uplink_killed, wan_swallowed, no_route, site_cut_off])
