#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""with_cluster.py FILE COMMAND...: runs a test against the cluster of FILE (see cluster.py); "{dsn}" in its arguments
and the variable BELFRY_TEST_PG_DSN stand for the connection string, BELFRY_TEST_PG_STANDBY_DSN for its standby's. Exit 77, which ctest reports as skipped, without
PostgreSQL."""
import json
import os
import pathlib
import sys

known = json.loads(pathlib.Path(sys.argv[1]).read_text())
if "skipped" in known:
    print(f"skipped: {known['skipped']}")
    sys.exit(77)
os.environ["BELFRY_TEST_PG_DSN"] = known["dsn"]
os.environ["BELFRY_TEST_PG_STANDBY_DSN"] = known["standby"]
os.execv(sys.argv[2], [argument.replace("{dsn}", known["dsn"]) for argument in sys.argv[2:]])
