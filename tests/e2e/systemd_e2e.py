"""The agent as a unit of a real systemd: services are units of their own and outlive everything."""
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import inventories
from harness import ROOT, SITE, Site, Skip, expect, main, wait_for
from scenes import PUBLISH, add_artifact, apply, http, service_of, set_up
from systemd_host import SystemdHost

NAME = "edge-1"
BEACON = inventories.BEACON + "resources:\n  memory_mb: 64\n"
ONCE = """command: [once]
user: daemon
autostart: true
restart_policy: never
startup: {stable_s: 1, timeout_s: 30}
"""
SCRIPT = "#!/bin/sh\necho once speaks\nexec sleep 86400\n"


def prepare(build, folder):
    """A site whose only server has no agent yet, and what its origin serves."""
    script = folder / "once"
    script.write_text(SCRIPT)
    services = {"edge-beacon": ("binary", "1.0.0", BEACON), "once": ("script", "1.0.0", ONCE)}
    files = {"edge-beacon-1.0.0": f"{build}/bin/edge-beacon", "once-1.0.0": script}
    return set_up(build, services, files, nodes=1, agents=False)


def install(site, host):
    """What a package and an enrolment leave on a server."""
    root, address = host.root, site.address[NAME]
    shutil.copy(site.bin / "orchestrix-agent", root / "usr/bin/orchestrix-agent")
    shutil.copy(ROOT / "deploy/systemd/orchestrix-agent.service", root / "etc/systemd/system")
    folder = root / "etc/orchestrix"
    folder.mkdir()
    token = json.loads(site.cli("token", "create", SITE, "--server", NAME, "-o", "json"))["token"]
    (folder / "token").write_text(token)
    (folder / "agent.yml").write_text(
        f"coordinator: https://{site.centre}:8470\njoin_token_file: /etc/orchestrix/token\n"
        f"server: {NAME}\nmesh: {{listen: \"tcp://{address}:8472\"}}\n"
        f"swarm: {{listen: \"{address}:8473\"}}\nhttp: {{listen: \"{address}:8474\"}}\n"
        "service_manager: auto\n")


def state_of(site, service):
    return service_of(site.status(), NAME, service) or {}


def wait_joined(site):
    wait_for("the agent to join", 30, lambda: (site.status() or {"summary": {}})["summary"].get(
        "alive") == 1)


def wait_state(site, service, state):
    wait_for(f"{service} {state} in the status", 30,
             lambda: state_of(site, service).get("state") == state)


def pid_of(host, service):
    """The service's process as the container counts it; 0 when it does not run."""
    return int(host.show_unit(host.unit(service), "MainPID")[0])


def wait_agent(site, host):
    """The agent answers at its local socket (its own view: no coordinator needed)."""
    def answers():
        run = Path(f"/proc/{host.process_one()}/root/run/orchestrix/query.sock")
        text = site.cli("status", "--socket", run, "-o", "json", "--timeout", "3", code=None,
                        host=NAME)
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return None
    return wait_for("the agent's answer", 30, answers, 0.2)


def call(site, method, path, body=None):
    data = ["-d", json.dumps(body)] if body is not None else []
    token = (site.state / "admin.token").read_text().strip()
    done = subprocess.run([*site.net.enter("centre"), "curl", "-sk", "-m", "5", "-X", method,
                           "-H", f"Authorization: Bearer {token}",
                           "-H", "Content-Type: application/json", *data,
                           f"https://{site.centre}:8470/api/v1{path}"],
                          capture_output=True, text=True)
    return json.loads(done.stdout)


def order(site, action, service, argument=""):
    """A signed command; the text that the agent answers."""
    agents = call(site, "GET", "/agents")
    path = f"/agents/{next(each['server_id'] for each in agents)}/command"
    sent = call(site, "POST", path, {"action": action, "service": service, "argument": argument})
    expect("nonce" in sent, f"{action} {service}: {sent}")
    answer = wait_for(f"the answer to {action} {service}", 20, lambda: (
        lambda got: got if "text" in got else None)(call(site, "GET", f"{path}/{sent['nonce']}")))
    expect(answer["ok"], f"{action} {service}: {answer['text']}")
    return answer["text"]


def page(site):
    return http(site, NAME, f"http://{site.address[NAME]}:8080/")


# What is checked, in this order on one host --------------------------------------------------


def units_are_there(site, host):
    unit = host.unit("edge-beacon")
    expect(unit, "no unit file of edge-beacon")
    active, enabled, policy, memory, user_env = host.show_unit(
        unit, "ActiveState", "UnitFileState", "Restart", "MemoryMax", "Environment")
    expect((active, enabled, policy) == ("active", "enabled", "always"),
           f"edge-beacon is {active}, {enabled}, Restart={policy}")
    expect(memory == str(64 << 20), f"MemoryMax={memory}")
    expect("hunter2" not in user_env, "systemd shows the secret to everybody")
    said = [line for line in host.run("journalctl", "--no-pager", "_PID=1").splitlines()
            if "orchestrix" in line and ("nknown" in line or "gnoring" in line)]
    expect(not said, f"systemd does not take all of the units: {said}")
    pid = pid_of(host, "edge-beacon")
    limit = host.run("sh", "-c", f"""
        path=$(sed -n 's/^[0-9]*:memory://p' /proc/{pid}/cgroup)
        if [ -n "$path" ]; then cat /sys/fs/cgroup/memory$path/memory.limit_in_bytes
        else cat /sys/fs/cgroup$(sed -n 's/^0:://p' /proc/{pid}/cgroup)/memory.max; fi""").strip()
    expect(limit == str(64 << 20), f"the kernel's memory limit is {limit}")
    expect("BEACON_TOKEN=hunter2-hunter2" in host.run("cat", f"/proc/{pid}/environ").split("\0"),
           "its environment lacks BEACON_TOKEN")
    owner = host.run("stat", "-c", "%U", f"/proc/{pid_of(host, 'once')}").strip()
    expect(owner == "daemon", f"once runs as {owner}")
    conf = host.root / f"etc/edge-beacon/{NAME}.conf"
    expect("greeting = hello" in conf.read_text(), "its configuration file is not as deployed")
    secret = [*host.root.glob("var/lib/orchestrix/agent/deploy/units/*.env")]
    expect(len(secret) == 2 and all(each.stat().st_mode & 0o77 == 0 for each in secret),
           f"environment files: {secret}")
    expect("hello" in page(site), "edge-beacon does not answer")


def killed_by_policy(site, host):
    before = pid_of(host, "edge-beacon")
    started = time.monotonic()
    host.kill(before)
    wait_for("systemd to start it again", 15,
             lambda: pid_of(host, "edge-beacon") not in (0, before) and "hello" in page(site))
    print(f"FIGURE: killed service answers again after {time.monotonic() - started:.1f} s")
    wait_for("the restart in the status", 20,
             lambda: state_of(site, "edge-beacon").get("restarts") == 1)
    host.kill(pid_of(host, "once"))
    wait_state(site, "once", "stopped")
    expect(pid_of(host, "once") == 0, "policy never, and it was started again")
    order(site, "restart", "once")
    wait_state(site, "once", "running")


def commands_work(site, host):
    expect("once speaks" in order(site, "logs", "once"), "logs has not what it wrote")
    text = order(site, "logs", "edge-beacon", "200")
    expect("signal" in text or "killed" in text, f"logs does not tell of the kill: {text}")
    expect(len(order(site, "logs", "edge-beacon", "1").splitlines()) == 1, "logs 1 is not 1 line")
    order(site, "stop", "edge-beacon")
    active, enabled = host.show_unit(host.unit("edge-beacon"), "ActiveState", "UnitFileState")
    expect(active == "inactive", f"stopped, and systemd says {active}")
    expect(host.run("systemctl", "is-enabled", host.unit("edge-beacon"), code=None).strip() ==
           "disabled", "what is stopped would come back with the host")
    order(site, "start", "edge-beacon")
    wait_for("edge-beacon to answer", 20, lambda: "hello" in page(site))
    wait_state(site, "edge-beacon", "running")
    expect(host.run("systemctl", "is-enabled", host.unit("edge-beacon")).strip() == "enabled",
           "started, and not enabled")


def edits_are_seen(site, host):
    unit = host.root / "etc/systemd/system" / host.unit("edge-beacon")
    text = unit.read_text()
    unit.write_text(text.replace("Restart=always", "Restart=no"))
    wait_for("the edit in the status", 20, lambda: any(
        "unit file" in line for line in state_of(site, "edge-beacon").get("drift", [])))
    unit.write_text(text)
    wait_for("no drift", 20, lambda: not state_of(site, "edge-beacon").get("drift"))


def agent_restarts(site, host):
    before = [pid_of(host, name) for name in ("edge-beacon", "once")]
    host.run("systemctl", "restart", "orchestrix-agent")
    wait_agent(site, host)
    agent = int(host.show_unit("orchestrix-agent", "MainPID")[0])
    host.kill(agent)
    wait_for("systemd to start the agent again", 15, lambda: int(
        host.show_unit("orchestrix-agent", "MainPID")[0]) not in (0, agent))
    wait_agent(site, host)
    wait_state(site, "edge-beacon", "running")
    wait_state(site, "once", "running")
    expect([pid_of(host, name) for name in ("edge-beacon", "once")] == before,
           "services were restarted with the agent")


def host_restarts(site, host):
    """Coordinator away and the agent not started: systemd alone brings the services back."""
    site.stop("coordinator")
    host.run("systemctl", "disable", "orchestrix-agent")
    started = time.monotonic()
    host.reboot()
    expect(host.show_unit("orchestrix-agent", "ActiveState") == ["inactive"], "the agent runs")
    wait_for("edge-beacon after the restart", 20, lambda: "hello" in page(site))
    print(f"FIGURE: host restarted, service answers after {time.monotonic() - started:.1f} s")
    before = pid_of(host, "edge-beacon")
    host.run("systemctl", "enable", "--now", "orchestrix-agent")
    wait_for("the agent to know its services", 30, lambda: all(
        (service_of(wait_agent(site, host), NAME, each) or {}).get("state") == "running"
        for each in ("edge-beacon", "once")))
    expect(pid_of(host, "edge-beacon") == before, "the agent restarted what ran")
    site.start_coordinator()
    wait_for("the coordinator sees the site again", 40,
             lambda: state_of(site, "edge-beacon").get("state") == "running")


def change_manager(host, manager):
    path = host.root / "etc/orchestrix/agent.yml"
    lines = [line for line in path.read_text().splitlines() if "service_manager" not in line]
    path.write_text("\n".join([*lines, f"service_manager: {manager}", ""]))
    host.run("systemctl", "restart", "orchestrix-agent")


def beacons(host):
    return host.run("sh", "-c", "for p in /proc/[0-9]*; do "
                    "[ \"$(cat $p/comm 2>/dev/null)\" = edge-beacon ] && echo ${p#/proc/}; done; "
                    "true").split()


def manager_changes(site, host):
    """systemd's units go over to the built-in manager and back; nothing ever runs twice. And what
    the built-in manager runs outlives the agent's unit."""
    change_manager(host, "builtin")
    wait_for("the built-in manager to take over", 40,
             lambda: not host.unit("edge-beacon") and "hello" in page(site))
    before = beacons(host)
    expect(len(before) == 1, f"processes of edge-beacon: {before}")
    host.run("systemctl", "restart", "orchestrix-agent")
    wait_agent(site, host)
    expect("hello" in page(site) and beacons(host) == before, "it went down with the agent's unit")
    change_manager(host, "auto")
    wait_for("systemd to take over", 40, lambda: host.unit("edge-beacon") and
             pid_of(host, "edge-beacon") != 0 and "hello" in page(site))
    expect(len(beacons(host)) == 1, f"processes of edge-beacon: {beacons(host)}")
    wait_state(site, "edge-beacon", "running")


def removal_leaves_nothing(site, host):
    site.services = {"once": site.services["once"]}
    apply(site)
    site.cli(*PUBLISH)
    wait_for("edge-beacon to be gone", 30, lambda: not host.unit("edge-beacon"))
    left = [str(each) for pattern in ("etc/systemd/system/**/*edge-beacon*", "etc/edge-beacon/*",
                                      "var/lib/orchestrix/agent/deploy/**/*edge-beacon*",
                                      "var/lib/orchestrix/agent/services/edge-beacon*")
            for each in host.root.glob(pattern)]
    expect(not left, f"left behind: {left}")
    listed = host.run("systemctl", "list-units", "--all", "--no-legend", "orchestrix-*")
    expect("edge-beacon" not in listed, f"systemd still knows it: {listed}")
    expect("once" in listed, f"the other service is gone too: {listed}")
    expect(not beacons(host), "its process still runs")


def updates(site, host):
    """A version that cannot be run fails at once and the old one runs again; one that ignores
    SIGTERM is killed after its grace."""
    update(site, "1.0.1", "#!/no/such/program\n", code=4)
    failed = state_of(site, "once")
    expect(failed.get("state") == "failed" and "203" in failed.get("detail", ""),
           f"a program that is not there: {failed}")
    expect(failed["version"] == "1.0.0" and pid_of(host, "once") != 0, "1.0.0 does not run again")
    update(site, "1.0.2", "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n")
    started = time.monotonic()
    order(site, "stop", "once")
    took = time.monotonic() - started
    expect(9 <= took < 15 and pid_of(host, "once") == 0, f"its grace is 10 s, it took {took:.1f} s")


def update(site, version, script, code=0):
    path = site.dir / f"once-{version}"
    path.write_text(script)
    add_artifact(site, "once", "script", version, path)
    site.services["once"] = ("script", version, ONCE)
    apply(site)
    site.cli(*PUBLISH, code=code)


def purged(site, host):
    """Also a process whose unit file somebody has removed."""
    order(site, "start", "once")
    wait_state(site, "once", "running")
    host.run("systemctl", "stop", "orchestrix-agent")
    pid = pid_of(host, "once")
    expect(pid != 0, "its services end with the agent")
    (host.root / "etc/systemd/system" / host.unit("once")).unlink()
    host.run("orchestrix-agent", "purge")
    listed = host.run("systemctl", "list-unit-files", "--no-legend", "orchestrix-*").split("\n")
    expect(len(listed) == 2 and listed[0].startswith("orchestrix-agent.service"),
           f"left after purge: {listed}")
    links = list((host.root / "etc/systemd/system").glob("**/*once*"))
    expect(not links, f"left after purge: {links}")
    expect(not Path(f"/proc/{host.process_one()}/root/proc/{pid}").exists(),
           "its process still runs")


STEPS = (units_are_there, killed_by_policy, commands_work, edits_are_seen, agent_restarts,
         host_restarts, manager_changes, removal_leaves_nothing, updates, purged)


def on_systemd(build):
    """systemd: services are units that outlive the agent and come back with the host"""
    with tempfile.TemporaryDirectory(prefix="clarity-systemd-") as folder:
        with prepare(build, Path(folder)) as site, SystemdHost(site, build, NAME) as host:
            install(site, host)
            host.boot()
            host.run("systemctl", "enable", "--now", "orchestrix-agent")
            wait_joined(site)
            site.cli(*PUBLISH)
            for step in STEPS:
                started = time.monotonic()
                step(site, host)
                print(f"  {step.__name__}: {time.monotonic() - started:.1f} s", flush=True)


def without_systemd(build):
    """no systemd: `service_manager: auto` falls to the built-in manager"""
    if os.path.exists("/run/systemd/system"):
        raise Skip("this machine itself runs systemd")
    with tempfile.TemporaryDirectory(prefix="clarity-systemd-") as folder:
        with prepare(build, Path(folder)) as site:
            site.write_agent(NAME)
            conf = site.dir / NAME / "agent.yml"
            conf.write_text(conf.read_text().replace("service_manager: builtin",
                                                     "service_manager: auto"))
            site.start_agent(NAME)
            wait_joined(site)
            site.cli(*PUBLISH)
            expect("hello" in page(site), "edge-beacon does not answer")
            expect((site.dir / NAME / "state/deploy/supervise/edge-beacon/spec.json").exists(),
                   "the built-in manager does not run it")


def coordinator_unit(build):
    """systemd: the coordinator runs from its unit as a user of its own, and survives kill -9"""
    with Site(build, nodes=1) as site, SystemdHost(site, build, NAME) as host:
        address = site.address[NAME]
        shutil.copy(site.bin / "orchestrix", host.root / "usr/bin/orchestrix")
        shutil.copy(ROOT / "deploy/systemd/orchestrix.service", host.root / "etc/systemd/system")
        (host.root / "etc/orchestrix").mkdir()
        (host.root / "etc/orchestrix/coordinator.yml").write_text(
            f"rest:\n  listen: {address}:8470\n  public_url: https://{address}:8470\n"
            f"control:\n  listen: {address}:8471\n  advertise: tcp://{address}:8471\n")
        host.boot()
        host.run("systemctl", "enable", "--now", "orchestrix")
        url = f"https://{address}:8470"

        def healthy():
            return subprocess.run([*site.net.enter("centre"), "curl", "-skf", "-m", "2",
                                   f"{url}/healthz"], capture_output=True).returncode == 0
        wait_for("the coordinator's REST port", 20, healthy)
        token = site.dir / "token"
        token.write_text(host.run("cat", "/var/lib/orchestrix/coordinator/admin.token"))
        site.cli("login", url, "--token-file", token, "--yes")
        site.cli("root", "init", "--yes")
        pid = int(host.show_unit("orchestrix", "MainPID")[0])
        owner = host.run("stat", "-c", "%u", f"/proc/{pid}").strip()
        expect(owner != "0", "the coordinator runs as root")
        host.kill(pid)
        wait_for("systemd to start it again", 15, lambda: int(
            host.show_unit("orchestrix", "MainPID")[0]) not in (0, pid) and healthy())
        expect("version" in site.cli("root", "show"), "its root of trust is gone")
        host.reboot()
        wait_for("the coordinator after the host's restart", 20, healthy)
        site.cli("token", "list")


if __name__ == "__main__":
    main([without_systemd, on_systemd, coordinator_unit])
