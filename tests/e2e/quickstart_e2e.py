"""The README's first command, on what is built already."""
import os
import subprocess
import tempfile
from pathlib import Path

import samples
from harness import ROOT, expect, main


def quickstart_check(build):
    """quickstart: --check verifies and takes all down, twice in the same folder, leaving nothing"""
    image = samples.lxc_image(build)
    parent = Path(tempfile.mkdtemp(prefix="clarity-quickstart-"))
    state = parent / "state"
    env = {**os.environ, "CLARITY_PRESET": Path(build).name, "CLARITY_LXC_IMAGE": str(image)}
    try:
        for nodes in ("4", "2"):
            done = subprocess.run(["deploy/quickstart", "--check", "--nodes", nodes, "--state",
                                   str(state)], cwd=ROOT, env=env, capture_output=True, text=True,
                                  timeout=300)
            expect(done.returncode == 0, f"--nodes {nodes} ended with {done.returncode}:\n"
                   f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
            expect(f"{nodes} alive, {nodes} healthy" in done.stdout, "no status table on the screen")
            expect(not state.exists(), f"{state} is still there")
            left = subprocess.run(["pgrep", "-af", str(parent)], capture_output=True, text=True)
            expect(left.stdout == "", f"still running: {left.stdout}")
            expect(str(parent) not in Path("/proc/mounts").read_text(), "something is still mounted")
        expect(not list(parent.iterdir()), "something lies beside the state folder")
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", str(parent)])


def usage_errors(build):
    """quickstart: an unknown option and a bad number of nodes are usage errors, nothing is started"""
    for arguments in (["--frobnicate"], ["--nodes", "many"], ["--nodes", "0"]):
        done = subprocess.run(["deploy/quickstart", *arguments], cwd=ROOT, capture_output=True,
                              text=True, timeout=30)
        expect(done.returncode == 2, f"{arguments} ended with {done.returncode}")
        expect(len(done.stderr.strip().splitlines()) == 1, f"not one line: {done.stderr}")


if __name__ == "__main__":
    main([quickstart_check, usage_errors])
