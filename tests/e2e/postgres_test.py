# SPDX-License-Identifier: Apache-2.0
"""The server with its devices in PostgreSQL: first push, a broadcast, kill -9 rounds, and a database that goes away in the
middle of one (REL-3)."""
import pathlib
import random
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "postgres"))
import kill_rounds  # noqa: E402
from cluster import SKIPPED, Cluster, folder_of_programs  # noqa: E402
from harness import EndToEnd, Trouble  # noqa: E402

HELLO = {"fcm": {"message": {"notification": {"title": "Hello"}}}}
DEVICES = 60_000
HEALED_S = 10


class Postgres(EndToEnd):
    simulator_arguments = ("--quota-per-minute", "0", "--device-per-minute", "0")

    @classmethod
    def setUpClass(cls):
        # First, so that it goes last: a server that stops still needs it.
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.remove)
        cls.cluster.create()
        cls.config_extra = f'[storage]\nplugin = "storage_pg"\ndsn = "{cls.cluster.dsn}"\n'
        super().setUpClass()
        cls.server.register_many((f"ok-rel1-{i}" for i in range(DEVICES)), "rel1")

    def setUp(self):
        super().setUp()
        self.simulator.control("POST", "/reset")

    def counted(self):
        return self.simulator.control("GET", "/tokens/summary")

    def start_broadcast(self, uid):
        self.server.result("send_push_notification", {"uid": uid, "recipient": {"filter": {"topics": ["rel1"]}}, "notification": HELLO})

    def wait_for(self, devices, seconds=60):
        end = time.monotonic() + seconds
        while self.counted()["distinct"] < devices:
            if time.monotonic() > end:
                raise Trouble(f"no {devices} devices within {seconds} s\n{self.server.process.tail()}")
            time.sleep(0.01)

    def check_complete(self, uid, seconds=60):
        status = self.server.wait_done(uid, seconds)
        self.assertEqual(status["planned"], DEVICES)
        self.assertEqual(self.outcomes(status), {("fcm", "accepted"): DEVICES})
        self.assertEqual(self.counted()["distinct"], DEVICES)

    def test_first_push_and_the_device_api(self):
        device = self.register("ok-first", topics=["first"], user="42", timezone="Europe/Berlin", meta={"plan": "pro"})
        status = self.send({"filter": {"topics": ["first"]}}, HELLO)
        self.assertEqual(self.outcomes(status), {("fcm", "accepted"): 1})
        self.assertEqual(self.register("ok-first", topics=["second"], user="42"), device)
        self.server.result("user_topic_update", {"user": "42", "op": "add", "topics": ["bound"]})
        self.assertEqual(self.tokens("bound"), {"ok-first"})
        self.assertEqual(self.tokens("first"), set())
        self.assertEqual(self.outcomes(self.send({"filter": {"users": ["42"]}}, HELLO)), {("fcm", "accepted"): 1})
        self.server.result("device_remove", {"ids": [device]})
        self.assertEqual(self.tokens("bound"), set())

    def test_a_dead_token_is_removed(self):
        self.register("unreg-1", topics=["dying"])
        self.register("ok-alive", topics=["dying"])
        self.send({"filter": {"topics": ["dying"]}}, HELLO)
        self.assertEqual(self.wait_tokens({"ok-alive"}, "dying"), {"ok-alive"})

    def test_a_broadcast_reaches_everybody_once(self):
        self.start_broadcast("pg-all")
        self.check_complete("pg-all")
        self.assertEqual(self.counted()["accepted"], DEVICES)

    def test_kill_rounds_lose_nothing(self):
        rng = random.Random(1)
        counted = sum(kill_rounds.one_round(self.server, self.simulator, DEVICES, f"pg{i}", rng) for i in range(3))
        self.assertGreater(counted, 0)

    def test_a_database_that_crashes_in_a_broadcast_costs_nothing(self):
        for mode, pause_s in (("immediate", 0), ("fast", 3)):
            with self.subTest(mode=mode):
                self.simulator.control("POST", "/reset")
                self.start_broadcast(f"pg-crash-{mode}")
                self.wait_for(DEVICES // 10)
                restart = threading.Thread(target=self.cluster.restart, args=(mode, pause_s))
                restart.start()
                restart.join()
                healed = time.monotonic()
                self.check_complete(f"pg-crash-{mode}")
                self.assertLess(time.monotonic() - healed, HEALED_S, "seconds from healing to the last delivery")

    def test_without_its_database_the_server_says_so_and_comes_back(self):
        self.cluster.stop("immediate")
        try:
            reply = self.server.call("device_register", {"provider": "fcm", "token": "ok-down", "platform": "android"})
            self.assertIn("error", reply)
            self.assertTrue(self.server.process.alive())
        finally:
            self.cluster.start()
        healed = time.monotonic()
        while "error" in self.server.call("device_register", {"provider": "fcm", "token": "ok-down", "platform": "android"}):
            self.assertLess(time.monotonic() - healed, HEALED_S, "seconds until a registration succeeds again")
            time.sleep(0.05)


if __name__ == "__main__":
    if folder_of_programs() is None:
        print("skipped: no /usr/lib/postgresql/*/bin: install the Debian package postgresql, or run ./dev test")
        sys.exit(SKIPPED)
    unittest.main()
