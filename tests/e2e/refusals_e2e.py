"""Documents that must be refused: each is in the agent's log and in every node's status, and what
runs goes on as if nothing had come."""
import base64
import json
import signal
import subprocess

import inventories
import local_socket
from harness import SITE, expect, main, wait_for
from scenes import PUBLISH, apply, http, server_of, set_up


def site_with_beacon(build):
    site = set_up(build, {"edge-beacon": ("binary", "1.0.0", inventories.BEACON)},
                  {"edge-beacon-1.0.0": f"{build}/bin/edge-beacon"})
    site.cli(*PUBLISH)
    return site


def forge(site, name, *arguments):
    """The path of the forged document, and its digest."""
    path = site.dir / f"{name}.envelope"
    verb, *rest = arguments
    order = (verb, *rest, path) if verb == "mutate" else (verb, path, *rest)
    done = subprocess.run([site.bin / "forge", *map(str, order)], capture_output=True, text=True)
    expect(done.returncode == 0, f"forge {arguments}: {done.stderr}")
    return path, done.stdout.strip()


def deliver(site, name, path):
    return local_socket.ask(site.dir / name / "run" / "query.sock", "deliver", path)


def running_state(site, name):
    """What a refusal must leave as it is."""
    status = site.status(name)
    return {"plan": (status["plan"]["seq"], status["plan"]["digest"]),
            "services": {each["server"]: [(s["artifact"], s["version"], s["state"], s["since"],
                                           s["restarts"]) for s in each["services"]]
                         for each in status["servers"]}}


def must_refuse(site, target, watcher, what, path, digest, code, words):
    """Hands the document to `target`; its log and the status of `watcher` must say so."""
    before = running_state(site, watcher)
    answer = deliver(site, target, path)
    expect("error" in answer, f"{what}: accepted: {answer}")
    expect(answer["error"]["code"] == code, f"{what}: {answer['error']}, not {code}")
    expect(words in answer["error"]["message"], f"{what}: {answer['error']['message']!r} does not "
           f"say {words!r}")
    lines = [line for line in site.log(target).splitlines()
             if " warning " in line and "refused a" in line and digest[:12] in line]
    expect(len(lines) == 1, f"{what}: {len(lines)} log lines of {target}")
    expect(words in lines[0], f"{what}: the log says {lines[0]!r}")

    def shown():
        return [each for each in server_of(site.status(watcher), target)["refusals"]
                if each["digest"] == digest]
    refusal = wait_for(f"{what}: the refusal in the status of {watcher}", 10, shown)[0]
    expect(refusal["code"] == code and words in refusal["message"], f"{what}: {refusal}")
    table = site.cli("status", "--socket", site.dir / watcher / "run" / "query.sock", host=watcher)
    expect(f"{target} refused" in table and words in table, f"{what}: not in the table:\n{table}")
    after = running_state(site, watcher)
    expect(after == before, f"{what}: changed {before} to {after}")
    deliver(site, target, path)
    expect(site.log(target).count(digest[:12]) == 1, f"{what}: said again and again")
    return 1


def refusals(build):
    """bad plans are refused: key, role, type, site, seq, equivocation; what runs is untouched"""
    with site_with_beacon(build) as site:
        first = site.status()["plan"]["seq"]
        old_plan, _ = current_plan(site)
        republish(site, "greeting: second\n")
        seq = site.status()["plan"]["seq"]
        expect(seq > first, f"plan {seq} after {first}")
        coordinator_key = site.state / "keys" / "coordinator.key"
        publisher_key = site.dir / "cli" / "keys" / "publisher.key"
        target, watcher = "edge-2", "edge-3"
        signed = ("--key", coordinator_key)
        plan = ("plan", "--site", SITE, "--seq")
        told = 0
        for what, made, code, words in (
            ("unknown key", forge(site, "unknown", *plan, seq + 1), "bad_signature",
             "0 valid signature"),
            ("key of another role", forge(site, "role", *plan, seq + 1, "--key", publisher_key),
             "bad_signature", "0 valid signature"),
            ("payload changed after signing", forge(site, "changed", "mutate", old_plan),
             "bad_signature", "0 valid signature"),
            ("plan that calls itself a roster",
             forge(site, "roster", *plan, seq + 1, *signed, "--type", "roster"), "invalid", ""),
            ("type of no role", forge(site, "type", *plan, seq + 1, *signed, "--type",
                                      "application/vnd.clarity.wish.v1+msgpack"),
             "bad_signature", "no role may sign"),
            ("another site", forge(site, "site", "plan", "--site", "acme/dc-2", "--seq", seq + 1,
                                   *signed), "bad_signature", "acme/dc-2"),
            ("old seq", forge(site, "old", *plan, seq - 1, *signed), "conflict", "old plan"),
            ("equal seq, other bytes", forge(site, "same", *plan, seq, *signed), "conflict",
             "equivocation"),
        ):
            path, digest = made
            told += must_refuse(site, target, watcher, what, path, digest, code, words)
        site.stop(target, signal.SIGKILL)
        site.start_agent(target)
        wait_for(f"{target} is back", 30, site.all_alive)
        expect(site.status(target)["plan"]["seq"] == seq, "a refused plan came up after a restart")
        for name, address in site.address.items():
            expect("second" in http(site, name, f"http://{address}:8080/"), f"{name}: other text")
        print(f"FIGURE: {told} bad documents refused at {target}: each once in its log, in the "
              f"status of {watcher}; plan {seq} and its services untouched")


def old_plan_replayed(build):
    """an old plan, rightly signed then, is refused now; by the mesh as well, nobody asks for it"""
    with site_with_beacon(build) as site:
        path, digest = current_plan(site)
        republish(site, "greeting: second\n")
        must_refuse(site, "edge-1", "edge-4", "replayed plan", path, digest, "conflict", "old plan")
        expect(all("refused a" not in site.log(name) for name in site.names[1:]),
               "the refused plan was passed on")
        print("FIGURE: the replayed plan was refused by one node and passed on to none")


def current_plan(site):
    """The file of the signed plan in force, as the coordinator made it, and its digest."""
    deployments = json.loads(site.cli("deployments", "list", "-o", "json"))
    newest = max(deployments, key=lambda each: each["seq"])
    token = (site.state / "admin.token").read_text().strip()
    done = subprocess.run(
        [*site.net.enter("centre"), "curl", "-sk", "-H", f"Authorization: Bearer {token}",
         f"https://{site.centre}:8470/api/v1/deployments/{newest['id']}/envelope"],
        capture_output=True, text=True)
    path = site.dir / f"plan-{newest['seq']}.envelope"
    path.write_bytes(base64.b64decode(json.loads(done.stdout)["envelope"]))
    return path, site.status()["plan"]["digest"]


def republish(site, config):
    apply(site, config)
    site.cli(*PUBLISH)


if __name__ == "__main__":
    main([refusals, old_plan_replayed])
