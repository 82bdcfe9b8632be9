#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""REL-1: kill -9 of a random server at random instants during a broadcast; nothing is lost, repeats stay within the bound, counters are
exact.

A round counts only if the kill fell between the first and the last delivery.
"""
import argparse
import contextlib
import pathlib
import random
import sys
import tempfile
import time

from harness import BUILD, Server, Simulator, Trouble
from stores import KINDS, stores

IN_SOCKETS_MAX = 1000  # requests that the simulator may still read after the kill


def accepted_of(status):
    return sum(row["n"] for row in status["outcomes"] if row["outcome"] == "accepted")


def one_round(servers, simulator, devices, number, rng):
    """True if the round counts. One of the servers is killed and started again; any of them is asked."""
    victim = rng.choice(servers)
    simulator.control("POST", "/reset")
    uid = f"rel1-{number}-{rng.randrange(1 << 30)}"
    rng.choice(servers).result("send_push_notification", {"uid": uid, "recipient": {"filter": {"topics": ["rel1"]}},
                                                          "notification": {"fcm": {"message": {"notification": {"title": uid}}}}})
    kill_at = rng.randrange(1, int(devices * 0.8))
    end = time.monotonic() + 60
    while simulator.control("GET", "/tokens/summary")["distinct"] < kill_at:
        if time.monotonic() > end:
            raise Trouble("the broadcast does not move\n" + victim.process.tail())
    # Only what was delivered and not yet committed may come twice.
    committed = accepted_of(rng.choice(servers).result("push_status", {"uid": uid}))
    victim.kill()
    seen = simulator.control("GET", "/tokens/summary")
    most_repeats = seen["accepted"] - committed + IN_SOCKETS_MAX
    victim.start()
    status = rng.choice(servers).wait_done(uid, 180)
    after = simulator.control("GET", "/tokens/summary")
    repeats = after["accepted"] - after["distinct"]
    accepted = accepted_of(status)
    print(f"round {number}: killed after {seen['distinct']} of {devices}, repeats {repeats} of at most {most_repeats}, planned {status['planned']}, "
          f"accepted {accepted}, distinct {after['distinct']}", flush=True)
    problems = []
    if after["distinct"] != devices:
        problems.append(f"{devices - after['distinct']} devices lost")
    if repeats > most_repeats:
        problems.append(f"{repeats} repeats, more than were delivered without being committed ({most_repeats})")
    if status["planned"] != devices or accepted != devices:
        problems.append("counters do not add up")
    if problems:
        raise Trouble("; ".join(problems))
    return 0 < seen["distinct"] < devices


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--devices", type=int, default=200_000)
    parser.add_argument("--stores", choices=KINDS, default=KINDS[0])
    parser.add_argument("--servers", type=int, default=1, help="that share the stores")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    print(f"kill rounds: {options.rounds} rounds of {options.devices} devices, {options.servers} servers on {options.stores}, seed {options.seed}")
    with contextlib.ExitStack() as kept:
        folder = pathlib.Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="belfry-rel1-")))
        extra = kept.enter_context(stores(options.stores, "lease_s = 10"))
        simulator = Simulator(BUILD, folder / "simulator", "--quota-per-minute", "0", "--device-per-minute", "0")
        kept.callback(simulator.stop)
        servers = []
        try:
            for i in range(options.servers):
                servers.append(Server(BUILD, folder / f"server-{i}", simulator, extra=extra))
                kept.callback(servers[-1].kill)
            servers[0].register_many((f"ok-rel1-{i}" for i in range(options.devices)), "rel1")
            counted = tries = 0
            while counted < options.rounds and tries < options.rounds * 3:
                tries += 1
                counted += one_round(servers, simulator, options.devices, tries, rng)
            for server in servers:
                server.stop()
        except Trouble as trouble:
            print(f"kill rounds: {trouble}")
            return 1
    print(f"{counted} passed, {options.rounds - counted} failed")
    return 0 if counted == options.rounds else 1


if __name__ == "__main__":
    sys.exit(main())
