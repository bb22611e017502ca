"""Larger sites on virtual time: what `sim_mesh --report` says, as figures of the table."""
import re
import subprocess
from pathlib import Path

from harness import Failure

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 900
# What the report says → the figure it is. "1.00 s (2.00 s)" is the median and the worst of three.
FIGURES = {"cold start: all see all alive": "start_s", "an update reaches all": "update_s",
           "kill seen by all, no hints": "kill_s", "a restart seen by all": "back_s",
           "plan, 20 % loss: 99 % have it": "plan_99_s",
           "plan, 20 % loss: all have it": "plan_all_s"}


def measure(build, nodes, out, say):
    out["simulated"] = True
    rows = report(build, nodes, say)
    for what, key in FIGURES.items():
        if (times := re.findall(r"([\d.]+) s", rows.get(what, ""))):
            middle, worst = float(times[0]), float(times[-1])
            out[key] = [middle, middle, worst] if len(times) > 1 else [middle]
    if found := re.match(r"([\d.]+) kbit/s", rows.get("idle, on the wire per node", "")):
        out["lan_kbit_s"] = float(found.group(1))
    out["report"] = rows


def report(build, nodes, say):
    """The report's rows by their titles."""
    command = [str(ROOT / build / "bin/sim_mesh"), "--report", "--nodes", str(nodes)]
    say(" ".join(command))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(str(error)) from None
    if done.returncode != 0:
        raise Failure((done.stderr.strip().splitlines() or ["sim_mesh failed"])[-1])
    rows = re.findall(rf"^N = {nodes}: (.+): (.+?)$", done.stderr, re.M)
    return {title.strip(): figure for title, figure in rows}
