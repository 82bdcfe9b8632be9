# SPDX-License-Identifier: Apache-2.0
"""What docs/operations.md promises: its commands as written, backup and restore, stop, reload, metrics, secrets."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
import unittest

from harness import BUILD, HELLO, EndToEnd, Process, http

DOC = (pathlib.Path(__file__).resolve().parents[2] / "docs/operations.md").read_text()
STOP_SECONDS = 15

# Stands in for systemd: one server, started and stopped as the unit of docs/operations.md does.
SYSTEMCTL = """#!/bin/bash
set -eu
pid=$(cat "$HERE/pid")
case $1 in
stop) kill -TERM "$pid"; while [ -d "/proc/$pid" ] && ! grep -q "^State:.Z" "/proc/$pid/status"; do sleep 0.1; done ;;
reload) kill -HUP "$pid" ;;
start)
    nohup belfry serve --config "$HERE/belfry.toml" >>"$HERE/again.log" 2>&1 </dev/null &
    echo $! >"$HERE/pid"
    until [ -s "$HERE/data/listening" ] || ! [ -d "/proc/$!" ]; do sleep 0.1; done ;;
esac
"""


def sh_blocks(text):
    return re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)


class Operations(EndToEnd):
    config_extra = """
[delivery]
attempts_max = 1
"""

    def run_block(self, block, folder):
        """A block of the document, its paths replaced by those of this test's server."""
        script = block.replace("/etc/belfry/belfry.toml", str(folder / "belfry.toml")).replace("/var/lib/belfry", str(folder / "data"))
        env = {**os.environ, "HERE": str(folder), "PATH": f"{folder / 'bin'}:{BUILD / 'host'}:{os.environ['PATH']}"}
        run = subprocess.run(["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=90, env=env, check=False)
        self.assertEqual(run.returncode, 0, f"{block}{run.stdout}{run.stderr}")
        return run.stdout

    def test_the_documents_commands_work_and_the_restored_server_serves(self):
        server, folder = self.server, self.server.folder
        (folder / "bin").mkdir()
        (folder / "bin/systemctl").write_text(SYSTEMCTL)
        (folder / "bin/systemctl").chmod(0o755)
        (folder / "pid").write_text(str(server.process.pid))
        given = [self.register(f"ok-kept-{i}", topics=["kept"]) for i in range(300)]
        self.server.result("send_push_notification", {"uid": "kept-later", "send_at": int(time.time()) + 3600,
                                                      "recipient": {"filter": {"topics": ["kept"]}}, "notification": HELLO})
        blocks = sh_blocks(DOC)
        self.assertGreaterEqual(len(blocks), 5)
        for block in blocks:
            if "systemctl stop" in block:
                given.append(self.register("ok-after-backup", topics=["kept"]))
            self.run_block(block, folder)
        server.process.child.wait(STOP_SECONDS)
        self.addCleanup(lambda: os.kill(int((folder / "pid").read_text()), signal.SIGKILL))
        address = folder / "data/listening"
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if address.exists() and address.read_text().strip():
                server.url = "http://" + address.read_text().strip()
                if server.ready():
                    break
            time.sleep(0.1)
        self.assertEqual(self.tokens("kept"), {f"ok-kept-{i}" for i in range(300)})
        self.assertEqual(server.result("push_status", {"uid": "kept-later"})["state"], "delayed")
        status = self.send({"filter": {"topics": ["kept"]}}, HELLO)
        self.assertEqual(self.outcomes(status), {("fcm", "accepted"): 300})
        again = [self.register(f"ok-after-restore-{i}") for i in range(3)]
        self.assertEqual(set(again) & set(given), set(), "an id was given out twice")
        backup, = (folder / "data.old/backups").iterdir()
        self.assertRegex(backup.name, r"^nightly-\d{4}-\d{2}-\d{2}-\d{4}$")
        self.assertEqual(stat.S_IMODE(backup.stat().st_mode), 0o700)
        self.assertEqual(sorted(str(p.relative_to(backup)) for p in backup.rglob("*.db*")), ["state/queue/queue.db", "state/storage/storage.db"])


class Restored(EndToEnd):
    def restore(self, backup):
        self.server.stop()
        data = self.server.folder / "data"
        shutil.copytree(backup, self.server.folder / "next")
        shutil.rmtree(data)
        (self.server.folder / "next").rename(data)
        return data

    def test_the_queue_of_a_backup_can_be_left_out(self):
        self.server.result("send_push_notification", {"uid": "waits", "send_at": int(time.time()) + 3600,
                                                      "recipient": {"fcm_tokens": ["ok-waits"]}, "notification": HELLO})
        subprocess.run([BUILD / "host/belfry", "backup", "whole", "--config", self.server.config], check=True, timeout=60)
        kept = self.folder / "whole"
        shutil.copytree(self.server.folder / "data/backups/whole", kept)
        self.restore(kept)
        self.server.start()
        self.assertEqual(self.server.result("push_status", {"uid": "waits"})["state"], "delayed")
        (self.restore(kept) / "state/queue/queue.db").unlink()
        self.server.start()
        self.assertEqual(self.server.call("push_status", {"uid": "waits"})["error"]["code"], 104)


class Watched(EndToEnd):
    config_extra = """
[metrics]
published_names = true

[devices]
max_inactive_days = 365

[admin]
keys = [ { name = "root", key = { env = "BELFRY_TEST_ROOT_KEY" } } ]
"""

    @classmethod
    def setUpClass(cls):
        os.environ["BELFRY_TEST_ROOT_KEY"] = "root-secret-8261"
        cls.addClassCleanup(os.environ.pop, "BELFRY_TEST_ROOT_KEY")
        super().setUpClass()

    def exported(self):
        return http("GET", self.server.url + "/metrics")[1].decode()

    def test_every_metric_is_described_and_every_described_one_exists(self):
        self.register("ok-metrics", topics=["metrics"])
        self.send({"filter": {"topics": ["metrics"]}}, HELLO)
        text = self.exported()
        exported = set(re.findall(r"^# TYPE (\S+) ", text, re.M))
        described = set(re.findall(r"\b((?:belfry|centrifugo)_[a-z0-9_]+)", DOC)) - {"centrifugo_push_job_duration_seconds"}
        self.assertEqual(exported - described, set())
        some_have = {"belfry_provider_certificate_valid_seconds", "belfry_provider_clock_skew_seconds"}  # see credentials_test.py
        self.assertEqual(described - exported - some_have, set())
        for line in text.splitlines():
            self.assertRegex(line, r"^(# (HELP|TYPE) [a-z0-9_]+ .+|[a-z0-9_]+(\{[^{}]*\})? [-+0-9.eINa-z]+)$")
        labels = 'err_code="",platform="",provider="fcm",recipient_type="",success="true"'
        self.assertIn(f"centrifugo_push_notification_count{{{labels}}} 1", text)

    def test_every_explained_line_of_the_log_exists(self):
        root = pathlib.Path(__file__).resolve().parents[2] / "host"
        said, texts = set(), set()
        for source in root.rglob("*.cpp"):
            if not source.name.endswith("_test.cpp"):
                said |= set(re.findall(r'\.(?:error|warning)\(\s*"([^"]+)",?', source.read_text()))
                texts |= set(re.findall(r'"([^"\n]+)"', source.read_text()))
        explained = set()
        for line in re.findall(r"^\| `([^|]+)` \|", DOC.split("## What the log says")[1].split("## Disk full")[0], re.M):
            for part in line.split("` · `"):
                self.assertIn(part, texts)
                explained.add(part)
        self.assertEqual(said - explained, set(), "docs/operations.md does not say what to do")

    def test_secrets_are_shown_nowhere(self):
        account = json.loads(pathlib.Path(self.simulator.facts["service_account"]).read_text())
        secrets = [self.server.KEY, "root-secret-8261", account["private_key"].splitlines()[1], account["private_key_id"]]
        self.server.process.child.send_signal(signal.SIGHUP)
        headers = {"X-API-Key": "root-secret-8261"}
        shown = [http("GET", self.server.url + path, headers=headers)[1].decode()
                 for path in ("/health", "/ready", "/metrics", "/openapi.json", "/admin/queue", "/admin/providers", "/admin/dead")]
        for command in (["config", "check"], ["config", "reference"], ["plugin", "list"], ["providers"]):
            run = subprocess.run([BUILD / "host/belfry", *command], capture_output=True, text=True, timeout=60, check=True,
                                 env={**os.environ, "BELFRY_CONFIG": str(self.server.config)})
            shown.append(run.stdout + run.stderr)
        end = time.monotonic() + 10
        while "configuration reloaded" not in self.server.process.log.read_text() and time.monotonic() < end:
            time.sleep(0.05)
        shown.append(self.server.process.log.read_text())
        for secret in secrets:
            self.assertEqual([text for text in shown if secret in text], [], secret)

    def metric(self, name):
        return float(re.search(rf"^{re.escape(name)} (\S+)$", self.exported(), re.M)[1])

    def test_a_reload_that_fails_is_seen_in_the_metrics(self):
        before = self.server.config.read_text()
        self.addCleanup(self.server.config.write_text, before)
        for text, good in ((before.replace("[http]", "[http]\nlisten = 7"), 0), (before, 1)):
            self.server.config.write_text(text)
            self.server.process.child.send_signal(signal.SIGHUP)
            end = time.monotonic() + 20
            while self.metric("belfry_config_reload_ok") != good and time.monotonic() < end:
                time.sleep(0.1)
            self.assertEqual(self.metric("belfry_config_reload_ok"), good)
        self.assertLess(abs(time.time() - self.metric("belfry_config_reload_unix_seconds")), 60)

    def test_open_files_are_raised_to_the_hard_limit(self):
        limits = pathlib.Path(f"/proc/{self.server.process.pid}/limits").read_text()
        soft, hard = re.search(r"Max open files\s+(\d+)\s+(\d+)", limits).groups()
        self.assertEqual(soft, hard)

    def test_reload_says_what_needs_a_restart_and_applies_new_keys(self):
        before = self.server.config.read_text()
        self.addCleanup(self.server.process.child.send_signal, signal.SIGHUP)
        self.addCleanup(self.server.config.write_text, before)
        (self.server.folder / "api-key").write_text("another-key\n")
        self.addCleanup((self.server.folder / "api-key").write_text, self.server.KEY + "\n")
        self.server.config.write_text(before.replace("[http]", "[http]\nthreads_max = 99").replace('data_dir = "data"', 'data_dir = "other"'))
        self.server.process.child.send_signal(signal.SIGHUP)

        def status(key):
            return http("POST", self.server.url + "/api/push_list", {}, {"X-API-Key": key})[0]

        end = time.monotonic() + 10
        while "setting=http.threads_max" not in self.server.process.log.read_text() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual((status("another-key"), status(self.server.KEY)), (200, 401))
        self.assertIn('a changed setting needs a restart setting=http.threads_max', self.server.process.log.read_text())
        self.assertIn('a changed setting needs a restart setting=data_dir', self.server.process.log.read_text())
        self.assertFalse((self.server.folder / "other").exists())


class PathsOfPlugins(EndToEnd):
    def test_those_of_the_file_start_at_its_folder_and_others_where_the_server_was_started(self):
        self.server.stop()
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        self.server.config.write_text(self.server.config.read_text() + '\n[queue]\npath = "of-file/queue.db"\n')
        (self.server.folder / "data/listening").unlink(missing_ok=True)
        for folder in (self.server.folder / "of-file", elsewhere / "of-set"):
            folder.mkdir()
        self.server.process = Process("belfry", ["env", f"--chdir={elsewhere}", BUILD / "host/belfry", "serve", "--config", self.server.config,
                                                 "--set", "storage.path=./of-set/storage.db"], self.server.folder / "elsewhere.log")
        self.server.wait_served()
        self.assertTrue((elsewhere / "of-set/storage.db").exists())
        self.assertTrue((self.server.folder / "of-file/queue.db").exists())


class SecretOfAStore(EndToEnd):
    def test_a_new_value_behind_a_stores_file_needs_a_restart_and_is_named(self):
        secret = self.server.folder / "queue-secret"
        secret.touch(0o600)
        self.server.stop()
        self.server.config.write_text(self.server.config.read_text() + f'\n[queue]\npath = {{ file = "{secret}" }}\n')
        secret.write_text(str(self.server.folder / "data/one.db"))
        self.server.start()
        self.server.process.child.send_signal(signal.SIGHUP)
        self.server.process.wait_until(lambda: "configuration reloaded" in self.server.process.log.read_text(), 30, "reload")
        self.assertNotIn("[queue] needs a restart", self.server.process.log.read_text())
        secret.write_text(str(self.server.folder / "data/two.db"))
        self.server.process.child.send_signal(signal.SIGHUP)
        self.server.process.wait_until(lambda: "a change of [queue] needs a restart" in self.server.process.log.read_text(), 30, "warning")


class Stop(EndToEnd):
    config_extra = """
[delivery]
retry_base_ms = 50
retry_max_ms = 200
"""

    def stuck(self, uid):
        """A push whose requests get no answer."""
        self.simulator.control("POST", "/faults", [{"action": "black_hole"}])
        tokens = [f"ok-{uid}-{i}" for i in range(200)]
        self.server.result("send_push_notification", {"uid": uid, "recipient": {"fcm_tokens": tokens}, "notification": HELLO})
        end = time.monotonic() + 10
        while not re.search(r'^belfry_provider_in_flight\{provider="fcm"\} [1-9]', http("GET", self.server.url + "/metrics")[1].decode(), re.M):
            self.assertLess(time.monotonic(), end, "nothing was sent")
            time.sleep(0.05)
        return tokens

    def delivers_after_restart(self, uid, tokens):
        self.simulator.control("DELETE", "/faults")
        self.server.start()
        self.server.wait_done(uid, 60)
        self.assertEqual([token for token in tokens if not self.phone(token)], [])

    def test_idle_it_stops_at_once(self):
        began = time.monotonic()
        self.assertEqual(self.server.stop(), 0)
        self.assertLess(time.monotonic() - began, 10)
        self.server.start()

    def test_with_unanswered_requests_it_stops_in_time_and_loses_nothing(self):
        tokens = self.stuck("stop-1")
        began = time.monotonic()
        self.assertEqual(self.server.process.stop(STOP_SECONDS + 5), 0)
        self.assertLessEqual(time.monotonic() - began, STOP_SECONDS)
        self.delivers_after_restart("stop-1", tokens)

    def test_a_second_signal_skips_the_wait_and_loses_nothing(self):
        tokens = self.stuck("stop-2")
        self.server.process.child.send_signal(signal.SIGTERM)
        end = time.monotonic() + 10
        while "a second signal skips the wait" not in self.server.process.log.read_text().splitlines()[-1] and time.monotonic() < end:
            time.sleep(0.01)
        self.server.process.child.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.process.child.wait(60), -signal.SIGTERM, "it did not end its orderly stop")
        self.delivers_after_restart("stop-2", tokens)


class Embedded(unittest.TestCase):
    """No configuration file."""

    def setUp(self):
        owner = tempfile.TemporaryDirectory(prefix="belfry-embedded-")
        self.addCleanup(owner.cleanup)
        self.folder = pathlib.Path(owner.name)
        self.env = {"BELFRY_PLUGIN_DIRS": str(BUILD.resolve() / "plugins"), "BELFRY_DEV": "true", "HOME": str(self.folder)}

    def start(self, listen):
        process = Process("belfry", ["env", "-C", self.folder, BUILD.resolve() / "host/belfry", "serve", "--set", f"http.listen={listen}"],
                          self.folder / "belfry.log", env=self.env)
        self.addCleanup(process.kill)
        address = self.folder / "belfry-data/listening"
        process.wait_until(lambda: address.exists() and address.read_text().strip(), 30, "listening address")
        return process, address.read_text().strip()

    def belfry(self, *arguments):
        run = subprocess.run([BUILD.resolve() / "host/belfry", *arguments], cwd=self.folder, capture_output=True, text=True, timeout=30,
                             env={**os.environ, **self.env}, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def test_it_makes_a_private_key_says_where_and_the_command_line_finds_both(self):
        process, _ = self.start("127.0.0.1:0")
        key = self.folder / "belfry-data/api-key"
        self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(key.parent.stat().st_mode), 0o700)
        self.assertIn(f"the API key is in {key}", process.log.read_text())
        self.assertNotIn(key.read_text().strip(), process.log.read_text())
        self.assertIn("READY", self.belfry("queue", "stats"))
        self.assertIn("UID", self.belfry("pushes", "list"))

    def test_a_reload_that_cannot_read_the_key_keeps_the_one_it_has(self):
        process, address = self.start("127.0.0.1:0")
        file = self.folder / "belfry-data/api-key"
        key = file.read_text()

        def reload_and_see(good):
            process.child.send_signal(signal.SIGHUP)
            shown = lambda: f"belfry_config_reload_ok {good}\n" in http("GET", f"http://{address}/metrics")[1].decode()
            process.wait_until(shown, 30, f"belfry_config_reload_ok {good}")
            return http("POST", f"http://{address}/api/push_list", {}, {"X-API-Key": key.strip()})[0]

        file.write_text("")
        self.assertEqual(reload_and_see(0), 200)
        self.assertIn("API key of embedded mode not read", process.log.read_text())
        file.write_text(key)
        self.assertEqual(reload_and_see(1), 200)

    def test_it_serves_on_a_unix_socket(self):
        path = self.folder / "api.sock"
        process, address = self.start(f"unix:{path}")
        self.assertEqual(address, f"unix:{path}")
        self.assertIn("READY", self.belfry("queue", "stats"))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /ready HTTP/1.0\r\n\r\n")
            self.assertIn(b" 200 ", client.recv(100))
        self.assertEqual(process.stop(), 0)
        self.assertFalse(path.exists())


if __name__ == "__main__":
    unittest.main()
