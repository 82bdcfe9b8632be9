#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-6: from a client's request for a `high` push to its arrival at the provider while a broadcast runs; beside it the same on an idle server.

The sink notes when long bodies came, and every push here has a length of its own; both sides read the machine's monotonic clock.
A second broadcast is paced to 70 % of what the first one reached.
"""
import argparse
import http.client
import json
import math
import os
import threading
import time
import urllib.parse

from scene import Scene, report

NOTE_BYTES = 2_000       # longer than any request of the broadcast
LENGTHS = 1_500          # different lengths, below FCM's 4096 bytes


class Pushes:
    """Sends `high` pushes at a steady rate over a few connections and remembers when."""

    def __init__(self, scene, per_second, clients=4):
        self.scene, self.every, self.clients = scene, 1 / per_second, clients
        self.next_length, self.lock = 0, threading.Lock()
        self.probe()

    def probe(self):
        """The body bytes of push 0, from which the others follow."""
        self.forget()
        self.send(self.connect(), 0)
        self.zero = self.notes(1)[0][0]

    def forget(self):
        self.scene.simulator.control("POST", "/reset")
        self.scene.simulator.control("PUT", "/config", {"sink_note_bytes": NOTE_BYTES})

    def notes(self, wanted, seconds=10):
        end = time.monotonic() + seconds
        while True:
            notes = self.scene.simulator.control("GET", "/counters")["sink"]["notes"]
            if len(notes) >= wanted or time.monotonic() > end:
                return notes
            time.sleep(0.05)

    def connect(self):
        return http.client.HTTPConnection(urllib.parse.urlsplit(self.scene.server.url).netloc, timeout=30)

    def send(self, connection, length):
        body = json.dumps({"recipient": {"fcm_tokens": [f"ok-otp-{length:06d}"]},
                           "notification": {"fcm": {"message": {"data": {"code": "x" * (NOTE_BYTES + length)}}}}})
        began = time.monotonic_ns()
        connection.request("POST", "/api/send_push_notification", body, {"X-API-Key": self.scene.server.KEY})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200 or b'"result"' not in text:
            raise RuntimeError(f"push refused: {answer.status} {text[:200]}")
        return began, time.monotonic_ns()

    def run(self, go_on):
        """Pushes until go_on() is false: lists of (request to answer, request to provider) in ms."""
        self.forget()
        times, failures, began, first = {}, [], time.monotonic(), self.next_length

        def client():
            try:
                pushes()
            except Exception as failure:  # raised again below: a thread's own would only be printed
                failures.append(failure)

        def pushes():
            connection = self.connect()
            while go_on():
                with self.lock:
                    number, self.next_length = self.next_length, self.next_length + 1
                if number - first >= LENGTHS - 1:
                    return
                time.sleep(max(0.0, began + (number - first) * self.every - time.monotonic()))
                length = 1 + number % (LENGTHS - 1)
                times[length] = self.send(connection, length)

        threads = [threading.Thread(target=client) for _ in range(self.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        arrived = {size - self.zero: at for size, at in self.notes(len(times))}
        assert len(arrived) == len(times), f"{len(times)} pushes, {len(arrived)} arrived"
        return [((answered - sent) / 1e6, (arrived[length] - sent) / 1e6) for length, (sent, answered) in times.items()]


def percentile(values, percent):
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, math.ceil(len(ordered) * percent / 100) - 1)], 2)


def figures(samples):
    to_provider = [sample[1] for sample in samples]
    accept = [sample[0] for sample in samples]
    return {"pushes": len(samples), "p50_ms": percentile(to_provider, 50), "p99_ms": percentile(to_provider, 99),
            "max_ms": round(max(to_provider), 2), "accept_p50_ms": percentile(accept, 50),
            "accept_p99_ms": percentile(accept, 99)}


def under_broadcast(scene, pushes, at_least_s):
    """Samples while broadcasts run one after the other, and how many deliveries a minute they made."""
    done = threading.Event()
    seconds, planned, failures = [], [], []

    def broadcast():
        try:
            while sum(seconds) < at_least_s:
                took, _, status = scene.broadcast("all")
                assert sum(row["n"] for row in status["outcomes"] if row["outcome"] == "accepted") == status["planned"], status
                seconds.append(took)
                planned.append(status["planned"])
        except Exception as failure:
            failures.append(failure)
        finally:
            done.set()

    thread = threading.Thread(target=broadcast)
    thread.start()
    samples = pushes.run(lambda: not done.is_set())
    thread.join()
    if failures:
        raise failures[0]
    return samples, sum(planned) / sum(seconds) * 60


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--per-second", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=6, help="of each of the three measurements, at least")
    options = parser.parse_args()
    with Scene() as scene:
        scene.register(options.devices, "all")
        pushes = Pushes(scene, options.per_second)
        end = time.monotonic() + options.seconds
        idle = figures(pushes.run(lambda: time.monotonic() < end))
        samples, rate = under_broadcast(scene, pushes, options.seconds)
        saturated = figures(samples)
        scene.pace(round(rate * 0.7))
        samples, paced_rate = under_broadcast(scene, Pushes(scene, options.per_second), options.seconds)
        paced = figures(samples)
    met = saturated["p99_ms"] <= 50 and paced["p99_ms"] <= 3 * idle["p99_ms"]
    report("perf6_latency", devices=options.devices, idle=idle, saturated=saturated, saturated_per_minute=round(rate),
           paced=paced, paced_per_minute=round(paced_rate), paced_to_idle=round(paced["p99_ms"] / idle["p99_ms"], 2),
           load_average=round(os.getloadavg()[0], 1), bar="goal met" if met else "below floor")


if __name__ == "__main__":
    main()
