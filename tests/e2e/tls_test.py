# SPDX-License-Identifier: Apache-2.0
"""http.tls: HTTPS for the API, a new certificate by SIGHUP, clients that idle, dawdle or speak something else, the command line."""
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import time
import unittest

from harness import BUILD, EndToEnd

IDLE = 1000


def make_certificate(folder, name):
    """A self-signed certificate for 127.0.0.1, as the server's cert.pem and key.pem."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True)


class OverTls(EndToEnd):
    http_extra = ""

    @classmethod
    def make_server(cls, folder):
        folder.mkdir()
        make_certificate(folder, "first")
        os.environ["SSL_CERT_FILE"] = str(folder / "cert.pem")  # what Python trusts here
        cls.addClassCleanup(os.environ.pop, "SSL_CERT_FILE")
        server = super().make_server(folder)
        server.stop()
        text = server.config.read_text()
        server.config.write_text(text.replace("[http]\n", '[http]\nrequest_timeout_s = 2\ntls = { cert = "cert.pem", key = "key.pem" }\n' + cls.http_extra))
        server.start()
        return server

    def address(self):
        host, port = self.server.url.removeprefix("https://").rsplit(":", 1)
        return host, int(port)

    def connect(self, context=None):
        raw = socket.create_connection(self.address(), timeout=20)
        return (context or ssl.create_default_context()).wrap_socket(raw, server_hostname="127.0.0.1")


class Tls(OverTls):
    def test_calls_go_over_https_and_say_so(self):
        self.assertTrue(self.server.url.startswith("https://127.0.0.1:"))
        device = self.register("ok-tls")
        self.assertEqual(self.send({"fcm_tokens": ["ok-tls"]}, {"fcm": {"message": {"notification": {"title": "t"}}}})["state"], "done")
        self.assertEqual(self.server.result("device_list", {"filter": {"ids": [device]}})["items"][0]["token"], "ok-tls")

    def test_one_connection_serves_many_requests_long_ones_and_pieces(self):
        peer = http.client.HTTPSConnection(*self.address(), timeout=20)
        headers = {"X-API-Key": self.server.KEY}
        for size in (1, 5_000, 31_000, 40_000, 700_000):
            peer.request("POST", "/api/device_list", json.dumps({"x": "y" * size}), headers)
            answer = peer.getresponse()
            self.assertEqual(answer.status, 200)
            self.assertIn("result", json.loads(answer.read()))
        peer.request("POST", "/api/device_import", ((b'{"provider":"fcm","token":"ok-i%d"}\n' % i) for i in range(3000)), headers, encode_chunked=True)
        self.assertEqual(json.loads(peer.getresponse().read())["result"]["registered"], 3000)
        peer.request("POST", "/api/device_export", "{}", headers)
        self.assertGreaterEqual(len(peer.getresponse().read().splitlines()), 3000)
        peer.close()
        with self.connect() as slow:
            for piece in (b"GET /hea", b"lth HTTP/1.1\r\nHost: x\r\n", b"\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health HT"):
                slow.sendall(piece)
                time.sleep(0.05)
            slow.sendall(b"TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            got = b""
            while piece := slow.recv(65536):
                got += piece
            self.assertEqual(got.count(b"HTTP/1.1 200"), 3, "pipelined, in odd pieces, ended by a proper goodbye")

    def test_idle_clients_cost_no_thread_and_keep_nobody_out(self):
        def threads():
            return int(next(line for line in pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text().splitlines()
                            if line.startswith("Threads")).split()[1])
        context = ssl.create_default_context()
        before = threads()
        clients = [self.connect(context) for _ in range(IDLE)]
        try:
            self.assertLess(threads() - before, 40)
            began = time.monotonic()
            self.assertEqual(self.server.call("device_list", {"limit": 1})["result"].keys() >= {"items"}, True)
            self.assertLess(time.monotonic() - began, 10)
            for client in clients[:: IDLE // 20]:
                client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 200"))
        finally:
            for client in clients:
                client.close()

    def test_who_never_shakes_hands_is_cut_off(self):
        quiet, dawdler = (socket.create_connection(self.address(), timeout=20) for _ in range(2))
        end = time.monotonic() + 15
        try:
            while time.monotonic() < end:
                dawdler.sendall(b"\x16")
                time.sleep(0.2)
        except OSError:
            pass
        self.assertLess(time.monotonic(), end, "bytes do not buy time")
        self.assertEqual(quiet.recv(1), b"")
        quiet.close()
        dawdler.close()

    def test_who_closes_its_side_only_is_answered(self):
        client = self.connect()
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        socket.socket.shutdown(client, socket.SHUT_WR)  # no goodbye of TLS; SSLSocket's own would drop TLS for reading, too
        self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 200"))
        client.close()

    def test_plain_http_and_old_tls_are_refused(self):
        with socket.create_connection(self.address(), timeout=20) as plain:
            plain.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"this address speaks HTTPS", plain.recv(1000))
        old = ssl.create_default_context()
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(old)
        with self.connect() as fresh:
            self.assertEqual(fresh.version(), "TLSv1.3")

    def test_sighup_brings_a_new_certificate_and_keeps_the_old_one_if_it_is_bad(self):
        kept = self.connect()
        first = ssl.get_server_certificate(self.address())
        good = (self.server.folder / "cert.pem").read_text()
        (self.server.folder / "cert.pem").write_text("nothing")
        self.reload("certificate not reloaded, the old one stays")
        self.assertEqual(ssl.get_server_certificate(self.address()), first)
        (self.server.folder / "cert.pem").write_text(good)
        make_certificate(self.server.folder, "second")
        self.reload("configuration reloaded")
        self.assertNotEqual(ssl.get_server_certificate(self.address()), first)
        kept.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(kept.recv(100).startswith(b"HTTP/1.1 200"), "open connections go on")
        kept.close()
        self.assertTrue(self.server.ready())

    def reload(self, line):
        seen = self.server.process.log.read_text().count(line)
        self.server.process.child.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while self.server.process.log.read_text().count(line) == seen:
            self.assertLess(time.monotonic(), end, line)
            time.sleep(0.02)

    def belfry(self, *arguments):
        environment = {k: v for k, v in os.environ.items() if k != "SSL_CERT_FILE"}
        return subprocess.run([BUILD / "host/belfry", *arguments], capture_output=True, text=True, timeout=60, env=environment)

    def test_the_command_line_speaks_https(self):
        by_config = self.belfry("devices", "list", "--config", self.server.config, "--json")
        self.assertEqual((by_config.returncode, by_config.stderr), (0, ""))
        named = ["--server", self.server.url, "--key", self.server.KEY]
        by_file = self.belfry("devices", "list", *named, "--ca-file", self.server.folder / "cert.pem", "--json")
        self.assertEqual((by_file.returncode, by_file.stderr), (0, ""))
        strangers = self.belfry("devices", "list", *named)
        self.assertEqual((strangers.returncode, strangers.stderr.count("\n")), (1, 1))
        self.assertIn("--ca-file", strangers.stderr)
        exported = self.belfry("devices", "export", *named, "--ca-file", self.server.folder / "cert.pem")
        self.assertEqual((exported.returncode, exported.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
