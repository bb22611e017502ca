"""Runs the fuzzers, as many at a time as there are cores, and says how often each called its decoder.

    python3 tests/support/fuzzers.py [--seconds 600] [--jobs N] [--keep FOLDER] [--build] [NAME...]

Built before with: cmake --preset fuzz && cmake --build build/fuzz --target fuzzers (--build does it).
Seconds are of processor time, so that work beside it makes a run longer, not thinner.
Each has a corpus of its own, which starts with the golden bytes, the sample inventory and
tests/fuzz/seeds/NAME/. A finding's input stays in FOLDER/findings (build/fuzz/runs when not named).
"""
import argparse
import concurrent.futures
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from process_times import cpu_s  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
BINARIES = Path(os.environ.get("CLARITY_FUZZERS", ROOT / "build/fuzz/bin"))
LATE = 50  # times the seconds a fuzzer may take on a machine that does other work too
BUILD = "cmake --preset fuzz && cmake --build build/fuzz --target fuzzers"


def seed(name, corpus):
    """What the fuzzer's corpus starts with, beside what earlier runs found."""
    corpus.mkdir(parents=True, exist_ok=True)
    for golden in (ROOT / "tests/data").glob("*.hex"):
        (corpus / golden.stem).write_bytes(bytes.fromhex(golden.read_text().strip()))
    for sample in (ROOT / "deploy/samples/telecom").rglob("*.yml"):
        (corpus / f"{sample.parent.name}-{sample.name}").write_bytes(sample.read_bytes())
    for own in (ROOT / "tests/fuzz/seeds" / name).glob("*"):
        (corpus / own.name).write_bytes(own.read_bytes())
    if name == "archive":
        archives(corpus)


def archives(corpus):
    """Small ones of each format, with what may lead outside."""
    for kind, mode in (("tar", "w"), ("tar.gz", "w:gz"), ("tar.xz", "w:xz")):
        with tarfile.open(corpus / f"sample.{kind}", mode) as out:
            for path, type_, link in (("bin/run", tarfile.REGTYPE, ""), ("a/link", tarfile.SYMTYPE, "/"),
                                      ("a/link/out", tarfile.REGTYPE, ""),
                                      ("hard", tarfile.LNKTYPE, "bin/run"),
                                      ("null", tarfile.CHRTYPE, ""), ("../up", tarfile.REGTYPE, "")):
                entry = tarfile.TarInfo(path)
                entry.type, entry.linkname = type_, link
                entry.size = 5 if type_ == tarfile.REGTYPE else 0
                out.addfile(entry, io.BytesIO(b"hello"))
    with zipfile.ZipFile(corpus / "sample.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("bin/run", "hello" * 100)
        out.writestr("../up", "hello")


def run_one(name, seconds, folder):
    """(name, exit code or None, seconds, seconds of CPU, runs, output)"""
    corpus, findings, log = folder / "corpus" / name, folder / "findings", folder / f"{name}.log"
    seed(name, corpus)
    findings.mkdir(parents=True, exist_ok=True)
    command = [str(BINARIES / f"fuzz_{name}"), str(corpus),
               "-max_len=65536", "-rss_limit_mb=2048", "-timeout=60", "-print_final_stats=1",
               "-verbosity=0", f"-artifact_prefix={findings}/{name}-"]
    started = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
        ended, status, used = 0, 0, None
        while ended == 0:
            time.sleep(0.1)
            if cpu_s(process.pid) >= seconds:
                os.kill(process.pid, signal.SIGUSR1)  # libFuzzer ends its run in good order
            elif time.monotonic() - started > LATE * seconds + 300:
                os.kill(process.pid, signal.SIGKILL)
            ended, status, used = os.wait4(process.pid, os.WNOHANG)  # with its CPU time
    process.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text(errors="replace")
    runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", text)
    return (name, process.returncode, time.monotonic() - started, used.ru_utime + used.ru_stime,
            int(runs.group(1)) if runs else 0, text)


def names():
    return [path.name.removeprefix("fuzz_") for path in sorted(BINARIES.glob("fuzz_*"))]


def run_all(seconds, jobs=0, folder=None, wanted=None):
    """Yields run_one()'s results as they end."""
    folder = folder or ROOT / "build/fuzz/runs"
    with concurrent.futures.ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        runs = [pool.submit(run_one, name, seconds, folder) for name in wanted or names()]
        for each in concurrent.futures.as_completed(runs):
            yield each.result()


def line_of(name, code, seconds, cpu, runs):
    verdict = "ok" if code == 0 else "FINDING"
    return f"{verdict:>7}  fuzz_{name}  ({seconds:.1f} s, {cpu:.1f} s of CPU, {runs:,} runs)"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=600, help="of processor time, each")
    parser.add_argument("--jobs", type=int, default=0, help="at a time; 0 = the cores")
    parser.add_argument("--keep", type=Path, help="corpora, logs and findings")
    parser.add_argument("--build", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if shutil.which("clang++") is None:
        sys.exit("clang++ is not installed")
    if options.build:
        subprocess.run(["sh", "-c", BUILD], cwd=ROOT, check=True)
    findings = 0
    for *figures, text in run_all(options.seconds, options.jobs, options.keep, options.names):
        print(line_of(*figures), flush=True)
        if figures[1] != 0:
            findings += 1
            print("\n".join("         " + line for line in text.splitlines()[-60:]), flush=True)
    print(f"{findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
