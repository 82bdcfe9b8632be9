# SPDX-License-Identifier: Apache-2.0
"""What the whole-system scenarios share: a server against the raw sink, devices to send to, and the kernel's account of a process."""
import json
import os
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools/up"), str(ROOT / "tests/e2e")]
from stores import KINDS, stores  # noqa: E402,F401
from world import Server, Simulator, http  # noqa: E402,F401

BUILD = pathlib.Path(os.environ.get("BELFRY_BUILD", pathlib.Path(__file__).resolve().parents[1] / "build/dev"))
TICKS = os.sysconf("SC_CLK_TCK")
PAYLOAD = {"fcm": {"message": {"notification": {"title": "Breaking news", "body": "A broadcast of a usual size. " * 4},
                               "data": {"article": "4711", "section": "world"}}}}


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_peak_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0


class Scene:
    """A temporary server whose FCM endpoint is the simulator's sink (fixed answers, several times cheaper than any client)."""

    def __init__(self, *simulator_arguments, extra="", sections=None):
        self.owner = tempfile.TemporaryDirectory(prefix="belfry-bench-")
        folder = pathlib.Path(self.owner.name)
        self.simulator = Simulator(BUILD, folder / "simulator", "--sink", *simulator_arguments)
        self.server = Server(BUILD, folder / "server", self.simulator, extra=extra, providers=sections and sections(self.simulator),
                             fcm_extra="rate = { per_minute = 1_000_000_000 }")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop()
        self.simulator.stop()
        self.owner.cleanup()

    def pace(self, per_minute):
        """Starts the server again with another rate budget."""
        self.server.stop()
        text = self.server.config.read_text()
        self.server.config.write_text(text.replace("per_minute = 1_000_000_000", f"per_minute = {per_minute}"))
        self.server.start()

    def register(self, devices, topic):
        """Registers devices of one topic with tokens of a realistic 152 bytes; returns seconds."""
        began = time.monotonic()
        self.server.register_many((f"ok-{topic}-{i:09d}".ljust(152, "x") for i in range(devices)), topic)
        return time.monotonic() - began

    def broadcast(self, topic, payload=PAYLOAD):
        """Sends to a topic and waits for the end: (seconds, server CPU seconds, final status)."""
        before, began = cpu_seconds(self.server.process.pid), time.monotonic()
        uid = self.server.result("send_push_notification", {
            "recipient": {"filter": {"topics": [topic]}}, "lane": "normal",
            "notification": {**payload, "expire_at": int(time.time()) + 3600}})["uid"]
        status = self.server.wait_done(uid, 900)
        return time.monotonic() - began, cpu_seconds(self.server.process.pid) - before, status


def bar(value, floor, goal, least=True):
    """Which of a claim's bars a figure meets; least=False: smaller is better."""
    sign = 1 if least else -1
    if sign * value >= sign * goal:
        return "goal met"
    return "floor met" if sign * value >= sign * floor else "below floor"


def report(scenario, **figures):
    print(json.dumps({"scenario": scenario, **figures}), flush=True)
