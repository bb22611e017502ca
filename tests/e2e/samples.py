"""Artifacts for end-to-end tests, made once per build folder and reused."""
import random
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


def noise(path, size_bytes, seed=1):
    """A file that no compression or deduplication makes smaller; per seed the same every time."""
    source = random.Random(seed)
    with open(path, "wb") as file:
        for begin in range(0, size_bytes, 1 << 20):
            file.write(source.randbytes(min(1 << 20, size_bytes - begin)))
    return path
