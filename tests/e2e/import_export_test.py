# SPDX-License-Identifier: Apache-2.0
"""device_import and device_export move devices as NDJSON: export and import again change nothing, wrong lines hurt nobody else."""
import http.client
import json
import socket
import time
import unittest

from harness import BUILD, EndToEnd, Server, http as http_call

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
        with_users = self.export({"filter": {"users": ["u7"]}, "include_user_topics": True})
        self.assertEqual(with_users[0], {"user_topic_update": {"user": "u7", "op": "set", "topics": ["bound"]}})
        self.assertEqual(len(with_users), 1 + COUNT // 100)
        # Over a change of everything, and into a server that lost half of it.
        self.server.result("device_update", {"users": [f"u{i}" for i in range(100)], "locale_update": {"locale": "fr"},
                                             "topics_update": {"op": "add", "topics": ["later"]}})
        self.server.result("device_remove", {"users": [f"u{i}" for i in range(50)]})
        self.assertEqual(self.post_lines(before)["result"]["registered"], COUNT)
        self.assertEqual(self.export({"filter": {"topics": ["round"]}}), before)
        self.assertEqual(self.server.result("device_list", {"filter": {"topics": ["bound"]}, "include_total_count": True, "limit": 1})["total_count"],
                         COUNT // 100)

    def test_an_export_of_everything_fills_an_empty_server(self):
        # Who registered before something was bound to everybody would get it by the import.
        for row in self.export():
            self.server.result("device_remove", {"ids": [row["id"]]})
        for user, topics in (("", ["everybody"]), ("owner", ["a", "b"]), ("nobody-yet", ["waiting"])):
            self.server.result("user_topic_update", {"user": user, "op": "set", "topics": topics})
        self.post_lines([{"provider": "fcm", "token": f"ok-full-{i}", "user": "owner", "topics": ["own"]} for i in range(3)])
        lines = self.export({"include_user_topics": True})

        def facts(server):
            devices = {row["token"]: row for row in self.pages(server, "device_list", {"include_meta": True, "include_topics": True})}
            return ({token: {k: v for k, v in row.items() if not k.endswith("_at")} for token, row in devices.items()},
                    [(row["user"], row["topic"]) for row in self.pages(server, "user_topic_list", {})],
                    sorted((row["device"]["id"], row["topic"]) for row in self.pages(server, "device_topic_list", {})))
        empty = Server(BUILD, self.folder / "empty", self.simulator)
        try:
            answer, mine = self.post_lines_to(empty, lines), self.server
            self.assertEqual((answer["failed"], answer["user_topics"]), (0, sum("user_topic_update" in line for line in lines)))
            self.assertEqual(facts(empty), facts(mine))
            # What came from a user still goes with the user's binding.
            for server in (mine, empty):
                server.result("user_topic_update", {"user": "owner", "op": "remove", "topics": ["a"]})
            self.assertEqual(facts(empty), facts(mine))
        finally:
            empty.stop()
            for user in ("", "owner", "nobody-yet"):
                self.server.result("user_topic_update", {"user": user, "op": "set", "topics": []})

    @staticmethod
    def pages(server, method, params):
        rows, cursor = [], ""
        while True:
            page = server.result(method, {**params, "limit": 1000, "cursor": cursor})
            rows += page["items"]
            cursor = page.get("next_cursor", "")
            if not cursor:
                return rows

    def post_lines_to(self, server, lines):
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        return json.loads(http_call("POST", server.url + "/api/device_import", body, {"X-API-Key": server.KEY})[1])["result"]

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
