# SPDX-License-Identifier: Apache-2.0
"""The server with its devices in PostgreSQL: first push, a broadcast, kill -9 rounds, and a database that goes away in the
middle of one (REL-3)."""
import random
import time

import kill_rounds
from on_postgres import DEVICES, HEALED_S, HELLO, OnPostgres, main


class Postgres(OnPostgres):
    @classmethod
    def sections(cls, dsn):
        return f'[storage]\nplugin = "storage_pg"\ndsn = "{dsn}"\n'

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
        counted = sum(kill_rounds.one_round([self.server], self.simulator, DEVICES, f"pg{i}", rng) for i in range(3))
        self.assertGreater(counted, 0)

    def test_a_database_that_crashes_in_a_broadcast_costs_nothing(self):
        for mode, pause_s in (("immediate", 0), ("fast", 3)):
            with self.subTest(mode=mode):
                self.simulator.control("POST", "/reset")
                self.start_broadcast(f"pg-crash-{mode}")
                self.wait_for(DEVICES // 10)
                self.cluster.restart(mode, pause_s)
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
    main()
