"""Larger sites on virtual time: what `sim_mesh --report` prints, as figures of the table."""
import re
import subprocess
from pathlib import Path

from harness import Failure

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 900
LOSS = 0.2
SECONDS = r"^{}\s+(\d+(?:\.\d+)?) s"
# Step of the report → the figure it is.
STEPS = {"all see all alive": "start_s", "record update reaches all": "update_s",
         "crash seen by all": "kill_s"}


def measure(build, nodes, out, say):
    out["simulated"] = True
    quiet = report(build, nodes, 0, say)
    for step, key in STEPS.items():
        if found := re.search(SECONDS.format(step), quiet, re.M):
            out[key] = [float(found.group(1))]
    if found := re.search(r"^idle.*?(\d+(?:\.\d+)?) kbit/s per node", quiet, re.M):
        out["lan_kbit_s"] = float(found.group(1))
    lossy = report(build, nodes, LOSS, say)
    for step, key in (("plan.* reaches 99 %", "plan_99_s"), ("plan.* reaches all", "plan_all_s")):
        if found := re.search(SECONDS.format(step), lossy, re.M):
            out[key] = float(found.group(1))


def report(build, nodes, loss, say):
    command = [str(ROOT / build / "bin/sim_mesh"), "--nodes", str(nodes), "--loss", str(loss),
               "--report"]
    say(" ".join(command))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(str(error)) from None
    if done.returncode != 0:
        raise Failure((done.stderr.strip().splitlines() or ["sim_mesh failed"])[-1])
    return done.stdout
