"""A site's LAN and a coordinator beyond it: hosts on a bridge, a router, and one WAN link.

Addresses: the LAN is 10.77.0.0/24 with the router at .1, the centre is 10.78.0.2. The WAN link is
the cable between router and centre: its byte counters see all that passes, from the Ethernet header
on, and nothing else (addresses of both ends are given, IPv6 is off). Routing rules of the router cut
a host off silently: its packets vanish, no error comes back.
"""
from network import Network, sh

CENTRE = "10.78.0.2"
WAN = "10.78.0.0/24"
MACS = ("02:00:00:00:78:01", "02:00:00:00:78:02")


class WanNetwork(Network):
    def __init__(self):
        super().__init__()
        self.router = f"{self.tag}-router"
        sh("ip", "netns", "add", self.router)
        self.hosts["router"] = self.router
        self._in_lan("ip", "link", "add", "vr", "type", "veth", "peer", "name", "lan0", "netns",
                     self.router)
        self._in_lan("ip", "link", "set", "vr", "master", "br0", "up")
        self.in_router("ip", "addr", "add", "10.77.0.1/24", "dev", "lan0")
        self.in_router("ip", "link", "set", "lan0", "up")
        self.in_router("sysctl", "-qw", "net.ipv4.ip_forward=1")

    def in_router(self, *command):
        return sh("ip", "netns", "exec", self.router, *command)

    def add(self, host, number, rate_mbit=None):
        if host == "centre":
            return self._add_centre()
        address = super().add(host, number, rate_mbit)
        self.route(host, True)
        return address

    def _add_centre(self):
        centre = f"{self.tag}-centre"
        sh("ip", "netns", "add", centre)
        self.hosts["centre"] = centre
        self.in_router("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "eth0", "netns",
                       centre)
        ends = ((self.router, "wan0", "10.78.0.1"), (centre, "eth0", CENTRE))
        for (name, device, address), mac in zip(ends, MACS):
            inside = ("ip", "netns", "exec", name)
            sh(*inside, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            sh(*inside, "ip", "link", "set", device, "address", mac)
            sh(*inside, "ip", "addr", "add", f"{address}/24", "dev", device)
            sh(*inside, "ip", "link", "set", device, "up")
            sh(*inside, "ip", "link", "set", "lo", "up")
        for (name, device, _), other, mac in zip(ends, (CENTRE, "10.78.0.1"), reversed(MACS)):
            sh("ip", "netns", "exec", name, "ip", "neigh", "replace", other, "lladdr", mac, "dev",
               device, "nud", "permanent")
        sh("ip", "netns", "exec", centre, "ip", "route", "add", "default", "via", "10.78.0.1")
        return CENTRE

    def route(self, host, exists):
        """Whether that host knows a way to the centre."""
        sh("ip", "netns", "exec", self.hosts[host], "ip", "route", "add" if exists else "del", WAN,
           "via", "10.77.0.1")

    def swallow(self, address, on):
        """The router drops all between that host and the centre, without a word."""
        change = "add" if on else "del"
        self.in_router("ip", "rule", change, "from", address, "blackhole")
        self.in_router("ip", "rule", change, "to", address, "iif", "wan0", "blackhole")

    def wan_bytes(self):
        """(up, down) of the WAN link so far, all headers from Ethernet on."""
        return tuple(int(self.in_router("cat", f"/sys/class/net/wan0/statistics/{each}_bytes"))
                     for each in ("tx", "rx"))

    def wan_packets(self):
        return tuple(int(self.in_router("cat", f"/sys/class/net/wan0/statistics/{each}_packets"))
                     for each in ("tx", "rx"))
