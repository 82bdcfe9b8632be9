#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-4: Web Push messages sealed per second and core; the baseline is ECDH by EC_POINT_mul on the same core, in turn."""
import argparse
import json
import os
import subprocess
import sys

from scene import BUILD, bar, report


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--messages", type=int, default=6400, help="per round")
    options = parser.parse_args()
    core = min(os.sched_getaffinity(0))
    out = subprocess.run([BUILD / "bench/perf4_seal", str(options.rounds), str(options.messages)], stdout=subprocess.PIPE, text=True,
                         check=True, preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    figures = json.loads(out.stdout)
    report("perf4_seal", **figures, bar=bar(figures["ratio"], 0.5, 0.7))
    return 0


if __name__ == "__main__":
    sys.exit(main())
