"""A site behind a WAN link, and which of its servers hold the connection to the coordinator."""
import subprocess

import samples
from harness import wait_for
from scenes import SLEEP, set_up
from wan_network import WanNetwork

PREFIX = "orchestrix_agent_"


def wan_site(build, nodes, agents=True):
    """A site of `nodes` with one small service to publish, all enrolled."""
    folder = samples.ROOT / build / "samples"
    folder.mkdir(exist_ok=True)
    site = set_up(build, {"probe": ("binary", "1.0.0", SLEEP)},
                  {"probe-1.0.0": samples.noise(folder / "probe.bin", 64 << 10)}, agents=False,
                  nodes=nodes, network=WanNetwork())
    try:
        if agents:
            site.start_agents()
        return site
    except BaseException as error:
        site.__exit__(type(error), error, None)
        raise


def numbers(site, name):
    """An agent's unlabelled metrics by name without prefix; {} when it does not answer."""
    done = subprocess.run([*site.net.enter(name), "curl", "-s", "-m", "2",
                           f"http://{site.address[name]}:8474/metrics"],
                          capture_output=True, text=True)
    rows = (line.split() for line in done.stdout.splitlines()
            if line.startswith(PREFIX) and "{" not in line)
    return {row[0].removeprefix(PREFIX): float(row[1]) for row in rows if len(row) == 2}


def uplinks(site, names=None):
    """(primaries that reach the coordinator, all that reach it), by asking every server."""
    found = {name: numbers(site, name) for name in names or site.names}
    reach = [name for name, row in found.items() if row.get("reaches_coordinator") == 1]
    return [name for name in reach if found[name].get("uplink_primary") == 1], reach


def two_uplinks(site, seconds=30, names=None):
    """(primary, standby), once there are exactly one and one."""
    def settled():
        primaries, reach = uplinks(site, names)
        if len(primaries) != 1 or len(reach) != 2:
            return None
        return primaries[0], next(each for each in reach if each != primaries[0])
    return wait_for("one primary uplink and one standby", seconds, settled)
