"""Keeps the house in order: which folder may include what, and how long files and functions are.

Prints PASS or FAIL per rule, with file and line of each offence. Lengths over the wished-for
limits are reported; over the hard limits they fail.
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ["protocol", "storage", "node", "coordinator", "cli", "deploy", "tests"]

# A library (by its include) → the only places that may include it.
LIBRARIES = {
    r"<msgpack": ["protocol/codec.hpp", "protocol/mesh/"],
    r"<sodium": ["protocol/"],
    r"<openssl/": ["protocol/"],
    r"<nlohmann/": ["protocol/json.hpp"],
    r"<yaml-cpp/": ["protocol/yaml/"],
    r"<spdlog/": ["protocol/log/"],
    r"<curl/": ["protocol/http/"],
    r"<restinio/": ["protocol/http/"],
    r"<zmq": ["protocol/wire/", "tests/protocol/wire/"],
    r"<rocksdb/": ["storage/"],
    r"<libtorrent/": ["node/swarm/", "tests/node/swarm/"],
    r"<lxc/": ["node/drivers/"],
    r"<sdbus-c\+\+/": ["node/drivers/"],
    r"<archive": ["node/drivers/"],
    r"<CLI/": ["cli/"],
    r"<prometheus/": ["protocol/metrics/"],
    r"<catch2/": ["tests/"],
    r"<zstd": ["protocol/"],
}

# Folder → folders of ours that it may include from (itself always).
ARROWS = {
    "protocol": [],
    "storage": ["protocol"],
    "node": ["protocol", "storage"],
    "coordinator": ["protocol", "storage"],
    "cli": ["protocol", "storage"],
    "deploy": [],
    "tests": ["protocol", "storage", "node", "coordinator", "cli"],
}

# The pure part of protocol/: no sockets, files, threads or clocks.
EDGES = ["protocol/http/", "protocol/wire/", "protocol/log/", "protocol/metrics/"]
IMPURE = re.compile(r'#include <(fstream|thread|filesystem|sys/socket\.h|unistd\.h|iostream|mutex)>'
                    r'|(system|steady)_clock::now')

FILE_LINES_MAX = 600
FILE_LINES_WISHED = 400
FUNCTION_LINES_MAX = 100
FUNCTION_LINES_WISHED = 70
LINE_CHARS_MAX = 100


def sources():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *FOLDERS], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split()
    return [name for name in listed if name.endswith((".hpp", ".cpp")) and (ROOT / name).exists()]


def lengths_of_functions(lines):
    """(first line, length) of every block that opens at namespace or class level with `) … {`."""
    start = None
    for number, line in enumerate(lines, 1):
        indent = len(line) - len(line.lstrip())
        if start is None and line.rstrip().endswith("{") and re.search(r"\)[^;]*\{$", line.rstrip()):
            if indent <= 4 and not re.match(r"\s*(if|for|while|switch|else|do|try|catch)\b", line):
                start = (number, indent)
        elif start is not None and line.startswith(" " * start[1] + "}") and indent == start[1]:
            yield start[0], number - start[0] + 1
            start = None


def check_includes(name, lines, problems):
    folder = name.split("/")[0]
    for number, line in enumerate(lines, 1):
        if not line.startswith("#include"):
            continue
        for library, places in LIBRARIES.items():
            if re.search("#include " + library, line) and not name.startswith(tuple(places)):
                problems["one folder per library"].append(
                    f"{name}:{number}: {line.strip()} belongs in {' or '.join(places)} only")
        ours = re.match(r'#include "([a-z]+)/', line)
        if ours and ours.group(1) != folder and ours.group(1) not in ARROWS[folder]:
            problems["arrows between modules"].append(
                f"{name}:{number}: {folder}/ may not include {ours.group(1)}/")
        if re.match(r'#include "\.\.?/', line):
            problems["arrows between modules"].append(
                f"{name}:{number}: include from the repository root")


def check_file(name, problems, reported):
    lines = (ROOT / name).read_text(encoding="utf-8").split("\n")
    check_includes(name, lines, problems)
    if name.startswith("protocol/") and not name.startswith(tuple(EDGES)):
        for number, line in enumerate(lines, 1):
            if IMPURE.search(line):
                problems["protocol/ is pure"].append(f"{name}:{number}: {line.strip()}")
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_CHARS_MAX and "http" not in line:
            problems["lines"].append(f"{name}:{number}: {len(line)} characters")
        if name.endswith(".hpp") and line.startswith("using namespace"):
            problems["headers"].append(f"{name}:{number}: using namespace in a header")
    if name.endswith(".hpp") and "#pragma once" not in lines:
        problems["headers"].append(f"{name}: no #pragma once")
    if len(lines) > FILE_LINES_MAX:
        problems["file length"].append(f"{name}: {len(lines)} lines, split it by idea")
    elif len(lines) > FILE_LINES_WISHED:
        reported.append(f"{name}: {len(lines)} lines")
    if name.startswith("tests/"):
        return
    for first, length in lengths_of_functions(lines):
        if length > FUNCTION_LINES_MAX:
            problems["function length"].append(f"{name}:{first}: {length} lines")
        elif length > FUNCTION_LINES_WISHED:
            reported.append(f"{name}:{first}: function of {length} lines")


def check_format(names, problems):
    if shutil.which("clang-format") is None:
        print("SKIP: format: clang-format is not installed")
        return
    done = subprocess.run(["clang-format", "--dry-run", "--style=file", *names], cwd=ROOT,
                          capture_output=True, text=True)
    for where in sorted(set(re.findall(r"^([^\s:]+:\d+):", done.stderr, re.M))):
        problems["format"].append(f"{where}: not as .clang-format says; run clang-format -i")


def main():
    rules = ["format", "one folder per library", "arrows between modules", "protocol/ is pure", "lines",
             "headers", "file length", "function length"]
    problems = {rule: [] for rule in rules}
    reported = []
    names = sources()
    for name in names:
        check_file(name, problems, reported)
    check_format(names, problems)
    for rule in rules:
        print(f"{'FAIL' if problems[rule] else 'PASS'}: {rule}")
        for each in problems[rule]:
            print(f"  {each}")
    for each in reported:
        print(f"NOTE: long: {each}")
    return 1 if any(problems.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
