#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev up: simulator, server, one registered device per provider, and the first push."""
import argparse
import fcntl
import json
import pathlib
import shutil
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from world import Server, Simulator, Trouble, apns_section, hms_section, webpush_section  # noqa: E402

EXAMPLE = {
    "recipient": {"filter": {"topics": ["test"]}},
    "notification": {"fcm": {"message": {"notification": {"title": "Hello", "body": "How are you?"}}},
                     "hms": {"message": {"android": {"notification": {"title": "Hello", "body": "How are you?", "click_action": {"type": 3}}}}},
                     "apns": {"payload": {"aps": {"alert": {"title": "Hello", "body": "How are you?"}}}},
                     "webpush": {"payload": {"title": "Hello", "body": "How are you?"}}},
}
PHONES = {"fcm": ("ok-first-phone", "android"), "hms": ("first-hms-phone", "android"),
          "apns": ("00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0", "ios")}


BROWSER = "first-browser"


def subscribe(simulator):
    """The PushSubscription of a browser, as its page would send it to the server; the same one as long as the simulator runs."""
    made = simulator.control("POST", "/webpush/subscriptions", {"flavour": "mozilla", "name": BROWSER})
    return json.dumps(made["subscription"])


def browser_shows(simulator):
    messages = simulator.control("GET", f"/webpush/phones/{BROWSER}")["messages"]
    return [json.loads(m["payload"]) for m in messages if "Hello" in m["payload"]]


def first_push(server, simulator):
    """Registers the phones, sends the example and returns what each phone received."""
    for provider, (token, platform) in {**PHONES, "webpush": (subscribe(simulator), "web")}.items():
        device = server.result("device_register", {"provider": provider, "token": token, "platform": platform, "topics": ["test"]})
        print(f"registered  {provider} device {device['id']} for topic \"test\"")
    uid = server.result("send_push_notification", EXAMPLE)["uid"]
    print(f"sent        push {uid}")
    status = server.wait_done(uid)
    print(f"settled     planned {status['planned']}, outcomes {status['outcomes']}")
    received = {}
    for provider, (token, _) in PHONES.items():
        messages = simulator.control("GET", f"/phones/{token}").get("messages", [])
        received[provider] = [m for m in messages if m.get("notification", {}).get("title") == "Hello"]
        shown = received[provider][-1]["notification"] if received[provider] else "nothing"
        print(f"phone       {provider} {token} shows {shown}")
    received["webpush"] = browser_shows(simulator)
    print(f"phone       webpush {BROWSER} shows {received['webpush'][-1] if received['webpush'] else 'nothing'}")
    return received


def alone(folder):
    """The open lock of this build's demo, which one ./dev up at a time may hold; its logs begin anew."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = open(folder / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Trouble("another ./dev up of this folder is running; stop it with Ctrl-C first") from None
    for log in folder.glob("*/*.log"):
        log.unlink()
    return lock


class Held:
    """The lock among the processes: let go after they have ended."""

    def __init__(self, lock):
        self.lock = lock

    def stop(self):
        self.lock.close()


def explained(trouble):
    if "another program listens" in str(trouble):
        return f"{trouble}\nfor example ./dev up --listen 127.0.0.1:8001"
    return str(trouble)


def main():
    parser = argparse.ArgumentParser(prog="./dev up", description=__doc__)
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--once", action="store_true", help="exit after the first push: 0 only if every phone got it")
    parser.add_argument("--listen", help="where the server listens (default 127.0.0.1:8000, with --once any free port)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = pathlib.Path(options.build) / ("demo-once" if options.once else "demo")
    processes = []
    try:
        processes.append(Held(alone(folder)))
        if options.once:
            for part in ("simulator", "server"):
                shutil.rmtree(folder / part, ignore_errors=True)
        simulator = Simulator(options.build, (folder / "simulator").resolve())
        processes.append(simulator)
        listen = options.listen or ("127.0.0.1:0" if options.once else "127.0.0.1:8000")
        server = Server(options.build, (folder / "server").resolve(), simulator, listen=listen, extra=apns_section(simulator) + hms_section(simulator) + webpush_section(simulator))
        processes.append(server)
        received = first_push(server, simulator)
        if not all(received.values()):
            raise Trouble("not every phone received the push; logs are in " + str(folder))
        if options.once:
            return 0
        print(f"""
server      {server.url}   API key: {server.KEY}
metrics     {server.url}/metrics   health {server.url}/health   API {server.url}/openapi.json
simulator   {simulator.facts['control_url']}/phones shows what every phone received, /webpush/phones/{BROWSER} the browser
config      {server.config}
logs        {folder}/*/*.log
try         the README's "First push", in another terminal
Ctrl-C stops both.""")
        while all(p.process.alive() for p in (simulator, server)):
            time.sleep(0.5)
        raise Trouble("a process ended; logs are in " + str(folder))
    except (Trouble, OSError) as trouble:
        print(f"dev up: {explained(trouble)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        for process in reversed(processes):
            try:
                process.stop()
            except Trouble as trouble:
                print(f"dev up: {trouble}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
