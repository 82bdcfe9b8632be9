#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PERF-8: two hosts on the same stores share a broadcast: how the deliveries divide between them, and how the pair does against one of
them alone. On one machine the two share its processors, so only the division says something about two."""
import argparse
import pathlib
import sys

from scene import BUILD, KINDS, PAYLOAD, Scene, Server, http, report, stores


def sent_by(server):
    """Deliveries that a server's provider answered since its start."""
    text = http("GET", server.url + "/metrics", headers={"Authorization": f"apikey {server.KEY}"})[1].decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("belfry_deliveries_total{"))


def measured(kind, devices):
    with stores(kind) as extra, Scene(extra=extra) as scene:
        scene.register(devices, "all")
        alone, _, _ = scene.broadcast("all")
        second = Server(BUILD, pathlib.Path(scene.owner.name) / "second", scene.simulator, extra=extra,
                        fcm_extra="rate = { per_minute = 1_000_000_000 }")
        try:
            before = [sent_by(scene.server), sent_by(second)]
            together, _, status = scene.broadcast("all", PAYLOAD)
            shares = [sent_by(server) - was for server, was in zip((scene.server, second), before)]
        finally:
            second.stop()
    accepted = sum(row["n"] for row in status["outcomes"] if row["outcome"] == "accepted")
    assert accepted == status["planned"] == devices, f"{accepted} accepted of {status['planned']} planned"
    assert sum(shares) == devices, f"{sum(shares):.0f} deliveries for {devices} devices"
    share = shares[0] / sum(shares)
    report("perf8_two_hosts", stores=kind, share=round(share, 3), alone_s=round(alone, 2), together_s=round(together, 2),
           bar="goal met" if 0.4 <= share <= 0.6 else "below floor")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=400_000)
    parser.add_argument("--stores", choices=KINDS[1:], action="append", help="default: all that servers can share")
    options = parser.parse_args()
    for kind in options.stores or KINDS[1:]:
        measured(kind, options.devices)
    return 0


if __name__ == "__main__":
    sys.exit(main())
