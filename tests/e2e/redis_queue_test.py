# SPDX-License-Identifier: Apache-2.0
"""Belfry with its devices in PostgreSQL and its queue in Redis: one server and then two; kill -9 of servers and of Redis
(REL-1, REL-3)."""
import pathlib
import sys
import threading
import time

import shared_queue
from on_postgres import DEVICES, HEALED_S, HELLO, main

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "redis"))
from server import MISSING, SKIPPED, RedisServer, is_installed  # noqa: E402

SMALL_PUSHES_LEAST = 20


class RedisQueue(shared_queue.SharedQueue):
    @classmethod
    def setUpClass(cls):
        # First, so that it goes last: a server that stops still needs it.
        cls.redis = RedisServer(appendfsync="always")
        cls.addClassCleanup(cls.redis.remove)
        cls.redis.start()
        super().setUpClass()

    @classmethod
    def sections(cls, dsn):
        return (f'[storage]\nplugin = "storage_pg"\ndsn = "{dsn}"\n'
                f'[queue]\nplugin = "queue_redis"\naddress = "{cls.redis.address}"\nlease_s = {shared_queue.LEASE_S}\n')

    def ports_of_stores(self):
        return [self.cluster.port, self.redis.port]

    def wait_back(self):
        """Until pushes are accepted again."""
        push = {"recipient": {"filter": {"topics": ["nobody"]}}, "notification": HELLO}
        healed = time.monotonic()
        while "error" in self.server.call("send_push_notification", push):
            self.assertLess(time.monotonic() - healed, HEALED_S, "seconds until a push is accepted again")
            time.sleep(0.05)

    def test_a_redis_that_is_killed_in_a_broadcast_costs_nothing(self):
        for pause_s in (0, 3):
            with self.subTest(pause_s=pause_s):
                self.simulator.control("POST", "/reset")
                uid = f"redis-crash-{pause_s}"
                self.start_broadcast(uid)
                self.wait_for(DEVICES // 10)
                self.redis.kill()
                time.sleep(pause_s)
                self.redis.start()
                self.wait_recovered(uid)
                self.check_complete(uid)

    def test_no_accepted_push_is_lost_when_redis_is_killed(self):
        self.register("ok-kept", topics=["kept"], user="kept")
        accepted, ends = [], threading.Event()

        def send():
            number = 0
            while not ends.is_set():
                number += 1
                answer = self.server.call("send_push_notification", {
                    "uid": f"kept-{number}", "recipient": {"filter": {"users": ["kept"]}}, "notification": HELLO})
                if "error" not in answer:
                    accepted.append(f"kept-{number}")
                else:
                    time.sleep(0.02)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            for _ in range(3):
                before = len(accepted)
                end = time.monotonic() + HEALED_S
                while len(accepted) < before + SMALL_PUSHES_LEAST and time.monotonic() < end:
                    time.sleep(0.01)
                self.assertGreaterEqual(len(accepted), before + SMALL_PUSHES_LEAST, "pushes between two crashes")
                self.redis.kill()
                self.redis.start()
        finally:
            ends.set()
            sender.join()
        self.wait_back()
        for uid in accepted:
            self.assertEqual(self.outcomes(self.server.wait_done(uid, 60)), {("fcm", "accepted"): 1}, uid)

    def test_scripts_that_the_server_forgot_are_given_again(self):
        self.register("ok-flushed", topics=["flushed"], user="flushed")
        self.send({"filter": {"users": ["flushed"]}}, HELLO)
        self.redis.cli("SCRIPT", "FLUSH")
        self.assertEqual(self.outcomes(self.send({"filter": {"users": ["flushed"]}}, HELLO)), {("fcm", "accepted"): 1})

    def test_without_redis_the_server_says_so_and_comes_back(self):
        push = {"recipient": {"filter": {"topics": ["nobody"]}}, "notification": HELLO}
        self.redis.kill()
        try:
            started = time.monotonic()
            self.assertIn("error", self.server.call("send_push_notification", push))
            self.assertLess(time.monotonic() - started, HEALED_S, "seconds until the caller is told")
            self.assertTrue(self.server.process.alive())
        finally:
            self.redis.start()
        self.wait_back()


if __name__ == "__main__":
    if not is_installed():
        print(f"skipped: {MISSING}")
        sys.exit(SKIPPED)
    main()
