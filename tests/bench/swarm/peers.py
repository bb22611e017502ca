"""Other ways to bring one file to every node of a site, over the same shaped links as Clarity's.

  http          every node pulls from the origin with curl: what most sites do today
  registry      docker-registry as the site's pull-through proxy on the first node
  aria2         BitTorrent with the origin as web seed and opentracker at the centre
  transmission  the same

All are Debian's packages (deploy/packages/bench-swarm.txt) with their defaults, but for what would talk to
the outside (DHT, port mapping). Times are those at which a client said that it has the file, and
every copy is compared with the original byte by byte.
"""
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import time

import samples
from harness import Failure, Site, expect, wait_for
from network import Network, carry_s
from packages import install
from process_times import cpu_s

TRACKER_PORT = 6969
REGISTRY_PORT = 5000
PIECE_POWER = 18  # mktorrent's default: 256 KiB


def run(*command, **options):
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True,
                          **options)
    if done.returncode != 0:
        raise Failure(f"{command[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


class Peer:
    """One file, one site. A client is a shell that runs `command(name)` (whose end, or hook, makes
    the file `arrived`) and then stays, so that its processor time can be read at the end."""

    programs = ()
    cases = ("wan",)

    def __init__(self, options, case):
        self.options, self.case = options, case
        self.site = Site(options.build, nodes=options.nodes, wan_mbit=options.wan,
                         lan_mbit=options.lan, network=Network(options.congestion))

    def __enter__(self):
        site = self.site
        self.file = site.www / "payload"
        samples.noise(self.file, self.options.peer_mib << 20)
        self.size = self.file.stat().st_size
        for name in site.names:
            (site.dir / name).mkdir()
        site.start_origin()
        wait_for("nginx", 10, lambda: self.answers("centre", f"http://{site.origin}/"))
        self.prepare()
        return self

    def __exit__(self, *error):
        for host in self.site.net.hosts:  # a shell does not take its children with it
            for pid in self.site.net.processes(host):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.site.__exit__(*error)

    def answers(self, host, url):
        return subprocess.run([*self.site.net.enter(host), "curl", "-s", "-m", "2", url],
                              capture_output=True).returncode == 0

    def prepare(self):
        """Servers, trackers, the holder of the LAN case: all that is there before the transfer."""

    def command(self, name):
        raise NotImplementedError

    def got(self, name):
        """The client's copy."""
        return self.site.dir / name / "payload"

    def arrived(self, name):
        return self.site.dir / name / "arrived"

    def receivers(self):
        return self.site.names[1:] if self.case == "lan" else self.site.names

    def start(self, name):
        # The shell's last program keeps the processor time of those that it waited for.
        text = f"{self.command(name)}\nexec sleep 86400"
        self.site.spawn(f"client-{name}", name, "sh", "-c", text)

    def measure(self):
        site = self.site
        source = site.names[0] if self.case == "lan" else "origin"
        before, wan = site.net.sent_bytes(source), site.origin_sent()
        cpu = self.cpu_s()
        began = time.time()
        for name in self.receivers():
            self.start(name)
        wait_for(f"{type(self).__name__}: every node to have it", self.limit_s(),
                 lambda: all(self.arrived(name).exists() for name in self.receivers()), 0.1)
        ends = [self.arrived(name).stat().st_mtime for name in self.receivers()]
        out = {"last_s": max(ends) - began, "first_s": min(ends) - began,
               "bound_s": carry_s(self.size, self.rate()), "cpu_s": self.cpu_s() - cpu,
               "mib": self.options.peer_mib,
               "wan_ratio": None if self.case == "lan" else (site.origin_sent() - wan) / self.size,
               "fetcher_uploads": (site.net.sent_bytes(source) - before) / self.size
               if self.case == "lan" else None}
        for name in self.receivers():
            run("cmp", self.file, self.got(name))
        return out

    def rate(self):
        return self.options.lan if self.case == "lan" else min(self.options.wan, self.options.lan)

    def limit_s(self):
        """Every node over the WAN, one after the other, and as much again."""
        return 60 + 2 * len(self.site.names) * self.size * 8 / (self.options.wan * 1e6)

    def cpu_s(self):
        total = 0.0
        for name in self.site.names:
            for pid in self.site.net.processes(name):
                try:
                    total += cpu_s(pid, waited_for=True)
                except FileNotFoundError:
                    continue  # ended meanwhile; whoever waited for it has its time
        return total


class Http(Peer):
    programs = ("curl",)

    def command(self, name):
        return (f"curl -sf -o {self.got(name)} http://{self.site.origin}/payload && "
                f"touch {self.arrived(name)}")


class Registry(Peer):
    programs = ("curl", "docker-registry")

    def prepare(self):
        site = self.site
        self.serve("origin", site.origin, "")
        upstream = f"http://{site.origin}:{REGISTRY_PORT}"
        self.digest = "sha256:" + hashlib.sha256(self.file.read_bytes()).hexdigest()
        self.push(upstream)
        node = site.names[0]
        self.proxy = f"http://{site.address[node]}:{REGISTRY_PORT}"
        self.serve(node, site.address[node], f"proxy: {{remoteurl: '{upstream}'}}\n")

    def serve(self, host, address, more):
        folder = self.site.dir / f"registry-{host}"
        folder.mkdir()
        config = folder / "config.yml"
        config.write_text("version: 0.1\n"
                          f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
                          f"http: {{addr: '{address}:{REGISTRY_PORT}'}}\n{more}")
        self.site.spawn(f"registry-{host}", host, "docker-registry", "serve", config)
        wait_for("the registry", 20,
                 lambda: self.answers(host, f"http://{address}:{REGISTRY_PORT}/v2/"))

    def push(self, upstream):
        """From the origin's own host: none of it passes its link."""
        inside = [*self.site.net.enter("origin"), "curl", "-sf"]
        answer = run(*inside, "-i", "-X", "POST", f"{upstream}/v2/payload/blobs/uploads/")
        place = next(line.split(":", 1)[1].strip() for line in answer.splitlines()
                     if line.lower().startswith("location:"))
        run(*inside, "-X", "PUT", "-H", "Content-Type: application/octet-stream", "-T", self.file,
            f"{place}&digest={self.digest}")

    def command(self, name):
        url = f"{self.proxy}/v2/payload/blobs/{self.digest}"
        return f"curl -sf -o {self.got(name)} {url} && touch {self.arrived(name)}"


class Torrent(Peer):
    """With the origin as web seed where the WAN is the limit; with one node as seed on the LAN."""

    cases = ("wan", "lan")
    programs = ("opentracker", "mktorrent", "transmission-show")

    def prepare(self):
        site = self.site
        self.torrent = site.dir / "payload.torrent"
        web_seed = ["-w", f"http://{site.origin}/payload"] if self.case == "wan" else []
        announce = f"http://{site.centre}:{TRACKER_PORT}/announce"
        run("mktorrent", "-l", PIECE_POWER, "-a", announce, *web_seed, "-o", self.torrent, self.file)
        shown = run("transmission-show", self.torrent)
        self.digest = next(line.split()[1] for line in shown.splitlines()
                           if line.strip().startswith("Hash:"))
        allowed = site.dir / "whitelist"
        allowed.write_text(self.digest + "\n")
        allowed.chmod(0o644)
        site.spawn("tracker", "centre", "opentracker", "-i", site.centre, "-p", TRACKER_PORT, "-P",
                   TRACKER_PORT, "-d", site.dir, "-w", "whitelist")
        wait_for("the tracker", 10, lambda: self.answers(
            "centre", f"http://{site.centre}:{TRACKER_PORT}/stats"))
        if self.case == "lan":
            holder = site.names[0]
            os.link(self.file, self.got(holder))
            self.start(holder)
            wait_for("the holder to seed", 60, self.seeds)

    def seeds(self):
        """The tracker knows one complete peer."""
        escaped = "".join(f"%{byte:02x}" for byte in bytes.fromhex(self.digest))
        url = f"http://{self.site.centre}:{TRACKER_PORT}/scrape?info_hash={escaped}"
        said = subprocess.run([*self.site.net.enter("centre"), "curl", "-s", "-m", "2", url],
                              capture_output=True).stdout
        return b"8:completei1e" in said

    def hook(self, name):
        path = self.site.dir / name / "hook"
        path.write_text(f"#!/bin/sh\ntouch {self.arrived(name)}\n")
        path.chmod(0o755)
        return path


class Aria2(Torrent):
    programs = (*Torrent.programs, "aria2c")

    def command(self, name):
        address = self.site.address[name]
        return shlex.join(map(str, (
            "aria2c", "--no-conf", "-q", "--enable-dht=false", "--seed-ratio=0.0",
            "--check-integrity=true", f"--interface={address}", f"--dir={self.got(name).parent}",
            f"--on-bt-download-complete={self.hook(name)}", self.torrent)))


class Transmission(Torrent):
    programs = (*Torrent.programs, "transmission-cli")

    def command(self, name):
        home = self.site.dir / name / "config"
        home.mkdir()
        (home / "settings.json").write_text(json.dumps(
            {"dht-enabled": False, "lpd-enabled": False, "port-forwarding-enabled": False,
             "rpc-enabled": False, "bind-address-ipv4": self.site.address[name]}))
        return shlex.join(map(str, (
            "transmission-cli", "-M", "-g", home, "-w", self.got(name).parent,
            "-f", self.hook(name), self.torrent)))


PEERS = {"http": Http, "registry": Registry, "aria2": Aria2, "transmission": Transmission}


def measure(name, case, options, say):
    peer = PEERS[name]
    install("bench-swarm", say, lambda: all(map(shutil.which, peer.programs)))
    with peer(options, case) as ready:
        out = ready.measure()
    expect(out["last_s"] > 0, f"{name}: had the file before it was asked for")
    return out
