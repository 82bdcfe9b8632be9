# SPDX-License-Identifier: Apache-2.0
"""Belfry on PostgreSQL alone: devices and queue in one database, one server and then two; kill -9 of servers, crashes of the
database (REL-1, REL-3, PERF-8)."""
import time

import shared_queue
from on_postgres import DEVICES, HEALED_S, HELLO, main


class PostgresQueue(shared_queue.SharedQueue):
    @classmethod
    def sections(cls, dsn):
        return (f'[storage]\nplugin = "storage_pg"\ndsn = "{dsn}"\n'
                f'[queue]\nplugin = "queue_pg"\ndsn = "{dsn}"\nlease_s = {shared_queue.LEASE_S}\n')

    def test_a_database_that_crashes_in_a_broadcast_costs_nothing(self):
        for mode, pause_s in (("immediate", 0), ("fast", 3)):
            with self.subTest(mode=mode):
                self.simulator.control("POST", "/reset")
                self.start_broadcast(f"pgq-crash-{mode}")
                self.wait_for(DEVICES // 10)
                self.cluster.restart(mode, pause_s)
                self.wait_recovered(f"pgq-crash-{mode}")
                self.check_complete(f"pgq-crash-{mode}")

    def test_without_its_database_the_server_says_so_and_comes_back(self):
        push = {"recipient": {"filter": {"topics": ["nobody"]}}, "notification": HELLO}
        self.cluster.stop("immediate")
        try:
            self.assertIn("error", self.server.call("send_push_notification", push))
            self.assertTrue(self.server.process.alive())
        finally:
            self.cluster.start()
        healed = time.monotonic()
        while "error" in self.server.call("send_push_notification", push):
            self.assertLess(time.monotonic() - healed, HEALED_S, "seconds until a push is accepted again")
            time.sleep(0.05)


if __name__ == "__main__":
    main()
