#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-2: a broadcast to 1 M devices of one topic in embedded mode, durable, every outcome settled and counted."""
import argparse
import statistics

from scene import Scene, report, rss_peak_mb


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with Scene() as scene:
        register_s = scene.register(options.devices, "all")
        runs = []
        for _ in range(options.runs):
            seconds, cpu, status = scene.broadcast("all")
            accepted = sum(row["n"] for row in status["outcomes"] if row["outcome"] == "accepted")
            assert accepted == status["planned"] == options.devices, status
            runs.append((options.devices / seconds * 60, cpu / options.devices * 1e6))
        report("perf2_broadcast", devices=options.devices, pushes_per_minute=round(statistics.median(r[0] for r in runs)),
               cpu_us_per_push=round(statistics.median(r[1] for r in runs), 3), floor_per_minute=6_000_000, goal_per_minute=12_000_000,
               rss_mb=round(rss_peak_mb(scene.server.process.pid), 1), registered_per_s=round(options.devices / register_s))


if __name__ == "__main__":
    main()
