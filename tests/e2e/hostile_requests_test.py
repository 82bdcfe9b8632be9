# SPDX-License-Identifier: Apache-2.0
"""Garbage in: one clear answer each, nothing lost, the server serves on."""
import json
import resource
import socket
import time
import unittest

from harness import EndToEnd, http

OK = {"fcm": {"message": {"notification": {"title": "x"}}}}


class HostileRequests(EndToEnd):
    def raw(self, data, seconds=5):
        """Sends bytes as they are and returns what comes back until the peer closes or is silent."""
        host, port = self.server.url.removeprefix("http://").rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=seconds) as peer:
            peer.sendall(data)
            answer = b""
            try:
                while chunk := peer.recv(65536):
                    answer += chunk
                    if b"\r\n\r\n" in answer:
                        break
            except TimeoutError:
                pass
            return answer

    def post(self, method, body, **headers):
        return http("POST", f"{self.server.url}/api/{method}", body, {"Authorization": f"apikey {self.server.KEY}", **headers})

    def test_authentication_refuses_with_an_empty_401(self):
        for headers in ({}, {"Authorization": "apikey wrong"}, {"X-API-Key": "wrong", "Authorization": f"apikey {self.server.KEY}"},
                        {"Authorization": f"Bearer {self.server.KEY}"}):
            with self.subTest(headers=headers):
                self.assertEqual(http("POST", f"{self.server.url}/api/device_list", b"{}", headers), (401, b""))
        self.assertEqual(http("POST", f"{self.server.url}/api/device_list?api_key={self.server.KEY}", b"{}")[0], 200)

    def test_what_is_not_json_is_400_and_names_nothing_secret(self):
        deep = b'{"recipient":' + b'{"filter":' * 100_000 + b"{}" + b"}" * 100_001
        for body in (b"", b"{", b"[]x", b"\xff\xfe", b"{" * 100000, b'{"a":' * 2000, deep, b"[" * 1_000_000, b"{}\0", b"\0",
                     b'{"uid":"a\0b"}', b'{"uid":"\xc3\x28"}', b'{"uid":"\xed\xa0\x80"}', b'{"uid":"\xf8\x88\x80\x80\x80"}', b'{"uid":"\\ud800"}'):
            with self.subTest(body=body[:10]):
                status, answer = self.post("device_list", body)
                self.assertEqual(status, 400)
                self.assertNotIn(self.server.KEY.encode(), answer)

    def test_a_text_with_nul_is_named_and_other_unicode_is_taken(self):
        params = {"recipient": {"fcm_tokens": ["ok-a"]}, "notification": OK}
        for uid, code in (("a\0b", 107), ("\U0001f514-\u00e9-\ufeff", None)):
            with self.subTest(uid=uid):
                error = self.server.call("send_push_notification", {**params, "uid": uid}).get("error", {})
                self.assertEqual(error.get("code"), code, error)

    def test_floods_of_headers_are_431_and_leave_room_for_others(self):
        host, port = self.server.url.removeprefix("http://").rsplit(":", 1)
        head = b"POST /api/device_list HTTP/1.1\r\nHost: x\r\n"
        flooding = []
        try:
            for i in range(100):
                flooding.append(socket.create_connection((host, int(port)), timeout=10))
                flooding[-1].sendall(head + (b"X: 1\r\n" * 2000, b"X: " + b"a" * 40_000, b"".join(b"X%d: 1\r\n" % n for n in range(101)))[i % 3])
            self.assertEqual(self.server.result("device_list", {"filter": {"users": ["nobody"]}}), {"items": []})
            for peer in flooding:
                self.assertIn(b" 431 ", peer.recv(4096)[:40])
        finally:
            for peer in flooding:
                peer.close()

    def test_refusals_name_the_field(self):
        cases = (
            ({}, "recipient"),
            ({"recipient": {"filter": {"topics": ["a"]}}}, "notification"),
            ({"recipient": {"filter": {}}, "notification": OK}, "recipient.filter"),
            ({"recipient": {"filter": {"topic": ["a"]}}, "notification": OK}, "recipient.filter.topic"),
            ({"recipient": {"filter": {"topics": ["a"]}, "fcm_tokens": ["b"]}, "notification": OK}, "recipient"),
            ({"recipient": {"fcm_tokens": []}, "notification": OK}, "recipient.fcm_tokens"),
            ({"recipient": {"fcm_tokens": ["a b"]}, "notification": OK}, "recipient.fcm_tokens"),
            ({"recipient": {"fcm_tokens": ["ok-a"]}, "notification": {"fcm": {"message": []}}}, "notification.fcm.message"),
            ({"recipient": {"fcm_tokens": ["ok-a"]}, "notification": {"fcm": {"message": {"data": {"k": 1}}}}},
             "notification.fcm.message.data"),
            ({"recipient": {"fcm_tokens": ["ok-a"]}, "notification": {"fcm": {"message": {"token": "x"}}}}, "notification.fcm.message.token"),
            ({"recipient": {"filter": {"topics": ["a"]}}, "notification": {"smoke": {}}}, "notification.smoke"),
            ({"recipient": {"filter": {"topics": ["a"]}}, "notification": OK, "uid": "x" * 65}, "uid"),
        )
        for params, where in cases:
            with self.subTest(where=where, params=json.dumps(params)[:80]):
                error = self.server.call("send_push_notification", params).get("error", {})
                self.assertEqual(error.get("code"), 107, error)
                self.assertIn(where, error["message"])

    def test_what_is_not_built_yet_is_108(self):
        for method in ("update_push_status", "explain"):
            self.assertEqual(self.server.call(method, {})["error"]["code"], 108, method)
        params = {"recipient": {"fcm_tokens": ["ok-a"]}, "notification": OK, "use_templating": True}
        self.assertEqual(self.server.call("send_push_notification", params)["error"]["code"], 108)

    def test_oversized_and_broken_http_is_refused_and_others_are_served(self):
        head = f"POST /api/device_list HTTP/1.1\r\nHost: x\r\nAuthorization: apikey {self.server.KEY}\r\n".encode()
        self.assertIn(b" 413 ", self.raw(head + b"Content-Length: 99999999999\r\n\r\n")[:40])
        for data in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"POST /api/x HTTP/9.9\r\n\r\n", b"\x00" * 5000,
                     head + b"X: " + b"a" * 200000 + b"\r\n\r\n"):
            with self.subTest(data=data[:20]):
                self.assertNotIn(b" 200 ", self.raw(data, 2)[:40])
        self.assertEqual(self.server.result("device_list", {})["items"], self.server.result("device_list", {})["items"])

    def test_ten_thousand_idle_clients_keep_nobody_from_being_served(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        wanted = 10_500 if hard > 12_000 else hard - 1000
        host, port = self.server.url.removeprefix("http://").rsplit(":", 1)
        idle = []
        try:
            for i in range(wanted):
                idle.append(socket.create_connection((host, int(port)), timeout=10))
                if i % 500 == 0:
                    self.assertEqual(self.server.result("device_list", {"filter": {"users": ["nobody"]}}), {"items": []})
            started = time.monotonic()
            for _ in range(20):
                self.assertEqual(self.server.result("device_list", {"filter": {"users": ["nobody"]}}), {"items": []})
            self.assertLess(time.monotonic() - started, 10)
            # Those that came last are not the ones that were ended.
            idle[-1].sendall(f"POST /api/device_list?api_key={self.server.KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            self.assertIn(b" 200 ", idle[-1].recv(4096)[:40])
        finally:
            for peer in idle:
                peer.close()

    def test_slow_clients_with_a_valid_key_keep_nobody_from_being_served(self):
        host, port = self.server.url.removeprefix("http://").rsplit(":", 1)
        head = f"POST /api/device_list HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.server.KEY}\r\n"
        slow = []
        try:
            for i in range(400):
                peer = socket.create_connection((host, int(port)), timeout=10)
                slow.append(peer)
                data = (head, head + "Content-Length: 100\r\n\r\n{", head + "Content-Length: 1000000\r\n\r\n" + " " * 40_000)[i % 3]
                peer.sendall(data.encode())
            for _ in range(20):
                self.assertEqual(self.server.result("device_list", {"filter": {"users": ["nobody"]}}), {"items": []})
            for peer in slow[::3]:
                peer.sendall(b"Content-Length: 2\r\n\r\n{}")
                self.assertIn(b" 200 ", peer.recv(4096)[:40])
        finally:
            for peer in slow:
                peer.close()

    def test_half_closed_clients_get_their_answer(self):
        host, port = self.server.url.removeprefix("http://").rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10) as peer:
            peer.sendall(f"POST /api/device_list HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.server.KEY}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            peer.shutdown(socket.SHUT_WR)
            self.assertIn(b" 200 ", peer.recv(4096)[:40])

    def test_transport_error_mode_and_batch(self):
        status, answer = self.post("cancel_push", b'{"uid":"nope"}', **{"X-Centrifugo-Error-Mode": "transport"})
        self.assertEqual((status, json.loads(answer)["code"]), (404, 104))
        replies = self.server.call("batch", {"commands": [{"device_list": {}}, None, {"cancel_push": {"uid": "nope"}}]})["replies"]
        self.assertIn("items", replies[0]["device_list"])
        self.assertEqual(replies[1]["error"]["code"], 107)
        self.assertEqual(replies[2]["error"]["code"], 104)


if __name__ == "__main__":
    unittest.main()
