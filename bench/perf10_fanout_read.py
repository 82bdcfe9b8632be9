#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-10: a topic of a million members read through the storage ABI; the baseline is one bare ordered SELECT, in turn."""
import argparse
import subprocess
import sys

from scene import BUILD


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=1_000_000)
    parser.add_argument("--page", type=int, default=1000)
    options = parser.parse_args()
    command = [BUILD / "bench/perf10_fanout_read", BUILD / "plugins/storage_sqlite.so", str(options.members), str(options.page)]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
