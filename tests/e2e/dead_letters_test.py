# SPDX-License-Identifier: Apache-2.0
"""A broadcast part of which a provider fails until every attempt is used: dead letters with their reason, kept over kill -9, and delivered
once each when they are replayed after the provider has healed."""
import time
import unittest

from harness import HELLO, EndToEnd

SOUND, FAILING = 300, 120
BROKEN = {"action": "status", "status": 500, "match": {"route": "send", "token_prefix": "ok-failing"}}


class DeadLetters(EndToEnd):
    config_extra = """
[delivery]
attempts_max = 2
retry_base_ms = 100
retry_max_ms = 300

[admin]
keys = [ { name = "root", key = "root-key" } ]
"""

    admin_key = "root-key"

    def letters(self, uid):
        """All of them, page by page."""
        letters, after = [], "0"
        while True:
            page = self.admin("GET", f"dead?uid={uid}&after={after}&limit=2")
            letters += page["items"]
            after = page.get("next_after")
            if after is None:
                return letters

    def test_dead_letters_survive_and_are_delivered_once_after_healing(self):
        self.server.register_many([f"ok-sound-{i:03d}" for i in range(SOUND)], "all")
        self.server.register_many([f"ok-failing-{i:03d}" for i in range(FAILING)], "all")
        self.simulator.control("POST", "/faults", [BROKEN])
        uid = self.server.result("send_push_notification", {"uid": "dead", "recipient": {"filter": {"topics": ["all"]}}, "notification": HELLO})["uid"]
        final = self.server.wait_done(uid)
        self.assertEqual(self.outcomes(final), {("fcm", "accepted"): SOUND, ("fcm", "dead"): FAILING})
        self.assertTrue(final["samples"], final)

        self.server.kill()
        self.server.start()
        letters = self.letters(uid)
        self.assertEqual(sum(letter["deliveries"] for letter in letters), FAILING)
        self.assertEqual({(letter["uid"], letter["provider"], letter["attempt"]) for letter in letters}, {(uid, "fcm", 2)})
        self.assertTrue(all(letter["reason"] for letter in letters), letters)

        self.simulator.control("DELETE", "/faults")
        ids = [letter["id"] for letter in letters]
        self.assertEqual(self.admin("POST", "replay", {"ids": ids})["replayed"], len(ids))
        self.assertEqual(self.admin("POST", "replay", {"ids": ids})["replayed"], 0)
        end = time.monotonic() + 30
        while (now := self.outcomes(self.server.result("push_status", {"uid": uid}))) != {("fcm", "accepted"): SOUND + FAILING}:
            self.assertLess(time.monotonic(), end, now)
            time.sleep(0.1)
        summary = self.simulator.control("GET", "/tokens/summary")
        self.assertEqual((summary["distinct"], summary["more_than_once"]), (SOUND + FAILING, 0), summary)
        self.assertTrue(all(letter["replayed_at"] for letter in self.letters(uid)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
