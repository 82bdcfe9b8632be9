# SPDX-License-Identifier: Apache-2.0
"""device_import and device_export move devices as NDJSON: export and import again change nothing, wrong lines hurt nobody else."""
import http.client
import json
import socket
import time
import unittest

from harness import EndToEnd

COUNT = 12_000


class ImportExport(EndToEnd):
    config_extra = '[apps.shop]\nkeys = [ { name = "shop", key = "shop-key" } ]\n'

    def address(self):
        host, port = self.server.url.removeprefix("http://").rsplit(":", 1)
        return host, int(port)

    def headers(self, key=None):
        return {"X-API-Key": key or self.server.KEY}

    def post_lines(self, lines, key=None):
        """Imports what an iterable yields, as chunks, and returns the answer."""
        peer = http.client.HTTPConnection(*self.address(), timeout=120)
        try:
            peer.request("POST", "/api/device_import", (line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines),
                         self.headers(key), encode_chunked=True)
            answer = peer.getresponse()
            self.assertEqual(answer.status, 200)
            return json.loads(answer.read())
        finally:
            peer.close()

    def export(self, params=None, key=None):
        peer = http.client.HTTPConnection(*self.address(), timeout=120)
        try:
            peer.request("POST", "/api/device_export", json.dumps(params or {}), self.headers(key))
            answer = peer.getresponse()
            self.assertEqual((answer.status, answer.getheader("Content-Type")), (200, "application/x-ndjson"))
            return [json.loads(line) for line in answer.read().splitlines()]
        finally:
            peer.close()

    def test_many_devices_go_round(self):
        def lines():
            for i in range(COUNT):
                yield {"provider": "fcm", "token": f"ok-round-{i}", "platform": "android", "user": f"u{i % 100}", "topics": ["round", f"r{i % 7}"],
                       "timezone": "Europe/Berlin", "locale": "de", "meta": {"n": str(i)}}
        self.server.result("user_topic_update", {"user": "u7", "op": "set", "topics": ["bound"]})
        self.assertEqual(self.post_lines(lines())["result"], {"lines": COUNT, "registered": COUNT, "failed": 0, "errors": []})
        before = self.export({"filter": {"topics": ["round"]}})
        self.assertEqual({row["token"] for row in before}, {f"ok-round-{i}" for i in range(COUNT)})
        self.assertEqual(len({row["id"] for row in before}), COUNT)
        one = next(row for row in before if row["token"] == "ok-round-7")
        self.assertEqual(one, {"id": one["id"], "provider": "fcm", "token": "ok-round-7", "platform": "android", "user": "u7",
                               "topics": ["r0", "round"], "timezone": "Europe/Berlin", "locale": "de", "meta": {"n": "7"}})
        # Over a change of everything, and into a server that lost half of it.
        self.server.result("device_update", {"users": [f"u{i}" for i in range(100)], "locale_update": {"locale": "fr"},
                                             "topics_update": {"op": "add", "topics": ["later"]}})
        self.server.result("device_remove", {"users": [f"u{i}" for i in range(50)]})
        self.assertEqual(self.post_lines(before)["result"]["registered"], COUNT)
        self.assertEqual(self.export({"filter": {"topics": ["round"]}}), before)
        self.assertEqual(self.server.result("device_list", {"filter": {"topics": ["bound"]}, "include_total_count": True, "limit": 1})["total_count"],
                         COUNT // 100)

    def test_wrong_lines_are_named_and_the_others_registered(self):
        answer = self.post_lines([b'{"provider":"fcm","token":"ok-line-1"}\n', b"{nonsense\n", b"\n", {"provider": "fcm", "token": "a b"},
                                  {"provider": "nope", "token": "x"}, b'{"provider":"fcm","token":"ok-line-6"}'])["result"]
        self.assertEqual((answer["lines"], answer["registered"], answer["failed"]), (6, 2, 3))
        self.assertEqual([error["line"] for error in answer["errors"]], [2, 4, 5])
        self.assertTrue(answer["errors"][1]["message"].startswith("token: "), answer["errors"])
        self.assertEqual(len(self.export({"filter": {"ids": [row["id"] for row in self.export() if row["token"].startswith("ok-line-")]}})), 2)

    def test_apps_stay_apart(self):
        self.post_lines([{"provider": "fcm", "token": "ok-apart", "user": "apart"}])
        mine = self.export({"filter": {"users": ["apart"]}})
        self.assertEqual(self.export({"filter": {"users": ["apart"]}}, "shop-key"), [])
        answer = self.post_lines(mine, "shop-key")["result"]
        self.assertEqual((answer["registered"], answer["errors"][0]["code"]), (0, 107), "an id of another app is refused")
        for row in mine:
            del row["id"]
        self.assertEqual(self.post_lines(mine, "shop-key")["result"]["registered"], 1)
        self.assertEqual(len(self.export({"filter": {"users": ["apart"]}}, "shop-key")), 1)

    def test_a_client_that_goes_away_leaves_the_server_well(self):
        with socket.create_connection(self.address()) as peer:
            peer.sendall(f"POST /api/device_import HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.server.KEY}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            line = b'{"provider":"fcm","token":"ok-half"}\n'
            peer.sendall(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            time.sleep(0.1)
        with socket.create_connection(self.address()) as peer:
            peer.sendall(f"POST /api/device_export HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.server.KEY}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            peer.recv(100)
        for _ in range(20):
            self.assertIsNotNone(self.export({"filter": {"users": ["nobody"]}}))

    def test_streams_need_a_key_and_refuse_as_others_do(self):
        peer = http.client.HTTPConnection(*self.address(), timeout=30)
        peer.request("POST", "/api/device_import", b"x" * 100, {"X-API-Key": "wrong"})
        answer = peer.getresponse()
        self.assertEqual((answer.status, answer.read()), (401, b""))
        peer.close()
        error = self.server.call("device_export", {"filter": {"user": ["a"]}})["error"]
        self.assertEqual(error["code"], 107)


if __name__ == "__main__":
    unittest.main()
