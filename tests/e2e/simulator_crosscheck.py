#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Walks the FCM, APNs and HMS test vectors against belfry-simulator with independent libraries: httpx (HTTP/2), PyJWT, cryptography.

usage: simulator_crosscheck.py PATH_TO_BELFRY_SIMULATOR
needs: pip install 'httpx[http2]' PyJWT cryptography

Starts its own simulator on free ports in a temporary folder, prints one line per vector, ends with 1 when any failed.
The answers expected here are written out from their references, not taken from the simulator's sources.
"""
import sys
import tempfile

from simulator import apns_vectors, fcm_vectors, hms_vectors, oauth_vectors, topic_vectors, wire_vectors
from simulator.bench import Context, Simulator, to

# In this order: later ones rely on what earlier ones left with the simulator.
SUBJECTS = [fcm_vectors, oauth_vectors, topic_vectors, wire_vectors, apns_vectors, hms_vectors]
VECTORS = [check for subject in SUBJECTS for check in subject.vector]


def run(simulator, checks):
    context, failed = Context(simulator), 0
    for name, check in checks:
        try:
            check(context)
            print("ok    ", name)
        except Exception as trouble:  # a vector that breaks must not hide the others
            failed += 1
            print("FAILED", name, "-", type(trouble).__name__, str(trouble)[:1500])
    return failed


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        simulator = Simulator(sys.argv[1], folder, "--project", "demo", "--project", "other")
        key = simulator.account["private_key_id"]
        try:
            failed = run(simulator, VECTORS)
        finally:
            status = simulator.stop()
        simulator = Simulator(sys.argv[1], folder, "--project", "demo", "--project", "other")
        restarted = simulator.account["private_key_id"] == key and Context(simulator).send(to("ok-1")).status_code == 200
        simulator.stop()
        print("ok    " if status == 0 and restarted else "FAILED", "clean exit, same keys after a restart")
        failed += 0 if status == 0 and restarted else 1
    print(f"{len(VECTORS) + 1} checks, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
