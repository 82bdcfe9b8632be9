# SPDX-License-Identifier: Apache-2.0
"""A network with one way out: every provider through a real HTTP proxy, one that refuses us, and one that restarts in a broadcast."""
import json
import os
import subprocess
import time
import unittest
import urllib.parse

from connect_proxy import ConnectProxy
from harness import BUILD, RETRIES, EndToEnd, Server
from world import apns_section, fcm_section, hms_section, webpush_section

FCM = {"fcm": {"message": {"notification": {"title": "Hello"}}}}
APNS = {"apns": {"payload": {"aps": {"alert": {"title": "Hello"}}}}}
HMS = {"hms": {"message": {"data": "{\"k\":\"v\"}", "android": {"notification": {"title": "Hello", "body": "You", "click_action": {"type": 3}}}}}}
WEBPUSH = {"webpush": {"payload": "Hello"}}
IPHONE = "ab" * 32


class BehindAProxy(EndToEnd):
    """A server whose providers are all behind a proxy that wants credentials."""
    password = "open sesame"
    fcm_keys = ""

    @classmethod
    def setUpClass(cls):
        cls.proxy = ConnectProxy("belfry", "open sesame")
        cls.addClassCleanup(cls.proxy.stop)
        super().setUpClass()

    @classmethod
    def make_server(cls, folder):
        folder.mkdir(parents=True)
        password = folder / "proxy-password"
        password.write_text(cls.password + "\n")
        password.chmod(0o600)
        sections = f"""
[proxy]
url = "{cls.proxy.url}"
user = "belfry"
password = {{ file = "proxy-password" }}

{fcm_section(cls.simulator, cls.fcm_keys)}{apns_section(cls.simulator)}{hms_section(cls.simulator)}{webpush_section(cls.simulator)}"""
        return Server(BUILD, folder, cls.simulator, providers=sections, extra=RETRIES)

    def belfry(self, *arguments):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BELFRY_")}
        run = subprocess.run([BUILD / "host/belfry", *arguments], capture_output=True, text=True, timeout=60, check=False,
                             env={**clean, "BELFRY_CONFIG": str(self.server.config)})
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        return run.stdout

    @staticmethod
    def place(url):
        return urllib.parse.urlsplit(url).netloc


class EveryProvider(BehindAProxy):
    def test_goes_through_the_proxy(self):
        facts = self.simulator.facts
        browser = self.simulator.control("POST", "/webpush/subscriptions", {"flavour": "mozilla", "name": "browser"})["subscription"]
        for provider, platform, token, notification, url in (
                ("fcm", "android", "ok-proxied", FCM, facts["fcm_url"]), ("apns", "ios", IPHONE, APNS, facts["apns"]["url"]),
                ("hms", "android", "ok-proxied-hms", HMS, facts["hms"]["url"]),
                ("webpush", "web", json.dumps(browser), WEBPUSH, facts["webpush"]["mozilla"])):
            with self.subTest(provider=provider):
                self.server.result("device_register", {"provider": provider, "platform": platform, "token": token, "topics": [provider]})
                status = self.send({"filter": {"topics": [provider]}}, notification)
                self.assertEqual(self.outcomes(status), {(provider, "accepted"): 1})
                self.assertGreaterEqual(self.proxy.tunnels[self.place(url)], 1)
        self.assertEqual(len(self.simulator.control("GET", "/webpush/phones/browser")["messages"]), 1)
        self.assertEqual(len(self.phone("ok-proxied")), 1)
        self.assertGreaterEqual(self.proxy.tunnels[self.place(facts["token_url"])], 1)
        self.assertEqual(self.proxy.refused.total(), 0)
        self.assertLessEqual(self.proxy.tunnels.total(), 12, "connections are kept")


class WrongCredentials(BehindAProxy):
    password = "guess"
    SAYS = "407, it wants other credentials; check proxy.user and proxy.password"

    def test_are_said_once_and_clearly_wherever_an_operator_looks(self):
        self.register("ok-refused", topics=["refused"])
        self.server.result("device_register", {"provider": "apns", "platform": "ios", "token": IPHONE, "topics": ["refused"]})
        uid = self.server.result("send_push_notification", {"recipient": {"filter": {"topics": ["refused"]}}, "notification": {**FCM, **APNS}})["uid"]
        self.wait_health(self.SAYS)
        reasons = self.problems()
        end = time.monotonic() + 20
        while set(reasons) != {"apns", "fcm"} and time.monotonic() < end:
            time.sleep(0.1)
            reasons = self.problems()
        for provider, reason in reasons.items():
            self.assertEqual(reason.count(self.SAYS), 1, (provider, reason))
        listed = self.belfry("providers")
        self.assertIn(self.SAYS, listed)
        lines = [line for line in self.server.process.log.read_text().splitlines() if "endpoint cannot be used" in line]
        self.assertTrue(lines)
        for line in lines:
            self.assertIn(self.SAYS, line)
            self.assertNotIn("guess", line)
        self.assertLess(self.proxy.refused.total(), 40, "it is hammered")
        self.assertEqual(self.proxy.tunnels.total(), 0)
        self.assertEqual(self.server.result("push_status", {"uid": uid})["state"], "running")
        # Mended without a restart, and nothing was lost.
        (self.server.folder / "proxy-password").write_text("open sesame\n")
        self.server.process.child.send_signal(1)
        status = self.server.wait_done(uid, 90)
        self.assertEqual(self.outcomes(status), {("fcm", "accepted"): 1, ("apns", "accepted"): 1})

    def problems(self):
        """Reasons of /health by provider, those with the proxy's refusal."""
        found = {}
        for name in ("fcm", "apns"):
            for entry in self.entries(json.loads(self.health())):
                if name in (entry.get("name"), entry.get("provider")) and self.SAYS in json.dumps(entry):
                    found[name] = json.dumps(entry)
        return found

    def entries(self, value):
        if isinstance(value, dict):
            yield value
        for inside in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from self.entries(inside)


class Restart(BehindAProxy):
    DEVICES = 4000
    fcm_keys = "rate.per_minute = 60000"

    def test_in_a_broadcast_loses_nothing(self):
        self.server.register_many([f"ok-out-{i}" for i in range(self.DEVICES)], "out")
        uid = self.server.result("send_push_notification", {"recipient": {"filter": {"topics": ["out"]}}, "notification": FCM})["uid"]
        end = time.monotonic() + 30
        while self.sends() < self.DEVICES // 5 and time.monotonic() < end:
            time.sleep(0.02)
        self.proxy.stop()
        before = self.proxy.tunnels.total()
        time.sleep(0.5)  # what the simulator had already read
        reached = self.sends()
        self.assertLess(reached, self.DEVICES, "it was over before the proxy went")
        time.sleep(1)
        self.assertEqual(self.sends(), reached, "something found another way out")
        self.proxy.start()
        status = self.server.wait_done(uid, 120)
        self.assertEqual(self.outcomes(status), {("fcm", "accepted"): self.DEVICES})
        self.assertEqual([i for i in range(self.DEVICES) if not self.phone(f"ok-out-{i}")], [])
        self.assertGreater(self.proxy.tunnels.total(), before)

    def sends(self):
        return self.simulator.control("GET", "/counters")["sends"]


if __name__ == "__main__":
    unittest.main()
