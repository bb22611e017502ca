"""Debian's packages that a bench compares with, installed when they are missing."""
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALL_S = 300


class Unavailable(Exception):
    """Why there is nothing to compare with here."""


def last_line(text):
    return (text.strip().splitlines() or ["no output"])[-1]


def run(command, timeout_s, env=None):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s,
                              env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from None


def install(bench, say, there):
    """Those of deploy/packages/BENCH.txt, unless there() is true. Unavailable says why not."""
    if there():
        return
    packages = (ROOT / f"deploy/packages/{bench}.txt").read_text().split()
    if shutil.which("apt-get") is None:
        raise Unavailable("this is no Debian: " + " and ".join(packages) + " are needed")
    say("installing " + " and ".join(packages))
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    done = run(command, INSTALL_S, quiet)
    if done.returncode != 0:
        run(["apt-get", "update", "-q"], INSTALL_S, quiet)
        done = run(command, INSTALL_S, quiet)
    if done.returncode != 0:
        raise Unavailable("apt-get: " + last_line(done.stderr))
