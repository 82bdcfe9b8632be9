# SPDX-License-Identifier: Apache-2.0
"""What every queue that servers share must do, whatever it is built on: small, delayed and cancelled pushes, kill -9 of
servers, servers that stand still or are cut off, two servers that share the work and take over (REL-1, PERF-8)."""
import random
import signal
import time

import kill_rounds
from harness import BUILD, Server, http
from on_postgres import DEVICES, HEALED_S, HELLO, OnPostgres
from relay import Relay

LEASE_S = 10
PAGE_ROWS = 1000


class SharedQueue(OnPostgres):
    """Derived classes name the queue in sections() and add what is special about its store."""

    def ports_of_stores(self):
        return [self.cluster.port]

    def wait_recovered(self, uid):
        """Until the server answers from its database and goes on sending."""
        end = time.monotonic() + HEALED_S
        seen = self.counted()["distinct"]
        while "error" in self.server.call("push_status", {"uid": uid}) or seen == self.counted()["distinct"] < DEVICES:
            self.assertLess(time.monotonic(), end, f"not back {HEALED_S} s after its database")
            time.sleep(0.05)

    def second_server(self, extra=None):
        """`extra`: its own sections, if not those of the first."""
        server = Server(BUILD, self.folder / "second", self.simulator, extra=extra or self.config_extra)
        self.addCleanup(server.kill)
        return server

    def metric(self, server, name):
        status, text = http("GET", server.url + "/metrics", headers={"Authorization": f"apikey {server.KEY}"})
        self.assertEqual(status, 200)
        return sum(float(line.split()[-1]) for line in text.decode().splitlines() if line.startswith(name))

    def claimed(self, server):
        """Work items that a server has claimed since its start."""
        return self.metric(server, "belfry_items_claimed_total")

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
        counted = sum(kill_rounds.one_round([self.server], self.simulator, DEVICES, f"sq-{i}", rng) for i in range(3))
        self.assertGreater(counted, 0)

    def most_repeats(self, uid, server):
        """Of a server that is lost now: what was delivered and not committed, and what the pages that it holds may still send."""
        committed = kill_rounds.accepted_of(self.server.result("push_status", {"uid": uid}))
        return self.counted()["accepted"] - committed + int(self.metric(server, "belfry_pages_in_flight") + 1) * PAGE_ROWS

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
        most = self.most_repeats("sq-takeover", second)
        second.kill()
        self.check_complete("sq-takeover")
        self.assertGreater(self.claimed(self.server), before)
        self.assertLessEqual(self.counted()["accepted"] - DEVICES, most)

    def check_taken_over(self, uid, most):
        """The first server ends the broadcast alone; what the other one had in flight is repeated, nothing else."""
        self.check_complete(uid, seconds=LEASE_S + 60)
        self.assertLessEqual(self.counted()["accepted"] - DEVICES, most)

    def check_works_again(self, uid, server):
        """A server that was taken for dead shares the work as a new one, within a few broadcasts."""
        before, end = self.claimed(server), time.monotonic() + 4 * LEASE_S
        while self.claimed(server) == before:
            self.assertLess(time.monotonic(), end, "seconds without a claim")
            self.simulator.control("POST", "/reset")
            one = f"{uid}-{time.monotonic()}"
            self.start_broadcast(one)
            self.check_complete(one)
            self.assertEqual(self.counted()["accepted"], DEVICES)

    def test_a_server_that_stands_still_past_its_lease_is_taken_over_and_comes_back(self):
        second = self.second_server()
        self.start_broadcast("sq-still")
        self.wait_for(DEVICES // 5)
        most = self.most_repeats("sq-still", second)
        second.process.child.send_signal(signal.SIGSTOP)
        try:
            self.check_taken_over("sq-still", most)
        finally:
            second.process.child.send_signal(signal.SIGCONT)
        # What it had written into its sockets before it stood still may be answered now.
        time.sleep(1)
        self.assertLessEqual(self.counted()["accepted"] - DEVICES, most + kill_rounds.IN_SOCKETS_MAX)
        self.check_works_again("sq-still-again", second)

    def test_a_server_that_is_cut_off_is_taken_over_and_comes_back(self):
        extra, wires = self.config_extra, []
        for port in self.ports_of_stores():
            wires.append(Relay(port))
            self.addCleanup(wires[-1].stop)
            extra = extra.replace(str(port), str(wires[-1].port))
        second = self.second_server(extra)
        self.start_broadcast("sq-cut")
        self.wait_for(DEVICES // 5)
        most = self.most_repeats("sq-cut", second)
        for wire in wires:
            wire.cut.set()
        self.check_taken_over("sq-cut", most)
        for wire in wires:
            wire.cut.clear()
        self.check_works_again("sq-cut-again", second)

    def test_a_cancellation_reaches_the_other_server(self):
        second = self.second_server()
        self.start_broadcast("sq-cancel")
        self.wait_for(DEVICES // 20)
        second.result("cancel_push", {"uid": "sq-cancel"})
        status = self.server.wait_done("sq-cancel", 60)
        self.assertEqual(status["state"], "cancelled")
        self.assertLess(self.counted()["distinct"], DEVICES)
        self.assertEqual(sum(row["n"] for row in status["outcomes"]), status["planned"])
