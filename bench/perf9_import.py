#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-9 for bulk: device_import of new devices; the baseline is a bare SQLite client writing the same number of the same rows 500 at a time, in turn."""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from scene import BUILD, Scene, bar, cpu_seconds, report

BATCH = 500  # rows of a transaction of the baseline: as many as the storage takes


def write_lines(path, first, devices):
    """The same devices as perf9_register: a token of 152 bytes, a user, one topic."""
    with open(path, "w") as out:
        for i in range(first, first + devices):
            out.write('{"provider":"fcm","platform":"android","user":"user-%d","topics":["news"],"token":"ok-%010d-%s"}\n' % (i, i, "x" * 138))


def import_file(server, path):
    with open(path, "rb") as body:
        request = urllib.request.Request(server.url + "/api/device_import", data=body, method="POST",
                                         headers={"X-API-Key": server.KEY, "Content-Length": str(path.stat().st_size)})
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.loads(answer.read())["result"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=100_000, help="new devices of each run; all runs fill one store")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Scene() as scene:
        scene.server.result("device_register", {"provider": "fcm", "platform": "android", "topics": ["news"], "token": "ok-first"})
        database = next(pathlib.Path(scene.server.folder).rglob("storage.db"))
        lines = pathlib.Path(folder) / "devices.ndjson"
        ours, theirs, cpu, bare_cpu = [], [], [], []
        for i in range(options.runs):
            bare = subprocess.run([BUILD / "bench/perf9_bare_inserts", database, "300", str(BATCH), str(options.devices)],
                                  capture_output=True, text=True, check=True)
            theirs.append(float(bare.stdout.split()[0]))
            bare_cpu.append(float(bare.stdout.split()[1]))
            write_lines(lines, i * options.devices, options.devices)
            before, began = cpu_seconds(scene.server.process.pid), time.monotonic()
            result = import_file(scene.server, lines)
            ours.append(options.devices / (time.monotonic() - began))
            cpu.append((cpu_seconds(scene.server.process.pid) - before) / options.devices * 1e6)
            assert result["registered"] == options.devices, result
    rate, base = statistics.median(ours), statistics.median(theirs)
    report("perf9_import", devices_per_s=round(rate), server_cpu_us=round(statistics.median(cpu), 1), baseline_per_s=round(base),
           baseline_cpu_us=round(statistics.median(bare_cpu), 1), ratio=round(rate / base, 3), bar=bar(rate / base, 1, 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
