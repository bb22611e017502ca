"""Processor time of processes, from /proc."""
import os
from pathlib import Path

TICKS_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid, waited_for=False):
    """User and system time of a process; `waited_for`: and of the children that it waited for.
    FileNotFoundError when it is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15 if waited_for else 13])) / TICKS_S
