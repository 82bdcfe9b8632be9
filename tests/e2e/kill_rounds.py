#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""REL-1: kill -9 at random instants during a broadcast; nothing is lost, repeats stay within the bound, counters are exact.

A round counts only if the kill fell between the first and the last delivery.
"""
import argparse
import pathlib
import random
import sys
import tempfile
import time

from harness import BUILD, Server, Simulator, Trouble

PAGE_DEVICES_MAX = 2000
PAGES_IN_FLIGHT_MAX = 48


def one_round(server, simulator, devices, number, rng):
    """True if the round counts."""
    simulator.control("POST", "/reset")
    uid = f"rel1-{number}-{rng.randrange(1 << 30)}"
    server.result("send_push_notification", {"uid": uid, "recipient": {"filter": {"topics": ["rel1"]}},
                                             "notification": {"fcm": {"message": {"notification": {"title": uid}}}}})
    kill_at = rng.randrange(1, int(devices * 0.8))
    end = time.monotonic() + 60
    while simulator.control("GET", "/tokens/summary")["distinct"] < kill_at:
        if time.monotonic() > end:
            raise Trouble("the broadcast does not move\n" + server.process.tail())
    server.kill()
    seen = simulator.control("GET", "/tokens/summary")
    server.start()
    status = server.wait_done(uid, 180)
    after = simulator.control("GET", "/tokens/summary")
    repeats = after["accepted"] - after["distinct"]
    accepted = sum(row["n"] for row in status["outcomes"] if row["outcome"] == "accepted")
    print(f"round {number}: killed after {seen['distinct']} of {devices}, repeats {repeats}, planned {status['planned']}, "
          f"accepted {accepted}, distinct {after['distinct']}", flush=True)
    problems = []
    if after["distinct"] != devices:
        problems.append(f"{devices - after['distinct']} devices lost")
    if repeats > PAGE_DEVICES_MAX * PAGES_IN_FLIGHT_MAX:
        problems.append(f"{repeats} repeats, more than the pages in flight can hold")
    if status["planned"] != devices or accepted != devices:
        problems.append("counters do not add up")
    if problems:
        raise Trouble("; ".join(problems))
    return 0 < seen["distinct"] < devices


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--devices", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    print(f"kill rounds: {options.rounds} rounds of {options.devices} devices, seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="belfry-rel1-") as folder:
        simulator = Simulator(BUILD, pathlib.Path(folder) / "simulator", "--quota-per-minute", "0",
                              "--device-per-minute", "0")
        server = None
        try:
            server = Server(BUILD, pathlib.Path(folder) / "server", simulator)
            server.register_many((f"ok-rel1-{i}" for i in range(options.devices)), "rel1")
            counted = tries = 0
            while counted < options.rounds and tries < options.rounds * 3:
                tries += 1
                counted += one_round(server, simulator, options.devices, tries, rng)
            server.stop()
        except Trouble as trouble:
            print(f"kill rounds: {trouble}")
            return 1
        finally:
            if server:
                server.kill()
            simulator.stop()
    print(f"{counted} passed, {options.rounds - counted} failed")
    return 0 if counted == options.rounds else 1


if __name__ == "__main__":
    sys.exit(main())
