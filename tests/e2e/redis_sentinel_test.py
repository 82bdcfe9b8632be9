# SPDX-License-Identifier: Apache-2.0
"""Belfry with its queue in a Redis with replicas and sentinels: the master dies, or stands still, under load. Belfry goes on
by itself within 10 s of the failover; of what it accepted, at most what had not reached the new master is lost (REL-3)."""
import json
import pathlib
import signal
import sys
import threading
import time
import unittest

from harness import HELLO, EndToEnd, http

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "redis"))
from sentinel import MASTER_NAME, PASSWORD, SentinelSet  # noqa: E402
from server import MISSING, SKIPPED, is_installed  # noqa: E402

DEVICES = 20_000
HEALED_S = 10
# Replication is asynchronous: on one machine it carries what was accepted within milliseconds.
GAP_S = 1.0


class Sender:
    """Sends small pushes one after the other; remembers what was accepted, and when."""

    def __init__(self, server, prefix):
        self.server, self.prefix = server, prefix
        self.accepted, self.ends = [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        number = 0
        while not self.ends.is_set():
            number += 1
            uid = f"{self.prefix}-{number}"
            answer = self.server.call("send_push_notification", {
                "uid": uid, "recipient": {"filter": {"users": ["held"]}}, "notification": HELLO})
            if "error" in answer:
                time.sleep(0.02)
            else:
                self.accepted.append((uid, time.monotonic()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()

    def wait_accepted(self, since, most_s):
        """How long it took until a push was accepted after `since`; None: too long."""
        while time.monotonic() < since + most_s:
            if self.accepted and self.accepted[-1][1] > since:
                return next(at for _, at in self.accepted if at > since) - since
            time.sleep(0.01)
        return None


class RedisSentinel(EndToEnd):
    simulator_arguments = ("--quota-per-minute", "0", "--device-per-minute", "0")

    @classmethod
    def setUpClass(cls):
        # First, so that it goes last: a server that stops still needs it.
        cls.redis = SentinelSet(appendfsync="always")
        cls.addClassCleanup(cls.redis.remove)
        cls.redis.start()
        cls.config_extra = (f'[queue]\nplugin = "queue_redis"\nsentinels = {json.dumps(cls.redis.sentinels)}\n'
                            f'master_name = "{MASTER_NAME}"\nsentinel_password = "{PASSWORD}"\n')
        super().setUpClass()
        cls.server.register_many((f"ok-all-{i}" for i in range(DEVICES)), "all")

    def setUp(self):
        super().setUp()
        self.simulator.control("POST", "/reset")
        self.redis.wait_whole()

    def fail_over(self, sender, harm):
        """Harms the master; answers its port, when it was harmed, and checks that Belfry goes on by itself."""
        before = self.redis.master()
        harmed = time.monotonic()
        harm(self.redis.by_port(before))
        self.redis.wait_other_master(before)
        ended = time.monotonic()
        took = sender.wait_accepted(ended, HEALED_S)
        self.assertIsNotNone(took, f"no push was accepted within {HEALED_S} s of the failover\n{self.server.process.tail()}")
        print(f"failover {ended - harmed:.1f} s, then {took:.2f} s until the next push was accepted", file=sys.stderr)
        return before, harmed

    def check_accepted(self, accepted, harmed):
        """What was accepted is sent, but for what the new master never got."""
        lost = []
        for uid, at in accepted:
            answer = self.server.call("push_status", {"uid": uid})
            if "error" in answer:
                lost.append((uid, harmed - at))
            else:
                self.assertEqual(self.server.wait_done(uid, 60)["state"], "done", uid)
        late = [(uid, ago) for uid, ago in lost if ago > GAP_S]
        print(f"{len(accepted)} accepted, {len(lost)} lost: {lost}", file=sys.stderr)
        self.assertEqual(late, [], "lost, though accepted long before the master died")
        self.assertTrue(all(ago > 0 for _, ago in lost), f"lost, though accepted by the new master: {lost}")

    def check_nothing_is_stuck(self):
        end = time.monotonic() + 60
        while any((stats := self.admin("GET", "queue"))[name] for name in ("running_pushes", "delayed_pushes")):
            self.assertLess(time.monotonic(), end, stats)
            time.sleep(0.2)

    def start_broadcast(self, uid):
        self.server.result("send_push_notification", {
            "uid": uid, "recipient": {"filter": {"topics": ["all"]}}, "notification": HELLO})

    def check_broadcast(self, uid):
        status = self.server.wait_done(uid, 60)
        self.assertEqual(self.simulator.control("GET", "/tokens/summary")["distinct"], DEVICES + 1,
                         "devices that got it, and the one that gets the small pushes")
        self.assertEqual((status["state"], status["planned"]), ("done", DEVICES))

    def run_failover(self, prefix, harm):
        self.register("ok-small", user="held")
        with Sender(self.server, prefix) as sender:
            while len(sender.accepted) < 50:
                time.sleep(0.01)
            self.start_broadcast(f"{prefix}-broadcast")
            while self.simulator.control("GET", "/tokens/summary")["distinct"] < DEVICES // 10:
                time.sleep(0.01)
            before, harmed = self.fail_over(sender, harm)
            seen = len(sender.accepted)
            while len(sender.accepted) < seen + 50:
                time.sleep(0.01)
        self.check_broadcast(f"{prefix}-broadcast")
        self.check_accepted(sender.accepted, harmed)
        self.check_nothing_is_stuck()
        return before

    def test_a_master_that_is_killed(self):
        def kill(redis):
            redis.kill()
            self.addCleanup(redis.start)  # and it becomes a replica

        self.run_failover("killed", kill)

    def test_a_master_that_stands_still_and_comes_back(self):
        def stop(redis):
            redis.process.send_signal(signal.SIGSTOP)
            self.addCleanup(redis.process.send_signal, signal.SIGCONT)

        old = self.run_failover("still", stop)
        self.redis.by_port(old).process.send_signal(signal.SIGCONT)
        self.redis.wait_whole()
        self.register("ok-back", user="back")
        self.assertEqual(self.outcomes(self.send({"filter": {"users": ["back"]}}, HELLO)), {("fcm", "accepted"): 1})

    def test_a_new_master_with_settings_that_lose_pushes_is_complained_of(self):
        before = self.redis.master()
        for server in self.redis.servers:
            if server.port != before:
                server.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        try:
            self.redis.all_sentinels[0].ask("FAILOVER", MASTER_NAME)
            self.redis.wait_other_master(before)
            end = time.monotonic() + HEALED_S
            while "maxmemory-policy noeviction" not in self.server.process.tail(200):
                self.assertLess(time.monotonic(), end, self.server.process.tail())
                time.sleep(0.1)
            metrics = http("GET", self.server.url + "/metrics", headers={"Authorization": f"apikey {self.server.KEY}"})[1].decode()
            unsafe = [line for line in metrics.splitlines() if "server_unsafe{" in line]
            self.assertTrue(unsafe and unsafe[0].endswith(" 1"), metrics)
        finally:
            for server in self.redis.servers:
                server.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")

    def test_health_says_that_a_failover_may_lose_pushes(self):
        self.assertIn("a failover of its server may lose the latest accepted pushes", self.health())

    def test_two_sentinels_that_are_gone_keep_nobody_waiting(self):
        self.register("ok-one", user="one")
        gone = self.redis.all_sentinels[:2]
        for sentinel in gone:
            sentinel.process.send_signal(signal.SIGSTOP)
        try:
            self.assertEqual(self.outcomes(self.send({"filter": {"users": ["one"]}}, HELLO)), {("fcm", "accepted"): 1})
        finally:
            for sentinel in gone:
                sentinel.process.send_signal(signal.SIGCONT)


if __name__ == "__main__":
    if not is_installed():
        print(f"skipped: {MISSING}")
        sys.exit(SKIPPED)
    unittest.main()
