#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-3: PERF-2's broadcast on stores that servers can share, against the embedded mode in turn with them."""
import argparse
import statistics
import sys

from scene import KINDS, Scene, bar, report, stores


def rates(kind, devices, runs):
    """Pushes per second of `runs` broadcasts."""
    with stores(kind) as extra, Scene(extra=extra) as scene:
        scene.register(devices, "all")
        done = []
        for _ in range(runs):
            seconds, _, status = scene.broadcast("all")
            accepted = sum(row["n"] for row in status["outcomes"] if row["outcome"] == "accepted")
            assert accepted == status["planned"] == devices, status
            done.append(devices / seconds)
        return done


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--stores", choices=KINDS[1:], action="append", help="default: all that servers can share")
    options = parser.parse_args()
    for kind in options.stores or KINDS[1:]:
        embedded = statistics.median(rates(KINDS[0], options.devices, options.runs))
        shared = statistics.median(rates(kind, options.devices, options.runs))
        report("perf3_broadcast_shared", stores=kind, devices=options.devices, pushes_per_minute=round(shared * 60),
               embedded_per_minute=round(embedded * 60), ratio=round(shared / embedded, 3), bar=bar(shared / embedded, 0.4, 0.6))
    return 0


if __name__ == "__main__":
    sys.exit(main())
