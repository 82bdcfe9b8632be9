#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-1: one engine loop against h2load, both in turn on one core against the raw sink on the other: TLS, 4 connections x 100
streams, 300-byte bodies, 200-byte authorization. The engine sends another path and body each time, h2load always the same.

Rates need an otherwise idle machine; CPU time per request (cpu_ratio) stays meaningful on a busy one.
"""
import argparse
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import tempfile

from scene import BUILD, bar, cpu_seconds, report
from world import Simulator, Trouble

STREAMS, BODY = 100, b"b" * 300
HEADERS = {"authorization": "bearer " + "x" * 193, "apns-topic": "com.example.application", "apns-push-type": "alert",
           "content-type": "application/json"}


def pinned(core, run):
    """Runs something, and what it starts, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core} & before or before)
    try:
        return run()
    finally:
        os.sched_setaffinity(0, before)


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def engine(facts, options):
    out = subprocess.run([BUILD / "bench/perf1_engine", facts["fcm_url"], facts["ca_file"], str(options.seconds),
                          str(options.connections)], capture_output=True, text=True, timeout=60)
    if out.returncode != 0:
        raise Trouble(f"perf1_engine failed: {out.stdout}{out.stderr}")
    figures = json.loads(out.stdout)
    return figures["requests_per_s"], figures["cpu_us"]


def h2load(facts, options, body):
    command = ["h2load", "-t1", f"-c{options.connections}", f"-m{STREAMS}", f"-D{options.seconds}", "--warm-up-time=1", "-d", body]
    for name, value in HEADERS.items():
        command += ["-H", f"{name}: {value}"]
    before = children_cpu()
    out = subprocess.run([*command, facts["fcm_url"] + "/3/device/" + "a" * 64], capture_output=True, text=True, timeout=60).stdout
    cpu = children_cpu() - before
    rate = float(re.search(r"finished in .*?, ([\d.]+) req/s", out).group(1))
    done, failed = (int(re.search(rf"([\d]+) {word}", out).group(1)) for word in ("succeeded", "failed"))
    if done == 0 or failed:
        raise Trouble(f"h2load: {out}")
    # The second of warm-up costs CPU too, but is not in `done`.
    return rate, cpu / (done * (options.seconds + 1) / options.seconds) * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=4)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="belfry-bench-") as folder:
        body = pathlib.Path(folder) / "body"
        body.write_bytes(BODY)
        sink = pinned(cores[0], lambda: Simulator(BUILD, pathlib.Path(folder) / "simulator", "--sink", "--stream-limit", str(STREAMS)))
        try:
            ours, theirs, busy = [], [], []
            for _ in range(options.rounds):
                theirs.append(pinned(cores[-1], lambda: h2load(sink.facts, options, body)))
                before = cpu_seconds(sink.process.pid)
                ours.append(pinned(cores[-1], lambda: engine(sink.facts, options)))
                busy.append((cpu_seconds(sink.process.pid) - before) / (options.seconds + 0.5))
        finally:
            sink.stop()
    rate, cpu = (statistics.median(values) for values in zip(*ours))
    base_rate, base_cpu = (statistics.median(values) for values in zip(*theirs))
    # Of neighbours in time: virtual machines change their speed from one minute to the next.
    ratio = statistics.median(our[0] / their[0] for our, their in zip(ours, theirs))
    cpu_ratio = statistics.median(their[1] / our[1] for our, their in zip(ours, theirs))
    report("perf1_engine", requests_per_s=round(rate), h2load_per_s=round(base_rate), ratio=round(ratio, 2),
           cpu_us=round(cpu, 2), h2load_cpu_us=round(base_cpu, 2), cpu_ratio=round(cpu_ratio, 2),
           sink_busy=round(statistics.median(busy), 2), load_average=round(os.getloadavg()[0], 1), bar=bar(ratio, 1.2, 3))


if __name__ == "__main__":
    main()
