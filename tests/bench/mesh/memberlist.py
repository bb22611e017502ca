"""A cluster of hashicorp/memberlist to compare with, where Debian's package of it can be had.

The comparison program is ours (memberlist_peer/main.go); it is built without a network from the
sources that golang-github-hashicorp-memberlist-dev installs under /usr/share/gocode. Settings are
memberlist's own for a LAN. Members join through the first one.
"""
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from harness import Failure, wait_for
from measured import Log, Measured, OneNamespace
from packages import Unavailable, install, last_line, run

ROOT = Path(__file__).resolve().parents[3]
LIBRARY_PACKAGE = "golang-github-hashicorp-memberlist-dev"
SOURCES = Path("/usr/share/gocode")
LIBRARY = SOURCES / "src/github.com/hashicorp/memberlist"
BUILT = ROOT / "build/bench/memberlist_peer"
MAIN = Path(__file__).resolve().parent / "memberlist_peer/main.go"
BUILD_S = 300


def build(say):
    """The peer's program; built when it is older than its source."""
    install("bench-mesh", say, lambda: LIBRARY.is_dir() and shutil.which("go"))
    if BUILT.exists() and BUILT.stat().st_mtime > MAIN.stat().st_mtime:
        return BUILT
    say("building the memberlist peer")
    BUILT.parent.mkdir(parents=True, exist_ok=True)
    done = run(["go", "build", "-o", str(BUILT), str(MAIN)], BUILD_S,
               {"GO111MODULE": "off", "GOFLAGS": "", "GOPROXY": "off", "GOPATH": str(SOURCES),
                "GOCACHE": str(BUILT.parent / "go-cache")})
    if done.returncode != 0:
        raise Unavailable("go build: " + last_line(done.stderr))
    return BUILT


def version():
    done = run(["dpkg-query", "-W", "-f=${Version}", LIBRARY_PACKAGE], 20)
    return done.stdout.strip() or "of unknown version"


class PeerLog(Log):
    """`updates`: member → Unix time at which this one took its newest meta data. `quiet_at`: of the
    latest event. Lines of other observers in the same file are left out."""

    def __init__(self, path, observer):
        self.observer = observer
        super().__init__(path)

    def forget(self):
        super().forget()
        self.updates = {}
        self.latest = 0

    def take(self, line):
        at, observer, event, member = line.split()
        if observer != self.observer:
            return
        self.latest = float(at)
        if event == "update":
            self.updates[member] = float(at)
        else:
            self.note(member, "alive" if event == "alive" else "dead", float(at))


class Memberlist(Measured):
    """N members, each a process of its own with its own address. `key`: hex, encrypts."""

    def __init__(self, program, nodes, key=""):
        self.program = program
        self.key = key
        self.names = [f"edge-{i}" for i in range(1, nodes + 1)]
        self.processes = {}
        self.dir = Path(tempfile.mkdtemp(prefix="clarity-bench-"))
        self.net = OneNamespace()
        self.address = {name: self.net.add(name, 10 + i) for i, name in enumerate(self.names, 1)}
        self.logs = {name: PeerLog(self.dir / f"{name}.log", name) for name in self.names}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
        self.net.down()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start_one(self, name):
        first = self.names[0]
        join = [] if name == first else ["-join", self.address[first]]
        with open(self.dir / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [self.program, "-name", name, "-bind", self.address[name], "-key", self.key, *join],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

    def kill_one(self, name):
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def settled(self):
        """Waits until nobody has heard anything new for a while."""
        def still():
            self.read_logs(self.running())
            return time.time() - max(self.logs[name].latest for name in self.running()) > 5
        wait_for("a cluster without news", 120, still, poll_s=0.5)

    def update(self, teller, seconds):
        """Seconds from our signal until the last of the others took the teller's new meta data."""
        others = [name for name in self.running() if name != teller]
        for name in others:
            self.logs[name].updates.pop(teller, None)
        began = time.time()
        self.processes[teller].send_signal(signal.SIGUSR1)

        def done():
            self.read_logs(others)
            return all(teller in self.logs[name].updates for name in others)
        wait_for(f"{teller}'s update at all", seconds, done, poll_s=0.1)
        return max(self.logs[name].updates[teller] for name in others) - began


class OneProcess(Memberlist):
    """N members in one process, each with its own address: nothing is shared but the scheduler.
    What one member costs cannot be told; none can be started again."""

    can_restart = False

    def victims(self, count):
        return self.names[:-count - 1:-1]

    def start_all(self):
        for log in self.logs.values():
            log.forget()
            log.path = self.dir / "all.log"
            log.offset = log.path.stat().st_size if log.path.exists() else 0
        began = time.time()
        with open(self.dir / "all.log", "ab") as log:
            process = subprocess.Popen([self.program, "-members", str(len(self.names)),
                                        "-key", self.key], stdout=log, stderr=log,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
        self.processes = {"all": process}
        self.silenced = set()
        return began

    def kill_all(self):
        super().kill_one("all")

    def running(self):
        return [name for name in self.names if name not in self.silenced]

    def kill_one(self, name):
        if name != self.running()[-1]:
            raise Failure("of one process only the last member can be silenced")
        self.silenced.add(name)
        self.processes["all"].send_signal(signal.SIGUSR2)

    def update(self, _, seconds):
        teller = self.running()[len(self.running()) // 2]
        self.processes[teller] = self.processes["all"]
        try:
            return super().update(teller, seconds)
        finally:
            del self.processes[teller]
