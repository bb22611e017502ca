"""Hosts made of network namespaces: a site's LAN, the centre, and an origin behind a slow link.

Every host has one interface `eth0` on one bridge that lives in a namespace of its own, so nothing
of the machine's own network is touched. Addresses are 10.77.0.0/24 inside those namespaces only.
"""
import os
import subprocess

PREFIX = "10.77.0."
PAYLOAD = 1448 / 1514  # of a full frame: Ethernet, IPv4, TCP with time stamps
CONGESTION = "/proc/sys/net/ipv4/tcp_congestion_control"


def sh(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def can_make_namespaces():
    """None, or the reason why not."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"clp{os.getpid()}"
    try:
        sh("ip", "netns", "add", name)
        sh("ip", "netns", "del", name)
        return None
    except (RuntimeError, FileNotFoundError) as error:
        return f"network namespaces cannot be made here ({error})"


def carry_s(size_bytes, rate_mbit):
    """How long a shaped link needs for so much of TCP's payload; the shapers count whole frames."""
    return size_bytes * 8 / (rate_mbit * 1e6 * PAYLOAD)


class Network:
    """Namespaces named cl<pid>-<host>; `down()` removes them all. `congestion`: TCP's control in
    all of them; None = this machine's."""

    def __init__(self, congestion=None):
        self.congestion = congestion
        self.tag = f"cl{os.getpid()}"
        self.hosts = {}
        self.lan = f"{self.tag}-lan"
        sh("ip", "netns", "add", self.lan)
        self._in_lan("ip", "link", "add", "br0", "type", "bridge")
        # A switch has no firewall: where Docker's br_netfilter is loaded, each frame would pass one.
        self._in_lan("sh", "-c", "! cd /proc/sys/net/bridge 2>/dev/null || "
                     "for each in bridge-nf-call-*; do echo 0 > $each; done")
        self._in_lan("ip", "link", "set", "br0", "up")

    def _in_lan(self, *command):
        return sh("ip", "netns", "exec", self.lan, *command)

    def add(self, host, number, rate_mbit=None):
        """A host at 10.77.0.<number>; with rate_mbit, both directions of its link are shaped."""
        name = f"{self.tag}-{host}"
        outer = f"v{number}"
        sh("ip", "netns", "add", name)
        self.hosts[host] = name
        self._in_lan("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns",
                     name)
        self._in_lan("ip", "link", "set", outer, "master", "br0", "up")
        inside = ("ip", "netns", "exec", name)
        sh(*inside, "ip", "addr", "add", f"{PREFIX}{number}/24", "dev", "eth0")
        sh(*inside, "ip", "link", "set", "eth0", "up")
        sh(*inside, "ip", "link", "set", "lo", "up")
        if self.congestion:
            sh(*inside, "sh", "-c", f"echo {self.congestion} > {CONGESTION}")
        if rate_mbit:
            shape = ("root", "tbf", "rate", f"{rate_mbit}mbit", "burst", "128kb", "latency", "200ms")
            sh(*inside, "tc", "qdisc", "add", "dev", "eth0", *shape)
            self._in_lan("tc", "qdisc", "add", "dev", outer, *shape)
        return f"{PREFIX}{number}"

    def enter(self, host):
        """The command prefix that runs a program on that host (its network only)."""
        return ["nsenter", f"--net=/run/netns/{self.hosts[host]}"]

    def processes(self, host):
        """The ids of all processes in that host's network."""
        return [int(each) for each in sh("ip", "netns", "pids", self.hosts[host]).split()]

    def sent_bytes(self, host):
        """Bytes that host has put on its link, headers included."""
        text = sh("ip", "netns", "exec", self.hosts[host], "cat",
                  "/sys/class/net/eth0/statistics/tx_bytes")
        return int(text)

    def link(self, host, up):
        sh("ip", "netns", "exec", self.hosts[host], "ip", "link", "set", "eth0",
           "up" if up else "down")

    def down(self):
        for name in [*self.hosts.values(), self.lan]:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
