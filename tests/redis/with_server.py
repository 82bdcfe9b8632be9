#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""with_server.py FILE COMMAND...: runs a test against the server of FILE (see server.py); "{address}", "{tls}" and "{ca}" in
its arguments and the variables BELFRY_TEST_REDIS, BELFRY_TEST_REDIS_TLS and BELFRY_TEST_REDIS_CA stand for its address, the one with TLS and its certificate.
Exit 77, which ctest reports as skipped, without Redis."""
import json
import os
import pathlib
import sys

known = json.loads(pathlib.Path(sys.argv[1]).read_text())
if "skipped" in known:
    print(f"skipped: {known['skipped']}")
    sys.exit(77)
os.environ["BELFRY_TEST_REDIS"] = known["address"]
os.environ["BELFRY_TEST_REDIS_TLS"] = known["tls"]
os.environ["BELFRY_TEST_REDIS_CA"] = known["ca"]
arguments = sys.argv[2:]
for name in ("address", "tls", "ca"):
    arguments = [argument.replace("{" + name + "}", known[name]) for argument in arguments]
os.execv(sys.argv[2], arguments)
