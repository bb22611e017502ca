"""Many agents on one machine: real programs, one network namespace, each on its own 127.0.1.N.

What is measured comes from the agents' logs, /proc and the namespace's own counters, so that
measuring costs the agents nothing; /metrics is asked only where nothing else tells.
"""
import ctypes
import http.client
import os
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import inventories
from harness import SITE, Failure, Site, Skip, expect, wait_for
from network import sh

ALIVE = re.compile(r"mesh: (\S+) is (\w+)")
ROSTER = re.compile(r"roster (\d+)[:,]")
CLONE_NEWNET = 0x40000000
TICKS_S = os.sysconf("SC_CLK_TCK")


def enter_namespace(descriptor):
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class OneNamespace:
    """The part of harness's Network that Site uses, with all hosts in one namespace, which this
    program itself enters: it asks the agents without a process per question."""

    def __init__(self):
        self.name = f"cl{os.getpid()}-mesh"
        sh("ip", "netns", "add", self.name)
        sh("ip", "netns", "exec", self.name, "ip", "link", "set", "lo", "up")
        self.outside = os.open("/proc/self/ns/net", os.O_RDONLY)
        with open(f"/run/netns/{self.name}") as inside:
            enter_namespace(inside.fileno())

    def add(self, host, number, _=None):
        return f"127.0.0.{number}" if host in ("centre", "origin") else f"127.0.1.{number - 10}"

    def enter(self, _):
        return []

    def down(self):
        enter_namespace(self.outside)
        os.close(self.outside)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)


class Log:
    """An agent's log, read on as it grows: events with the second they were written at."""

    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.forget()

    def forget(self):
        """What was known before does not count any more; the file is read on from its end."""
        self.states = {}
        self.rosters = {}
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
            if found := ALIVE.search(line):
                self.states[found.group(1)] = found.group(2)
                self.since[found.group(1)] = stamp(line)
            elif found := ROSTER.search(line):
                self.rosters.setdefault(int(found.group(1)), stamp(line))


def stamp(line):
    text = re.search(r"\d+-\d+-\d+T\d+:\d+:\d+\.\d+", line).group(0)
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


class MeshSite(Site):
    """A coordinator and N enrolled agents, none of them running yet."""

    def __init__(self, build, nodes):
        super().__init__(build, nodes=nodes, network=OneNamespace())
        self.services = {"none": ("binary", "1.0.0", "autostart: false\n")}
        self.logs = {name: Log(self.dir / f"{name}.log") for name in self.names}
        self.cpu_marks = {}

    def __exit__(self, kind, error, trace):
        if error is not None and not isinstance(error, Skip):
            for name in ("coordinator", self.names[0], self.names[-1]):
                print(f"---- {name}")
                print("\n".join(self.log(name).splitlines()[-25:])
                      if (self.dir / f"{name}.log").exists() else "(no log)")
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
        self.net.down()
        shutil.rmtree(self.dir, ignore_errors=True)

    # Enrolment -----------------------------------------------------------------------------

    def enrol_all(self):
        """Seconds that tokens and enrolment of all took."""
        state = self.start_coordinator()
        self.log_in(state)
        inventories.write(self.inventory, "http://127.0.0.3", self.address, self.services)
        self.cli("apply", self.inventory, "--yes")
        started = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._enrol, self.names))
        return time.monotonic() - started

    def _enrol(self, name):
        self.write_agent(name)
        done = subprocess.run([*self.net.enter(name), str(self.bin / "orchestrix-agent"), "enrol",
                               "--config", str(self.dir / name / "agent.yml")],
                              capture_output=True, text=True, env=self.env, timeout=60)
        expect(done.returncode == 0, f"{name} did not enrol: {done.stderr}{done.stdout}")

    # Life ----------------------------------------------------------------------------------

    def start_all(self):
        """Starts every agent; the second (wall clock) at which the first was started."""
        for log in self.logs.values():
            log.forget()
        began = time.time()
        for name in self.names:
            self.start_agent(name)
        return began

    def kill_all(self):
        for name in self.names:
            self.processes[name].kill()
        for name in self.names:
            self.processes.pop(name).wait()

    def read_logs(self, names):
        for name in names:
            self.logs[name].read()

    def seen_in_state(self, target, state, began, seconds, observers=None):
        """Seconds from `began` until every other agent's log says that `target` is `state`."""
        others = [name for name in observers or self.names if name != target]

        def done():
            self.read_logs(others)
            return all(self.logs[name].states.get(target) == state for name in others)
        wait_for(f"all see {target} {state}", seconds, done, poll_s=0.2)
        return max(self.logs[name].since[target] for name in others) - began

    def all_see_all(self, began, seconds):
        def missing():
            self.read_logs(self.names)
            return sum(1 for name in self.names for other in self.names
                       if other != name and self.logs[name].states.get(other) != "alive")
        try:
            wait_for("all see all", seconds, lambda: missing() == 0, poll_s=0.2)
        except Failure as late:
            raise Failure(f"{late}: {missing()} pairs do not see each other") from None
        return max(max(log.since.values()) for log in self.logs.values()) - began

    def roster_everywhere(self, epoch, began, seconds):
        def done():
            self.read_logs(self.names)
            return all(epoch in log.rosters for log in self.logs.values())
        wait_for(f"roster {epoch} everywhere", seconds, done, poll_s=0.1)
        return max(log.rosters[epoch] for log in self.logs.values()) - began

    def processes_of_agents(self):
        return [name for name in self.names if name in self.processes]

    # Measuring -----------------------------------------------------------------------------

    def proc(self, name, file):
        with open(f"/proc/{self.processes[name].pid}/{file}") as text:
            return text.read()

    def cpu_s(self):
        """Processor seconds that each agent has used."""
        out = {}
        for name in self.names:
            fields = self.proc(name, "stat").rsplit(")", 1)[1].split()
            out[name] = (int(fields[11]) + int(fields[12])) / TICKS_S
        return out

    def switches(self):
        """Times that all threads of each agent went to sleep: wake-ups, near enough."""
        out = {}
        for name in self.names:
            total = 0
            for thread in os.listdir(f"/proc/{self.processes[name].pid}/task"):
                text = self.proc(name, f"task/{thread}/status")
                total += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.M).group(1))
            out[name] = total
        return out

    def lan(self):
        """(bytes, packets) put on the namespace's only link, headers included."""
        for line in self.proc(self.names[0], "net/dev").splitlines():
            if line.strip().startswith("lo:"):
                fields = line.split(":")[1].split()
                return int(fields[8]), int(fields[9])
        raise Failure("the namespace has no loopback")

    def tcp(self):
        """The namespace's TCP counters by name."""
        rows = [line.split()[1:] for line in self.proc(self.names[0], "net/snmp").splitlines()
                if line.startswith("Tcp:")]
        return dict(zip(rows[0], map(int, rows[1])))

    def memory_kb(self):
        """Per agent: {"Rss", "Pss", "Private", "Threads"} in kB."""
        out = {}
        for name in self.names:
            rows = dict(re.findall(r"^(\w+):\s+(\d+) kB", self.proc(name, "smaps_rollup"), re.M))
            out[name] = {"Rss": int(rows["Rss"]), "Pss": int(rows["Pss"]),
                         "Private": int(rows["Private_Clean"]) + int(rows["Private_Dirty"]),
                         "Threads": len(os.listdir(f"/proc/{self.processes[name].pid}/task"))}
        return out

    def metric(self, name, metric):
        """A number of the agent's /metrics, or None."""
        link = http.client.HTTPConnection(self.address[name], 8474, timeout=5)
        try:
            link.request("GET", "/metrics")
            text = link.getresponse().read().decode()
        except OSError:
            return None
        finally:
            link.close()
        found = re.search(rf"^orchestrix_agent_{metric}(?:_total)? (\S+)$", text, re.M)
        return float(found.group(1)) if found else None
