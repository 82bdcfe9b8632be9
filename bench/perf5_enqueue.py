#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-5: durable send_push_notification by 64 clients; the baseline is an empty Poco handler at the same settings, in turn.

Judged with pushes that are delivered at once, on the cores that accept further ones meanwhile. The enqueue alone, of pushes that are due
in an hour, is reported beside it (enqueue_only_*): the baseline has nothing to deliver either. The runs are short and in turn, and the
ratio is the median of those of neighbours: other guests of a machine slow it down for seconds.
"""
import argparse
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from scene import BUILD, PAYLOAD, Scene, bar, report


def wrk(url, script, seconds):
    """(requests per second, p99 in ms, answers that were not 2xx) of one run."""
    out = subprocess.run(["wrk", "-t1", "-c64", f"-d{seconds}s", "--latency", "-s", script, url], capture_output=True, text=True, check=True).stdout
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", out).groups()
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit],
            int(refused.group(1)) if refused else 0)


def post(folder, key, **more):
    """The script of wrk for a push to one token."""
    body = json.dumps({"recipient": {"fcm_tokens": ["ok-" + "x" * 149]}, "notification": PAYLOAD, **more})
    script = pathlib.Path(folder) / f"post_{'_'.join(more)}.lua"
    script.write_text(f"wrk.method = 'POST'\nwrk.headers['X-API-Key'] = '{key}'\nwrk.body = [[{body}]]\n")
    return script


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        print("perf5 needs the Debian package wrk", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, Scene() as scene:
        api = scene.server.url + "/api/send_push_notification"
        later = post(folder, scene.server.KEY, send_at=int(time.time()) + 3600)
        at_once = post(folder, scene.server.KEY)
        baseline = subprocess.Popen([BUILD / "bench/empty_poco_handler"], stdout=subprocess.PIPE, text=True)
        try:
            empty = f"http://127.0.0.1:{baseline.stdout.readline().strip()}/"
            enqueued, delivered, theirs = [], [], []
            for _ in range(options.runs):
                enqueued.append(wrk(api, later, options.seconds))
                theirs.append(wrk(empty, at_once, options.seconds))
                delivered.append(wrk(api, at_once, options.seconds))
        finally:
            baseline.terminate()
            baseline.wait()
    assert not any(run[2] for run in enqueued + delivered), "answers other than 2xx"
    only, rate, base = (statistics.median(run[0] for run in runs) for runs in (enqueued, delivered, theirs))
    only_ratio, ratio = (statistics.median(run[0] / empty[0] for run, empty in zip(runs, theirs)) for runs in (enqueued, delivered))
    report("perf5_enqueue", requests_per_s=round(rate), p99_ms=round(statistics.median(run[1] for run in delivered), 2), baseline_per_s=round(base),
           ratio=round(ratio, 3), enqueue_only_per_s=round(only), enqueue_only_ratio=round(only_ratio, 3), bar=bar(ratio, 0.4, 0.6))
    return 0


if __name__ == "__main__":
    sys.exit(main())
