"""A member is revoked while it runs: the others cut it off, and what it says counts no more."""
import json
import time

from harness import expect, main, wait_for
from joining_site import JoiningSite


def revoked(build):
    """revocation: connections are cut, frames dropped, the record forgotten; the rest is untouched"""
    with JoiningSite(build, 5) as site:
        site.begin()
        target, *_ = site.names[::-1]
        others = [name for name in site.names if name != target]
        address = site.address[target]
        wait_for("connections of the one to be revoked", 10,
                 lambda: sum(site.connections(name, address) for name in others) > 0)
        epoch = site.view(others[0])[others[0]]["roster_epoch"]
        began = time.monotonic()
        answer = json.loads(site.cli("agents", "revoke", target, "--yes", "-o", "json"))
        command_s = time.monotonic() - began
        expect(answer["roster_epoch"] == epoch + 1, f"roster {answer} after {epoch}")

        def forgotten():
            return all(target not in site.states(name) and len(site.states(name)) == 4
                       for name in others)
        wait_for("no other member knows it", 10, forgotten, poll_s=0.02)
        known_s = time.monotonic() - began

        def cut():
            return sum(site.connections(name, address) for name in others) == 0
        wait_for("no connection to it is left", 10, cut, poll_s=0.02)
        cut_s = time.monotonic() - began
        # It goes on trying; nobody lets it in, and it takes nothing more from them.
        refused = sum(site.metric(name, "wire_handshakes_refused") for name in others)
        wait_for("it is refused when it tries again", 20, lambda: sum(
            site.metric(name, "wire_handshakes_refused") for name in others) > refused, poll_s=0.5)
        expect(forgotten() and cut(), f"{target} got back in")
        site.together(others, 5, "the others")
        for name in others:
            expect(site.log_says(name, f"{target} was revoked"), f"{name} did not log it")
        site.all_see(others, "dead", [target], 30, "the others, by the revoked one")
        figure_text = (f"revoked 1 of 5: unknown to all others {known_s:.2f} s after the command was "
                       f"given (itself {command_s:.2f} s), its last connection gone after "
                       f"{cut_s:.2f} s")
        print("FIGURE: " + figure_text, flush=True)
        # With a new token it is one of them again.
        again(site, target)


def again(site, target):
    site.stop(target)
    (site.dir / target / "state" / "identity" / "enrolment.json").unlink()
    site.enrol(target)
    site.start(target)
    site.together(site.names, 20, "the revoked server, enrolled again")


if __name__ == "__main__":
    main([revoked])
