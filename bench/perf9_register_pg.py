#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-9 on PostgreSQL: device_register of new devices by 32 clients; the baseline is a bare client writing the same rows 100 at a
time, in turn, on the same durable server."""
import argparse
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

from perf9_register import SCRIPT, clients
from scene import BUILD, Scene, bar, cpu_seconds, report

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/postgres"))
from cluster import Cluster  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        print("perf9 needs the Debian package wrk", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, Cluster(durable=True) as cluster:
        with Scene(extra=f'[storage]\nplugin = "storage_pg"\ndsn = "{cluster.dsn}"\n') as scene:
            ours, theirs, cpu = [], [], []
            for i in range(options.runs):
                bare = subprocess.run([BUILD / "bench/perf9_bare_inserts_pg", cluster.dsn, str(options.seconds)], capture_output=True, text=True, check=True)
                theirs.append(float(bare.stdout))
                script = pathlib.Path(folder) / f"{i}.lua"
                script.write_text(SCRIPT % (scene.server.KEY, i * 100_000_000))
                before = cpu_seconds(scene.server.process.pid)
                ours.append(clients(scene.server.url + "/api/device_register", script, options.seconds))
                cpu.append((cpu_seconds(scene.server.process.pid) - before) / (ours[-1][0] * options.seconds) * 1e6)
    assert not any(run[2] for run in ours), "answers other than 2xx"
    rate, base = statistics.median(run[0] for run in ours), statistics.median(theirs)
    report("perf9_register_pg", requests_per_s=round(rate), p99_ms=round(statistics.median(run[1] for run in ours), 2), server_cpu_us=round(statistics.median(cpu), 1),
           baseline_per_s=round(base), ratio=round(rate / base, 3), bar=bar(rate / base, 0.4, 0.6))
    return 0


if __name__ == "__main__":
    sys.exit(main())
