# SPDX-License-Identifier: Apache-2.0
"""What goes wrong at start, one clear line each, and what goes wrong with plugins stops only them."""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import unittest

from harness import BUILD, Process, Server, Simulator, Trouble, http


class StartTrouble(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.owner = tempfile.TemporaryDirectory(prefix="belfry-start-")
        cls.addClassCleanup(cls.owner.cleanup)
        cls.folder = pathlib.Path(cls.owner.name)
        cls.simulator = Simulator(BUILD, cls.folder / "simulator")
        cls.addClassCleanup(cls.simulator.stop)

    def setUp(self):
        self.server = Server(BUILD, self.folder / self.id().rsplit(".", 1)[1], self.simulator)
        self.addCleanup(self.server.kill)

    def restarted_with(self, old, new):
        """Stops the server, changes its configuration and starts it; its last line if it refuses."""
        self.server.stop()
        text = self.server.config.read_text()
        self.assertIn(old, text)
        self.server.config.write_text(text.replace(old, new))
        try:
            self.server.start()
        except Trouble:
            self.assertEqual(self.server.process.child.returncode, 1)
            return self.server.process.tail(1)
        return ""

    def components(self):
        return http("GET", self.server.url + "/health")[1].decode()

    def test_unknown_key_names_file_line_and_the_nearest_key(self):
        line = self.restarted_with("[http]\n", "[http]\nlisen = \"127.0.0.1:1\"\n")
        self.assertRegex(line, r"belfry\.toml:\d+: .*http\.lisen.*http\.listen")

    def test_a_certificate_that_is_none_is_named(self):
        line = self.restarted_with("[http]\n", "[http]\ntls = { cert = \"c.pem\", key = \"k.pem\" }\n")
        self.assertRegex(line, r"http\.tls\.cert: .*c\.pem is no PEM certificate")

    def test_stores_that_are_none_are_named(self):
        garbage = self.server.folder / "garbage.db"
        garbage.write_bytes(b"this is no database " * 500)
        extra = f'[storage]\npath = "{garbage}"\n'
        self.assertIn("garbage.db", self.restarted_with("[providers.fcm]", extra + "[providers.fcm]"))
        folder = self.server.folder / "folder.db"
        folder.mkdir()
        self.assertIn("folder.db", self.restarted_with(str(garbage), str(folder)))
        self.assertEqual(self.restarted_with(str(folder), str(self.server.folder / "fresh.db")), "")

    def test_copies_of_plugins_that_are_not_used_any_more_are_removed(self):
        copies = self.server.folder / "data/run/plugins"
        self.server.stop()
        kept = {p.name for p in copies.iterdir()}
        self.assertGreaterEqual(len([name for name in kept if name.endswith(".so")]), 3)
        stale = "0" * 64
        for name in (f"{stale}.so", f"{stale}.probed", f"{stale}.so.77.part", next(iter(kept))[:64] + ".so.77.part", "notes.txt"):
            (copies / name).write_text("old")
        self.server.start()
        self.assertEqual({p.name for p in copies.iterdir()}, kept | {"notes.txt"})
        self.assertIn("old private copies of plugins removed", self.server.process.log.read_text())

    def test_backups_that_a_killed_server_left_half_made_are_removed(self):
        backups = self.server.folder / "data/backups"
        for name in (".nightly-1/state/queue/queue.db.part", ".nightly-2/api-key", ".snapshots/monday/state", "nightly-3/state/queue/queue.db"):
            (backups / name).parent.mkdir(parents=True)
            (backups / name).write_text("old")
        self.server.stop()
        self.server.start()
        self.assertEqual({p.name for p in backups.iterdir()}, {".snapshots", "nightly-3"})
        self.assertIn("unfinished backups removed folders=2", self.server.process.log.read_text())

    def test_pinned_plugins_must_be_that_file(self):
        sums = {name: hashlib.sha256((BUILD / f"plugins/{name}.so").read_bytes()).hexdigest() for name in ("fcm", "storage_sqlite")}
        good = f'plugin_pins = {{ fcm = "{sums["fcm"]}", storage_sqlite = "{sums["storage_sqlite"]}" }}\n'
        self.assertEqual(self.restarted_with("dev = true\n", "dev = true\n" + good), "")
        self.assertIn("running", self.components())
        self.assertEqual(self.restarted_with(f'fcm = "{sums["fcm"]}"', f'fcm = "{"0" * 64}"'), "")
        self.assertIn("pinned", self.components())
        self.assertIn("pinned", self.restarted_with(sums["storage_sqlite"], "1" * 64))
        self.assertIn("64 small hexadecimal digits", self.restarted_with("1" * 64, "1234"))

    def test_port_in_use_says_which_one(self):
        taken = self.server.url.removeprefix("http://")
        second = Server.__new__(Server)
        second.__dict__.update(self.server.__dict__)
        second.folder = self.server.folder / "second"
        second.folder.mkdir()
        second.config = second.folder / "belfry.toml"
        second.config.write_text(self.server.config.read_text().replace("127.0.0.1:0", taken).replace("\"api-key\"", "\"../api-key\""))
        with self.assertRaises(Trouble) as refused:
            second.start()
        self.assertIn(f"another program listens on {taken}", str(refused.exception).splitlines()[-1])

    def test_second_process_on_one_data_dir_is_refused_and_the_first_serves_on(self):
        run = subprocess.run([BUILD / "host/belfry", "serve", "--config", self.server.config], capture_output=True, text=True, timeout=30,
                             check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("in use by another belfry", run.stderr.splitlines()[-1])
        self.assertTrue(self.server.ready())

    def test_missing_and_unreadable_credentials_are_named(self):
        account = self.simulator.facts["service_account"]
        self.server.result("device_register", {"provider": "fcm", "token": "ok-waits", "topics": ["waits"]})
        self.assertIn("no-such.json", self.restarted_with(account, "/nowhere/no-such.json"))
        garbage = self.server.folder / "garbage.json"
        garbage.write_text("not json")
        garbage.chmod(0o600)
        self.assertEqual(self.restarted_with("/nowhere/no-such.json", str(garbage)), "")
        self.assertRegex(self.components(), r'"name":"fcm","ready":true,"detail":"failed: credentials[^"]*"')
        self.assertTrue(self.server.ready())
        metrics = http("GET", self.server.url + "/metrics")[1].decode()
        self.assertIn('belfry_provider_open{provider="fcm"} 0\n', metrics)
        self.assertIn('belfry_provider_needs_operator{provider="fcm"} 1\n', metrics)
        shown = subprocess.run([BUILD / "host/belfry", "providers", "--config", self.server.config], capture_output=True, text=True, timeout=60, check=True)
        self.assertRegex(shown.stdout, r"fcm +not_started +- .*credentials.*an operator must act")
        waits = {"uid": "waits", "recipient": {"filter": {"topics": ["waits"]}}, "notification": {"fcm": {"message": {"data": {"a": "b"}}}}}
        self.assertNotIn("error", self.server.call("send_push_notification", waits))
        refused = self.server.call("device_register", {"provider": "fcm", "token": "ok-unchecked"})["error"]["message"]
        self.assertIn('provider "fcm" is not running, so its tokens cannot be checked', refused)
        self.server.config.write_text(self.server.config.read_text().replace(str(garbage), account))
        self.server.process.child.send_signal(signal.SIGHUP)
        push = {"uid": "after-repair", "recipient": {"fcm_tokens": ["ok-repaired"]}, "notification": {"fcm": {"message": {"data": {"a": "b"}}}}}
        end = time.monotonic() + 20
        while "error" in self.server.call("send_push_notification", push) and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(self.server.wait_done("after-repair")["planned"], 1)
        self.assertEqual(self.server.wait_done("waits")["planned"], 1)

    def test_hostile_provider_plugin_stops_only_itself(self):
        plugins = self.server.folder / "plugins"
        shutil.copytree(BUILD / "plugins", plugins, ignore=lambda _, names: [n for n in names if not n.endswith((".so", ".json"))])
        self.assertEqual(self.restarted_with(str(BUILD.resolve() / "plugins"), str(plugins)), "")
        for what, spoil, expected in (
                ("writable by others", lambda: os.chmod(plugins / "fcm.so", 0o777), "written by everybody"),
                ("not a plugin", lambda: (os.chmod(plugins / "fcm.so", 0o755), (plugins / "fcm.so").write_bytes(b"garbage" * 999)), "ELF"),
                ("missing", (plugins / "fcm.so").unlink, "fcm")):
            with self.subTest(what):
                spoil()
                self.server.stop()
                self.server.start()
                self.assertTrue(self.server.ready())
                self.assertIn(expected, self.components())
                refused = self.server.call("send_push_notification", {
                    "recipient": {"fcm_tokens": ["ok-1"]}, "notification": {"fcm": {"message": {"data": {"a": "b"}}}}})
                self.assertIn("error", refused)

    def test_a_folder_that_others_may_write_to_is_named_once(self):
        plugins = self.server.folder / "shared"
        shutil.copytree(BUILD / "plugins", plugins, ignore=lambda _, names: [n for n in names if not n.endswith((".so", ".json"))])
        plugins.chmod(0o775)
        self.assertEqual(self.restarted_with(str(BUILD.resolve() / "plugins"), str(plugins)), "")
        lines = [line for line in self.server.process.log.read_text().splitlines() if f"{plugins}: " in line]
        self.assertEqual(len(lines), 1, lines)

    def transport(self, method, params):
        """(status, Retry-After or None, code) in transport mode."""
        request = urllib.request.Request(f"{self.server.url}/api/{method}", json.dumps(params).encode(),
                                         {"X-API-Key": self.server.KEY, "X-Centrifugo-Error-Mode": "transport"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, None, 0
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers.get("Retry-After"), json.loads(refused.read())["code"]

    PUSH = {"recipient": {"fcm_tokens": ["ok-later"]}, "notification": {"fcm": {"message": {"data": {"a": "b"}}}}}

    def test_a_full_backlog_is_too_many_requests_until_there_is_room(self):
        self.assertEqual(self.restarted_with("[providers.fcm]", "[queue]\nbacklog_max = 3\n[providers.fcm]"), "")
        later = {**self.PUSH, "send_at": int(time.time()) + 3600}
        for uid in ("one", "two", "three"):
            self.server.result("send_push_notification", {**later, "uid": uid})
        self.assertEqual(self.server.call("send_push_notification", later)["error"]["code"], 111)
        status, retry_after, code = self.transport("send_push_notification", later)
        self.assertEqual((status, code), (429, 111))
        self.assertGreaterEqual(int(retry_after), 1)
        self.server.result("send_push_notification", {**later, "uid": "two"})  # was accepted: the same answer
        self.server.result("cancel_push", {"uid": "two"})
        self.server.result("send_push_notification", {**later, "uid": "four"})

    def test_a_storage_that_somebody_else_holds_is_503_and_heals(self):
        device = {"provider": "fcm", "token": "ok-held"}
        stranger = sqlite3.connect(next(self.server.folder.rglob("storage.db")), isolation_level=None)
        stranger.execute("BEGIN IMMEDIATE")
        self.assertEqual(self.transport("device_register", device)[::2], (503, 100))
        stranger.execute("ROLLBACK")
        stranger.close()
        self.assertEqual(self.transport("device_register", device)[0], 200)

    def test_a_stop_while_a_store_cannot_be_opened_is_taken_at_once(self):
        self.server.stop()
        for store in ("storage.db", "queue.db"):
            with self.subTest(store):
                stranger = sqlite3.connect(next(self.server.folder.rglob(store)), isolation_level=None)
                stranger.execute("PRAGMA locking_mode = EXCLUSIVE")
                stranger.execute("BEGIN EXCLUSIVE")
                self.server.start(wait=False)
                self.server.process.wait_until(lambda: "trying again" in self.server.process.log.read_text(), 30, "a try that failed")
                self.assertEqual(self.server.process.stop(10), 0)
                self.server.process.log.unlink()
                stranger.close()
        self.server.start()

    def fill(self):
        """Registers devices until the storage refuses: (tokens that were acknowledged, the refusal)."""
        stored = []
        for i in range(4000):
            token = f"ok-{i}-" + "x" * 2000
            reply = self.server.call("device_register", {"provider": "fcm", "token": token, "topics": ["full"]})
            if "error" in reply:
                return stored, reply["error"]
            stored.append(token)
        self.fail("the disk never filled")

    def listed(self):
        tokens, cursor = [], ""
        while True:
            page = self.server.result("device_list", {"filter": {"topics": ["full"]}, "limit": 1000, "cursor": cursor})
            tokens += [item["token"] for item in page["items"]]
            cursor = page.get("next_cursor", "")
            if not cursor:
                return tokens

    def test_full_disk_is_a_clear_error_loses_nothing_and_heals_without_a_restart(self):
        self.server.stop()
        data = self.server.folder / "data"
        copies = sum(file.stat().st_size for file in (BUILD / "plugins").glob("*.so")) >> 20  # the host keeps private ones
        script = f'mount -t tmpfs -o size={copies + 8}m belfry "$2" && head -c 2m /dev/zero >"$2/ballast" && exec "$0" serve --config "$1"'
        self.server.process = Process("belfry on a small disk", [
            "unshare", "--mount", "--map-root-user", "bash", "-c", script, BUILD / "host/belfry", self.server.config, data],
            self.server.folder / "small.log")
        inside = pathlib.Path(f"/proc/{self.server.process.pid}/root{data}")
        self.server.wait_served(inside / "listening")
        stored, refused = self.fill()
        self.assertEqual(refused["code"], 100)
        self.assertRegex(refused["message"], "full|disk")
        # A checkpoint may have made some room again.
        for i in range(1000):
            token = f"ok-more-{i}-" + "x" * 3000
            answer = self.transport("device_register", {"provider": "fcm", "token": token, "topics": ["full"]})
            if answer[0] != 200:
                break
            stored.append(token)
        self.assertEqual(answer[::2], (507, 100))
        pushes = ({**self.PUSH, "notification": {"fcm": {"message": {"data": {"a": "x" * 3000}}}}, "uid": f"push-{i}", "send_at": int(time.time()) + 3600}
                  for i in range(3000))
        refusal = next(answer for answer in (self.transport("send_push_notification", push) for push in pushes) if answer[0] != 200)
        self.assertEqual(refusal[::2], (507, 100))
        status, health = http("GET", self.server.url + "/health")
        self.assertEqual(status, 200)
        details = {one["name"]: one["detail"] for one in json.loads(health)["components"]}
        for store in ("storage", "queue"):
            self.assertIn("disk or quota full, nothing is stored by " + store, details[store])
        self.assertEqual(sorted(self.listed()), sorted(stored))
        (inside / "ballast").unlink()
        self.server.result("device_register", {"provider": "fcm", "token": "ok-after", "topics": ["full"]})
        self.assertNotIn("nothing is stored by storage", http("GET", self.server.url + "/health")[1].decode())
        self.assertEqual(sorted(self.listed()), sorted([*stored, "ok-after"]))
        self.assertEqual(self.server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
