#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-2: a broadcast to 1 M devices of one topic in embedded mode, durable, every outcome settled and counted.

Beside it the engine alone (PERF-1's driver) against the same sink: what share of its rate the whole way of a push keeps.
"""
import argparse
import json
import statistics
import subprocess

from scene import BUILD, Scene, bar, report, rss_peak_mb


def engine_alone(simulator):
    """Requests per minute of one engine loop with nothing behind it."""
    out = subprocess.run([BUILD / "bench/perf1_engine", simulator.facts["fcm_url"], simulator.facts["ca_file"], "2", "4"],
                         capture_output=True, text=True, timeout=60, check=True)
    return json.loads(out.stdout)["requests_per_s"] * 60


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
        rate = statistics.median(run[0] for run in runs)
        report("perf2_broadcast", devices=options.devices, pushes_per_minute=round(rate),
               cpu_us_per_push=round(statistics.median(run[1] for run in runs), 3), rss_mb=round(rss_peak_mb(scene.server.process.pid), 1),
               registered_per_s=round(options.devices / register_s), share_of_engine=round(rate / engine_alone(scene.simulator), 2),
               bar=bar(rate, 6_000_000, 12_000_000))


if __name__ == "__main__":
    main()
