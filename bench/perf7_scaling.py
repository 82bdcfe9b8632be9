#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-7: CPU cost per push and memory from small to large topics; the baseline is the smallest one."""
import argparse
import statistics

from scene import Scene, bar, report, rss_peak_mb


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    options = parser.parse_args()
    with Scene() as scene:
        costs = {}
        for size in [int(text) for text in options.sizes.split(",")]:
            topic = f"t{size}"
            scene.register(size, topic)
            runs = [scene.broadcast(topic)[1] / size * 1e6 for _ in range(max(3, 100_000 // size))]
            costs[size] = statistics.median(runs)
        base = costs[min(costs)]
        dearest = max(costs.values()) / base
        report("perf7_scaling", cpu_us_per_push={str(size): round(cost, 3) for size, cost in costs.items()},
               dearest_to_smallest=round(dearest, 3), rss_mb=round(rss_peak_mb(scene.server.process.pid), 1), bar=bar(dearest, 1.2, 1.1, least=False))


if __name__ == "__main__":
    main()
