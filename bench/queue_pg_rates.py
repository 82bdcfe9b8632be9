#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The queue in PostgreSQL against a bare client that writes the same bytes to the same server, in turn; a server that syncs."""
import argparse
import pathlib
import subprocess
import sys

from scene import BUILD

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/postgres"))
from cluster import Cluster  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    with Cluster(durable=True) as cluster:
        command = [BUILD / "bench/queue_pg_rates", BUILD / "plugins/queue_pg.so", cluster.dsn, str(options.seconds), str(options.batch)]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
