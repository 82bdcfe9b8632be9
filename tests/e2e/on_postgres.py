# SPDX-License-Identifier: Apache-2.0
"""What tests of a server on a PostgreSQL of its own share: the cluster, a topic of many devices, a broadcast to it."""
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "postgres"))
from cluster import SKIPPED, Cluster, folder_of_programs  # noqa: E402
from harness import EndToEnd, Trouble  # noqa: E402

HELLO = {"fcm": {"message": {"notification": {"title": "Hello"}}}}
DEVICES = 60_000
HEALED_S = 10


class OnPostgres(EndToEnd):
    simulator_arguments = ("--quota-per-minute", "0", "--device-per-minute", "0")

    @classmethod
    def sections(cls, dsn):
        """The sections of the configuration that name the database."""
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        # First, so that it goes last: a server that stops still needs it.
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.remove)
        cls.cluster.create()
        cls.config_extra = cls.sections(cls.cluster.dsn)
        super().setUpClass()
        cls.server.register_many((f"ok-rel1-{i}" for i in range(DEVICES)), "rel1")

    def setUp(self):
        super().setUp()
        self.simulator.control("POST", "/reset")

    def counted(self):
        return self.simulator.control("GET", "/tokens/summary")

    def start_broadcast(self, uid):
        self.server.result("send_push_notification", {
            "uid": uid, "recipient": {"filter": {"topics": ["rel1"]}}, "notification": HELLO})

    def wait_for(self, devices, seconds=60):
        end = time.monotonic() + seconds
        while self.counted()["distinct"] < devices:
            if time.monotonic() > end:
                raise Trouble(f"no {devices} devices within {seconds} s\n{self.server.process.tail()}")
            time.sleep(0.01)

    def check_complete(self, uid, seconds=60, server=None):
        """`server`: whom to ask, if not the first."""
        status = (server or self.server).wait_done(uid, seconds)
        self.assertEqual(self.counted()["distinct"], DEVICES, "devices that got it")
        self.assertEqual(status["planned"], DEVICES)
        self.assertEqual(self.outcomes(status), {("fcm", "accepted"): DEVICES})


def main():
    if folder_of_programs() is None:
        print("skipped: no /usr/lib/postgresql/*/bin: install the Debian package postgresql, or run ./dev test")
        sys.exit(SKIPPED)
    unittest.main()
