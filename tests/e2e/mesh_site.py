"""Many agents on one machine: real programs, one network namespace, each with its own address.

What is measured comes from the agents' logs, /proc and the namespace's own counters
(measured.py); /metrics is asked only where nothing else tells.
"""
import base64
import http.client
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import inventories
from harness import Site, Skip, expect, wait_for
from local_socket import ask
from measured import Log, Measured, OneNamespace

ALIVE = re.compile(r"mesh: (\S+) is (\w+)")
ROSTER = re.compile(r"roster (\d+)[:,]")
STAMP = re.compile(r"\d+-\d+-\d+T\d+:\d+:\d+\.\d+")
RECORD_AT = "mesh_record_received_timestamp_seconds"
RECORDS = "mesh_records_received"


class AgentLog(Log):
    """`rosters`: epoch → Unix time at which the agent took it."""

    def forget(self):
        super().forget()
        self.rosters = {}

    def take(self, line):
        if found := ALIVE.search(line):
            self.note(found.group(1), found.group(2), stamp(line))
        elif found := ROSTER.search(line):
            self.rosters.setdefault(int(found.group(1)), stamp(line))


def stamp(line):
    text = STAMP.search(line).group(0)
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


class MeshSite(Measured, Site):
    """A coordinator and N enrolled agents, none of them running yet."""

    def __init__(self, build, nodes):
        super().__init__(build, nodes=nodes, network=OneNamespace())
        self.services = {"none": ("binary", "1.0.0", "autostart: false\n")}
        self.logs = {name: AgentLog(self.dir / f"{name}.log") for name in self.names}

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

    def kill_one(self, name):
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def start_one(self, name):
        self.start_agent(name)

    def settled(self):
        """Waits until no record has changed for a while: nothing is under way."""
        last = {"count": -1, "at": time.monotonic()}

        def still():
            count = sum(self.metrics(name).get(RECORDS, 0)
                        for name in (self.names[0], self.names[-1]))
            if count != last["count"]:
                last.update(count=count, at=time.monotonic())
            return time.monotonic() - last["at"] > 3
        wait_for("records that keep still", 60, still, poll_s=0.5)

    def update(self, teller, seconds):
        """One agent refuses a document, which its record says. Seconds from our call until the last
        of the others took that record, by its own clock; None if other news got in the way."""
        socket = self.dir / teller / "run" / "query.sock"
        roster = bytearray(base64.b64decode(ask(socket, "roster")["envelope"]))
        roster[len(roster) // 2] ^= 1
        forged = self.dir / "forged-roster"
        forged.write_bytes(roster)
        others = [name for name in self.running() if name != teller]
        before = {name: self.metrics(name).get(RECORDS, 0) for name in others}
        began = time.time()
        answer = ask(socket, "deliver", forged)
        expect("error" in answer, f"{teller} took a forged roster: {answer}")
        for name in others:  # one after the other: whoever has it is not asked again
            wait_for(f"{name} hears of it", seconds,
                     lambda: self.metrics(name).get(RECORDS, 0) > before[name], 0.1)
        after = {name: self.metrics(name) for name in others}
        if any(after[name][RECORDS] != before[name] + 1 for name in others):
            return None
        return max(each[RECORD_AT] for each in after.values()) - began

    def roster_everywhere(self, epoch, began, seconds):
        def done():
            self.read_logs(self.names)
            return all(epoch in log.rosters for log in self.logs.values())
        wait_for(f"roster {epoch} everywhere", seconds, done, poll_s=0.1)
        return max(log.rosters[epoch] for log in self.logs.values()) - began

    # Asking --------------------------------------------------------------------------------

    def metrics(self, name):
        """The agent's unlabelled numbers by name, without prefix and "_total"; {} = no answer."""
        link = http.client.HTTPConnection(self.address[name], 8474, timeout=5)
        try:
            link.request("GET", "/metrics")
            text = link.getresponse().read().decode()
        except OSError:
            return {}
        finally:
            link.close()
        return {key: float(value) for key, value in
                re.findall(r"^orchestrix_agent_(\w+?)(?:_total)? (\S+)$", text, re.M)}

    def mesh_bytes(self):
        sample = self.names[::max(1, len(self.names) // 8)]
        told = [self.metric(name, "mesh_bytes_sent") for name in sample]
        expect(None not in told, "an agent does not answer on /metrics")
        return sum(told) / len(told)

    def metric(self, name, metric):
        return self.metrics(name).get(metric)
