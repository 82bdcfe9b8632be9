#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-10 on PostgreSQL: a topic of a million members read through the storage ABI; the baseline is one bare ordered SELECT, in turn."""
import argparse
import pathlib
import subprocess
import sys

from scene import BUILD

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/postgres"))
from cluster import Cluster  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=1_000_000)
    parser.add_argument("--page", type=int, default=1000)
    options = parser.parse_args()
    with Cluster(settings={"shared_buffers": "1GB"}) as cluster:
        command = [BUILD / "bench/perf10_fanout_read_pg", BUILD / "plugins/storage_pg.so", cluster.dsn, str(options.members), str(options.page)]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
