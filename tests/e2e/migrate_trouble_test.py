#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""belfry migrate where something else happened than one undisturbed move: used in the middle, taken back, begun with other apps. SQLite on both sides."""
import pathlib
import shutil
import sqlite3
import tempfile
import time
import unittest

from harness import BUILD, Server, Simulator
from migrate_test import belfry, devices_of, migrate, migrate_with_a_kill, schedule

SHOP = """
[providers.fcm-shop]
plugin = "fcm"
credentials = {{ file = "{service_account}" }}
endpoint = "{fcm_url}"
ca_file = "{ca_file}"

[apps.shop]
keys = [ {{ name = "shop", key = "shop-key" }} ]
providers = {{ fcm = "fcm-shop" }}
"""
AN_HOUR = 3600


class MigrateTrouble(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="belfry-e2e-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.simulator = Simulator(BUILD, cls.folder / "simulator", "--quota-per-minute", "0", "--device-per-minute", "0")
        cls.addClassCleanup(cls.simulator.stop)

    def server(self, name, extra=""):
        server = Server(BUILD, self.folder / self.id().split(".")[-1] / name, self.simulator, extra=extra)
        self.addCleanup(server.process.kill)
        return server

    def stopped(self, name, extra=""):
        server = self.server(name, extra)
        self.stop(server)
        return server

    def start(self, server):
        server.start()
        self.addCleanup(server.process.kill)

    def stop(self, server):
        self.assertEqual(server.stop(), 0)

    def register(self, server, token, **fields):
        return server.result("device_register", {"provider": "fcm", "token": token, "platform": "android", **fields})["id"]

    def with_work(self, name, pushes=4000):
        """A stopped server with devices and pushes that are due in an hour."""
        server = self.server(name)
        server.register_many((f"ok-{name}-{i}" for i in range(50)), "everybody")
        schedule(server, [f"later-{i}" for i in range(pushes)], int(time.time()) + AN_HOUR, ["everybody"] * pushes)
        self.stop(server)
        return server

    def half_moved(self, source, target):
        self.assertFalse(migrate_with_a_kill(source, target, "records, queue"), "the migration was over before it was killed")

    def moved(self, source, target):
        code, _, err = migrate(source, target)
        self.assertEqual(code, 0, err)

    def take_back(self, source, target):
        return belfry("migrate", "--from", source.config, "--to", target.config, "--take-back")

    def taken_back(self, source, target):
        code, _, err = self.take_back(source, target)
        self.assertEqual(code, 0, err)

    def refused(self, done, *words):
        code, _, err = done
        self.assertEqual(code, 1, err)
        self.assertEqual(err.count("\n"), 1, err)
        for word in words:
            self.assertIn(word, err)

    def does_not_start(self, server, *words):
        server.start(wait=False)
        self.addCleanup(server.process.kill)
        self.assertEqual(server.process.child.wait(60), 1)
        for word in words:
            self.assertIn(word, server.process.tail())

    def state_of(self, server):
        """The cluster's state of a stopped server, for those who write marks that no belfry makes."""
        return sqlite3.connect(next((server.folder / "data/state").glob("storage/*.db")))

    def test_what_was_moved_before_the_source_was_taken_back_is_not_gone_on_with(self):
        source, target = self.with_work("source"), self.stopped("target")
        self.half_moved(source, target)
        self.taken_back(source, target)
        self.start(source)
        self.register(source, "ok-meanwhile")
        source.result("cancel_push", {"uid": "later-0"})
        before = devices_of(source)
        self.stop(source)
        self.refused(migrate(source, target), "--to", "itself left")
        self.does_not_start(target, "taken back")
        fresh = self.stopped("fresh")
        self.moved(source, fresh)
        self.start(fresh)
        self.assertEqual(devices_of(fresh), before)
        self.assertEqual(fresh.result("push_status", {"uid": "later-0"})["state"], "cancelled")

    def test_a_kill_between_the_first_two_marks_is_no_hindrance(self):
        source, target = self.with_work("source", 10), self.stopped("target")
        mark = '{"id":"x","from":"f","version":"v","done":false,"parts":[],"left_queue":""}'
        with self.state_of(target) as state:
            state.execute("INSERT INTO kv (key, value, version) VALUES ('belfry.migrate/arriving', ?, 1)", (mark.encode(),))
        self.does_not_start(target, "only a part")
        self.moved(source, target)
        self.start(target)
        self.assertEqual(len(devices_of(target)), 50)

    def test_a_part_that_another_version_moved_is_not_gone_on_with(self):
        source, target = self.with_work("source"), self.stopped("target")
        self.half_moved(source, target)
        with self.state_of(target) as state:
            key = "belfry.migrate/arriving"
            mark = state.execute("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()[0].decode()
            self.assertIn('"version":"', mark)
            state.execute("UPDATE kv SET value = ? WHERE key = ?", (mark.replace('"version":"', '"version":"0.').encode(), key))
        self.refused(migrate(source, target), "--to", "finish it with that version")

    def test_an_app_that_is_configured_only_after_the_kill_comes_along(self):
        shop = SHOP.format(**self.simulator.facts)
        source = self.with_work("source")
        without = source.config.read_text()
        source.config.write_text(without + shop)
        self.start(source)
        source.KEY = "shop-key"
        self.register(source, "ok-of-the-shop")
        self.stop(source)
        source.config.write_text(without)
        target = self.stopped("target")
        self.half_moved(source, target)
        source.config.write_text(without + shop)
        self.moved(source, target)
        target.config.write_text(target.config.read_text() + shop)
        self.start(target)
        target.KEY = "shop-key"
        self.assertEqual([device["token"] for device in devices_of(target).values()], ["ok-of-the-shop"])

    def test_a_user_whose_topics_were_all_removed_is_no_difference(self):
        source, target = self.server("source"), self.stopped("target")
        self.register(source, "ok-x", user="u1")
        for op in "add", "remove":
            source.result("user_topic_update", {"user": "u1", "op": op, "topics": ["t"]})
        self.stop(source)
        self.moved(source, target)

    def test_ids_of_removed_devices_are_not_given_to_new_ones(self):
        source, target = self.server("source"), self.stopped("target")
        self.register(source, "ok-first")
        old = [self.register(source, f"ok-old-{i}") for i in range(300)]
        for first in range(0, len(old), 100):
            source.result("device_remove", {"ids": old[first:first + 100]})
        self.stop(source)
        self.moved(source, target)
        self.start(target)
        given = {self.register(target, "ok-new-0"), *(self.register(target, f"ok-new-{i}") for i in range(1, 300))}
        self.assertEqual(len(given), 300)
        self.assertFalse(given & set(old))

    def test_a_source_that_changed_meanwhile_is_noticed(self):
        source, target = self.with_work("source"), self.stopped("target")
        self.half_moved(source, target)
        with self.state_of(source) as state:
            state.execute("DELETE FROM device WHERE key = (SELECT max(key) FROM device)")
        self.refused(migrate(source, target), "--from", "devices", "49 are there now")
        self.does_not_start(target, "only a part")

    def test_a_source_out_of_a_backup_does_not_go_on_with_an_old_part(self):
        source, target = self.with_work("source"), self.stopped("target")
        copy = self.folder / "copy"
        shutil.copytree(source.folder / "data", copy)
        self.half_moved(source, target)
        shutil.rmtree(source.folder / "data")
        shutil.copytree(copy, source.folder / "data")
        self.refused(migrate(source, target), "--to", "part of another migration")
        self.does_not_start(target, "only a part")

    def test_one_side_alone_serves_after_the_way_back(self):
        source, target, other = self.with_work("source", 10), self.stopped("target"), self.stopped("other")
        self.moved(source, target)
        self.refused(self.take_back(source, other), "--to", "not where --from was moved to", "--target-is-gone")
        self.refused(self.take_back(target, source), "--from", "was not moved")
        self.start(target)
        self.refused(self.take_back(source, target), "--to", "in use")
        self.stop(target)
        self.taken_back(source, target)
        self.does_not_start(target, "were taken back", str(source.config))
        self.refused(self.take_back(target, source), "--from", "was given up")
        self.start(source)
        self.assertEqual(len(devices_of(source)), 50)
        self.stop(source)
        self.moved(source, other)
        code, _, err = belfry("migrate", "--from", source.config, "--take-back", "--target-is-gone")
        self.assertEqual(code, 0, err)
        self.start(source)

    def test_a_take_back_that_was_killed_between_its_marks_is_done_again(self):
        source, target = self.with_work("source", 10), self.stopped("target")
        self.moved(source, target)
        key = "belfry.migrate/moved"
        with self.state_of(source) as state:
            mark = state.execute("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()[0]
        self.taken_back(source, target)
        with self.state_of(source) as state:
            state.execute("INSERT INTO kv (key, value, version) VALUES (?, ?, 1)", (key, mark))
        self.does_not_start(target, "were taken back")
        self.does_not_start(source, "was moved")
        self.taken_back(source, target)
        self.start(source)

    def test_a_source_without_anything_is_taken_for_a_mistake(self):
        source, target = self.stopped("source"), self.stopped("target")
        self.refused(migrate(source, target), "--from", "neither devices nor pushes")
        code, _, err = belfry("migrate", "--from", source.config, "--to", target.config, "--empty")
        self.assertEqual(code, 0, err)

    def test_a_server_that_finds_its_stores_moved_ends_itself(self):
        server = self.server("server")
        self.register(server, "ok-x")
        mark = '{"id":"x","to":"elsewhere.toml","done":true,"taken_back":false}'
        with self.state_of(server) as state:
            state.execute("INSERT INTO kv (key, value, version) VALUES ('belfry.migrate/moved', ?, 1)", (mark.encode(),))
        self.assertEqual(server.process.child.wait(60), 1)
        self.assertIn("was moved to the stores of elsewhere.toml", server.process.tail())

    def test_the_queue_that_was_left_is_not_used_beside_the_new_storage(self):
        source, target = self.with_work("source", 10), self.stopped("target")
        self.moved(source, target)
        path = next((target.folder / "data/state").glob("storage/*.db"))
        source.config.write_text(source.config.read_text() + f'\n[storage]\nplugin = "storage_sqlite"\npath = "{path}"\n')
        self.does_not_start(source, "[queue]", "was left")


if __name__ == "__main__":
    unittest.main()
