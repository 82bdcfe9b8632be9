#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL for tests: in a temporary folder, as a user without rights, over a Unix socket and loopback.

    cluster.py start FILE    starts one with a standby and writes their connection strings into FILE, or why there are none
    cluster.py stop FILE     stops them and removes everything

Tests give each case a schema of its own in this one cluster. Used as a module by the end-to-end tests and benchmarks:
    with Cluster() as cluster: cluster.dsn, cluster.restart(), cluster.run_sql(...)
PostgreSQL refuses to run as root, so as root it is started as the user `postgres` or `nobody`.
"""
import glob
import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
# Nothing here outlives a crash of the machine, so nothing waits for a disk.
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "on"}
SETTINGS = {"listen_addresses": "127.0.0.1", "shared_buffers": "128MB", "max_connections": "100", "max_wal_size": "1GB",
            "log_min_messages": "warning", "autovacuum_naptime": "5s", "max_prepared_transactions": "0"}


def folder_of_programs():
    """Debian's own programs, newest first; None without any."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[-2]), reverse=True)
    return next((pathlib.Path(p) for p in found if (pathlib.Path(p) / "initdb").exists()), None)


def unprivileged_user():
    """The account the server runs as: ours, or with root's rights one that has none."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Cluster:
    def __init__(self, durable=False, settings=None):
        self.programs = folder_of_programs()
        if self.programs is None:
            raise FileNotFoundError("no /usr/lib/postgresql/*/bin: install the Debian package postgresql, or run ./dev test")
        self.user = unprivileged_user()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="belfry-pg-"))
        self.port = free_port()
        self.settings = {**SETTINGS, **({} if durable else FAST), **(settings or {})}
        self.dsn = f"postgresql://belfry@127.0.0.1:{self.port}/belfry"

    def run(self, program, *arguments, check=True):
        """One of PostgreSQL's programs, as the server's user."""
        options = {}
        if self.user is not None:
            options = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        done = subprocess.run([str(self.programs / program), *map(str, arguments)], cwd="/", text=True,
                              env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PGUSER": "belfry"},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        if check and done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stdout}")
        return done

    def create(self):
        if self.user is not None:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.run("initdb", "-D", self.folder / "data", "-U", "belfry", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                 "--no-sync")
        self.configure({**self.settings, "port": self.port, "unix_socket_directories": self.folder})
        self.start()
        self.run("createdb", "-h", self.folder, "-p", self.port, "belfry")
        return self

    def add_standby(self):
        """A hot standby of this cluster; returns its connection string."""
        port = free_port()
        self.run("pg_basebackup", "-h", self.folder, "-p", self.port, "-D", self.folder / "standby", "-R", "-X", "stream", "-c", "fast")
        self.configure({"port": port}, "standby")
        self.start("standby")
        return f"postgresql://belfry@127.0.0.1:{port}/belfry"

    def configure(self, settings, data="data"):
        with open(self.folder / data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def start(self, data="data"):
        # The server would keep our pipes open: its output goes to a file.
        log = self.folder / f"{data}.log"
        started = self.run("pg_ctl", "-D", self.folder / data, "-l", log, "-w", "-t", 60, "start", check=False)
        if started.returncode != 0:
            raise RuntimeError(f"PostgreSQL did not start: {started.stdout}{log.read_text()}")

    def stop(self, mode="fast", data="data"):
        self.run("pg_ctl", "-D", self.folder / data, "-w", "-t", 60, "-m", mode, "stop", check=False)

    def restart(self, mode="fast", pause_s=0.0):
        self.stop(mode)
        time.sleep(pause_s)
        self.start()

    def run_sql(self, sql):
        return self.run("psql", "-h", self.folder, "-p", self.port, "-d", "belfry", "-qAtX", "-c", sql).stdout.strip()

    def remove(self):
        for data in ("standby", "data"):
            if (self.folder / data).exists():
                self.stop("immediate", data)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.create()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, *_):
        self.remove()


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("start", "stop"):
        sys.exit(__doc__)
    file = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "stop":
        if not file.exists():
            return
        known = json.loads(file.read_text())
        file.unlink()
        if "folder" in known:
            cluster = Cluster.__new__(Cluster)
            cluster.programs, cluster.user = pathlib.Path(known["programs"]), unprivileged_user()
            cluster.folder = pathlib.Path(known["folder"])
            cluster.remove()
        return
    try:
        cluster = Cluster()
    except FileNotFoundError as why:
        file.write_text(json.dumps({"skipped": str(why)}))
        print(f"skipped: {why}")
        return
    try:
        cluster.create()
        standby = cluster.add_standby()
    except BaseException:
        cluster.remove()
        raise
    file.write_text(json.dumps({"dsn": cluster.dsn, "standby": standby, "folder": str(cluster.folder), "programs": str(cluster.programs)}))
    print(f"started {cluster.dsn} in {cluster.folder}")


if __name__ == "__main__":
    main()
