#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A private set of Redis for tests: a master, two replicas, three sentinels, on free ports of the loopback.

    sentinel.py COMMAND...    starts one, runs the command with BELFRY_TEST_SENTINELS (host:port, comma separated),
                              BELFRY_TEST_MASTER_NAME and BELFRY_TEST_SENTINEL_PASSWORD, and removes it; exit 77 without Redis
Used as a module by the end-to-end tests:
    with SentinelSet() as redis: redis.sentinels, redis.master(), redis.by_port(...), redis.wait_other_master(...)
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from server import MISSING, SKIPPED, STARTED_S, RedisServer, free_port, is_installed  # noqa: E402,F401

MASTER_NAME = "belfry-tests"
PASSWORD = "of the sentinels"
DOWN_AFTER_MS = 1000
SENTINELS = 3
REPLICAS = 2


class Sentinel:
    def __init__(self, master_port):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="belfry-sentinel-"))
        self.port = free_port()
        (self.folder / "sentinel.conf").write_text(
            f'port {self.port}\nbind 127.0.0.1\ndir "{self.folder}"\nlogfile "{self.folder / "log"}"\n'
            f'requirepass "{PASSWORD}"\nsentinel sentinel-pass "{PASSWORD}"\n'
            f"sentinel monitor {MASTER_NAME} 127.0.0.1 {master_port} {SENTINELS // 2 + 1}\n"
            f"sentinel down-after-milliseconds {MASTER_NAME} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {MASTER_NAME} 10000\nsentinel parallel-syncs {MASTER_NAME} 1\n")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(["redis-sentinel", str(self.folder / "sentinel.conf")], cwd="/", stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, *words):
        done = subprocess.run(["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), "SENTINEL", *words], text=True, check=False,
                              env={**os.environ, "REDISCLI_AUTH": PASSWORD}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        return done.stdout.split("\n")

    def facts(self):
        """What it knows of the master, by name; empty if it does not answer."""
        words = self.ask("MASTER", MASTER_NAME)
        return dict(zip(words[::2], words[1::2]))

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class SentinelSet:
    """`appendfsync` and `settings` are of each server."""

    def __init__(self, *settings, appendfsync="always"):
        first = RedisServer(*settings, appendfsync=appendfsync)
        self.servers = [first] + [RedisServer("--replicaof", "127.0.0.1", str(first.port), *settings, appendfsync=appendfsync)
                                  for _ in range(REPLICAS)]
        self.all_sentinels = [Sentinel(first.port) for _ in range(SENTINELS)]
        self.sentinels = [f"127.0.0.1:{sentinel.port}" for sentinel in self.all_sentinels]

    def master(self):
        """The port of the master, as the first sentinel that answers has it."""
        for sentinel in self.all_sentinels:
            answer = sentinel.ask("GET-MASTER-ADDR-BY-NAME", MASTER_NAME)
            if len(answer) > 1:
                return int(answer[1])
        raise RuntimeError("no sentinel answers")

    def by_port(self, port):
        return next(server for server in self.servers if server.port == port)

    def wait_other_master(self, port):
        """Until the sentinels name another one, which says so itself. Answers its port."""
        end = time.monotonic() + STARTED_S
        while time.monotonic() < end:
            other = self.master()
            if other != port and self.by_port(other).cli("ROLE", check=False).startswith("master"):
                return other
            time.sleep(0.02)
        raise RuntimeError("no failover")

    def wait_whole(self):
        """Until each replica follows the master, and the sentinels know all of it: a failover would succeed."""
        end = time.monotonic() + STARTED_S
        while time.monotonic() < end:
            facts = [sentinel.facts() for sentinel in self.all_sentinels]
            known = all(fact.get("flags") == "master" and fact.get("num-other-sentinels") == str(SENTINELS - 1)
                        and fact.get("num-slaves") == str(REPLICAS) for fact in facts)
            ports = {fact.get("port") for fact in facts}
            if known and len(ports) == 1:
                info = self.by_port(int(ports.pop())).cli("INFO", "replication")
                if info.count("state=online") == REPLICAS:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"the set does not come together: {facts}")

    def start(self):
        for server in self.servers:
            server.start()
        for sentinel in self.all_sentinels:
            sentinel.start()
        self.wait_whole()
        return self

    def remove(self):
        for one in (*self.all_sentinels, *self.servers):
            one.remove()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, *_):
        self.remove()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if not is_installed() or shutil.which("redis-sentinel") is None:
        print(f"skipped: {MISSING}, redis-sentinel likewise")
        sys.exit(SKIPPED)
    with SentinelSet(appendfsync="everysec") as redis:
        variables = {"BELFRY_TEST_SENTINELS": ",".join(redis.sentinels), "BELFRY_TEST_MASTER_NAME": MASTER_NAME,
                     "BELFRY_TEST_SENTINEL_PASSWORD": PASSWORD}
        sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, **variables}, check=False).returncode)


if __name__ == "__main__":
    main()
