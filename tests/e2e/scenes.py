"""What several end-to-end programs do alike: a site that is ready, publishing, looking at it."""
import shutil
import subprocess

import inventories
from harness import CLIENT, SITE, Failure, Site

PUBLISH = ("publish", SITE, "-e", "prod", "--yes", "--timeout", "240s")
SLEEP = """command: [/bin/sleep, "86400"]
autostart: true
restart_policy: always
startup: {stable_s: 1, timeout_s: 30}
"""


def set_up(build, services, files, agents=True, **options):
    """A site with everything running and nothing published yet. `services`: as inventories.write
    has them; `files`: what the origin serves, by its name there; `agents`: start them too."""
    site = Site(build, **options)
    try:
        site.start_origin()
        state = site.start_coordinator()
        site.log_in(state)
        site.state = state
        site.services = services
        for name, path in files.items():
            shutil.copy(path, site.www / name)
        apply(site)
        site.cli("secret", "set", "--client", CLIENT, "beacon_token", "--stdin",
                 stdin="hunter2-hunter2")
        for name, (kind, version, *_) in services.items():
            add_artifact(site, name, kind, version, files[f"{name}-{version}"])
        if agents:
            site.start_agents()
        return site
    except BaseException:
        site.__exit__(Failure, Failure("set-up"), None)
        raise


def add_artifact(site, name, kind, version, path):
    """Puts the file at the origin and registers its signed manifest."""
    served = site.www / f"{name}-{version}"
    if not served.exists():
        shutil.copy(path, served)
    site.cli("artifact", "add", f"{name}@{version}", "--type", kind, "--repository", "origin",
             "--path", served.name, path)


def apply(site, config="greeting: hello\n"):
    inventories.write(site.inventory, f"http://{site.origin}", site.address, site.services, config)
    site.cli("apply", site.inventory, "--yes")


def http(site, host, url):
    done = subprocess.run([*site.net.enter(host), "curl", "-s", "-m", "3", url],
                          capture_output=True, text=True)
    return done.stdout


def server_of(status, server):
    for each in (status or {"servers": []})["servers"]:
        if each["server"] == server:
            return each
    return None


def service_of(status, server, name):
    for service in (server_of(status, server) or {"services": []})["services"]:
        if service["artifact"] == name:
            return service
    return None


def artifact_of(status, name):
    for each in (status or {"artifacts": []})["artifacts"]:
        if each["artifact"] == name:
            return each
    return None
