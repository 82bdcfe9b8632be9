#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the scenarios (bench/perf*.py) one after the other: one line of JSON each, then which bars are met.

Exit code 0: every scenario ran; figures below their floor are named but do not fail, for a busy machine is no defect.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
QUICK = {"perf1_engine": ["--rounds", "3", "--seconds", "2"], "perf2_broadcast": ["--devices", "100000"],
         "perf5_enqueue": ["--seconds", "2"], "perf6_latency": ["--devices", "100000", "--seconds", "3"],
         "perf7_scaling": ["--sizes", "10000,100000"], "perf9_import": ["--runs", "1", "--devices", "50000"],
         "perf9_register": ["--runs", "1", "--seconds", "2"], "perf9_register_pg": ["--runs", "1", "--seconds", "2"],
         "perf3_broadcast_shared": ["--devices", "100000", "--runs", "1"], "perf8_two_hosts": ["--devices", "100000"],
         "perf11_dead_tokens": ["--devices", "30000", "--runs", "1"], "perf10_fanout_read_pg": ["--members", "200000"]}


def run(scenario, quick):
    """The scenario's figures, a line each; none after its trouble was printed."""
    command = [sys.executable, str(FOLDER / f"{scenario}.py"), *(QUICK.get(scenario, []) if quick else [])]
    out = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    print(out.stdout, end="", flush=True)
    lines = [line for line in out.stdout.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines] if out.returncode == 0 else []


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", default="", help="only scenarios whose name contains this")
    parser.add_argument("--build", help="build folder (default build/dev)")
    parser.add_argument("--quick", action="store_true", help="smaller sizes: whether it runs, and a first impression")
    options = parser.parse_args()
    if options.build:
        os.environ["BELFRY_BUILD"] = str(pathlib.Path(options.build).resolve())
    scenarios = [path.stem for path in sorted(FOLDER.glob("perf*.py")) if options.name in path.stem]
    if not scenarios:
        print(f"bench: no scenario is named like {options.name!r}; see bench/perf*.py", file=sys.stderr)
        return 2
    broken, below = [], []
    for scenario in scenarios:
        figures = run(scenario, options.quick)
        if not figures:
            broken.append(scenario)
        elif any(line.get("bar") == "below floor" for line in figures):
            below.append(scenario)
    print(f"bench: {len(scenarios)} scenarios, {len(below)} below their floor {below or ''}, {len(broken)} broken {broken or ''}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
