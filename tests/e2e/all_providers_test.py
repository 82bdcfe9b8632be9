# SPDX-License-Identifier: Apache-2.0
"""REL-2 and REL-4 for all four providers at once: away for long, and not believing who we are."""
import argparse
import json
import pathlib
import signal
import sys
import tempfile
import time
import unittest

from harness import http
from one_provider_fails import NOTIFICATION, ROUTES, World

EACH = 60
ACCEPTED_LATELY_S = 5  # a few refusals so soon after a success are taken for their deliveries' own, which come again by themselves
SECONDS_AWAY = 10


class AllProviders(unittest.TestCase):
    def setUp(self):
        owner = tempfile.TemporaryDirectory(prefix="belfry-all-")
        self.addCleanup(owner.cleanup)
        self.world = World(pathlib.Path(owner.name), EACH, 0, attempts_max=3)
        self.addCleanup(self.world.close)
        self.world.broadcast(None, None, 60)

    def providers(self):
        status, answer = http("GET", self.world.server.url + "/admin/providers", headers={"Authorization": f"apikey {self.world.server.KEY}"})
        self.assertEqual(status, 200, answer)
        return {item["name"]: item for item in json.loads(answer)["items"]}

    def wait_for(self, holds, seconds, what):
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                self.fail(f"{what}: {self.providers()}\n{self.world.server.process.tail()}")
            time.sleep(0.1)

    def send(self):
        return self.world.server.result("send_push_notification", {"recipient": {"filter": {"topics": ["all"]}}, "notification": NOTIFICATION})["uid"]

    def test_away_for_long_costs_no_attempts_and_nothing_is_lost(self):
        self.world.simulator.control("POST", "/faults", [{"action": "refuse_connects"}, {"action": "tcp_reset", "match": {"route": "any"}}])
        uid = self.send()
        troubled = lambda provider: provider["state"] in ("unreachable", "failing") or provider.get("origins")
        self.wait_for(lambda: all(troubled(provider) for provider in self.providers().values()), 30, "not every provider is seen to be away")
        time.sleep(SECONDS_AWAY)
        status = self.world.server.result("push_status", {"uid": uid})
        self.assertEqual((status["state"], self.world.accepted(uid)), ("running", {}))
        self.assertEqual(self.world.devices(), EACH * len(ROUTES))
        self.world.simulator.control("DELETE", "/faults")
        self.world.check("back", self.world.server.wait_done(uid, 90))

    def test_whoever_refuses_our_credential_waits_for_the_operator(self):
        time.sleep(ACCEPTED_LATELY_S + 1)
        self.world.simulator.control("POST", "/faults", [{"action": "status", "status": 403, "match": {"route": route}} for route in ROUTES.values()])
        uid = self.send()
        self.wait_for(lambda: all(provider["operator_must_act"] for provider in self.providers().values()), 30, "not every provider says so")
        time.sleep(1)
        sent = self.world.simulator.control("GET", "/counters")["sends"]
        time.sleep(2)
        self.assertEqual(self.world.simulator.control("GET", "/counters")["sends"], sent, "a refused provider is left alone")
        health = http("GET", self.world.server.url + "/health")[1].decode()
        self.assertEqual([name for name in ROUTES if name not in health], [])
        self.assertEqual(self.world.server.result("push_status", {"uid": uid})["state"], "running")
        self.assertEqual(self.world.devices(), EACH * len(ROUTES))
        self.world.simulator.control("DELETE", "/faults")
        self.world.server.process.child.send_signal(signal.SIGHUP)
        self.wait_for(lambda: self.world.accepted(uid) == {name: EACH for name in ROUTES}, 30, "not resumed by SIGHUP, at once")
        self.world.check("after SIGHUP", self.world.server.wait_done(uid, 120))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--away", type=float, default=SECONDS_AWAY, help="seconds for which the providers are away")
    known, rest = parser.parse_known_args()
    SECONDS_AWAY = known.away
    unittest.main(argv=[sys.argv[0], *rest])
