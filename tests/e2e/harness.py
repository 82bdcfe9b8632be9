# SPDX-License-Identifier: Apache-2.0
"""One simulator and one server per test class, with the verbs that tests speak in."""
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools/up"))
from world import DONE_SECONDS, Process, Server, Simulator, Trouble, fcm_section, http, webpush_section  # noqa: E402,F401

BUILD = pathlib.Path(os.environ.get("BELFRY_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build/dev"))


HELLO = {"fcm": {"message": {"notification": {"title": "Hello"}}}}
# So that faults heal within a test's patience.
RETRIES = """
[delivery]
retry_base_ms = 200
retry_max_ms = 2000
"""


class EndToEnd(unittest.TestCase):
    simulator_arguments = ()
    admin_key = Server.KEY
    config_extra = ""
    fcm_extra = ""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="belfry-e2e-"))
        if os.environ.get("BELFRY_KEEP"):
            print(f"{cls.__name__}: kept in {cls.folder}", file=sys.stderr)
        else:
            cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.simulator = Simulator(BUILD, cls.folder / "simulator", *cls.simulator_arguments)
        cls.addClassCleanup(cls.simulator.stop)
        cls.server = cls.make_server(cls.folder / "server")
        cls.addClassCleanup(cls.stop_server)

    @classmethod
    def make_server(cls, folder):
        return Server(BUILD, folder, cls.simulator, extra=cls.config_extra, fcm_extra=cls.fcm_extra)

    @classmethod
    def stop_server(cls):
        if cls.server.process.alive():
            code = cls.server.stop()
            if code != 0:
                raise AssertionError(f"belfry ended with {code}:\n{cls.server.process.tail()}")

    def setUp(self):
        self.simulator.control("DELETE", "/faults")

    def register(self, token, **fields):
        return self.server.result("device_register", {"provider": "fcm", "token": token, "platform": "android", **fields})["id"]

    def send(self, recipient, notification, seconds=DONE_SECONDS, **fields):
        """Sends and returns the final status."""
        uid = self.server.result("send_push_notification", {"recipient": recipient, "notification": notification, **fields})["uid"]
        return self.server.wait_done(uid, seconds)

    def error(self, method, params, code, where=None):
        """The call is refused with `code`, and its message begins with `where`."""
        error = self.server.call(method, params).get("error", {})
        self.assertEqual(error.get("code"), code, error)
        if where:
            self.assertTrue(error["message"].startswith(where), error["message"])

    def admin(self, method, path, body=None):
        status, answer = http(method, f"{self.server.url}/admin/{path}", body, {"X-API-Key": self.admin_key})
        self.assertEqual(status, 200, answer)
        return json.loads(answer)

    def journal(self, most=10000):
        """The simulator's latest requests."""
        total = self.simulator.control("GET", "/counters")["journal_total"]
        return self.simulator.control("GET", f"/journal?offset={max(0, total - most)}&limit={most}")["entries"]

    def phone(self, token):
        return self.simulator.control("GET", f"/phones/{token}").get("messages", [])

    def tokens(self, topic):
        items = self.server.result("device_list", {"filter": {"topics": [topic]}, "limit": 1000})["items"]
        return {item["token"] for item in items}

    def wait_tokens(self, expected, topic, seconds=30):
        """The tokens of a topic, after giving clean-up time to reach `expected`."""
        end = time.monotonic() + seconds
        while self.tokens(topic) != expected and time.monotonic() < end:
            time.sleep(0.05)
        return self.tokens(topic)

    def health(self):
        return http("GET", self.server.url + "/health")[1].decode()

    def wait_health(self, words, seconds=60):
        end = time.monotonic() + seconds
        while words not in self.health():
            if time.monotonic() > end:
                self.fail(f"/health does not say {words!r}: {self.health()}\n{self.server.process.tail()}")
            time.sleep(0.1)

    def reload_provider(self, section):
        """Puts this section in the place of the provider's own, which is the last one, and has it read."""
        text, header = self.server.config.read_text(), section.lstrip().splitlines()[0]
        begin, end = text.index(header), text.index("\n[delivery]")
        self.server.config.write_text(text[:begin] + section.lstrip() + text[end:])
        self.server.process.child.send_signal(signal.SIGHUP)

    @staticmethod
    def outcomes(status):
        return {(row["provider"], row["outcome"]): row["n"] for row in status["outcomes"] if row["n"]}
