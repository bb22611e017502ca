"""A plan published at the centre runs at a site of four, each artifact pulled once over 50 Mbit/s."""
import json
import re
import subprocess
import threading
import time

import inventories
import samples
from harness import SITE, Skip, expect, main, wait_for
from scenes import PUBLISH, apply, http, service_of, set_up

WAN_MBIT = 50


def wan_bound_s(size_bytes):
    return size_bytes * 8 / (WAN_MBIT * 1e6)


def probe(site):
    done = subprocess.run([str(site.bin / "orchestrix-agent"), "probe"], capture_output=True,
                          text=True)
    return done.stdout


def first_light(build):
    """first light: four agents, one pull, LXC and binary services, in the time the WAN takes"""
    image = samples.lxc_image(build)
    files = {"monitoring-stack-2.45.0": image,
             "edge-beacon-1.0.0": f"{build}/bin/edge-beacon"}
    services = {"monitoring-stack": ("lxc", "2.45.0", inventories.PROMETHEUS),
                "edge-beacon": ("binary", "1.0.0", inventories.BEACON)}
    with set_up(build, services, files) as site:
        text = probe(site)
        if "lxc: yes" not in text:
            raise Skip("LXC cannot start here: " + text.strip())
        total = sum((site.www / name).stat().st_size for name in files)
        before = site.origin_sent()
        started = time.monotonic()
        site.cli(*PUBLISH)
        took = time.monotonic() - started
        sent = site.origin_sent() - before
        bound = wan_bound_s(total)
        print(f"FIGURE: {total / 1e6:.0f} MB to 4 nodes behind {WAN_MBIT} Mbit/s: {took:.1f} s, "
              f"WAN alone {bound:.1f} s; WAN bytes {sent / total:.4f} x size")
        expect(sent <= 1.02 * total, f"{sent} bytes over the WAN for {total} of artifacts")
        # Publishing ends when the services have started, watched for a second; the download's own
        # end is what has the bound.
        done = max(downloaded_after(site, name, started) for name in site.names)
        print(f"FIGURE: last node had every byte, checked by SHA-256, after {done:.1f} s "
              f"(allowed {1.1 * bound + 2:.1f} s)")
        expect(done <= 1.1 * bound + 2, f"the last node finished after {done:.1f} s")
        for name, address in site.address.items():
            expect("hello" in http(site, name, f"http://{address}:8080/"), f"no beacon on {name}")
            expect("Ready" in http(site, name, f"http://{address}:9090/-/ready"),
                   f"Prometheus is not ready on {name}")
        wait_for("Prometheus to scrape all four agents", 20, lambda: targets_up(site) == 4)
        no_secret_anywhere(site)
        nothing_to_download(site)
        coordinator_away(site)
        agent_killed(site)


def targets_up(site):
    text = http(site, "edge-1", f"http://{site.address['edge-1']}:9090/api/v1/targets")
    return sum(each["health"] == "up" for each in json.loads(text)["data"]["activeTargets"])


def downloaded_after(site, name, started):
    """Seconds from `started` to the log line that says the last artifact is here and checked."""
    lines = [line for line in site.log(name).splitlines() if " is here: " in line]
    expect(lines, f"{name} never said that an artifact is here")
    stamp = re.match(r"(\d+-\d+-\d+T\d+:\d+:\d+\.\d+)Z", lines[-1]).group(1)
    from datetime import datetime, timezone
    at = datetime.fromisoformat(stamp).replace(tzinfo=timezone.utc).timestamp()
    return at - (time.time() - (time.monotonic() - started))


def no_secret_anywhere(site):
    for path in site.dir.glob("*.log"):
        expect("hunter2" not in path.read_text(errors="replace"), f"the secret is in {path.name}")
    for arguments in (["status", SITE, "-o", "json"], ["deployments", "list", "-o", "json"]):
        expect("hunter2" not in site.cli(*arguments), f"the secret is in clarity {arguments[0]}")


def nothing_to_download(site):
    """A new configuration: all four report within 2 s."""
    apply(site, "greeting: hello again\n")
    site.cli("plan", SITE, "-e", "prod", code=3)
    seq = site.status()["plan"]["seq"]
    started = time.monotonic()
    site.cli(*PUBLISH, "--detach")
    wait_for("all four report the new plan", 10, lambda: all(
        each["plan_seq"] > seq for each in (site.status() or {"servers": [{"plan_seq": 0}]})["servers"]))
    took = time.monotonic() - started
    print(f"FIGURE: publish to all four agents' reports: {took:.2f} s (allowed 2 s)")
    expect(took <= 2, f"{took:.2f} s from publish to the last report")
    wait_for("the new greeting everywhere", 30, lambda: all(
        "hello again" in http(site, name, f"http://{address}:8080/")
        for name, address in site.address.items()))
    wait_for("the plan settled", 30, lambda: site.settled(seq + 1))
    site.cli("plan", SITE, "-e", "prod", code=0)


def facts_of(status):
    """What must be the same whoever answers: everything but ages, witnesses and who answered."""
    return {"plan": {k: v for k, v in status["plan"].items() if k != "freshness_s"},
            "servers": [{k: v for k, v in each.items() if k not in ("age_s", "witness")}
                        for each in status["servers"]],
            "artifacts": status["artifacts"], "summary": status["summary"]}


def coordinator_away(site):
    """Coordinator stopped: every agent gives the same answer, with ages and witnesses."""
    site.stop("coordinator")
    def same():
        answers = [site.status(name) for name in site.names]
        return all(answers) and all(facts_of(each) == facts_of(answers[0]) for each in answers[1:])
    wait_for("the same answer from every agent", 15, same)
    for name in site.names:
        status = site.status(name)
        expect(status["answered_by"] == name, f"{name} answers as {status['answered_by']}")
        for each in status["servers"]:
            expect(each["state"] == "alive" and each["witness"] and each["age_s"] is not None,
                   f"{name} says of {each['server']}: {each['state']}, {each['witness']}")


def agent_killed(site):
    """kill -9 and start again: back in the mesh, services untouched, nothing pulled again."""
    import signal
    address = site.address["edge-2"]
    since = service_of(site.status("edge-2"), "edge-2", "edge-beacon")["restarts"]
    before = site.origin_sent()
    site.stop("edge-2", signal.SIGKILL)
    expect("hello" in http(site, "edge-2", f"http://{address}:8080/"), "the beacon died with it")
    expect("Ready" in http(site, "edge-2", f"http://{address}:9090/-/ready"), "so did Prometheus")
    wait_for("the others see edge-2 dead", 20, lambda: any(
        each["server"] == "edge-2" and each["state"] == "dead"
        for each in site.status("edge-1")["servers"]))
    site.start_agent("edge-2")
    wait_for("edge-2 is back", 30, site.all_alive)
    wait_for("edge-2 has its services again", 30, lambda: all(
        (service_of(site.status("edge-1"), "edge-2", name) or {}).get("state") == "running"
        for name in ("edge-beacon", "monitoring-stack")))
    after = service_of(site.status("edge-2"), "edge-2", "edge-beacon")["restarts"]
    expect(after == since, f"the beacon was restarted ({since} → {after})")
    pulled = site.origin_sent() - before
    expect(pulled < 100000, f"{pulled} bytes were pulled again")


if __name__ == "__main__":
    main([first_light])
