# SPDX-License-Identifier: Apache-2.0
"""Two broadcasts of different size and a stream of one-time codes at once, through a provider that is the bottleneck.

The broadcasts share it equally however big they are, and no code waits behind them: the provider holds about a second of work, so
one that did would take at least that long.
"""
import datetime
import threading
import time
import unittest

from harness import HELLO, EndToEnd

BIG, SMALL = 18_000, 3_000
SAMPLES = 300  # of each, by which their shares are judged
PER_SECOND = 2_000


class Lanes(EndToEnd):
    simulator_arguments = ("--quota-per-minute", "0", "--device-per-minute", "0", "--phones", "40000")
    fcm_extra = f"rate = {{ per_minute = {PER_SECOND * 60} }}"

    def setUp(self):
        super().setUp()
        self.simulator.control("POST", "/reset")
        for topic, devices in (("big", BIG), ("small", SMALL)):
            self.server.register_many((f"ok-{topic}-{i:05d}" for i in range(devices)), topic)

    def broadcast(self, topic, **fields):
        return self.server.result("send_push_notification", {"recipient": {"filter": {"topics": [topic]}}, "notification": HELLO, **fields})["uid"]

    def codes(self, stop, sent):
        while not stop.is_set():
            token, began = f"ok-otp-{len(sent):04d}", time.time()
            self.server.result("send_push_notification", {"recipient": {"fcm_tokens": [token]}, "notification": HELLO})
            sent[token] = began
            stop.wait(max(0.0, began + 0.05 - time.time()))

    def arrival(self, token):
        """When the simulator took it: what asking costs a busy machine does not count."""
        return datetime.datetime.fromisoformat(self.phone(token)[0]["time"].replace("Z", "+00:00")).timestamp()

    def arrivals(self, topic, devices):
        return [self.arrival(f"ok-{topic}-{i:05d}") for i in range(0, devices, devices // SAMPLES)]

    def test_broadcasts_share_equally_and_codes_overtake_them(self):
        big = self.broadcast("big", lane="normal")
        time.sleep(0.5)  # so that the big one has split into slices
        small = self.broadcast("small", lane="normal")
        stop, sent = threading.Event(), {}
        stream = threading.Thread(target=self.codes, args=(stop, sent))
        stream.start()
        try:
            self.server.wait_done(small)
        finally:
            stop.set()
            stream.join()
        self.assertEqual(self.outcomes(self.server.wait_done(big)), {("fcm", "accepted"): BIG})
        self.assertGreater(len(sent), 10)
        end = time.monotonic() + 30
        while any(not self.phone(token) for token in sent) and time.monotonic() < end:
            time.sleep(0.05)
        of_small, of_big = self.arrivals("small", SMALL), self.arrivals("big", BIG)
        # Up to the ninth tenth: a single late answer would stretch the time in which the big one goes on alone.
        first, last = min(of_small), sorted(of_small)[len(of_small) * 9 // 10]
        self.assertGreater(max(of_big), last, "the big broadcast was to be under way still")
        meanwhile = sum(first <= at <= last for at in of_big) * BIG // SAMPLES
        self.assertGreater(meanwhile, 0.5 * SMALL)
        self.assertLess(meanwhile, 2.0 * SMALL)
        latencies = sorted(self.arrival(token) - began for token, began in sent.items())
        self.assertLess(latencies[len(latencies) * 9 // 10], 1.0, f"latencies of codes: {latencies}")
        self.assertLess(latencies[-1], 3.0, f"latencies of codes: {latencies}")

    def test_a_broadcast_moves_to_low_once_ten_thousand_devices_matched(self):
        self.server.register_many((f"ok-many-{i:05d}" for i in range(11_500)), "many")
        many, few = self.broadcast("many"), self.broadcast("small")
        self.assertEqual(self.server.wait_done(few)["lane"], "normal")
        final = self.server.wait_done(many)
        self.assertEqual(final["lane"], "low")
        self.assertEqual(self.outcomes(final), {("fcm", "accepted"): 11_500})


if __name__ == "__main__":
    unittest.main(verbosity=2)
