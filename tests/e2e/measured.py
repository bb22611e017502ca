"""What running programs cost and say: /proc, the namespace's counters, logs read as they grow.

Nothing here asks the programs themselves, so that measuring costs them nothing. Used for Clarity's
agents (mesh_site.py) and, in tests/bench/mesh, for the peers they are compared with: one definition
of every figure for both.
"""
import ctypes
import os
import re
import subprocess
import time

from harness import Failure, wait_for
from network import sh
from process_times import cpu_s

CLONE_NEWNET = 0x40000000
ETHERNET_BYTES = 14  # per packet: the loopback's own counters leave the link's header out
CENTRE_PORTS = (8470, 8471)  # the coordinator's: what is not the site's LAN


def enter_namespace(descriptor):
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class OneNamespace:
    """The part of harness's Network that Site uses, with all hosts in one namespace, which this
    program itself enters: it asks the agents without a process per question. Every host has an
    address of its own there; whatever one sends to another passes the loopback once."""

    def __init__(self):
        self.name = f"cl{os.getpid()}-mesh"
        sh("ip", "netns", "add", self.name)
        sh("ip", "netns", "exec", self.name, "ip", "link", "set", "lo", "up")
        self.outside = os.open("/proc/self/ns/net", os.O_RDONLY)
        with open(f"/run/netns/{self.name}") as inside:
            enter_namespace(inside.fileno())
        self.counts_centre = self._count_centre()

    def add(self, host, number, _=None):
        if host in ("centre", "origin"):
            return f"127.0.0.{number}"
        third, fourth = divmod(number - 11, 250)
        return f"127.0.{third + 1}.{fourth + 1}"

    def enter(self, _):
        return []

    def down(self):
        enter_namespace(self.outside)
        os.close(self.outside)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)

    # Counters ------------------------------------------------------------------------------

    def _count_centre(self):
        """Rules that count what goes to and from the coordinator; False where there is none."""
        try:
            for port in CENTRE_PORTS:
                for side in ("--sport", "--dport"):
                    sh("iptables", "-w", "-A", "OUTPUT", "-p", "tcp", side, str(port))
            return True
        except (RuntimeError, FileNotFoundError):
            return False

    def lan(self):
        """(bytes, packets) that hosts sent to each other, from the link's header on; without what
        went to and from the coordinator, where that can be counted."""
        total = self._loopback()
        centre = self.centre()
        return total[0] - centre[0], total[1] - centre[1]

    def centre(self):
        """The same of what went to and from the coordinator."""
        if not self.counts_centre:
            return 0, 0
        size = packets = 0
        for line in sh("iptables", "-w", "-nvxL", "OUTPUT").splitlines():
            fields = line.split()
            if fields and fields[0].isdigit():
                packets += int(fields[0])
                size += int(fields[1])
        return size + packets * ETHERNET_BYTES, packets

    def _loopback(self):
        with open("/proc/thread-self/net/dev") as text:
            for line in text:
                if line.strip().startswith("lo:"):
                    fields = line.split(":")[1].split()
                    packets = int(fields[9])
                    return int(fields[8]) + packets * ETHERNET_BYTES, packets
        raise Failure("the namespace has no loopback")

    def tcp(self):
        """The namespace's TCP counters by name."""
        with open("/proc/thread-self/net/snmp") as text:
            rows = [line.split()[1:] for line in text if line.startswith("Tcp:")]
        return dict(zip(rows[0], map(int, rows[1])))


class Log:
    """A program's log, read on as it grows. `take(line)` of a subclass notes what members are, in
    `states`, and since when, in `since` (Unix time)."""

    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.forget()

    def forget(self):
        """What was known before does not count any more; the file is read on from its end."""
        self.states = {}
        self.since = {}
        self.offset = self.path.stat().st_size if self.path.exists() else 0

    def read(self):
        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            data = file.read()
        data = data[:data.rfind(b"\n") + 1]
        self.offset += len(data)
        for line in data.decode(errors="replace").splitlines():
            self.take(line)

    def note(self, member, state, at):
        if self.states.get(member) != state:
            self.states[member] = state
            self.since[member] = at


class Measured:
    """For a class with `names`, `processes` (name → Popen), `logs` (name → Log) and `net`."""

    can_restart = True

    def start_all(self):
        """Starts every member; the second (Unix time) at which the first was started."""
        for log in self.logs.values():
            log.forget()
        began = time.time()
        for name in self.names:
            self.start_one(name)
        return began

    def victims(self, count):
        """Whom to kill: never the first, which the others may have joined through."""
        size = len(self.names)
        return [self.names[size - 1 - number * (size - 1) // count] for number in range(count)]

    def kill_all(self):
        for name in self.names:
            self.processes[name].kill()
        for name in self.names:
            self.processes.pop(name).wait()

    def running(self):
        return [name for name in self.names if name in self.processes]

    # What they say -------------------------------------------------------------------------

    def read_logs(self, names):
        for name in names:
            self.logs[name].read()

    def seen_in_state(self, target, state, began, seconds, observers=None):
        """Seconds from `began` until every other one's log says that `target` is `state`."""
        others = [name for name in observers or self.names if name != target]

        def done():
            self.read_logs(others)
            return all(self.logs[name].states.get(target) == state for name in others)
        wait_for(f"all see {target} {state}", seconds, done, poll_s=0.2)
        return max(self.logs[name].since[target] for name in others) - began

    def all_see_all(self, began, seconds):
        """Seconds from `began` until every one's log says that each other is alive."""
        def missing():
            self.read_logs(self.names)
            return sum(1 for name in self.names for other in self.names
                       if other != name and self.logs[name].states.get(other) != "alive")
        try:
            wait_for("all see all", seconds, lambda: missing() == 0, poll_s=0.25)
        except Failure as late:
            raise Failure(f"{late}: {missing()} pairs do not see each other") from None
        return max(max(log.since.values()) for log in self.logs.values()) - began

    def mesh_bytes(self):
        """Bytes of the mesh's own frames that one of them has sent on average; None = not told."""
        return None

    # What they cost ------------------------------------------------------------------------

    def proc(self, name, file):
        with open(f"/proc/{self.processes[name].pid}/{file}") as text:
            return text.read()

    def cpu_s(self):
        """Processor seconds that each has used."""
        return {name: cpu_s(self.processes[name].pid) for name in self.running()}

    def switches(self):
        """Times that all threads of each went to sleep: wake-ups, near enough."""
        out = {}
        for name in self.running():
            total = 0
            for thread in os.listdir(f"/proc/{self.processes[name].pid}/task"):
                text = self.proc(name, f"task/{thread}/status")
                total += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.M).group(1))
            out[name] = total
        return out

    def memory_kb(self):
        """Per process: {"Rss", "Pss", "Private", "Threads"} in kB."""
        out = {}
        for name in self.running():
            rows = dict(re.findall(r"^(\w+):\s+(\d+) kB", self.proc(name, "smaps_rollup"), re.M))
            out[name] = {"Rss": int(rows["Rss"]), "Pss": int(rows["Pss"]),
                         "Private": int(rows["Private_Clean"]) + int(rows["Private_Dirty"]),
                         "Threads": len(os.listdir(f"/proc/{self.processes[name].pid}/task"))}
        return out
