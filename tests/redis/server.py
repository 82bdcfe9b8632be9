#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A private Redis for tests: in a temporary folder, on a free port of the loopback, with an append-only file.

    server.py start FILE    starts one and writes its address into FILE, or why there is none
    server.py stop FILE     stops it and removes everything

Tests give each case a key prefix of its own on this one server. Used as a module by the end-to-end tests:
    with RedisServer() as redis: redis.address, redis.kill(), redis.start(), redis.cli(...)
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
MISSING = "no redis-server: install the Debian package redis-server, or run ./dev test"
STARTED_S = 30


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_installed():
    return shutil.which("redis-server") is not None


def make_certificate(folder):
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key),
                    "-out", str(certificate)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return certificate, key


class RedisServer:
    def __init__(self, *settings, appendfsync="always", with_tls=False):
        """`settings`: more arguments of redis-server, "--name", "value" ..."""
        if not is_installed():
            raise FileNotFoundError(MISSING)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="belfry-redis-"))
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "",
                          "--appendonly", "yes", "--appendfsync", appendfsync, "--maxmemory", "1gb",
                          "--maxmemory-policy", "noeviction", "--logfile", str(self.folder / "log"), *settings]
        if with_tls:
            self.certificate, key = make_certificate(self.folder)
            self.tls_port = free_port()
            self.arguments += ["--tls-port", str(self.tls_port), "--tls-cert-file", str(self.certificate), "--tls-key-file",
                               str(key), "--tls-ca-cert-file", str(self.certificate), "--tls-auth-clients", "no"]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(["redis-server", *self.arguments], cwd="/", stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + STARTED_S
        while self.cli("PING", check=False) != "PONG":
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Redis did not start: {(self.folder / 'log').read_text()}")
            time.sleep(0.02)
        return self

    def cli(self, *words, check=True):
        done = subprocess.run(["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), *words], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"redis-cli {' '.join(words)} failed: {done.stdout}")
        return done.stdout.strip()

    def kill(self):
        """As a crash of the process does."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, *_):
        self.remove()


def stop(file):
    if not file.exists():
        return
    known = json.loads(file.read_text())
    file.unlink()
    if "pid" in known:
        end = time.monotonic() + STARTED_S
        try:
            os.kill(known["pid"], signal.SIGTERM)
            while time.monotonic() < end:
                os.kill(known["pid"], 0)
                time.sleep(0.02)
        except ProcessLookupError:
            pass
        shutil.rmtree(known["folder"], ignore_errors=True)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("start", "stop"):
        sys.exit(__doc__)
    file = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "stop":
        stop(file)
        return
    if not is_installed():
        file.write_text(json.dumps({"skipped": MISSING}))
        print(f"skipped: {MISSING}")
        return
    # What is under test is us, not the disk; the end-to-end tests have appendfsync always.
    redis = RedisServer(appendfsync="everysec", with_tls=True)
    redis.__enter__()
    file.write_text(json.dumps({"address": redis.address, "tls": f"127.0.0.1:{redis.tls_port}", "ca": str(redis.certificate),
                                "folder": str(redis.folder), "pid": redis.process.pid}))
    print(f"started {redis.address} in {redis.folder}")


if __name__ == "__main__":
    main()
