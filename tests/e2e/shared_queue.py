# SPDX-License-Identifier: Apache-2.0
"""What every queue that servers share must do, whatever it is built on: small, delayed and cancelled pushes, kill -9 of
servers, two servers that share the work and take over (REL-1, PERF-8)."""
import random
import time

import kill_rounds
from harness import BUILD, Server, http
from on_postgres import DEVICES, HEALED_S, HELLO, OnPostgres

LEASE_S = 10
PAGE_DEVICES_MAX = kill_rounds.PAGE_DEVICES_MAX * kill_rounds.PAGES_IN_FLIGHT_MAX


class SharedQueue(OnPostgres):
    """Derived classes name the queue in sections() and add what is special about its store."""

    def wait_recovered(self, uid):
        """Until the server answers from its database and goes on sending."""
        end = time.monotonic() + HEALED_S
        seen = self.counted()["distinct"]
        while "error" in self.server.call("push_status", {"uid": uid}) or seen == self.counted()["distinct"] < DEVICES:
            self.assertLess(time.monotonic(), end, f"not back {HEALED_S} s after its database")
            time.sleep(0.05)

    def second_server(self):
        server = Server(BUILD, self.folder / "second", self.simulator, extra=self.config_extra)
        self.addCleanup(server.kill)
        return server

    def claimed(self, server):
        """Work items that a server has claimed since its start."""
        status, text = http("GET", server.url + "/metrics", headers={"Authorization": f"apikey {server.KEY}"})
        self.assertEqual(status, 200)
        lines = [line for line in text.decode().splitlines() if line.startswith("belfry_items_claimed_total")]
        return sum(float(line.split()[-1]) for line in lines)

    def test_a_small_push_a_delayed_one_and_a_cancelled_one(self):
        self.register("ok-first", topics=["first"], user="42")
        self.assertEqual(self.outcomes(self.send({"filter": {"users": ["42"]}}, HELLO)), {("fcm", "accepted"): 1})
        later = int(time.time()) + 2
        self.server.result("send_push_notification", {"uid": "later", "recipient": {"filter": {"topics": ["first"]}},
                                                      "notification": HELLO, "send_at": later})
        self.server.result("send_push_notification", {"uid": "never", "recipient": {"filter": {"topics": ["first"]}},
                                                      "notification": HELLO, "send_at": later})
        self.server.result("cancel_push", {"uid": "never"})
        self.assertEqual(self.outcomes(self.server.wait_done("later", 30)), {("fcm", "accepted"): 1})
        self.assertEqual(self.server.wait_done("never", 30)["state"], "cancelled")
        self.assertEqual(len(self.phone("ok-first")), 2)

    def test_kill_rounds_lose_nothing(self):
        rng = random.Random(1)
        counted = sum(kill_rounds.one_round(self.server, self.simulator, DEVICES, f"sq-{i}", rng) for i in range(3))
        self.assertGreater(counted, 0)

    def test_two_servers_share_the_work_and_one_takes_over_from_the_other(self):
        second = self.second_server()
        self.start_broadcast("sq-both")
        self.check_complete("sq-both", server=second)
        self.assertEqual(self.counted()["accepted"], DEVICES, "without any trouble nobody gets it twice")
        self.assertGreater(self.claimed(second), 0, "items that the second server claimed")
        self.simulator.control("POST", "/reset")
        before = self.claimed(self.server)
        self.start_broadcast("sq-takeover")
        self.wait_for(DEVICES // 5)
        second.kill()
        self.check_complete("sq-takeover")
        self.assertGreater(self.claimed(self.server), before)
        repeats = self.counted()["accepted"] - DEVICES
        self.assertLessEqual(repeats, PAGE_DEVICES_MAX)

    def test_a_cancellation_reaches_the_other_server(self):
        second = self.second_server()
        self.start_broadcast("sq-cancel")
        self.wait_for(DEVICES // 20)
        second.result("cancel_push", {"uid": "sq-cancel"})
        status = self.server.wait_done("sq-cancel", 60)
        self.assertEqual(status["state"], "cancelled")
        self.assertLess(self.counted()["distinct"], DEVICES)
        self.assertEqual(sum(row["n"] for row in status["outcomes"]), status["planned"])
