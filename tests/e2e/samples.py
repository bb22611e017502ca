"""Artifacts for end-to-end tests, made once per build folder and reused."""
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _make(build, name, script):
    folder = (ROOT / build / "samples").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        done = subprocess.run([ROOT / "deploy/samples" / script, path], capture_output=True,
                              text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{script}: {done.stderr.strip()}")
    return path


def lxc_image(build):
    return _make(build, "monitoring-stack.tar", "make-lxc-image")


def docker_image(build):
    return _make(build, "hello-docker.tar", "make-docker-image")


def noise(path, size_bytes):
    """A file that no compression or deduplication makes smaller; the same bytes every time."""
    block = bytearray(os.urandom(1 << 20))
    with open(path, "wb") as file:
        written = 0
        while written < size_bytes:
            block[:8] = written.to_bytes(8, "little")
            part = block[:min(len(block), size_bytes - written)]
            file.write(part)
            written += len(part)
    return path
