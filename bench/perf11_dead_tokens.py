#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-11: a broadcast of which 60 % of the tokens are dead at APNs, beside one of living tokens: what the living keep of their rate.

The sink answers 410 Unregistered (or 400 BadDeviceToken), evenly spread; devices and requests are as many in both, so the ratio of the rates is
what the living keep. The dead ones are removed meanwhile. Each kind of answer has its own figure, the worse one is judged.
"""
import argparse
import statistics
import time

from scene import Scene, bar, report
from world import apns_section

HELLO = {"apns": {"payload": {"aps": {"alert": {"title": "Breaking news", "body": "A broadcast of a usual size. " * 4}}, "article": "4711"}}}
DEAD = 60  # percent


def sections(simulator):
    section = apns_section(simulator, extra="rate = { per_minute = 1_000_000_000 }")
    return section.replace(f"endpoint = \"{simulator.facts['apns']['url']}\"", f"endpoint = \"{simulator.facts['fcm_url']}\"")


class Broadcasts:
    def __init__(self, scene, devices):
        self.scene, self.devices, self.topics = scene, devices, 0

    def rate(self, dead_percent, suspect=False):
        """Answered requests per second, and the server's CPU per request, of one broadcast to devices that nobody sent to before."""
        self.topics += 1
        topic = f"round-{self.topics}"
        tokens = (f"{self.topics:08x}{number:056x}" for number in range(self.devices))
        self.scene.server.register_many(tokens, topic, provider="apns", platform="ios")
        self.scene.simulator.control("PUT", "/config", {"sink_gone_percent": dead_percent, "sink_gone_suspect": suspect})
        seconds, cpu, status = self.scene.broadcast(topic, HELLO)
        found = {row["outcome"]: row["n"] for row in status["outcomes"]}
        assert status["planned"] == self.devices and sum(found.values()) == self.devices, status
        assert abs(found.get("gone", 0) - self.devices * dead_percent // 100) <= self.devices // 100, status
        self.settle(topic, found["accepted"])
        return self.devices / seconds, cpu / self.devices * 1e6

    def settle(self, topic, left):
        """Removals of one round must not fall into the next; they are part of the promise, too, but sending goes first."""
        end = time.monotonic() + 120
        while True:
            counted = self.scene.server.result("recipient_count", {"recipient": {"filter": {"topics": [topic]}}})["devices"]
            if counted == left:
                return
            assert time.monotonic() < end, f"{counted} devices instead of {left} are left"
            time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with Scene(sections=sections) as scene:
        broadcasts = Broadcasts(scene, options.devices)
        broadcasts.rate(0)
        rounds = [(broadcasts.rate(0), broadcasts.rate(DEAD), broadcasts.rate(DEAD, suspect=True)) for _ in range(options.runs)]
    clean, gone, suspect = zip(*rounds)
    kept = [statistics.median(dirty[0] / one[0] for dirty, one in zip(kind, clean)) for kind in (gone, suspect)]
    cpu = [round(statistics.median(one[1] for one in kind), 2) for kind in (clean, gone, suspect)]
    report("perf11_dead_tokens", devices=options.devices, dead_percent=DEAD, clean_per_s=round(statistics.median(one[0] for one in clean)),
           kept_with_410=round(kept[0], 2), kept_with_bad_device_token=round(kept[1], 2), cpu_us_clean=cpu[0], cpu_us_with_410=cpu[1],
           cpu_us_with_bad_device_token=cpu[2], bar=bar(min(kept), 0.7, 0.85))


if __name__ == "__main__":
    main()
