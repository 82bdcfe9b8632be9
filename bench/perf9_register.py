#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-9: device_register of new devices by 32 clients; the baseline is a bare SQLite client writing the same rows 100 at a time, in turn."""
import argparse
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from scene import BUILD, Scene, bar, cpu_seconds, report

# Every request is another device: a token of a realistic 152 bytes, a user, one topic.
SCRIPT = """
wrk.method = 'POST'
wrk.headers['X-API-Key'] = '%s'
local n = %d
function request()
  n = n + 1
  local token = string.format('ok-%%010d-', n) .. string.rep('x', 138)
  return wrk.format(nil, nil, nil, '{"provider":"fcm","platform":"android","user":"user-' .. n .. '","topics":["news"],"token":"' .. token .. '"}')
end
"""


def clients(url, script, seconds):
    """(requests per second, p99 in ms, answers that were not 2xx) of one run of 32 clients."""
    out = subprocess.run(["wrk", "-t1", "-c32", f"-d{seconds}s", "--latency", "-s", script, url], capture_output=True, text=True, check=True).stdout
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", out).groups()
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit],
            int(refused.group(1)) if refused else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        print("perf9 needs the Debian package wrk", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, Scene() as scene:
        scene.server.result("device_register", {"provider": "fcm", "platform": "android", "topics": ["news"], "token": "ok-first"})
        database = next(pathlib.Path(scene.server.folder).rglob("storage.db"))
        ours, theirs, cpu, bare_cpu = [], [], [], []
        for i in range(options.runs):
            bare = subprocess.run([BUILD / "bench/perf9_bare_inserts", database, str(options.seconds)], capture_output=True, text=True, check=True)
            theirs.append(float(bare.stdout.split()[0]))
            bare_cpu.append(float(bare.stdout.split()[1]))
            script = pathlib.Path(folder) / f"{i}.lua"
            script.write_text(SCRIPT % (scene.server.KEY, i * 100_000_000))
            before = cpu_seconds(scene.server.process.pid)
            ours.append(clients(scene.server.url + "/api/device_register", script, options.seconds))
            cpu.append((cpu_seconds(scene.server.process.pid) - before) / (ours[-1][0] * options.seconds) * 1e6)
    assert not any(run[2] for run in ours), "answers other than 2xx"
    rate, base = statistics.median(run[0] for run in ours), statistics.median(theirs)
    report("perf9_register", requests_per_s=round(rate), p99_ms=round(statistics.median(run[1] for run in ours), 2), server_cpu_us=round(statistics.median(cpu), 1),
           baseline_per_s=round(base), baseline_cpu_us=round(statistics.median(bare_cpu), 1), ratio=round(rate / base, 3), bar=bar(rate / base, 0.4, 0.6))
    return 0


if __name__ == "__main__":
    sys.exit(main())
