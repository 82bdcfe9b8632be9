# SPDX-License-Identifier: Apache-2.0
"""Pushes through the API beyond the first one: uids, schedules, pause and resume, lists, counts, and what a request may say."""
import json
import socket
import time
import unittest
import urllib.parse

from harness import HELLO, EndToEnd, http

LATER = 4102444800


class Pushes(EndToEnd):
    def setUp(self):
        super().setUp()
        self.mark = self.id().rsplit(".", 1)[-1][5:45]

    def params(self, recipient=None, **fields):
        return {"recipient": recipient or {"fcm_tokens": [f"ok-{self.mark}"]}, "notification": HELLO, **fields}

    def state(self, uid):
        return self.server.result("push_status", {"uid": uid})["state"]

    def wait_state(self, uid, state, seconds=20):
        end = time.monotonic() + seconds
        while self.state(uid) != state and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(self.state(uid), state)

    def raw(self, method, body, **headers):
        status, answer = http("POST", f"{self.server.url}/api/{method}", body, {"X-API-Key": self.server.KEY, **headers})
        return status, answer

    # ---- uid ----

    def test_one_uid_is_one_push(self):
        params = self.params(uid=self.mark)
        for _ in range(3):
            self.assertEqual(self.server.result("send_push_notification", params), {"uid": self.mark})
        self.server.wait_done(self.mark)
        self.assertEqual(self.server.result("send_push_notification", params), {"uid": self.mark})
        self.error("send_push_notification", {**params, "send_at": 1}, 113, "uid: ")
        self.assertEqual(len(self.phone(f"ok-{self.mark}")), 1)

    def test_one_uid_sent_many_times_at_once_is_one_push(self):
        params = self.params(uid=self.mark)
        replies = self.server.call("batch", {"commands": [{"send_push_notification": params}] * 40, "parallel": True})["replies"]
        self.assertEqual(replies, [{"send_push_notification": {"uid": self.mark}}] * 40)
        self.server.wait_done(self.mark)
        self.assertEqual(len(self.phone(f"ok-{self.mark}")), 1)

    def test_a_cancelled_uid_stays_cancelled(self):
        params = self.params(uid=self.mark, send_at=LATER)
        self.server.result("send_push_notification", params)
        self.assertEqual(self.server.result("cancel_push", {"uid": self.mark}), {})
        self.wait_state(self.mark, "cancelled")
        self.assertEqual(self.server.result("send_push_notification", params), {"uid": self.mark})
        self.assertEqual(self.state(self.mark), "cancelled")
        self.assertEqual(self.server.result("cancel_push", {"uid": self.mark}), {})
        self.assertEqual(self.phone(f"ok-{self.mark}"), [])

    def test_cancelling_works_in_every_state(self):
        self.error("cancel_push", {"uid": "never-" + self.mark}, 104, "uid: ")
        uid = self.server.result("send_push_notification", self.params())["uid"]
        self.server.wait_done(uid)
        self.assertEqual(self.server.result("cancel_push", {"uid": uid}), {}, "a finished push")
        self.assertEqual(self.state(uid), "done")

    # ---- schedule and expiry ----

    def test_a_time_in_the_past_is_now_and_one_ahead_waits(self):
        uid = self.server.result("send_push_notification", self.params(send_at=1000))["uid"]
        self.assertEqual(self.server.wait_done(uid)["state"], "done")
        ahead = self.server.result("send_push_notification", self.params(send_at=LATER))["uid"]
        status = self.server.result("push_status", {"uid": ahead})
        self.assertEqual((status["state"], status["send_at"]), ("delayed", LATER))
        soon = self.server.result("send_push_notification", self.params(send_at=int(time.time()) + 1))["uid"]
        self.assertEqual(self.server.wait_done(soon)["state"], "done")
        self.server.result("cancel_push", {"uid": ahead})

    def test_a_push_ahead_reaches_the_devices_that_its_users_have_when_it_is_due(self):
        self.register(f"ok-{self.mark}-early", user=self.mark)
        recipient = {"filter": {"users": [self.mark, f"{self.mark}-2"]}}
        uid = self.server.result("send_push_notification", self.params(recipient, send_at=int(time.time()) + 3))["uid"]
        self.register(f"ok-{self.mark}-late", user=self.mark)
        self.register(f"ok-{self.mark}-later", user=f"{self.mark}-2")
        self.assertEqual(self.state(uid), "delayed")
        status = self.server.wait_done(uid)
        self.assertEqual((status["planned"], self.outcomes(status)), (3, {("fcm", "accepted"): 3}))
        self.assertEqual([len(self.phone(f"ok-{self.mark}-{which}")) for which in ("early", "late", "later")], [1, 1, 1])

    def test_nothing_is_sent_after_its_expiry(self):
        uid = self.server.result("send_push_notification", {**self.params(), "notification": {**HELLO, "expire_at": 1000}})["uid"]
        status = self.server.wait_done(uid)
        self.assertNotIn(("fcm", "accepted"), self.outcomes(status))
        self.assertEqual(self.phone(f"ok-{self.mark}"), [])

    # ---- pause, resume, list, count ----

    def test_a_paused_push_holds_and_goes_on(self):
        for i in range(5):
            self.register(f"ok-{self.mark}-{i}", topics=[self.mark])
        uid = self.server.result("send_push_notification", self.params({"filter": {"topics": [self.mark]}}, send_at=int(time.time()) + 2))["uid"]
        self.assertEqual(self.server.result("push_pause", {"uid": uid}), {})
        self.assertEqual(self.server.result("push_pause", {"uid": uid}), {}, "twice is no error")
        self.wait_state(uid, "paused")
        time.sleep(2.5)
        self.assertEqual([self.phone(f"ok-{self.mark}-{i}") for i in range(5)], [[]] * 5)
        self.assertEqual(self.server.result("push_resume", {"uid": uid}), {})
        self.assertEqual(self.outcomes(self.server.wait_done(uid)), {("fcm", "accepted"): 5})
        for method in ("push_pause", "push_resume"):
            self.error(method, {"uid": uid}, 113, "uid: ")
            self.error(method, {"uid": "never-" + self.mark}, 104, "uid: ")

    def test_pushes_are_listed_by_state_and_paged(self):
        uids = [self.server.result("send_push_notification", self.params(uid=f"{self.mark}-{i}", send_at=LATER))["uid"] for i in range(5)]
        seen, cursor = [], ""
        while True:
            page = self.server.result("push_list", {"state": "delayed", "limit": 2, "cursor": cursor})
            seen += [push["uid"] for push in page["items"] if push["uid"].startswith(self.mark)]
            self.assertTrue(all(push["state"] == "delayed" for push in page["items"]))
            cursor = page.get("next_cursor", "")
            if not cursor:
                break
        self.assertEqual(sorted(seen), sorted(uids))
        for uid in uids:
            self.server.result("cancel_push", {"uid": uid})
        self.error("push_list", {"state": "sleeping"}, 107, "state: ")

    def test_recipients_are_counted_before_sending(self):
        for i in range(7):
            self.register(f"ok-{self.mark}-{i}", topics=[self.mark], platform="ios" if i < 3 else "android", user=f"{self.mark}-{i % 2}")
        count = self.server.result("recipient_count", {"recipient": {"filter": {"topics": [self.mark]}}})
        self.assertEqual((count["devices"], count["complete"]), (7, True))
        self.assertEqual({(part["provider"], part["platform"]): part["devices"] for part in count["parts"]}, {("fcm", "ios"): 3, ("fcm", "android"): 4})
        cases = (({"topics": [self.mark, "x"], "platforms": ["ios"]}, 3), ({"users": [self.mark + "-0"]}, 4), ({"topics": ["nobody-has"]}, 0))
        for filter_, n in cases:
            with self.subTest(filter_=filter_):
                self.assertEqual(self.server.result("recipient_count", {"recipient": {"filter": filter_}})["devices"], n)
        tokens = self.server.result("recipient_count", {"recipient": {"fcm_tokens": ["ok-a", "a b"]}})
        self.assertEqual((tokens["devices"], tokens["refused"]), (1, 1))
        self.error("recipient_count", {"recipient": {"filter": {}}}, 107, "recipient.filter: ")
        self.error("recipient_count", {"recipient": {"fcm_topic": "news"}}, 107, "recipient.fcm_topic: ")

    def test_a_device_that_matches_twice_receives_once(self):
        self.register(f"ok-{self.mark}", topics=["a-" + self.mark, "b-" + self.mark], user=self.mark)
        status = self.send({"filter": {"topics": ["a-" + self.mark, "b-" + self.mark], "users": [self.mark]}}, HELLO)
        self.assertEqual(status["planned"], 1)
        self.assertEqual(len(self.phone(f"ok-{self.mark}")), 1)

    # ---- modes and bounds ----

    def test_bodies_over_the_bound_are_413_in_both_modes(self):
        # Refused by its head; who sends the body all the same may find the connection closed before it reads the answer.
        address = urllib.parse.urlsplit(self.server.url)
        for more in ("", "X-Centrifugo-Error-Mode: transport\r\n"):
            with socket.create_connection((address.hostname, address.port), timeout=10) as client:
                client.sendall(f"POST /api/push_list HTTP/1.1\r\nHost: test\r\nX-API-Key: {self.server.KEY}\r\n"
                               f"{more}Content-Length: {32 * 1024 * 1024 + 1}\r\n\r\n".encode())
                self.assertTrue(client.makefile("rb").readline().startswith(b"HTTP/1.1 413 "))
        self.assertEqual(self.server.result("push_list", {"limit": 1})["items"] is None, False)

    def test_bounds_are_named(self):
        cases = (
            ("device_register", {"provider": "fcm", "token": "x" * 4097}, "token: must have 1 to 4096 bytes"),
            ("device_register", {"provider": "fcm", "token": "x", "user": "u" * 256}, "user: must have at most 255 bytes"),
            ("device_register", {"provider": "fcm", "token": "x", "topics": ["t" * 256]}, "topics[0]: must have 1 to 255 bytes"),
            ("device_register", {"provider": "fcm", "token": "x", "topics": [""]}, "topics[0]: must have 1 to 255 bytes"),
            ("device_register", {"provider": "fcm", "token": "x", "meta": {str(i): "" for i in range(65)}}, "meta: must have at most 64 entries"),
            ("device_register", {"provider": "fcm", "token": "x", "meta": {"k": "v" * 16384}}, "meta: must have at most 16384 bytes as JSON"),
            ("send_push_notification", self.params(uid="u" * 65), "uid: must have at most 64 bytes"),
            ("send_push_notification", self.params({"fcm_tokens": ["x"] * 100_001}), "recipient.fcm_tokens: must have at most 100000 entries"),
            ("device_list", {"limit": 1001}, "limit: must be between 0 and 1000"),
            ("user_topic_update", {"user": "u" * 256, "op": "set"}, "user: must have at most 255 bytes"),
            ("batch", {"commands": [{}] * 10_001}, "commands: must have at most 10000 entries"),
        )
        for method, params, message in cases:
            with self.subTest(method=method, message=message):
                self.error(method, params, 107, message)

    def test_fields_of_later_versions_are_108_and_their_zero_values_nothing(self):
        for field, value in (("use_templating", True), ("use_meta", True), ("localizations", {"en": {"translations": {}}}), ("analytics_uid", "a"),
                             ("limit_strategy", {"rate_limit": {"key": "k"}}), ("limit_strategy", {"time_limit": {"send_after_time": "09:00:00"}})):
            with self.subTest(field=field):
                self.error("send_push_notification", self.params(**{field: value}), 108, field)
        for filter_ in ({"not": {"topics": ["a"]}}, {"meta": {"k": "v"}}, {"locales": ["de"]}, {"expr": {"op": "and"}}):
            self.error("send_push_notification", self.params({"filter": filter_}), 108, "recipient.filter.")
        for method in ("update_push_status", "explain"):
            self.error(method, {}, 108, method)
        zeros = {"use_templating": False, "use_meta": None, "localizations": {}, "analytics_uid": "",
                 "limit_strategy": {"rate_limit": None, "time_limit": {}}, "optimize_for_reliability": True, "unknown": [1]}
        self.server.wait_done(self.server.result("send_push_notification", self.params(**zeros))["uid"])
        self.assertEqual(len(self.phone(f"ok-{self.mark}")), 1)

    def test_errors_in_transport_mode_are_bare_with_their_status_but_not_inside_a_batch(self):
        transport = {"X-Centrifugo-Error-Mode": "transport"}
        cases = (("cancel_push", {"uid": "never"}, 404, 104), ("cancel_push", {}, 400, 107), ("explain", {}, 400, 108))
        for method, params, status, code in cases:
            got, body = self.raw(method, params, **transport)
            self.assertEqual((got, json.loads(body)["code"], set(json.loads(body))), (status, code, {"code", "message"}))
            got, body = self.raw(method, params)
            self.assertEqual((got, json.loads(body)["error"]["code"]), (200, code))
            for headers in ({}, transport):
                got, body = self.raw("batch", {"commands": [{method: params}, None]}, **headers)
                replies = json.loads(body)["replies"]
                self.assertEqual((got, replies[0]["error"]["code"], replies[1]["error"]["code"]), (200, code, 107))


if __name__ == "__main__":
    unittest.main()
