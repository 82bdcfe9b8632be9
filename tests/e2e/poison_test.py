# SPDX-License-Identifier: Apache-2.0
"""A push whose payload crashes its provider's plugin: an instance that crashes twice stays off, and where an operator switches it on
again and again the push is buried in the end, so that the server lives and everything else is delivered."""
import json
import os
import time
import unittest

from harness import BUILD, EndToEnd, Server, Trouble, fcm_section

HELLO = {"message": {"notification": {"title": "Hello"}}}
CRASHES_MAX = 5


class Poison(EndToEnd):
    @classmethod
    def setUpClass(cls):
        os.environ["BELFRY_PLUGIN_DIRS"] = json.dumps([str(BUILD.resolve() / "plugins"), str(BUILD.resolve() / "tests/e2e/plugins")])
        cls.addClassCleanup(os.environ.pop, "BELFRY_PLUGIN_DIRS")
        super().setUpClass()
        cls.stop_server()

    def setUp(self):
        super().setUp()
        self.file = self.folder / f"{self._testMethodName}.txt"
        providers = f'{fcm_section(self.simulator)}\n[providers.fragile]\nfile = "{self.file}"\n'
        self.server = Server(BUILD, self.folder / self._testMethodName, self.simulator, providers=providers)
        self.addCleanup(self.server.stop)

    def push(self, uid, token, **payload):
        return self.server.result("send_push_notification", {
            "uid": uid, "recipient": {"tokens": {"provider": "fragile", "tokens": [token]}}, "notification": {"fragile": payload}})

    def poison(self, uid):
        try:
            self.push(uid, "phone-poisoned", text="crash")
        except (OSError, Trouble):
            pass  # stored, but the answer came to nothing

    def ends(self, seconds):
        end = time.monotonic() + seconds
        while self.server.process.alive() and time.monotonic() < end:
            time.sleep(0.05)
        return not self.server.process.alive()

    def test_poison_is_buried_and_the_rest_is_delivered(self):
        self.push("good-1", "phone-1", text="hello")
        self.server.wait_done("good-1")
        self.poison("poison")
        self.assertTrue(self.ends(20), "the poison was to crash the server")

        crashes = 1
        while crashes < CRASHES_MAX + 3:
            # What an operator does who believes in the plugin.
            (self.server.folder / "data" / "plugin-crashes").unlink(missing_ok=True)
            self.server.start(wait=False)
            if not self.ends(5):
                break
            crashes += 1
        self.assertEqual(crashes, CRASHES_MAX)

        self.server.wait_served()
        self.server.process.wait_until(self.server.ready, 30, "answer of /ready")
        status = self.server.wait_done("poison")
        self.assertEqual(self.outcomes(status), {("fragile", "dead"): 1})
        self.push("good-2", "phone-2", text="hello")
        self.server.wait_done("good-2")
        self.assertEqual(self.file.read_text().split(), ["phone-1", "phone-2"])
        self.register("ok-poison", topics=["poison"])
        final = self.send({"filter": {"topics": ["poison"]}}, {"fcm": HELLO})
        self.assertEqual(self.outcomes(final), {("fcm", "accepted"): 1})

    def test_an_instance_that_crashed_twice_stays_off_and_its_pushes_wait(self):
        self.poison("poison")
        self.assertTrue(self.ends(20), "the poison was to crash the server")
        self.server.start(wait=False)
        self.assertTrue(self.ends(20), "the poison was to crash the server once more")
        self.server.start()
        self.assertEqual(self.server.result("push_status", {"uid": "poison"})["state"], "running")
        self.register("ok-off", topics=["off"])
        final = self.send({"filter": {"topics": ["off"]}}, {"fcm": HELLO})
        self.assertEqual(self.outcomes(final), {("fcm", "accepted"): 1})


if __name__ == "__main__":
    unittest.main(verbosity=2)
