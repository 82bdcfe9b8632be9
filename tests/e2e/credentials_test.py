# SPDX-License-Identifier: Apache-2.0
"""What will stop a provider some day is said before it does: certificates, clocks, subjects, environments, rates."""
import re
import signal
import subprocess
import time
import unittest

from harness import BUILD, EndToEnd, Server, http, webpush_section
from world import apns_section

HELLO = {"apns": {"payload": {"aps": {"alert": {"title": "Hello"}}}}}


class Watched(EndToEnd):
    @classmethod
    def make_server(cls, folder):
        return Server(BUILD, folder, cls.simulator, providers=cls.section(), extra=cls.config_extra)

    def metric(self, name):
        text = http("GET", self.server.url + "/metrics", headers={"Authorization": f"apikey {self.server.KEY}"})[1].decode()
        found = re.search(rf"^belfry_{name}\{{[^}}]*\}} (\S+)$", text, re.M)
        return None if found is None else float(found.group(1))

    def shown_by_command(self):
        return subprocess.run([BUILD / "host/belfry", "providers", "--config", self.server.config], capture_output=True, text=True,
                              timeout=30, check=True).stdout


class Certificate(Watched):
    @classmethod
    def section(cls):
        pem = cls.folder / "push.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "10", "-subj", "/UID=com.example.app/CN=Push",
                        "-keyout", pem, "-out", cls.folder / "only.pem"], check=True, capture_output=True, timeout=60)
        pem.write_text(pem.read_text() + (cls.folder / "only.pem").read_text())
        pem.chmod(0o600)
        return apns_section(cls.simulator, certificate=f'{{ file = "{pem}" }}')

    def test_that_ends_soon_is_named_everywhere(self):
        self.wait_health("its certificate expires in 9 days: make a new one")
        self.assertAlmostEqual(self.metric("provider_certificate_valid_seconds"), 10 * 86400, delta=600)
        self.assertEqual(self.metric("provider_notices"), 1)
        self.assertIn("expires in 9 days", self.shown_by_command())
        self.assertIn("its certificate expires in 9 days", self.server.process.log.read_text())


class Clock(Watched):
    @classmethod
    def section(cls):
        cls.simulator.control("PUT", "/config", {"clock_offset_s": 240})
        return None  # FCM

    def test_that_differs_from_the_providers_is_named_everywhere(self):
        self.wait_health("s behind the provider's: set it, or tokens will be refused")
        self.assertAlmostEqual(self.metric("provider_clock_skew_seconds"), -240, delta=10)
        self.assertIn("behind the provider's", self.shown_by_command())
        self.assertIn("behind the provider's", self.server.process.log.read_text())


class Subject(Watched):
    @classmethod
    def section(cls):
        return webpush_section(cls.simulator)

    def test_that_names_nobody_is_a_notice(self):
        self.wait_health("Apple's push service may refuse its tokens (subject=mailto:ops@example.com)")
        self.assertEqual(self.metric("provider_notices"), 2, "private networks are allowed, too")
        self.assertIn("subject names a host for examples", self.shown_by_command())


class Environment(Watched):
    @classmethod
    def section(cls):
        return apns_section(cls.simulator)

    def test_of_all_tokens_that_is_not_ours_is_named_and_deletes_nothing(self):
        self.server.register_many([f"5a{i:062x}" for i in range(80)], "sandbox", provider="apns", platform="ios")
        status = self.send({"filter": {"topics": ["sandbox"]}}, HELLO)
        self.assertEqual(self.outcomes(status), {("apns", "gone"): 80})
        self.wait_health("are environment and topic right?")
        self.assertEqual(len(self.tokens("sandbox")), 80)
        self.assertEqual(self.metric("provider_deletions_stopped"), 1)


class FirstToken(Watched):
    @classmethod
    def section(cls):
        cls.simulator.control("PUT", "/config", {"clock_offset_s": 4000})
        return apns_section(cls.simulator)

    def test_that_is_refused_as_expired_is_said_at_once(self):
        device = f"{7:064x}"
        self.server.result("device_register", {"provider": "apns", "token": device, "topics": ["one"]})
        self.server.result("send_push_notification", {"recipient": {"filter": {"topics": ["one"]}}, "notification": HELLO})
        self.wait_health("just renewed: ExpiredProviderToken: the provider token is too old; is this host's clock right?")
        self.wait_health("behind the provider's")
        self.assertIn("credential refused, deliveries wait", self.server.process.log.read_text())
        self.assertEqual(len(self.tokens("one")), 1)


class Rate(Watched):
    @classmethod
    def section(cls):
        return None

    def test_of_a_reload_applies_at_once(self):
        self.assertEqual(self.metric("provider_pace_per_minute"), 600000)
        text = self.server.config.read_text()
        self.server.config.write_text(text.replace("[providers.fcm]", "[providers.fcm]\nrate = { per_minute = 4200 }"))
        self.server.process.child.send_signal(signal.SIGHUP)
        end = time.monotonic() + 15
        while self.metric("provider_pace_per_minute") != 4200 and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(self.metric("provider_pace_per_minute"), 4200)
        self.assertNotIn("needs a restart", self.server.process.log.read_text())


if __name__ == "__main__":
    unittest.main()
