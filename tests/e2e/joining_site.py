"""A site whose servers come, go and move: enrolled agents in network namespaces, no services.

Questions go over the agents' local sockets, which are files: asking costs no process and no network.
"""
import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import inventories
from harness import SITE, Failure, Site, expect, wait_for
from local_socket import ask
from network import PREFIX, sh

CLIENT_ID = "5f0c4a4e-6a51-4f0b-9f8e-0d6c6b1f2a01"
GROUP = "239.255.84.72:8475"
OTHER_SITE = "acme/dc-2"


class JoiningSite(Site):
    """`others`: so many servers more, far-1 …, of a second datacenter on the same LAN."""

    def __init__(self, build, nodes, others=0):
        super().__init__(build, nodes=nodes)
        self.far = [f"far-{i}" for i in range(1, others + 1)]
        for i, name in enumerate(self.far, 1):
            self.address[name] = self.net.add(name, 50 + i)
        self.mesh_port = {name: 8472 for name in [*self.names, *self.far]}
        self.extra = {}  # name → more lines of its agent.yml's mesh part
        self.pool = ThreadPoolExecutor(4)

    def __enter__(self):
        try:
            state = self.start_coordinator()
            self.log_in(state)
            self._apply()
            list(self.pool.map(self.enrol, [*self.names, *self.far]))
            return self
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def __exit__(self, kind, error, trace):
        self.pool.shutdown()
        if error is not None:
            self.show_logs()
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
        self.net.down()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _apply(self):
        own = {name: self.address[name] for name in self.names}
        inventories.write(self.inventory, f"http://{self.origin}", own,
                          {"none": ("binary", "1.0.0", "autostart: false\n")})
        if self.far:
            folder = self.inventory / "clients/acme"
            with open(folder / "datacenters.yml", "a") as file:
                file.write(f"  - id: 5f0c4a4e-6a51-4f0b-9f8e-0d6c6b1f2a03\n"
                           f"    client_id: {CLIENT_ID}\n    name: Two\n    code: dc-2\n"
                           "    type: edge\n")
            with open(folder / "servers.yml", "a") as file:
                for i, name in enumerate(self.far, 1):
                    file.write(f"  - id: 5f0c4a4e-6a51-4f0b-9f8e-{900 + i:012d}\n"
                               f"    datacenter_id: dc-2\n    hostname: {name}\n"
                               f"    ip_addresses:\n      management: {self.address[name]}\n")
        self.cli("apply", self.inventory, "--yes")

    # Servers -------------------------------------------------------------------------------

    def enrol(self, name):
        site = OTHER_SITE if name in self.far else SITE
        token = json.loads(self.cli("token", "create", site, "--server", name, "-o",
                                    "json"))["token"]
        home = self.dir / name
        home.mkdir(exist_ok=True)
        (home / "token").write_text(token)
        self.configure(name)
        done = subprocess.run([*self.net.enter(name), str(self.bin / "orchestrix-agent"), "enrol",
                               "--config", str(home / "agent.yml")],
                              capture_output=True, text=True, env=self.env, timeout=60)
        expect(done.returncode == 0, f"{name} did not enrol: {done.stderr}{done.stdout}")

    def configure(self, name, advertise=None):
        """Writes its agent.yml: where it is now, or what to advertise (an interface)."""
        home, address, port = self.dir / name, self.address[name], self.mesh_port[name]
        where = advertise or address
        (home / "agent.yml").write_text(f"""state_dir: {home}/state
run_dir: {home}/run
coordinator: https://{self.centre}:8470
join_token_file: {home}/token
server: {name}
mesh:
  listen: tcp://0.0.0.0:{port}
  advertise: tcp://{where}:{port}
{self.extra.get(name, "")}swarm:
  listen: 0.0.0.0:{port + 1}
  advertise: {where}:{port + 1}
http:
  listen: 0.0.0.0:8474
service_manager: builtin
docker_socket: {home}/docker.sock
""")

    def with_beacon(self, name):
        self.extra[name] = f"  beacon: {{group: \"{GROUP}\", interface: eth0}}\n"
        self.configure(name)

    def readdress(self, name, number):
        """Gives the host another address; the agent's configuration is left alone."""
        inside = ("ip", "netns", "exec", self.net.hosts[name])
        sh(*inside, "ip", "addr", "flush", "dev", "eth0", "scope", "global")
        sh(*inside, "ip", "addr", "add", f"{PREFIX}{number}/24", "dev", "eth0")
        self.address[name] = f"{PREFIX}{number}"

    def move(self, name, number, port=8472):
        """Another address and port, as its agent finds at its next start."""
        self.readdress(name, number)
        self.mesh_port[name] = port
        self.configure(name)

    def start(self, *names):
        for name in names:
            self.start_agent(name)

    def stop_all(self):
        list(self.pool.map(self.stop, [name for name in [*self.names, *self.far]
                                       if name in self.processes]))

    def kill(self, name):
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    # What they see -------------------------------------------------------------------------

    def view(self, name):
        """Rows of its status by server, or {} while it does not answer."""
        try:
            status = ask(self.dir / name / "run" / "query.sock", "status")
        except (OSError, ValueError):
            return {}
        return {each["server"]: each for each in status["servers"]}

    def states(self, name):
        return {server: row["state"] for server, row in self.view(name).items()}

    def all_see(self, targets, state, observers, seconds, what=""):
        """Waits until every observer holds every target (but itself) to be in that state."""
        def missing():
            out = []
            for name in observers:
                seen = self.states(name)
                out += [f"{name}: {target} is {seen.get(target, '?')}" for target in targets
                        if target != name and seen.get(target) != state]
            return out
        try:
            wait_for(what or f"{targets} {state}", seconds, lambda: not missing(), poll_s=0.1)
        except Failure as late:
            raise Failure(f"{late}: {'; '.join(missing())}") from None

    def together(self, names, seconds, what=""):
        self.all_see(names, "alive", names, seconds, what)

    def begin(self):
        """All run, know each other and hold the newest roster; then the coordinator goes."""
        self.start(*self.names, *self.far)
        self.together(self.names, 20, "the site's first meeting")
        if self.far:
            self.together(self.far, 20, "the other site's first meeting")
        wait_for("the newest roster everywhere", 15, self.same_roster)

    def same_roster(self):
        for names in (self.names, self.far):
            for name in names:
                rows = self.view(name)
                if any(rows.get(each, {}).get("roster_epoch", 0) < len(names) for each in names):
                    return False
        return True

    def metric(self, name, metric):
        text = subprocess.run([*self.net.enter(name), "curl", "-s", "-m", "3",
                               "http://127.0.0.1:8474/metrics"], capture_output=True,
                              text=True).stdout
        found = re.search(rf"^orchestrix_agent_{metric}(?:_total)? (\S+)$", text, re.M)
        return float(found.group(1)) if found else None

    def connections(self, name, address):
        """Established TCP connections of that host to that address."""
        text = sh(*self.net.enter(name), "cat", "/proc/net/tcp", "/proc/net/tcp6")
        wanted = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
        return sum(1 for line in text.splitlines()
                   if len(line.split()) > 3 and line.split()[3] == "01"
                   and line.split()[2].split(":")[0].endswith(wanted))

    def neighbour(self, name, address):
        """The link-layer address that host has for an address of its LAN."""
        text = sh(*self.net.enter(name), "ip", "neigh", "show", address)
        found = re.search(r"lladdr (\S+)", text)
        return found.group(1) if found else None

    def forget_neighbours(self, name):
        sh(*self.net.enter(name), "ip", "neigh", "flush", "dev", "eth0")

    def mac(self, name):
        text = sh(*self.net.enter(name), "ip", "-o", "link", "show", "eth0")
        return re.search(r"link/ether (\S+)", text).group(1)

    def log_says(self, name, text):
        return text in self.log(name)

