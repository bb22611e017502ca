"""Runs every test there is and ends with one line: N passed, N failed, N skipped.

Unit tests are the Catch2 programs in build/…/bin/test_*, counted by test case. Lint, fuzz and
end-to-end tests are the Python and C++ programs listed below. A test that cannot run on a machine
prints a line "SKIP: reason"; all reasons are printed again at the end.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import fuzzers

ROOT = Path(__file__).resolve().parents[2]
EVERYDAY = re.compile(r"\[[-0-9:. ]+\] \[(?:debug|info)\] ")


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skips = []

    def note_skips(self, name, text):
        for line in re.findall(r"^SKIP: (.*)$", text, re.M):
            self.skips.append(f"{name}: {line}")


def run(command, timeout_s, cwd=ROOT, env=None):
    """Exit code (None = deadline passed) and everything printed."""
    process = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, text=True,
                               errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    try:
        text, _ = process.communicate(timeout=timeout_s)
        return process.returncode, text
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        text, _ = process.communicate()
        return None, text


def report(name, code, text, seconds):
    verdict = "ok" if code == 0 else ("DEADLINE PASSED" if code is None else "FAILED")
    print(f"{verdict:>7}  {name}  ({seconds:.1f} s)", flush=True)
    if code != 0:
        # The daemons' everyday log lines would push the failed assertion out of sight.
        lines = [line for line in text.splitlines() if not EVERYDAY.match(line)]
        print("\n".join("         " + line for line in lines[-150:]), flush=True)


def unit_program(tally, program, cases=(), timeout_s=300, env=None, name=None):
    started = time.monotonic()
    name = name or program.name
    code, text = run([str(program), *cases], timeout_s, env=env)
    report(name, code, text, time.monotonic() - started)
    tally.note_skips(name, text)
    if found := re.search(r"All tests passed \(\d+ assertions? in (\d+) test cases?\)", text):
        tally.passed += int(found.group(1))
    elif found := re.search(r"test cases:\s*\d+\s*(?:\|\s*(\d+) passed\s*)?\|\s*(\d+) failed", text):
        tally.passed += int(found.group(1) or 0)
        tally.failed += [f"{name} (see above)"] * int(found.group(2))
    elif code != 0:
        tally.failed.append(f"{name}: ended with {code} before its summary")
    if code != 0 and not any(name in each for each in tally.failed):
        tally.failed.append(f"{name}: exit code {code}")


def script(tally, name, command, timeout_s):
    """A program that prints "PASS: name" and "FAIL: name" lines, one per case."""
    started = time.monotonic()
    code, text = run(command, timeout_s)
    report(name, code, text, time.monotonic() - started)
    if code == 0:
        for line in re.findall(r"^(?:PASS|FIGURE|NOTE): .*$", text, re.M):
            print("         " + line, flush=True)
    tally.note_skips(name, text)
    tally.passed += len(re.findall(r"^PASS: ", text, re.M))
    failed = re.findall(r"^FAIL: (.*)$", text, re.M)
    tally.failed += [f"{name}: {each}" for each in failed]
    if code != 0 and not failed:
        tally.failed.append(f"{name}: {'deadline passed' if code is None else f'exit code {code}'}")


SIMULATIONS = (
    ("every script, seeds 1 to 5", "--script all --seeds 1..5"),
    ("random faults, seeds 1 to 200", "--script swarm --seeds 1..200"),
    ("1,000 nodes", "--script life --nodes 1000 --loss 0.01"),
)


def simulation(tally, build):
    """Real state machines on virtual time; the program checks what must hold, and says what
    replays a run in which something does not."""
    for name, arguments in SIMULATIONS:
        started = time.monotonic()
        code, text = run([str(ROOT / build / "bin/sim_mesh"), *arguments.split()], 240)
        report(f"sim_mesh, {name}", code, text, time.monotonic() - started)
        if code == 0:
            tally.passed += 1
            print("\n".join("         " + line for line in text.splitlines()), flush=True)
        else:
            tally.failed.append(f"simulation: sim_mesh {arguments} (see above)")


def fuzz(tally):
    if shutil.which("clang++") is None:
        print("SKIP: fuzz: clang++ is not installed")
        tally.skips.append("fuzz: clang++ is not installed")
        return
    seconds = int(os.environ.get("CLARITY_FUZZ_SECONDS", "5"))
    code, text = run(["sh", "-c", fuzzers.BUILD], 1800)
    if code != 0:
        report("fuzz build", code, text, 0)
        tally.failed.append("fuzz: the fuzzers do not build")
        return
    for *figures, text in fuzzers.run_all(seconds):
        print(fuzzers.line_of(*figures), flush=True)
        name, code = figures[:2]
        if code == 0:
            tally.passed += 1
        else:
            print("\n".join("         " + line for line in text.splitlines()[-60:]), flush=True)
            tally.failed.append(f"fuzz_{name}: a finding, see above")


# Preset → programs that run under it with which cases, and their environment. One case of one thread
# is left out where it takes minutes. test_swarm is not among them: libtorrent 2.0.8 loses the names
# in each peer's certificate (a hundred bytes a handshake), and may read a connection's TLS state
# after a session's end (its pull request 8835).
SANITIZED = {
    "asan": ({"test_wire": [], "test_mesh": [], "test_protocol": [], "test_cache": [],
              "test_node": []},
             {"ASAN_OPTIONS": "detect_stack_use_after_return=1",
              "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}),
    "tsan": ({"test_wire": [], "test_cache": [],
              "test_node": ["~own record: whatever a service says*"]},
             {"TSAN_OPTIONS": "die_after_fork=0 suppressions=tests/support/tsan.supp"}),
}


def sanitized(tally, wanted):
    for preset, (programs, settings) in SANITIZED.items():
        programs = {name: cases for name, cases in programs.items() if wanted(name)}
        if not programs:
            continue
        build = (f"cmake --preset {preset} && "
                 f"cmake --build build/{preset} --target {' '.join(programs)}")
        started = time.monotonic()
        code, text = run(["sh", "-c", build], 3600)
        report(f"build of {preset}", code, text, time.monotonic() - started)
        if code != 0:
            tally.failed.append(f"{preset}: does not build")
            continue
        for program, cases in programs.items():
            unit_program(tally, ROOT / f"build/{preset}/bin/{program}", cases, 900,
                         dict(os.environ, **settings), f"{program} ({preset})")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/dev")
    parser.add_argument("--unit", action="store_true")
    parser.add_argument("--e2e", action="store_true")
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("filter", nargs="?", default="")
    options = parser.parse_args()
    tally = Tally()
    everything = not options.unit and not options.e2e and not options.sanitize
    wanted = lambda name: options.filter in name  # noqa: E731

    if options.sanitize:
        sanitized(tally, wanted)

    if options.unit or everything:
        for program in sorted((ROOT / options.build / "bin").glob("test_*")):
            if wanted(program.name):
                unit_program(tally, program)
        if wanted("simulation"):
            simulation(tally, options.build)
        if wanted("lint"):
            script(tally, "lint", [sys.executable, "tests/lint/lint.py"], 120)
        if not options.quick and wanted("fuzz"):
            fuzz(tally)
    if options.quick:
        os.environ["CLARITY_QUICK"] = "1"  # for programs that can do with less
    if options.e2e or everything:
        for case in sorted((ROOT / "tests/e2e").glob("*_e2e.py")):
            if wanted(case.stem):
                script(tally, case.stem, [sys.executable, str(case), "--build", options.build], 900)

    if tally.skips:
        print("\nSkipped:")
        for each in tally.skips:
            print(f"  {each}")
    if tally.failed:
        print("\nFailed:")
        for each in tally.failed:
            print(f"  {each}")
    print(f"\n{tally.passed} passed, {len(tally.failed)} failed, {len(tally.skips)} skipped")
    return 1 if tally.failed or tally.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
