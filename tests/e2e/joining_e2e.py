"""How servers of a site find each other: coordinator away, stale addresses, one seed, other
addresses while they run, multicast only, foreign servers at known addresses, lost disks, restarts.
Real agents, each on a host (network namespace) of its own."""
import shutil
import time

from harness import expect, main, wait_for
from joining_site import JoiningSite


def figure(text):
    print("FIGURE: " + text, flush=True)


def coordinator_away(build):
    """joining: with the coordinator away, the cached roster is enough"""
    with JoiningSite(build, 5) as site:
        site.begin()
        for name in site.names:
            site.kill(name)
        site.stop("coordinator")
        began = time.monotonic()
        site.start(*site.names)
        site.together(site.names, 15, "a start without the coordinator")
        figure(f"5 agents after a power cut, coordinator away: all see all in "
               f"{time.monotonic() - began:.1f} s")


def stale_addresses(build):
    """joining: half of the servers moved while all were off; they find each other, and remember"""
    with JoiningSite(build, 6) as site:
        site.begin()
        site.stop_all()
        site.stop("coordinator")
        moved = site.names[3:]
        for i, name in enumerate(moved):
            site.move(name, 70 + i, port=9000 + 10 * i)
        began = time.monotonic()
        site.start(*site.names)
        site.together(site.names, 20, "half of the addresses stale")
        figure(f"3 of 6 at other addresses and ports: all see all in "
               f"{time.monotonic() - began:.1f} s")
        rows = site.view(moved[0])
        expect(rows[moved[1]]["mesh_endpoint"] == f"tcp://{site.address[moved[1]]}:9010",
               f"{moved[0]} has {rows[moved[1]]['mesh_endpoint']} for {moved[1]}")
        # Of these three, the roster knows no address that is right any more.
        site.stop_all()
        began = time.monotonic()
        site.start(*moved)
        site.together(moved, 15, "only those that moved, from what they remember")
        figure(f"the 3 that moved alone, from their caches: all see all in "
               f"{time.monotonic() - began:.1f} s")


def one_seed(build):
    """joining: one server in its known place is enough for all the others to meet"""
    with JoiningSite(build, 6) as site:
        site.begin()
        site.stop_all()
        site.stop("coordinator")
        seed, first, *late = site.names
        for i, name in enumerate([first, *late]):
            site.move(name, 70 + i)
        site.start(seed, first)
        began = time.monotonic()
        site.together([seed, first], 10, "the seed and the first")
        one = time.monotonic() - began
        site.start(*late)
        began = time.monotonic()
        site.together(site.names, 20, "all by the one seed")
        figure(f"one seed in its place, 5 moved: first contact {one:.1f} s, the 4 later ones "
               f"{time.monotonic() - began:.1f} s")


def address_change(build):
    """joining: a server whose address changes while it runs is met at the new one"""
    with JoiningSite(build, 5) as site:
        target = site.names[2]
        site.configure(target, advertise="eth0")
        site.begin()
        site.stop("coordinator")
        process = site.processes[target].pid
        site.readdress(target, 99)
        began = time.monotonic()
        others = [name for name in site.names if name != target]

        def met():
            return all(site.view(name).get(target, {}).get("mesh_endpoint") ==
                       "tcp://10.77.0.99:8472" for name in others)
        wait_for("its record with the new address everywhere", 15, met, poll_s=0.1)
        told = time.monotonic() - began
        site.all_see([target], "alive", others, 15, "the moved server")
        site.all_see(others, "alive", [target], 15, "the others, by the moved server")
        expect(site.processes[target].pid == process, "it was started anew")
        figure(f"address of a running server changed: told in {told:.1f} s, alive to all and all "
               f"to it in {time.monotonic() - began:.1f} s")


def beacon_only(build):
    """joining: all moved, nobody is where anybody thinks: the LAN beacon brings them together"""
    with JoiningSite(build, 5) as site:
        site.begin()
        site.stop_all()
        site.stop("coordinator")
        for i, name in enumerate(site.names):
            site.move(name, 70 + i, port=9000)
            site.with_beacon(name)
        began = time.monotonic()
        site.start(*site.names)
        site.together(site.names, 20, "by multicast alone")
        figure(f"5 servers, all addresses stale, LAN beacon: all see all in "
               f"{time.monotonic() - began:.1f} s")
        heard = sum(site.metric(name, "lan_beacons_accepted") for name in site.names)
        expect(heard >= 4, f"only {heard:.0f} beacons were heard")  # 5 strangers take 4 contacts


def two_sites(build):
    """joining: two sites on one LAN never merge, not even at each other's addresses"""
    with JoiningSite(build, 4, others=3) as site:
        for name in [*site.names, *site.far]:
            site.with_beacon(name)
        site.begin()
        site.stop("coordinator")
        victim, guest = site.names[2], site.far[1]
        number = int(site.address[victim].rsplit(".", 1)[1])
        rest = [name for name in site.names if name != victim]
        site.kill(victim)
        site.net.link(victim, False)
        site.stop(guest)
        site.move(guest, number)
        site.start(guest)
        site.together(site.far, 20, "the other site, one of it at a dead server's address")
        site.all_see([victim], "dead", rest, 20, "the dead server")

        for name in rest:  # as after some minutes: who had that address is forgotten there
            site.forget_neighbours(name)
        dials = {name: site.metric(name, "mesh_dials") for name in rest}

        def met():
            return [name for name in rest if site.metric(name, "mesh_dials") > dials[name]
                    and site.neighbour(name, site.address[guest]) == site.mac(guest)]
        wait_for("somebody dialled the dead server and met the stranger", 25, met, 0.5)
        site.together(rest, 5, "the rest of the first site")
        site.together(site.far, 5, "the other site")
        site.all_see([victim], "dead", rest, 1, "the dead server is dead still")
        for names in (rest, site.far):
            for name in names:
                expect(set(site.states(name)) == set(site.names if names is rest else site.far),
                       f"{name} knows {sorted(site.states(name))}")
        figure("a server of site B at the address of a dead one of site A: neither took the other "
               "in, A holds its own dead")


def lost_disk(build):
    """joining: a server that lost its disk comes back, with its key above what the others knew"""
    with JoiningSite(build, 5) as site:
        site.begin()
        target = site.names[1]
        for _ in range(2):  # raises its incarnation
            site.kill(target)
            site.start(target)
            site.together(site.names, 20, "after a restart")
        before = site.metric(target, "mesh_incarnation")
        expect(before >= 3, f"incarnation {before} after two restarts")
        took = comes_back(site, target, keep_key=True)
        after = site.metric(target, "mesh_incarnation")
        expect(after > before, f"incarnation {after} is not above {before}")
        anew = comes_back(site, target, keep_key=False)
        figure(f"a server without its disk: alive to all and its record taken in {took:.1f} s, "
               f"incarnation {before:.0f} to {after:.0f}; with a new key as well {anew:.1f} s")


def comes_back(site, target, keep_key):
    """Seconds from its start, without what it had on disk, until all hold it and its new record."""
    others = [name for name in site.names if name != target]
    epoch = site.view(others[0])[target]["roster_epoch"]
    site.kill(target)
    state = site.dir / target / "state"
    if keep_key:
        shutil.rmtree(state / "db")
        (state / "identity" / "enrolment.json").unlink()
    else:
        shutil.rmtree(state)
    site.enrol(target)
    began = time.monotonic()
    site.start(target)
    site.together(site.names, 20, "with an empty disk")
    wait_for("its new record everywhere", 15, lambda: all(
        site.view(name)[target]["roster_epoch"] > epoch for name in others), poll_s=0.1)
    return time.monotonic() - began


def never_stuck_dead(build):
    """joining: whoever was dead and starts again is alive to all, every time"""
    with JoiningSite(build, 5) as site:
        site.begin()
        site.stop("coordinator")
        target = site.names[3]
        others = [name for name in site.names if name != target]
        took = []
        for round_number in range(3):
            site.kill(target)
            if round_number != 1:  # once it is back before anybody noticed
                site.all_see([target], "dead", others, 15, "the killed server")
            began = time.monotonic()
            site.start(target)
            site.together(site.names, 10, f"start number {round_number + 2}")
            took.append(time.monotonic() - began)
        figure("killed and started again three times: alive to all after " +
               ", ".join(f"{each:.1f}" for each in took) + " s")


if __name__ == "__main__":
    main([coordinator_away, stale_addresses, one_seed, address_change, beacon_only, two_sites,
          lost_disk, never_stuck_dead])
