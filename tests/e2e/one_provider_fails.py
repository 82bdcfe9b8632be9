#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""REL-2 for all four providers: a broadcast over all of them while one fails, each kind of fault in turn.

The others are done while the fault still lasts, the failing one's devices arrive once it has healed, nothing is deleted, and the
counters are exact. With --bar the others also keep that share of their rate: deliveries per second from a provider's first accepted
one to its last, against clean broadcasts of the same run, every second one being clean; a case below the bar is measured twice more
and the median counts. Paced, so that the machine's other work says little.
"""
import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

from harness import BUILD, Server, Simulator, Trouble, webpush_section
from world import apns_section, fcm_section, hms_section

ROUTES = {"fcm": "send", "apns": "apns", "hms": "hms", "webpush": "webpush"}
KINDS = {
    "429": {"action": "status", "status": 429, "retry_after_s": 1},
    "503": {"action": "status", "status": 503, "retry_after_s": 1},
    "500": {"action": "status", "status": 500},
    "403": {"action": "status", "status": 403},  # REL-4: waits for an operator, asks again after a minute
    "goaway": {"action": "goaway", "last_stream_id": "before", "close": True},
    "refused_stream": {"action": "rst", "code": "REFUSED_STREAM"},
    "tcp_reset": {"action": "tcp_reset"},
    "black_hole": {"action": "black_hole"},
    "down": {"action": "tcp_reset"},  # and nobody can connect
}
STALL_S = 60            # a machine that is loaded delivers slowly; one that delivers nothing for so long is stuck
STALL_HEALING_S = 150   # a refused credential is tried again after a minute, and after two more if that was too soon
NOTIFICATION = {"fcm": {"message": {"notification": {"title": "now"}}}, "apns": {"payload": {"aps": {"alert": "now"}}},
                "hms": {"message": {"data": "{\"k\":\"v\"}"}}, "webpush": {"payload": "now"}}
FLAVOURS = ("fcm", "mozilla", "apple", "windows")


class World:
    """One server, the four providers, `each` devices of every one in one topic; `per_minute` of every one, 0: as fast as they take it."""

    def __init__(self, folder, each, per_minute, attempts_max=20):
        self.each = each
        self.simulator = Simulator(BUILD, folder / "simulator", "--quota-per-minute", "0", "--device-per-minute", "0", "--device-per-hour", "0")
        self.simulator.control("PUT", "/config", {"hms_devices_per_second": 0})
        rate = f"rate = {{ per_minute = {per_minute} }}\n" if per_minute else ""
        self.server = Server(BUILD, folder / "server", self.simulator, extra=f"""
[delivery]
retry_base_ms = 300
retry_max_ms = 2000
attempts_max = {attempts_max}
""", providers=fcm_section(self.simulator, rate) + apns_section(self.simulator, extra=rate + "server_error_retry_s = 1\n") + hms_section(self.simulator, extra=rate) +
                             webpush_section(self.simulator, extra="allow_private_networks = true\n" + rate))
        register = self.server.register_many
        register((f"ok-{i}" for i in range(each)), "all", provider="fcm")
        register((f"{i:064x}" for i in range(each)), "all", provider="apns", platform="ios")
        register((f"device-{i}" for i in range(each)), "all", provider="hms")
        register(self.browsers(), "all", provider="webpush", platform="web")

    def browsers(self):
        for at in range(0, self.each, 100):
            n = min(100, self.each - at)
            asked = {"flavour": FLAVOURS[at // 100 % 4], "name": f"b{at}", "count": n}
            made = self.simulator.control("POST", "/webpush/subscriptions", asked)
            for one in made.get("subscriptions", [made]):
                yield json.dumps(one["subscription"])

    def close(self):
        self.server.kill()
        self.simulator.stop()

    def devices(self):
        return self.server.result("recipient_count", {"recipient": {"filter": {"topics": ["all"]}}})["devices"]

    def accepted(self, uid):
        status = self.server.result("push_status", {"uid": uid})
        return {row["provider"]: row["n"] for row in status["outcomes"] if row["outcome"] == "accepted"}

    def break_provider(self, name, kind):
        rules = [{"action": "refuse_connects"}] if kind == "down" else []
        self.simulator.control("POST", "/faults", rules + [{**KINDS[kind], "match": {"route": ROUTES[name]}}])

    def broadcast(self, failing, kind, seconds=None):
        """Seconds until each of the others was done, and their deliveries per second; heals when they are. They have `seconds`; without, as
        long as it takes while something is delivered."""
        if failing:
            self.break_provider(failing, kind)
        uid = self.server.result("send_push_notification", {"recipient": {"filter": {"topics": ["all"]}}, "notification": NOTIFICATION})["uid"]
        began, first, done, rates = time.monotonic(), {}, {}, {}
        others = [name for name in ROUTES if name != failing]
        moved, before = began, {}
        while len(done) < len(others):
            now, accepted = time.monotonic(), self.accepted(uid)
            if accepted != before:
                moved, before = now, accepted
            for name in others:
                n = accepted.get(name, 0)
                if n > 0:
                    first.setdefault(name, (now, n))
                if n == self.each and name not in done:
                    done[name] = now - began
                    since, had = first[name]
                    rates[name] = (n - had) / (now - since) if n > had else None
            if seconds is not None and now - began > seconds:
                raise Trouble(f"{kind} at {failing}: the others were not done after {seconds} s: {accepted}\n{self.server.process.tail()}")
            if seconds is None and now - moved > STALL_S:
                raise Trouble(f"without a fault: nothing was delivered for {STALL_S} s: {accepted}\n{self.server.process.tail()}")
            time.sleep(0.02)
        if failing and self.accepted(uid).get(failing, 0) >= self.each:
            raise Trouble(f"{kind} at {failing} did not fail")
        self.simulator.control("DELETE", "/faults")
        self.check(f"{kind} at {failing}" if failing else "without a fault", self.healed(uid))
        return done, rates

    def healed(self, uid):
        """The status of a push that is done; as long as it takes while something is delivered."""
        moved, before = time.monotonic(), {}
        while True:
            status, now = self.server.result("push_status", {"uid": uid}), time.monotonic()
            if status["state"] == "done":
                return status
            if status["outcomes"] != before:
                moved, before = now, status["outcomes"]
            if now - moved > STALL_HEALING_S:
                raise Trouble(f"nothing was delivered for {STALL_HEALING_S} s after the fault: {status}\n{self.server.process.tail()}")
            time.sleep(0.05)

    def check(self, what, status):
        outcomes = {(row["provider"], row["outcome"]): row["n"] for row in status["outcomes"] if row["n"]}
        if outcomes != {(name, "accepted"): self.each for name in ROUTES} or status["planned"] != len(ROUTES) * self.each:
            raise Trouble(f"{what}: planned {status['planned']}, outcomes {outcomes}\n{self.server.process.tail()}")
        if self.devices() != len(ROUTES) * self.each:
            raise Trouble(f"{what}: {len(ROUTES) * self.each - self.devices()} devices were deleted")


class Usage:
    """What the kernel says of the server since the last look."""

    def __init__(self, pid):
        self.pid, self.cpu = pid, 0.0
        self.look()

    def look(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        used, self.cpu = cpu - self.cpu, cpu
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines()
        rss = {line.split(":")[0]: int(line.split()[1]) // 1024 for line in status if line.startswith(("VmRSS", "VmHWM"))}
        return f"{used:.1f} s CPU, {rss['VmRSS']} MB resident, {rss['VmHWM']} at most"


class Judge:
    """The others' rates beside those of clean broadcasts."""

    def __init__(self, world, bar, seconds):
        self.world, self.bar, self.seconds = world, bar, seconds
        self.clean = {name: [] for name in ROUTES}
        self.below = []
        self.usage = Usage(world.server.process.pid)

    def measure(self, failing, kind):
        self.usage.look()
        done, rates = self.world.broadcast(None, None)
        print(f"{'clean':15} {len(ROUTES) * self.world.each} devices in {max(done.values()):.2f} s; server: {self.usage.look()}", flush=True)
        for name, rate in rates.items():
            self.clean[name].append(rate)
        return self.world.broadcast(failing, kind, self.seconds + 2 * max(done.values()))

    def case(self, failing, kind):
        done, rates = self.measure(failing, kind)
        print(f"{kind:15} at {failing:8} server: {self.usage.look()}", flush=True)
        if self.bar is None:
            print(f"{kind:15} at {failing:8} others done after " + ", ".join(f"{name} {took:.2f} s" for name, took in done.items()), flush=True)
            return
        rounds = [rates]
        if self.slow(rounds):
            rounds += [self.measure(failing, kind)[1], self.measure(failing, kind)[1]]
        print(f"{kind:15} at {failing:8} others at " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in self.ratios(rounds).items()), flush=True)
        self.below += [f"{kind} at {failing}: {name} at {ratio:.2f} of its rate" for name, ratio in self.slow(rounds).items()]

    def ratios(self, rounds):
        return {name: statistics.median(rates[name] for rates in rounds) / statistics.median(self.clean[name]) for name in rounds[0]}

    def slow(self, rounds):
        return {name: ratio for name, ratio in self.ratios(rounds).items() if ratio < self.bar}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=400_000, help="of all providers together; BELFRY_REL2_DEVICES says it over all")
    parser.add_argument("--seconds", type=float, default=0, help="pace every provider so that a clean broadcast takes so long; 0: not at all")
    parser.add_argument("--cases", default=",".join(f"{name}:{kind}" for kind in KINDS for name in ROUTES), help="provider:kind, ...")
    parser.add_argument("--bar", type=float, help="the least share of their rate that the others keep")
    parser.add_argument("--within", type=float, default=10, help="the others must be done within twice a clean broadcast's time and so many seconds")
    options = parser.parse_args()
    world = None
    with tempfile.TemporaryDirectory(prefix="belfry-rel2-") as folder:
        try:
            each = int(os.environ.get("BELFRY_REL2_DEVICES", options.devices)) // len(ROUTES)
            world = World(pathlib.Path(folder), each, int(each * 60 / options.seconds) if options.seconds else 0)
            world.broadcast(None, None)  # connections and tokens
            judge = Judge(world, options.bar, options.within)
            cases = options.cases.split(",")
            for case in cases:
                judge.case(*case.split(":"))
        except Trouble as trouble:
            print(f"one provider fails: {trouble}")
            return 1
        finally:
            if world:
                world.close()
    print(f"{len(cases)} cases, {len(judge.below)} below the bar")
    print("\n".join(judge.below))
    return 1 if judge.below else 0


if __name__ == "__main__":
    sys.exit(main())
