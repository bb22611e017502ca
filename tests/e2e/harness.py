"""A whole installation for a test: origin (nginx), coordinator, agents, and the command line.

Real programs from the build folder, each host in its own network namespace (network.py). All
state is in one temporary folder. `with Site(...) as site:` stops and removes everything.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent),
                str(Path(__file__).resolve().parents[1] / "support")]
from network import Network, can_make_namespaces  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CLIENT, DATACENTER = "acme", "dc-1"
SITE = f"{CLIENT}/{DATACENTER}"


class Failure(Exception):
    """A test's expectation that did not hold."""


def expect(condition, message):
    if not condition:
        raise Failure(message)


def wait_for(what, seconds, condition, poll_s=0.05):
    """The condition's first true value; Failure naming `what` after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(poll_s)


class Site:
    def __init__(self, build, nodes=4, wan_mbit=50, env=None, network=None, lan_mbit=None):
        self.bin = (ROOT / build / "bin").resolve()
        self.dir = Path(tempfile.mkdtemp(prefix="clarity-e2e-"))
        self.processes = {}
        self.env = {**os.environ, "CLARITY_CONFIG_DIR": str(self.dir / "cli"), "NO_COLOR": "1",
                    **(env or {})}
        self.net = network or Network()
        self.names = [f"edge-{i}" for i in range(1, nodes + 1)]
        self.centre = self.net.add("centre", 2)
        self.origin = self.net.add("origin", 3, wan_mbit)
        lan = () if lan_mbit is None else (lan_mbit,)
        self.address = {name: self.net.add(name, 10 + i, *lan)
                        for i, name in enumerate(self.names, 1)}
        self.www = self.dir / "www"
        self.inventory = self.dir / "inventory"
        self.www.mkdir()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is not None and not isinstance(error, Skip):
            self.show_logs()
        for name in self.names:
            if (self.dir / name / "agent.yml").exists():
                self.stop(name)
                self.purge(name)
        for name in list(self.processes):
            self.stop(name)
        self.net.down()
        shutil.rmtree(self.dir, ignore_errors=True)

    # Processes -----------------------------------------------------------------------------

    def spawn(self, name, host, *command):
        log = open(self.dir / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(
            [*self.net.enter(host), *map(str, command)], stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, env=self.env, start_new_session=True)

    def stop(self, name, sig=signal.SIGTERM):
        process = self.processes.pop(name, None)
        if process is None:
            return
        process.send_signal(sig)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log(self, name):
        return (self.dir / f"{name}.log").read_text(errors="replace")

    def show_logs(self):
        for path in sorted(self.dir.glob("*.log")):
            print(f"---- {path.name}")
            print("\n".join(path.read_text(errors="replace").splitlines()[-40:]))

    # Origin --------------------------------------------------------------------------------

    def start_origin(self):
        conf = self.dir / "nginx.conf"
        conf.write_text(f"""daemon off; worker_processes 1; pid {self.dir}/nginx.pid;
error_log {self.dir}/nginx-error.log; events {{ worker_connections 256; }}
http {{ access_log {self.dir}/nginx-access.log; sendfile on;
  client_body_temp_path {self.dir}/nginx-tmp; proxy_temp_path {self.dir}/nginx-tmp;
  fastcgi_temp_path {self.dir}/nginx-tmp; uwsgi_temp_path {self.dir}/nginx-tmp;
  scgi_temp_path {self.dir}/nginx-tmp;
  server {{ listen {self.origin}:80; root {self.www}; }} }}
""")
        os.chmod(self.dir, 0o755)
        self.spawn("nginx", "origin", "nginx", "-c", conf, "-p", self.dir)

    def origin_sent(self):
        return self.net.sent_bytes("origin")

    # Coordinator and command line ----------------------------------------------------------

    def start_coordinator(self):
        conf = self.dir / "coordinator.yml"
        state = self.dir / "coordinator"
        conf.write_text(f"""state_dir: {state}
rest:
  listen: {self.centre}:8470
  public_url: https://{self.centre}:8470
control:
  listen: {self.centre}:8471
  advertise: tcp://{self.centre}:8471
""")
        self.spawn("coordinator", "centre", self.bin / "orchestrix", "--config", conf)
        wait_for("the coordinator's admin token", 20, (state / "admin.token").exists)
        wait_for("the coordinator's REST port", 20,
                 lambda: subprocess.run([*self.net.enter("centre"), "curl", "-sk", "-m", "2",
                                         f"https://{self.centre}:8470/healthz"],
                                        capture_output=True).returncode == 0)
        return state

    def cli(self, *arguments, code=0, host="centre", timeout_s=120, stdin=None):
        """Runs `clarity`; returns what it wrote on stdout. `code` None accepts any exit code."""
        done = subprocess.run([*self.net.enter(host), str(self.bin / "clarity"),
                               *map(str, arguments)], capture_output=True, text=True, env=self.env,
                              timeout=timeout_s, input=stdin if stdin is not None else "")
        self.last = done
        if code is not None:
            expect(done.returncode == code,
                   f"clarity {' '.join(map(str, arguments))} ended with {done.returncode}, "
                   f"not {code}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def log_in(self, state):
        self.cli("login", f"https://{self.centre}:8470", "--token-file", state / "admin.token",
                 "--yes")
        self.cli("root", "init", "--yes")

    # Agents --------------------------------------------------------------------------------

    def write_agent(self, name, extra=""):
        token = json.loads(self.cli("token", "create", SITE, "--server", name,
                                    "-o", "json"))["token"]
        home = self.dir / name
        home.mkdir(exist_ok=True)
        (home / "token").write_text(token)
        address = self.address[name]
        (home / "agent.yml").write_text(f"""state_dir: {home}/state
run_dir: {home}/run
coordinator: https://{self.centre}:8470
join_token_file: {home}/token
server: {name}
mesh:
  listen: tcp://{address}:8472
  advertise: tcp://{address}:8472
swarm:
  listen: {address}:8473
  advertise: {address}:8473
http:
  listen: {address}:8474
service_manager: builtin
docker_socket: {home}/docker.sock
{extra}""")

    def start_agent(self, name):
        self.spawn(name, name, self.bin / "orchestrix-agent", "--config",
                   self.dir / name / "agent.yml")

    def purge(self, name):
        """Stops and removes every service of a stopped agent."""
        subprocess.run([*self.net.enter(name), str(self.bin / "orchestrix-agent"), "purge",
                        "--config", str(self.dir / name / "agent.yml")],
                       capture_output=True, timeout=120, env=self.env)

    def start_agents(self):
        for name in self.names:
            self.write_agent(name)
            self.start_agent(name)
        wait_for("all agents alive in each other's eyes", 30, self.all_alive)

    def status(self, name=None):
        """Status JSON by the agent's local socket, or from the coordinator; None if no answer."""
        if name is None:
            arguments = ["status", SITE, "-o", "json"]
        else:
            arguments = ["status", "--socket", self.dir / name / "run" / "query.sock", "-o", "json"]
        text = self.cli(*arguments, "--timeout", "5", code=None, host=name or "centre")
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            print(f"NOTE: no status from {name or 'the coordinator'}: {self.last.stderr.strip()}")
            return None

    def all_alive(self, names=None):
        for name in names or self.names:
            status = self.status(name)
            if status is None or status["summary"]["alive"] != len(self.names):
                return False
        return True

    def settled(self, seq, names=None):
        """Every server (of `names`) has brought plan `seq` to its end, as the first one sees it."""
        names = names or self.names
        status = self.status(names[0])
        if status is None:
            return False
        servers = {each["server"]: each for each in status["servers"]}
        return all(servers[name]["plan_seq"] >= seq and servers[name]["settled"] for name in names)


class Skip(Exception):
    """This machine cannot run the test; the reason."""


def main(cases):
    """Runs the cases (functions of the build folder), prints PASS, FAIL and SKIP lines."""
    build = sys.argv[sys.argv.index("--build") + 1] if "--build" in sys.argv else "build/dev"
    only = os.environ.get("CLARITY_CASE", "")
    reason = can_make_namespaces()
    failed = False
    for case in cases:
        name = case.__doc__.strip().split("\n")[0]
        if only not in case.__name__:
            continue
        if reason:
            print(f"SKIP: {name}: {reason}", flush=True)
            continue
        try:
            case(build)
            print(f"PASS: {name}", flush=True)
        except Skip as skip:
            print(f"SKIP: {name}: {skip}", flush=True)
        except Exception as error:
            failed = True
            if not isinstance(error, Failure):
                traceback.print_exc()
            print(f"FAIL: {name}: {error}", flush=True)
    sys.exit(1 if failed else 0)
