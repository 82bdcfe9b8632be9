#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""with_server.py FILE COMMAND...: runs a test against the server of FILE (see server.py); "{address}" in its arguments
and the variable BELFRY_TEST_REDIS stand for its address. Exit 77, which ctest reports as skipped, without Redis."""
import json
import os
import pathlib
import sys

known = json.loads(pathlib.Path(sys.argv[1]).read_text())
if "skipped" in known:
    print(f"skipped: {known['skipped']}")
    sys.exit(77)
os.environ["BELFRY_TEST_REDIS"] = known["address"]
os.execv(sys.argv[2], [argument.replace("{address}", known["address"]) for argument in sys.argv[2:]])
