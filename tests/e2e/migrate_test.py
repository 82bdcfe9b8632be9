#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Moving between backends: embedded to PostgreSQL and back, embedded to PostgreSQL with the queue in Redis, on to PostgreSQL alone, and back, with
belfry migrate killed in the middle and run again. Nothing is lost, nothing is doubled, ids stay, scheduled pushes have their day, a uid that was sent is known."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

for store in ("postgres", "redis"):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / store))
from cluster import SKIPPED, Cluster, folder_of_programs  # noqa: E402
from server import MISSING, RedisServer, is_installed  # noqa: E402
from harness import BUILD, Server, Simulator, Trouble, http  # noqa: E402

HELLO = {"fcm": {"message": {"notification": {"title": "Hello"}}}}
PG = """
[storage]
plugin = "storage_pg"
dsn = "{dsn}"
schema = "{schema}"

[queue]
plugin = "queue_pg"
dsn = "{dsn}"
schema = "{schema}"
"""
REDIS = """
[storage]
plugin = "storage_pg"
dsn = "{dsn}"
schema = "{schema}"

[queue]
plugin = "queue_redis"
address = "{redis}"
key_prefix = "{schema}"
"""


def require(holds, what):
    if not holds:
        raise Trouble(what)


def belfry(*words):
    """(exit code, output, errors) of a command."""
    done = subprocess.run([BUILD / "host/belfry", *map(str, words)], capture_output=True, text=True, timeout=3600)
    return done.returncode, done.stdout, done.stderr


def migrate(source, target):
    return belfry("migrate", "--from", source.config, "--to", target.config, "--json")


def migrate_with_a_kill(source, target, at):
    """kill -9 once the progress on the terminal says `at`; True if it never did."""
    ours, theirs = os.openpty()
    child = subprocess.Popen([BUILD / "host/belfry", "migrate", "--from", source.config, "--to", target.config], stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while at.encode() not in said:
            said += os.read(ours, 4096)
        child.kill()
        return False
    except OSError:  # it ended
        return True
    finally:
        child.wait()
        os.close(ours)


def devices_of(server):
    """Every device as the API tells it, by id."""
    found, cursor = {}, ""
    while True:
        page = server.result("device_list", {"limit": 1000, "include_topics": True, "include_meta": True, **({"cursor": cursor} if cursor else {})})
        for item in page["items"]:
            found[item["id"]] = item
        cursor = page.get("next_cursor", "")
        if not cursor:
            return found


def schedule(server, uids, at, topics):
    """One push for each uid, each to a device of its own."""
    commands = [{"send_push_notification": {"uid": uid, "send_at": at, "recipient": {"filter": {"topics": [topic]}}, "notification": HELLO}}
                for uid, topic in zip(uids, topics)]
    for first in range(0, len(commands), 250):
        for reply in server.result_of_batch(commands[first:first + 250]):
            require("send_push_notification" in reply, f"a push was not taken: {reply}")


class Move:
    def __init__(self, options, folder, cluster, redis):
        self.options, self.folder, self.cluster, self.redis = options, folder, cluster, redis
        self.simulator = Simulator(BUILD, folder / "simulator", "--quota-per-minute", "0", "--device-per-minute", "0")
        self.servers = []

    def server(self, name, extra):
        server = Server(BUILD, self.folder / name, self.simulator, extra=extra)
        self.servers.append(server)
        return server

    def close(self):
        for server in self.servers:
            if server.process.alive():
                server.kill()
        self.simulator.stop()

    def said(self, what):
        print(f"migrate: {what}", flush=True)

    def fill(self, server):
        count = self.options.devices
        server.register_many((f"ok-m-{i}" for i in range(count)), "everybody")
        for i in range(50):
            server.result("device_register", {"provider": "fcm", "token": f"ok-one-{i}", "platform": "android", "topics": [f"own-{i}"], "user": f"u{i}",
                                              "timezone": "Europe/Berlin", "locale": "de", "meta": {"plan": "pro"}})
        server.result("user_topic_update", {"user": "u1", "op": "add", "topics": ["bound"]})
        server.result("send_push_notification", {"uid": "sent", "recipient": {"filter": {"topics": ["own-0"]}}, "notification": HELLO})
        server.wait_done("sent")
        # Scheduled for after both moves; a few are cancelled and one is paused.
        self.due = int(time.time()) + self.options.due_s
        self.uids = [f"later-{i}" for i in range(self.options.scheduled)]
        schedule(server, self.uids, self.due, (f"own-{i % 50}" for i in range(self.options.scheduled)))
        self.cancelled = self.uids[:10]
        server.result("cancel_push", {"uid": self.cancelled[0]})
        for uid in self.cancelled[1:]:
            server.result("cancel_push", {"uid": uid})
        server.result("send_push_notification", {"uid": "broadcast-later", "send_at": self.due, "recipient": {"filter": {"topics": ["everybody"]}},
                                                 "notification": HELLO})

    def statuses(self, server):
        return {uid: server.result("push_status", {"uid": uid}) for uid in
                ["sent", "broadcast-later", *self.cancelled, *self.uids[10:40], *self.uids[-20:]]}

    def move(self, source, target_name, extra, kill_at):
        """Stops the source, moves and answers the started target."""
        before, told = devices_of(source), self.statuses(source)
        code, _, err = belfry("migrate", "--from", source.config, "--to", source.config)
        require(code == 1 and err.count("\n") == 1 and "in use" in err, f"a server that runs is not noticed: {code} {err}")
        require(source.stop() == 0, "the server does not stop cleanly")
        target = self.server(target_name, extra)
        require(target.stop() == 0, "the target does not stop cleanly")
        begun = time.monotonic()
        late = migrate_with_a_kill(source, target, kill_at)
        if not late:
            target.start(wait=False)
            require(target.process.child.wait(60) == 1, "a server starts on half a store")
            source.start(wait=False)
            require(source.process.child.wait(60) == 1, "a server starts on a store that is being moved")
        code, out, err = migrate(source, target)
        if late:
            require(code == 1 and "already" in err, f"a second run: {code} {err}")
        else:
            require(code == 0, f"migrate: {code} {err}")
            moved = json.loads(out)
            self.said(f"{target_name}: {moved}, {time.monotonic() - begun:.1f} s")
            require(moved["verified"], moved)
        source.start(wait=False)
        require(source.process.child.wait(60) == 1 and "was moved" in source.process.tail(), "a server starts on a store that was moved")
        code, _, err = migrate(source, target)
        require(code == 1 and err.count("\n") == 1, f"a store is moved twice: {code} {err}")
        target.start()
        after = devices_of(target)
        require(after == before, f"devices differ: {len(before)} before, {len(after)} after")
        for uid, status in self.statuses(target).items():
            require(status == told[uid], f"{uid}: {told[uid]} before, {status} after")
        again = target.result("send_push_notification", {"uid": "sent", "recipient": {"filter": {"topics": ["own-0"]}}, "notification": HELLO})
        require(again["uid"] == "sent" and target.result("push_status", {"uid": "sent"}) == told["sent"], "a repeated uid is sent again")
        return target, late

    def run(self):
        embedded = self.server("embedded", "")
        self.fill(embedded)
        self.simulator.control("POST", "/reset")
        pg, early = self.move(embedded, "pg", PG.format(dsn=self.cluster.dsn, schema="moved"), "records, devices")
        code, _, err = migrate(pg, embedded)
        require(code == 1 and err.count("\n") == 1, f"a server that runs on PostgreSQL is not noticed: {code} {err}")
        back, late = self.move(pg, "back", "", "records, queue")
        require(not (early or late), "a migration was over before it was killed")
        require(time.time() < self.due, "the pushes were due before the moves were over; --due-s more")
        code, _, err = migrate(back, embedded)
        require(code == 1, "a store that is not empty is moved to")
        self.says_what_stays_behind()
        # With the same scheduled pushes and devices: on to Redis, from one shared queue to the other, and back once more.
        mixed, first = self.move(back, "mixed", REDIS.format(dsn=self.cluster.dsn, schema="mixed", redis=self.redis.address), "records, queue")
        shared, second = self.move(mixed, "shared", PG.format(dsn=self.cluster.dsn, schema="shared"), "records, queue")
        again, third = self.move(shared, "again", REDIS.format(dsn=self.cluster.dsn, schema="again", redis=self.redis.address), "records, queue")
        last, fourth = self.move(again, "last", "", "records, queue")
        require(not (first or second or third or fourth), "a migration was over before it was killed")
        require(time.time() < self.due, "the pushes were due before the moves were over; --due-s more")
        self.fires(last)
        require(last.stop() == 0, "the last server does not stop cleanly")
        self.outlives_a_killed_server()
        self.takes_back(embedded, pg, back, mixed, shared, again, last)

    def says_what_stays_behind(self):
        """A data_dir that was used with one store and is given an empty other one."""
        server = self.server("stays", "")
        server.result("device_register", {"provider": "fcm", "token": "ok-stays", "platform": "android"})
        schedule(server, ["stays"], int(time.time()) + 3600, ["nobody"])
        require(server.stop() == 0, "the server does not stop cleanly")
        text = server.config.read_text()
        server.config.write_text(text + PG.format(dsn=self.cluster.dsn, schema="empty"))
        server.start()
        health = http("GET", server.url + "/health")[1].decode()
        require("left behind" in health and "storage_sqlite" in health and "queue_sqlite" in health, health)
        require("stores were left behind" in server.process.tail(100_000), "the log does not say what was left behind")
        server.stop()
        server.config.write_text(text)
        server.start()
        require("left behind" not in http("GET", server.url + "/health")[1].decode(), "/health warns of the stores that are used")
        server.stop()

    def takes_back(self, *stores):
        """The way back along the moves, the last one first."""
        def take_back(source, target):
            return belfry("migrate", "--from", source.config, "--to", target.config, "--take-back")

        code, _, err = take_back(*stores[:2])
        require(code == 1 and "itself moved" in err and err.count("\n") == 1, f"a target that was moved on is given up: {code} {err}")
        for source, target in reversed(list(zip(stores, stores[1:]))):
            code, _, err = take_back(source, target)
            require(code == 0, err)
            target.start(wait=False)
            require(target.process.child.wait(60) == 1 and "taken back" in target.process.tail(), "a server starts on a target that was given up")
            code, _, err = take_back(source, target)
            require(code == 1 and "was not moved" in err and err.count("\n") == 1, f"there was nothing to take back: {code} {err}")
        stores[0].start()
        require(stores[0].stop() == 0, "a store that was taken back cannot be used")

    def outlives_a_killed_server(self):
        """Two servers, each in a folder of its own as on two hosts; the one that was killed is waited for."""
        extra = PG.format(dsn=self.cluster.dsn, schema="two") + "lease_s = 10\n"
        killed, source, target = self.server("killed", extra), self.server("source", extra), self.server("target", "")
        killed.result("device_register", {"provider": "fcm", "token": "ok-two", "platform": "android"})
        require(source.stop() == 0 and target.stop() == 0, "a server does not stop cleanly")
        killed.kill()
        code, _, err = migrate(source, target)
        require(code == 0, f"a killed server counts as working for ever: {err}")

    def fires(self, server):
        expected = self.options.devices
        server.wait_done("broadcast-later", self.options.due_s + 600)
        for uid in self.uids:
            status = server.wait_done(uid, 600)
            require(status["state"] == ("cancelled" if uid in self.cancelled else "done"), status)
        summary = self.simulator.control("GET", "/tokens/summary")
        wanted = expected + self.options.scheduled - len(self.cancelled)
        require(summary["accepted"] == wanted, f"{summary['accepted']} deliveries of {wanted}: lost or doubled")
        self.said(f"{wanted} deliveries after all moves, none lost, none doubled")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=20_000)
    parser.add_argument("--scheduled", type=int, default=5_000)
    parser.add_argument("--due-s", type=int, default=240)
    options = parser.parse_args()
    if folder_of_programs() is None:
        print("skipped: no /usr/lib/postgresql/*/bin: install the Debian package postgresql, or run ./dev test")
        return SKIPPED
    if not is_installed():
        print(f"skipped: {MISSING}")
        return SKIPPED
    cluster, redis = Cluster(), RedisServer()
    try:
        cluster.create()
        redis.start()
        with tempfile.TemporaryDirectory(prefix="belfry-migrate-") as folder:
            move = Move(options, pathlib.Path(folder), cluster, redis)
            try:
                move.run()
            finally:
                move.close()
    except Trouble as trouble:
        print(f"migrate: {trouble}")
        return 1
    finally:
        cluster.remove()
        redis.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
