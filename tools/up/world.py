# SPDX-License-Identifier: Apache-2.0
"""A simulator and a Belfry server side by side on loopback, as `./dev up` and the end-to-end tests need them.

Standard library only. Every wait is bounded; a process that dies says so with the end of its log.
"""
import concurrent.futures
import itertools
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request


# Bounds for a machine that has other things to do: they only say when to give up.
START_SECONDS = 90
STOP_SECONDS = 60
DONE_SECONDS = 120


class Trouble(Exception):
    """Something a person must read: one line, then the log's end where there is one."""


def http(method, url, body=None, headers=None, timeout=60):
    """(status, bytes) of one request; never raises for a status."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


class Process:
    """A child with its output in a log file."""

    def __init__(self, name, command, log, env=None):
        self.name, self.log, self.command = name, pathlib.Path(log), [str(part) for part in command]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen(self.command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                          env={**os.environ, **(env or {})})

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child.poll() is None

    def tail(self, lines=15):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def wait_until(self, ready, seconds, what):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.alive():
                raise Trouble(f"{self.name} ended with {self.child.returncode} before its {what}; its log is {self.log}\n{self.tail(1)}")
            value = ready()
            if value:
                return value
            time.sleep(0.02)
        raise Trouble(f"{self.name}: no {what} within {seconds} s:\n{self.tail()}")

    def stop(self, seconds=STOP_SECONDS):
        """SIGTERM, then the exit code; a process that does not go is killed and reported."""
        if self.alive():
            self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Trouble(f"{self.name} did not stop within {seconds} s of SIGTERM:\n{self.tail()}") from None

    def kill(self):
        if self.alive():
            self.child.kill()
        self.child.wait()


class Simulator:
    """belfry-simulator and its control API."""

    def __init__(self, build, folder, *arguments):
        self.folder = pathlib.Path(folder)
        self.build, self.arguments = pathlib.Path(build), arguments
        self.start()

    def start(self):
        facts = self.folder / "simulator.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        facts.unlink(missing_ok=True)
        self.process = Process("belfry-simulator", [self.build / "tools/simulator/belfry-simulator", "--dir", self.folder,
                                                    *self.arguments], self.folder / "simulator.log")
        self.process.wait_until(facts.exists, START_SECONDS, "simulator.json")
        self.facts = json.loads(facts.read_text())

    def control(self, method, path, body=None):
        status, answer = http(method, self.facts["control_url"] + path, body)
        if status >= 300:
            raise Trouble(f"simulator control {method} {path}: {status} {answer.decode(errors='replace')[:200]}")
        return json.loads(answer) if answer else {}

    def stop(self):
        self.process.stop()


def fcm_section(simulator, extra="", credentials=None):
    """[providers.fcm] pointed at the simulator, with its service account's key file or another."""
    return f"""
[providers.fcm]
credentials = {{ file = "{credentials or simulator.facts['service_account']}" }}
endpoint = "{simulator.facts['fcm_url']}"
ca_file = "{simulator.facts['ca_file']}"
{extra}
"""


def apns_section(simulator, environment="production", extra="", name="apns", **keys):
    """[providers.apns] pointed at the simulator; `keys` replace those of a team's key."""
    apns = simulator.facts["apns"]
    keys = keys or {"key": f'{{ file = "{apns["key_file"]}" }}', "key_id": f'"{apns["key_id"]}"', "team_id": f'"{apns["team_id"]}"'}
    lines = "".join(f"{name} = {value}\n" for name, value in keys.items())
    return f"""
[providers.{name}]
plugin = "apns"
{lines}topic = "{apns['topic']}"
environment = "{environment}"
endpoint = "{apns['url']}"
sandbox_endpoint = "{apns['sandbox_url']}"
broadcast_endpoint = "{apns['sandbox_url' if environment == 'sandbox' else 'url']}"
channel_endpoint = "{apns['sandbox_channels_url' if environment == 'sandbox' else 'channels_url']}"
ca_file = "{simulator.facts['ca_file']}"
{extra}
"""


def hms_section(simulator, generation="v1", name="hms", extra="", **keys):
    """[providers.hms] pointed at the simulator; `keys` replace or add settings."""
    hms = simulator.facts["hms"]
    oauth = {"app_id": f'"{hms["app_id"]}"', "client_secret": f'{{ file = "{hms["client_secret_file"]}" }}'}
    signed = {"service_account": f'{{ file = "{hms["service_account"]}" }}'}
    settings = {**(signed if generation == "v3" else oauth), **({"project_id": f'"{hms["project_id"]}"'} if generation == "v2" else {}), **keys}
    lines = "".join(f"{key} = {value}\n" for key, value in settings.items())
    return f"""
[providers.{name}]
plugin = "hms"
generation = "{generation}"
{lines}endpoint = "{hms['url']}"
token_endpoint = "{hms['token_url']}"
ca_file = "{simulator.facts['ca_file']}"
{extra}
"""


def webpush_section(simulator, extra="allow_private_networks = true"):
    """[providers.webpush] that may call the simulator's four push services and no others."""
    origins = json.dumps([url.removeprefix("https://") for url in simulator.facts["webpush"].values()])
    return f"""
[providers.webpush]
subject = "mailto:ops@example.com"
allowed_origins = {origins}
ca_file = "{simulator.facts['ca_file']}"
{extra}
"""


class Server:
    """One belfry process in embedded mode, pointed at a simulator."""

    KEY = "demo-key"

    def __init__(self, build, folder, simulator, listen="127.0.0.1:0", extra="", providers=None, fcm_extra=""):
        self.build, self.folder = pathlib.Path(build), pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "belfry.toml"
        (self.folder / "api-key").write_text(self.KEY + "\n")
        (self.folder / "api-key").chmod(0o600)
        if providers is None:
            providers = fcm_section(simulator, fcm_extra)
        self.config.write_text(f"""# Written by tools/up: embedded mode with every provider pointed at the simulator.
data_dir = "data"
plugin_dirs = ["{self.build.resolve() / 'plugins'}"]
dev = true

[http]
listen = "{listen}"

[api]
keys = [ {{ name = "demo", key = {{ file = "api-key" }} }} ]
{providers}
{extra}""")
        self.start()

    def start(self, wait=True):
        address = self.folder / "data" / "listening"
        address.unlink(missing_ok=True)
        self.process = Process("belfry", [self.build / "host/belfry", "serve", "--config", self.config], self.folder / "belfry.log")
        if wait:
            self.wait_served(address)
            self.process.wait_until(lambda: self.ready(), START_SECONDS, "answer of /ready")

    def wait_served(self, address=None):
        """Until the process says where it listens; `address`: the file where it does, if not the usual one."""
        address = address or self.folder / "data" / "listening"
        self.process.wait_until(lambda: address.exists() and address.read_text().strip(), START_SECONDS, "listening address")
        served = address.read_text().strip()
        self.url = served if "://" in served else "http://" + served

    def ready(self):
        try:
            return http("GET", self.url + "/ready", timeout=5)[0] == 200
        except OSError:
            return False

    def call(self, api_method, params, timeout=60):
        """The envelope of one API call, as a dict."""
        status, answer = http("POST", f"{self.url}/api/{api_method}", params, {"Authorization": f"apikey {self.KEY}"}, timeout)
        if status != 200:
            raise Trouble(f"{api_method}: HTTP {status} {answer.decode(errors='replace')[:300]}")
        return json.loads(answer)

    def result(self, api_method, params, timeout=60):
        envelope = self.call(api_method, params, timeout)
        if "error" in envelope:
            raise Trouble(f"{api_method}: {envelope['error']}")
        return envelope["result"]

    def register_many(self, tokens, topic, clients=12, batch=250, provider="fcm", platform="android"):
        """Registers devices of one topic by several clients at once, so that the server's group commit has something to group."""
        def one_batch(some):
            commands = [{"device_register": {"provider": provider, "platform": platform, "topics": [topic], "token": token}} for token in some]
            for reply in self.result_of_batch(commands):
                if "device_register" not in reply:
                    raise Trouble(f"registration failed: {reply}")

        tokens = iter(tokens)
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            running = set()
            while some := list(itertools.islice(tokens, batch)):
                running.add(pool.submit(one_batch, some))
                if len(running) >= clients * 2:
                    done, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                    for future in done:
                        future.result()
            for future in running:
                future.result()

    def result_of_batch(self, commands):
        return self.call("batch", {"commands": commands, "parallel": True}, timeout=120)["replies"]

    def wait_done(self, uid, seconds=DONE_SECONDS):
        """The status of a push once it is final."""
        end = time.monotonic() + seconds
        while True:
            status = self.result("push_status", {"uid": uid})
            if status["state"] in ("done", "cancelled", "expired"):
                return status
            if time.monotonic() > end:
                raise Trouble(f"push {uid} is not final after {seconds} s: {status}\n{self.process.tail()}")
            time.sleep(0.05)

    def stop(self):
        return self.process.stop()

    def kill(self):
        self.process.kill()
