"""How soon the members of a group know, and what it costs them: the same for every kind of group.

A group is mesh_site.MeshSite or, in tests/bench/mesh, one of memberlist's. Every figure is taken
from the members' own time stamps, on one clock, or from the kernel's counters.
"""
import statistics
import time

from harness import Failure, wait_for

UPDATE_TRIES = 4
REST_S = 8


def starts(group, runs, limit_s, say=lambda text: None):
    """Seconds from the first process' start until all see all, run by run; None = not within the
    limit. The group is killed between runs, and runs at the end."""
    out = []
    for run in range(runs):
        if run:
            group.kill_all()
        began = group.start_all()
        try:
            out.append(group.all_see_all(began, limit_s))
            say(f"start {run + 1} of {runs}: all see all after {out[-1]:.2f} s")
        except Failure as late:
            out.append(None)
            say(f"start {run + 1} of {runs}: {late}")
    return out


def updates(group, count, limit_s, say=lambda text: None):
    """Seconds until all have one member's news; another member tells each time."""
    out = []
    for number in range(count):
        teller = group.names[(2 * number + 1) * len(group.names) // (2 * count)]
        for _ in range(UPDATE_TRIES):
            group.settled()
            if (took := group.update(teller, limit_s)) is not None:
                out.append(took)
                say(f"update {number + 1} of {count}, told by {teller}: {took:.2f} s")
                break
        else:
            raise Failure(f"other news got in the way of {teller}'s, {UPDATE_TRIES} times")
    return out


def kills(group, count, limit_s, say=lambda text: None):
    """(seconds until all others say that a killed member is dead, seconds from its new start until
    all say that it is alive), member by member."""
    seen, back = [], []
    for victim in group.victims(count):
        began = time.time()
        group.kill_one(victim)
        seen.append(group.seen_in_state(victim, "dead", began, limit_s, group.running()))
        say(f"{victim} killed: dead to all after {seen[-1]:.2f} s")
        if not group.can_restart:
            continue
        began = time.time()
        group.start_one(victim)
        back.append(group.seen_in_state(victim, "alive", began, limit_s))
        say(f"{victim} started again: alive to all after {back[-1]:.2f} s")
    return seen, back


def falsely_held(group):
    """How many (member, observer) pairs say "dead" or "suspect" of one that runs."""
    group.read_logs(group.running())
    return sum(1 for name in group.running() for other, state in group.logs[name].states.items()
               if other in group.processes and state in ("dead", "suspect"))


def at_rest(group, limit_s=60):
    """Waits until no connection was closed for a while: those that a start needed have gone.
    After the limit whatever still goes on belongs to idling."""
    group.settled()
    last = {"count": -1, "at": time.monotonic()}
    deadline = time.monotonic() + limit_s

    def still():
        count = group.net.tcp()["CurrEstab"]
        if count != last["count"]:
            last.update(count=count, at=time.monotonic())
        return time.monotonic() - last["at"] > REST_S or time.monotonic() > deadline
    wait_for("connections that keep still", limit_s + 5, still, poll_s=0.5)


def idle(group, seconds):
    """What a group at rest costs while nothing happens, averaged over `seconds`."""
    at_rest(group)
    nodes = len(group.running())
    framed = group.mesh_bytes()
    cpu, wakes = group.cpu_s(), group.switches()
    sent, packets = group.net.lan()
    centre, _ = group.net.centre()
    opened = group.net.tcp()["ActiveOpens"]
    began = time.monotonic()
    wait_for("the end of the time measured", seconds + 5,
             lambda: time.monotonic() - began >= seconds, poll_s=0.5)
    took = time.monotonic() - began
    cpu_after, wakes_after = group.cpu_s(), group.switches()
    sent_after, packets_after = group.net.lan()
    tcp = group.net.tcp()
    framed_after = group.mesh_bytes()
    share = [(cpu_after[name] - cpu[name]) / took * 100 for name in cpu]
    memory = group.memory_kb()
    out = {"cpu_percent": sum(share) / nodes, "cpu_percent_max": max(share),
           "wakeups_s": sum(wakes_after[name] - wakes[name] for name in wakes) / took / nodes,
           "lan_kbit_s": (sent_after - sent) * 8 / 1000 / took / nodes,
           "lan_packets_s": (packets_after - packets) / took / nodes,
           "centre_kbit_s": (group.net.centre()[0] - centre) * 8 / 1000 / took,
           "connections": tcp["CurrEstab"] / nodes,  # both ends are here: those of a node
           "opened_s": (tcp["ActiveOpens"] - opened) / took / nodes}
    if framed is not None:
        out["mesh_kbit_s"] = (framed_after - framed) * 8 / 1000 / took
    for key in ("Rss", "Pss", "Private", "Threads"):
        out[key.lower()] = statistics.mean(each[key] for each in memory.values())
        out[key.lower() + "_max"] = max(each[key] for each in memory.values())
    return out
