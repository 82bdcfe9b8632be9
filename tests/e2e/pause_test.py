# SPDX-License-Identifier: Apache-2.0
"""A broadcast that is paused in its middle: nothing is sent while it is, kill -9 changes nothing, and resuming finishes it once each."""
import time
import unittest

from harness import HELLO, EndToEnd

DEVICES = 50_000
PER_SECOND = 15_000


class Pause(EndToEnd):
    simulator_arguments = ("--quota-per-minute", "0", "--device-per-minute", "0")
    fcm_extra = f"rate = {{ per_minute = {PER_SECOND * 60} }}"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.register_many((f"ok-pause-{i:05d}" for i in range(DEVICES)), "all")

    def setUp(self):
        super().setUp()
        self.simulator.control("POST", "/reset")

    def start(self, **fields):
        notification = {**HELLO, **({"expire_at": fields.pop("expire_at")} if "expire_at" in fields else {})}
        uid = self.server.result("send_push_notification", {"recipient": {"filter": {"topics": ["all"]}}, "notification": notification, **fields})["uid"]
        self.wait(lambda: self.sent() > DEVICES // 10, "deliveries")
        return uid

    def sent(self):
        return self.simulator.control("GET", "/tokens/summary")["accepted"]

    def status(self, uid):
        return self.server.result("push_status", {"uid": uid})

    def wait(self, ready, what, seconds=30):
        end = time.monotonic() + seconds
        while not ready():
            self.assertLess(time.monotonic(), end, f"no {what} within {seconds} s")
            time.sleep(0.02)

    def pause(self, uid):
        """Pauses and answers how many were sent once the last answers are in."""
        self.server.result("push_pause", {"uid": uid})
        self.assertEqual(self.status(uid)["state"], "paused")
        # What was written before the pause is still answered.
        sent = [-1]
        self.wait(lambda: time.sleep(1.0) or sent.append(self.sent()) or sent[-1] == sent[-2], "end of the answers")
        return sent[-1]

    def assert_nothing_goes_out(self, sent, seconds=1.5):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assertEqual(self.sent(), sent, "sent while paused")
            time.sleep(0.1)

    def test_a_paused_broadcast_survives_a_kill_and_ends_once_each(self):
        uid = self.start()
        sent = self.pause(uid)
        self.assertLess(sent, DEVICES * 9 // 10, "paused too late to prove anything")
        self.assert_nothing_goes_out(sent)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.status(uid)["state"], "paused")
        self.assert_nothing_goes_out(sent)
        self.server.result("push_resume", {"uid": uid})
        final = self.server.wait_done(uid, 90)
        self.assertEqual(self.outcomes(final), {("fcm", "accepted"): DEVICES})
        summary = self.simulator.control("GET", "/tokens/summary")
        self.assertEqual((summary["distinct"], summary["more_than_once"]), (DEVICES, 0), summary)

    def test_a_push_that_expires_while_paused_is_not_sent_after_it(self):
        expires = int(time.time()) + 15
        uid = self.start(expire_at=expires)
        sent = self.pause(uid)
        self.wait(lambda: time.time() > expires + 0.5, "expiry")
        envelope = self.server.call("push_resume", {"uid": uid})
        # Resumed if the queue has not looked at it since (and then ends it unsent), refused as final if it has.
        self.assertIn(envelope.get("error", {}).get("code", 0), (0, 113), envelope)
        final = self.server.wait_done(uid)
        self.assertEqual(final["state"], "expired")
        self.assertEqual(self.sent(), sent)
        self.assertEqual(sum(row["n"] for row in final["outcomes"]), final["planned"], final)

    def is_counted(self, uid):
        status = self.server.result("push_status", {"uid": uid})
        return sum(row["n"] for row in status["outcomes"]) == status["planned"]

    def test_a_paused_push_can_be_cancelled(self):
        uid = self.start()
        sent = self.pause(uid)
        self.server.result("cancel_push", {"uid": uid})
        final = self.server.wait_done(uid)
        self.assertEqual(final["state"], "cancelled")
        self.assert_nothing_goes_out(sent)
        self.wait(lambda: self.is_counted(uid), "the counters of what was under way when it was cancelled")
        self.assertEqual(self.server.call("push_resume", {"uid": uid})["error"]["code"], 113)


if __name__ == "__main__":
    unittest.main(verbosity=2)
