#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs README's ```sh blocks against a server as `./dev up` starts it; each must exit 0 without an API error.

As they are written; only if another program has port 8000, they get the server's own port instead, and that is said.
"""
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

from harness import Server, Simulator, Trouble

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/up"


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def main():
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="belfry-readme-") as folder:
        simulator = Simulator(BUILD, pathlib.Path(folder) / "simulator")
        server = None
        try:
            server = Server(BUILD, pathlib.Path(folder) / "server", simulator, listen=f"127.0.0.1:{8000 if is_free(8000) else 0}")
            port = server.url.rsplit(":", 1)[1]
            if port != "8000":
                print(f"another program listens on port 8000: README's blocks use port {port} here")
                blocks = [re.sub(r"(localhost|127\.0\.0\.1):8000\b", rf"\g<1>:{port}", block) for block in blocks]
            for block in blocks:
                run = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=ROOT, capture_output=True, text=True, timeout=60)
                bad = run.returncode != 0 or '"error"' in run.stdout
                failed += bad
                if bad:
                    print(f"README block failed ({run.returncode}):\n{block}{run.stdout}{run.stderr}")
            server.wait_done("first-push")
            titles = [m["notification"]["title"] for m in simulator.control("GET", "/phones/ok-my-phone").get("messages", [])]
            if sorted(titles) != ["Hello", "Hi"]:
                failed += 1
                print(f"the phone of README shows {titles}")
        except Trouble as trouble:
            failed += 1
            print(trouble)
        finally:
            if server:
                server.stop()
            simulator.stop()
    print(f"{len(blocks) - failed} passed, {failed} failed")
    return 1 if failed or not blocks else 0


if __name__ == "__main__":
    sys.exit(main())
