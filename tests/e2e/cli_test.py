# SPDX-License-Identifier: Apache-2.0
"""The belfry command as its users run it: a process against a live server; and with wrong words, a wrong key, no server."""
import json
import os
import pathlib
import stat
import subprocess
import time
import unittest

from harness import BUILD, EndToEnd, Server

PAYLOAD = '{"fcm": {"message": {"notification": {"title": "Hi"}}}}'


class CommandLine(EndToEnd):
    config_extra = """
[delivery]
attempts_max = 1

[admin]
keys = [ { name = "root", key = "root-key" } ]
"""

    def belfry(self, *arguments, code=0, env=None, stdin=""):
        """(standard output, standard error) of one run that must end with `code`."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BELFRY_")}
        run = subprocess.run([BUILD / "host/belfry", *arguments], capture_output=True, text=True, timeout=60, input=stdin, check=False,
                             env={**clean, "BELFRY_CONFIG": str(self.server.config), **(env or {})})
        self.assertEqual(run.returncode, code, f"{arguments}: {run.stdout}{run.stderr}")
        self.assertNotIn("\x1b", run.stdout + run.stderr)
        return run.stdout, run.stderr

    def json(self, *arguments, **rest):
        return json.loads(self.belfry(*arguments, "--json", **rest)[0])

    def refused(self, *arguments, code, says, **rest):
        """One line on standard error that says what, and nothing on standard output."""
        out, err = self.belfry(*arguments, code=code, **rest)
        self.assertEqual(out, "")
        self.assertEqual(err.count("\n"), 1, err)
        self.assertIn(says, err)

    def dead_letters(self, uid):
        self.simulator.control("POST", "/faults", [{"action": "status", "status": 500}])
        self.belfry("send", "--token", "ok-dead", "--payload", PAYLOAD, "--uid", uid)
        end = time.monotonic() + 20
        while not (letters := self.json("queue", "dead", "--uid", uid)["items"]) and time.monotonic() < end:
            time.sleep(0.1)
        self.simulator.control("DELETE", "/faults")
        return letters

    def test_devices_are_registered_shown_listed_and_removed(self):
        device = self.belfry("devices", "register", "--provider", "fcm", "--token", "ok-cli", "--platform", "android", "--user", "ann",
                             "--topic", "cli", "--meta", "plan=gold")[0].strip()
        shown = self.json("devices", "show", device)
        self.assertEqual((shown["user"], shown["topics"], shown["meta"]), ("ann", ["cli"], {"plan": "gold"}))
        self.assertIn("ok-cli", self.belfry("devices", "show", device)[0])
        self.assertEqual([d["id"] for d in self.json("devices", "list", "--topic", "cli")["items"]], [device])
        self.assertIn("total 1", self.belfry("devices", "list", "--user", "ann", "--total")[0])
        self.belfry("devices", "remove", device)
        self.refused("devices", "show", device, code=1, says="there is no device " + device)
        self.refused("devices", "register", "--provider", "fmc", "--token", "t", code=1, says="provider")

    def test_send_waits_for_the_end_and_pushes_are_listed_and_shown(self):
        out, err = self.belfry("send", "--token", "ok-wait", "--payload", PAYLOAD, "--uid", "cli-1", "--wait")
        self.assertEqual((out, err), ("cli-1  done  1 of 1  accepted 1\n", ""))
        self.assertEqual(len(self.phone("ok-wait")), 1)
        self.assertIn("cli-1", [p["uid"] for p in self.json("pushes", "list", "--state", "done")["items"]])
        self.assertIn("cli-1", self.belfry("pushes", "list")[0])
        self.assertEqual(self.json("pushes", "show", "cli-1")["planned"], 1)
        self.assertIn("accepted", self.belfry("pushes", "show", "cli-1")[0])
        self.assertEqual(self.belfry("send", "--token", "ok-pipe", "--payload", "-", "--wait", stdin=PAYLOAD)[0].split()[1], "done")
        self.refused("pushes", "show", "never", code=1, says="uid")

    def test_pushes_are_paused_resumed_and_cancelled(self):
        self.belfry("send", "--token", "ok-steer", "--payload", PAYLOAD, "--uid", "steer-1", "--send-in", "6")
        self.belfry("pushes", "pause", "steer-1")
        self.assertEqual(self.json("pushes", "show", "steer-1")["state"], "paused")
        time.sleep(6.5)
        self.assertEqual(self.phone("ok-steer"), [])
        self.belfry("pushes", "resume", "steer-1")
        self.server.wait_done("steer-1")
        self.assertEqual(len(self.phone("ok-steer")), 1)
        self.belfry("send", "--token", "ok-never", "--payload", PAYLOAD, "--uid", "steer-2", "--send-in", "60")
        self.belfry("pushes", "cancel", "steer-2")
        self.assertEqual(self.json("pushes", "show", "steer-2")["state"], "cancelled")
        self.assertEqual(self.phone("ok-never"), [])
        for verb in ("pause", "resume", "cancel"):
            self.refused("pushes", verb, "no-such-uid", code=1, says="uid")

    def test_dead_letters_are_listed_and_replayed(self):
        letters = self.dead_letters("dead-1")
        self.assertEqual(len(letters), 1)
        self.assertEqual((letters[0]["uid"], letters[0]["provider"], letters[0]["deliveries"]), ("dead-1", "fcm", 1))
        self.assertIn("dead-1", self.belfry("queue", "dead")[0])
        self.assertGreaterEqual(self.json("queue", "stats")["dead"], 1)
        self.assertEqual(self.phone("ok-dead"), [])
        self.assertEqual(self.belfry("queue", "replay", letters[0]["id"])[0], "replayed 1 of 1\n")
        end = time.monotonic() + 20
        while not self.phone("ok-dead") and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(len(self.phone("ok-dead")), 1)
        self.assertEqual(self.json("queue", "replay", "--uid", "dead-1"), {"replayed": 0})

    def test_backups_are_made_once_under_plain_names(self):
        made = self.json("backup", "first")
        folder = self.server.folder / "data/backups/first"
        self.assertEqual(made["folder"], str(folder))
        self.assertGreaterEqual({f["name"] for f in made["files"]}, {"state/queue/queue.db", "state/storage/storage.db"})
        self.assertEqual({f["name"]: f["bytes"] for f in made["files"]},
                         {str(f.relative_to(folder)): f.stat().st_size for f in folder.rglob("*") if f.is_file()})
        self.assertIn("storage.db", self.belfry("backup", "second")[0])
        self.refused("backup", "first", code=1, says="there is a backup of this name")
        self.refused("backup", "../elsewhere", code=1, says="letters, digits")

    def test_state_of_queue_and_providers(self):
        self.belfry("send", "--token", "ok-state", "--payload", PAYLOAD, "--wait")
        self.assertIn("LANE", self.belfry("queue", "stats")[0])
        provider = next(p for p in self.json("providers")["items"] if p["name"] == "fcm")
        self.assertEqual(provider["state"], "open")
        self.assertGreater(provider["credential_valid_ms"], 0)
        self.assertGreaterEqual(provider["connections"], 1)
        self.assertIn("fcm", self.belfry("providers")[0])

    def test_devices_go_out_and_in_again_as_lines_and_as_csv(self):
        self.server.register_many([f"ok-out-{i}" for i in range(5000)], "out")
        self.belfry("devices", "register", "--provider", "fcm", "--token", "ok-odd", "--topic", "out", "--topic", "a|b", "--topic", "x,\"y\"",
                    "--meta", "k=1,2\nnew line")
        before = self.belfry("devices", "export", "--topic", "out")[0]
        self.assertEqual(len(before.splitlines()), 5001)
        for name in ("out.csv", "out.ndjson"):
            with self.subTest(name):
                file = self.folder / name
                pathlib.Path(f"{file}.part").write_text("left by an export that was killed")
                self.assertEqual(self.json("devices", "export", file, "--topic", "out"), {"exported": 5001})
                self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
                some = [device["id"] for device in self.json("devices", "list", "--topic", "out", "--limit", "500")["items"]]
                self.belfry("devices", "remove", *some)
                self.assertEqual(self.belfry("devices", "import", file)[0], "registered 5001, refused 0\n")
                self.assertEqual(self.belfry("devices", "export", "--topic", "out")[0], before)
        self.refused("devices", "export", "--format", "xml", code=2, says="ndjson or csv")
        self.refused("devices", "export", self.folder / "no" / "folder", code=1, says="cannot be written")

    def test_an_export_that_breaks_off_leaves_no_file(self):
        gone = Server(BUILD, self.folder / "gone", self.simulator)
        self.addCleanup(gone.kill)
        gone.register_many([f"ok-gone-{i}-" + "x" * 500 for i in range(8000)], "gone")
        file = self.folder / "gone.ndjson"
        reader = subprocess.Popen([BUILD / "host/belfry", "devices", "export", "--server", gone.url, "--key", gone.KEY],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertTrue(reader.stdout.readline())  # under way, and held up: nobody reads on
        gone.kill()
        _, err = reader.communicate(timeout=30)
        self.assertEqual((reader.returncode, err.count("\n")), (1, 1), err)
        self.assertIn(gone.url.removeprefix("http://"), err)
        self.refused("devices", "export", file, "--server", gone.url, code=1, says="cannot be reached")
        self.assertFalse(file.exists() or file.with_suffix(".ndjson.part").exists())

    def test_configuration_plugins_keys_and_version(self):
        self.assertEqual(self.json("config", "check"), {"good": True, "findings": []})
        self.refused("config", "check", "--set", "http.listne=x", code=1, says="did you mean http.listen?")
        self.assertIn("## `[http]`", self.belfry("config", "reference")[0])
        self.assertIn("send_push_notification", self.belfry("api", "reference")[0])
        self.assertIn("fcm", [p["name"] for p in self.json("plugin", "list")])
        self.assertEqual(len(self.json("vapid", "generate")["public_key"]), 87)
        self.assertEqual(self.belfry("version")[0], f"belfry {self.json('version')['version']}\n")
        out = self.belfry("--help")[0]
        self.assertIn("belfry COMMAND --help", out)

    ASKING = (("devices", "list"), ("devices", "show", "x"), ("devices", "register", "--provider", "fcm", "--token", "t"),
              ("devices", "remove", "x"), ("send", "--token", "t", "--payload", PAYLOAD), ("devices", "import", os.devnull), ("devices", "export"),
              ("pushes", "list"), ("pushes", "show", "x"),
              ("pushes", "cancel", "x"), ("pushes", "pause", "x"), ("pushes", "resume", "x"), ("queue", "stats"), ("queue", "dead"),
              ("queue", "replay", "1"), ("queue", "replay", "--all"), ("providers",), ("backup", "x"))

    def test_a_server_that_is_down_is_one_line(self):
        for command in self.ASKING:
            with self.subTest(command):
                self.refused(*command, "--server", "127.0.0.1:1", code=1, says="127.0.0.1:1: cannot be reached")

    def test_a_wrong_key_is_one_line(self):
        for command in self.ASKING:
            with self.subTest(command):
                self.refused(*command, "--key", "wrong", code=1, says="API key")

    def test_an_apps_key_is_no_operators_key(self):
        for command in (("queue", "stats"), ("providers",), ("backup", "x"), ("queue", "replay", "1")):
            with self.subTest(command):
                self.refused(*command, "--key", self.server.KEY, code=1, says="[admin] keys")

    def test_wrong_words_are_two_and_one_line(self):
        for command in (*self.ASKING, ("serve",), ("config", "check"), ("config", "reference"), ("api", "reference"), ("plugin", "list"),
                        ("vapid", "generate"), ("version",)):
            with self.subTest(command):
                self.refused(*command, "--typo", code=2, says="--typo")
        self.refused("devices", "lst", code=2, says="did you mean belfry devices list?")
        self.refused("send", "--payload", "{}", code=2, says="who gets it")


if __name__ == "__main__":
    unittest.main()
