"""What a site does by itself, and what operators undo: restart with the centre away, a revoked
member, rollback by hand and by itself, a service of a Docker engine."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import inventories
import samples
from harness import SITE, Skip, expect, main, wait_for
from scenes import PUBLISH, add_artifact, apply, http, server_of, service_of, set_up

# Ends at once, as a program does that lacks its configuration.
BROKEN = "#!/bin/sh\necho 'broken: no configuration' >&2\nexit 3\n"
DOCKER = """env_vars:
  LISTEN: ${CONFIG:server.management_ip}
  PORT: "8088"
network: host
autostart: true
restart_policy: unless-stopped
startup: {stable_s: 1, timeout_s: 60, tcp_port: 8088, address: "${CONFIG:server.management_ip}"}
"""


def site_with_beacon(build, **options):
    """A site of four that runs the beacon."""
    site = set_up(build, {"edge-beacon": ("binary", "1.0.0", inventories.BEACON)},
                  {"edge-beacon-1.0.0": f"{build}/bin/edge-beacon"}, **options)
    site.cli(*PUBLISH)
    return site


def greets(site, text, names=None):
    return all(text in http(site, name, f"http://{site.address[name]}:8080/")
               for name in names or site.names)


def beacon_runs(site, name, state="running", answered_by=None):
    service = service_of(site.status(answered_by or name), name, "edge-beacon")
    return service is not None and service["state"] == state


def next_version(site, build, version, program=None):
    """Edge-beacon of another version: the same program with other bytes at its end."""
    path = site.dir / f"edge-beacon-{version}"
    path.write_bytes(program or Path(f"{build}/bin/edge-beacon").read_bytes() + version.encode())
    add_artifact(site, "edge-beacon", "binary", version, path)
    site.services["edge-beacon"] = ("binary", version, inventories.BEACON)


def cut_power(site, name):
    """kill -9 of every process of that host: agent, supervisors and services alike."""
    for pid in site.net.processes(name):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    site.stop(name, signal.SIGKILL)
    wait_for(f"{name} without processes", 10, lambda: not site.net.processes(name))


def restart_without_centre(build):
    """whole site without power, coordinator away: comes back from disk, services run, answers"""
    with site_with_beacon(build) as site:
        wait_for("the plan settled", 30, lambda: site.settled(1))
        plan = site.status("edge-1")["plan"]
        site.stop("coordinator")
        pulled = site.origin_sent()
        for name in site.names:
            cut_power(site, name)
        expect(not any(greets(site, "hello", [name]) for name in site.names), "still answering")
        started = time.monotonic()
        for name in site.names:
            site.start_agent(name)
        wait_for("the services of all four answer", 60, lambda: greets(site, "hello"))
        services = time.monotonic() - started
        wait_for("all alive in each other's eyes", 60, site.all_alive)
        wait_for("every beacon running in everybody's status", 30, lambda: all(
            beacon_runs(site, name, answered_by=other)
            for name in site.names for other in site.names))
        whole = time.monotonic() - started
        for name in site.names:
            status = site.status(name)
            expect(status["plan"]["seq"] == plan["seq"]
                   and status["plan"]["digest"] == plan["digest"], f"{name}: {status['plan']}")
            expect(status["answered_by"] == name, f"{name} answers as {status['answered_by']}")
        again = site.origin_sent() - pulled
        print(f"FIGURE: four servers without power and coordinator: services answer after "
              f"{services:.1f} s, whole status everywhere after {whole:.1f} s, "
              f"{again} bytes from the origin")
        expect(again < 20000, f"{again} bytes were pulled again")
        site.start_coordinator()
        wait_for("the coordinator hears all four", 60, lambda: all(
            each["state"] == "alive" for each in (site.status() or {"servers": [{"state": ""}]})
            ["servers"]) and site.settled(plan["seq"]))


def api(site, method, path):
    """(HTTP status, body) of a request with the admin's token."""
    token = (site.state / "admin.token").read_text().strip()
    done = subprocess.run(
        [*site.net.enter("centre"), "curl", "-sk", "-m", "10", "-X", method, "-H",
         f"Authorization: Bearer {token}", "-w", "\n%{http_code}",
         f"https://{site.centre}:8470/api/v1/{path}"], capture_output=True, text=True)
    body, _, code = done.stdout.rpartition("\n")
    return int(code), body


def member_revoked(build):
    """a revoked member is cut off: gone from the others' site, they say so, no plan reaches it"""
    with site_with_beacon(build) as site:
        gone, stay = "edge-4", ["edge-1", "edge-2", "edge-3"]
        wait_for("the plan settled", 30, lambda: site.settled(1))
        seq = site.status("edge-1")["plan"]["seq"]
        identity = server_of(site.status("edge-1"), gone)["server_id"]
        started = time.monotonic()
        code, body = api(site, "DELETE", f"agents/{identity}")
        expect(code == 200, f"DELETE answered {code}: {body}")
        wait_for("the others without it", 20, lambda: all(
            (status := site.status(name)) and server_of(status, gone) is None for name in stay))
        took = time.monotonic() - started
        wait_for("the others say so in their logs", 10, lambda: all(
            f"{gone} was revoked" in site.log(name) for name in stay))
        wait_for("it sees nobody alive", 40, lambda: all(
            each["server"] == gone or each["state"] != "alive"
            for each in site.status(gone)["servers"]))
        apply(site, "greeting: without the fourth\n")
        site.cli(*PUBLISH)
        wait_for("the new greeting at the three", 30,
                 lambda: greets(site, "without the fourth", stay))
        expect(greets(site, "hello", [gone]), "its service did not stay")
        expect(site.status(gone)["plan"]["seq"] == seq, "a plan reached the revoked server")
        site.stop(gone)
        site.start_agent(gone)
        wait_for("the revoked one answers again", 20, lambda: site.status(gone))
        publish_again = site.status("edge-1")["plan"]["seq"]
        wait_for("the three alive", 20, lambda: all(
            each["state"] == "alive" for each in site.status("edge-1")["servers"]))
        expect(server_of(site.status("edge-1"), gone) is None, "a restart let it back in")
        expect(site.status(gone)["plan"]["seq"] == seq < publish_again, "a plan reached it later")
        print(f"FIGURE: revoked: gone from the others' status after {took:.1f} s; it stays at plan "
              f"{seq} while they run {publish_again}; its service stays")


def rollback_by_hand(build):
    """clarity rollback brings the version and the configuration before, and pulls nothing"""
    with site_with_beacon(build) as site:
        next_version(site, build, "1.1.0")
        apply(site, "greeting: second\n")
        site.cli(*PUBLISH)
        expect(greets(site, "second"), "the second version does not greet")
        expect(versions(site) == {"1.1.0"}, f"versions {versions(site)}")
        seq = site.status()["plan"]["seq"]
        pulled = site.origin_sent()
        started = time.monotonic()
        site.cli("rollback", "--site", SITE, "--yes", "--timeout", "120s")
        took = time.monotonic() - started
        expect(versions(site) == {"1.0.0"}, f"versions {versions(site)} after the rollback")
        expect(greets(site, "hello"), "the first version's configuration is not back")
        status = site.status("edge-1")
        expect(status["plan"]["seq"] == seq + 1, f"plan {status['plan']['seq']} after {seq}")
        again = site.origin_sent() - pulled
        print(f"FIGURE: rollback at four servers in {took:.1f} s, {again} bytes from the origin")
        expect(again < 20000, f"{again} bytes were pulled for a rollback")


def versions(site):
    status = site.status("edge-1")
    return {service_of(status, name, "edge-beacon")["version"] for name in site.names}


def failed_deployment(build):
    """a program that ends at once: exit code 4, and the last good version runs"""
    with site_with_beacon(build) as site:
        next_version(site, build, "2.0.0", BROKEN.encode())
        kind, version, text = site.services["edge-beacon"]
        site.services["edge-beacon"] = (kind, version, text.replace("timeout_s: 30",
                                                                    "timeout_s: 8"))
        apply(site)
        started = time.monotonic()
        site.cli(*PUBLISH, code=4)
        took = time.monotonic() - started
        expect("failed and was rolled back" in site.last.stderr, f"it says: {site.last.stderr}")
        wait_for("the last good version greets", 20, lambda: greets(site, "hello"))
        expect(versions(site) == {"1.0.0"}, f"versions {versions(site)}")
        status = site.status("edge-1")
        for name in site.names:
            service = service_of(status, name, "edge-beacon")
            expect("2.0.0" in service["detail"], f"{name} does not say why: {service['detail']!r}")
        print(f"FIGURE: broken version at four servers: exit code 4 after {took:.1f} s, "
              f"the last good one runs; it says: {service['detail']}")
        next_version(site, build, "2.0.1")
        apply(site)
        site.cli(*PUBLISH)
        expect(versions(site) == {"2.0.1"}, f"versions {versions(site)} after the repaired one")


def start_docker(site, name):
    """A Docker engine of that host's own, all of it in its folder; Skip where none starts."""
    if not shutil.which("dockerd"):
        raise Skip("no dockerd on this machine")
    home = site.dir / name
    home.mkdir()
    (home / "docker.json").write_text("{}")  # nothing of the machine's own engine
    site.spawn("dockerd", name, "dockerd", "--bridge=none", "--iptables=false",
               "--ip6tables=false", "--storage-driver=vfs", "--data-root", home / "docker-data",
               "--exec-root", home / "docker-run", "--pidfile", home / "docker.pid",
               "--config-file", home / "docker.json", "-H", f"unix://{home}/docker.sock")
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        if site.processes["dockerd"].poll() is not None:
            raise Skip("dockerd does not start here: " + site.log("dockerd").strip()[-300:])
        done = subprocess.run(["curl", "-s", "-m", "2", "--unix-socket", home / "docker.sock",
                               "http://localhost/_ping"], capture_output=True, text=True)
        if done.stdout == "OK":
            return
    raise Skip("dockerd answers nobody: " + site.log("dockerd").strip()[-300:])


@contextlib.contextmanager
def docker_leftovers_removed(folder):
    """An engine that has ended leaves the network namespace of `host` mounted in its folder."""
    try:
        yield
    finally:
        for line in Path("/proc/mounts").read_text().splitlines():
            if line.split()[1].startswith(f"{folder}/"):
                subprocess.run(["umount", line.split()[1]], check=False)
        shutil.rmtree(folder, ignore_errors=True)
        expect(not folder.exists(), f"{folder} cannot be removed")


def docker_service(build):
    """a Docker service at the one server that has an engine: loaded, started, healed, removed"""
    image = samples.docker_image(build)
    services = {"hello-docker": ("docker", "1.0.0", DOCKER, ["edge-1"])}
    ready = set_up(build, services, {"hello-docker-1.0.0": image}, agents=False, nodes=2)
    with docker_leftovers_removed(ready.dir), ready as site:
        start_docker(site, "edge-1")
        site.start_agents()
        started = time.monotonic()
        site.cli(*PUBLISH)
        took = time.monotonic() - started
        url = f"http://{site.address['edge-1']}:8088/"
        expect("hello from Docker" in http(site, "edge-1", url), "the container does not answer")
        expect("hello from Docker" in http(site, "edge-2", url), "not from the next host either")
        expect(service_of(site.status("edge-2"), "edge-2", "hello-docker") is None,
               "it runs where it was not wanted")
        expect(service_of(site.status("edge-2"), "edge-1", "hello-docker")["state"] == "running",
               "the status does not say that it runs")
        first = engine(site, "GET", "containers/json")[0]["Id"]
        killed = time.monotonic()
        engine(site, "DELETE", f"containers/{first}?force=1")
        wait_for("the removed container is made anew", 40,
                 lambda: "hello from Docker" in http(site, "edge-1", url))
        healed = time.monotonic() - killed
        second = engine(site, "GET", "containers/json")[0]["Id"]
        expect(second != first, "the same container still runs")
        site.stop("edge-1", signal.SIGKILL)
        expect("hello from Docker" in http(site, "edge-2", url), "it ended with the agent")
        site.start_agent("edge-1")
        wait_for("edge-1 is back", 30, site.all_alive)
        wait_for("the container is adopted", 30, lambda: (service_of(
            site.status("edge-2"), "edge-1", "hello-docker") or {}).get("state") == "running")
        expect(engine(site, "GET", "containers/json")[0]["Id"] == second, "it was started anew")
        print(f"FIGURE: Docker service published in {took:.1f} s; a removed container is back "
              f"after {healed:.1f} s; the agent's kill does not touch it")


def engine(site, method, path):
    done = subprocess.run(["curl", "-s", "-m", "10", "-X", method, "--unix-socket",
                           site.dir / "edge-1" / "docker.sock", f"http://localhost/{path}"],
                          capture_output=True, text=True)
    return json.loads(done.stdout) if done.stdout.strip() else None


if __name__ == "__main__":
    main([restart_without_centre, member_revoked, rollback_by_hand, failed_deployment,
          docker_service])
