#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The limiters of our queues, through the C table: pages of 1,000 devices, in memory, in Redis, in PostgreSQL; and what Redis keeps of a device."""
import argparse
import json
import pathlib
import subprocess
import sys

from scene import BUILD

TESTS = pathlib.Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS / "postgres"), str(TESTS / "redis")]
from cluster import Cluster  # noqa: E402
from server import RedisServer  # noqa: E402

DEVICES = 100_000


def run(options, plugin, config):
    command = [BUILD / "bench/limiter_rates", BUILD / f"plugins/{plugin}.so", json.dumps(config), str(options.seconds), str(options.callers)]
    return subprocess.run(command, check=False).returncode


def used(redis):
    """Bytes, without the scripts and what the connections need."""
    return int(next(line for line in redis.cli("INFO", "memory").splitlines() if line.startswith("used_memory_dataset:")).split(":")[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--callers", type=int, default=1)
    options = parser.parse_args()
    failed = run(options, "queue_sqlite", {"path": "{dir}/queue.db"})
    with RedisServer(appendfsync="everysec") as redis:
        before = used(redis)
        failed += run(options, "queue_redis", {"address": redis.address})
        # Two policies: two buckets of each device.
        print(json.dumps({"name": "limiter_rates_memory", "plugin": "queue_redis", "bytes_per_bucket": (used(redis) - before) // (2 * DEVICES)}))
    with Cluster(durable=True) as cluster:
        failed += run(options, "queue_pg", {"dsn": cluster.dsn})
    return failed


if __name__ == "__main__":
    sys.exit(main())
