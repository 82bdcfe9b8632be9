# SPDX-License-Identifier: Apache-2.0
"""The traps of the published wire format, byte for byte where clients look at bytes."""
import http.client
import json
import unittest

from harness import HELLO, EndToEnd

# What strict clients know (they fail on anything else).
DEVICE = {"id", "platform", "provider", "token", "user", "created_at", "updated_at", "meta", "topics", "timezone", "locale"}
DEVICE_TOPIC = {"id", "topic", "device"}
USER_TOPIC = {"id", "user", "topic"}
LIST = {"items", "next_cursor", "total_count"}


class WireGoldens(EndToEnd):
    def ask(self, verb, path, body=None, headers=None):
        """(status, content type, body) of one request; nothing is added to what is given."""
        host, port = self.server.url.removeprefix("http://").rsplit(":", 1)
        peer = http.client.HTTPConnection(host, int(port), timeout=30)
        try:
            peer.request(verb, path, body, headers or {})
            answer = peer.getresponse()
            return answer.status, answer.getheader("Content-Type"), answer.read()
        finally:
            peer.close()

    def post(self, method, body, **headers):
        return self.ask("POST", f"/api/{method}", body, {"X-API-Key": self.server.KEY, **headers})

    def test_the_order_of_keys(self):
        good, bad = self.server.KEY, "wrong"
        body, ok, no = b'{"limit":1}', (200, "application/json"), (401, None)
        cases = (
            ({"X-API-Key": good}, "", ok), ({"Authorization": f"apikey {good}"}, "", ok), ({"Authorization": f"ApiKey {good}"}, "", ok),
            ({}, f"?api_key={good}", ok), ({"X-API-Key": bad, "Authorization": f"apikey {good}"}, "", no),
            ({"X-API-Key": bad}, f"?api_key={good}", ok), ({"Authorization": f"apikey {bad}"}, f"?api_key={good}", ok),
            ({"X-API-Key": good, "Authorization": f"apikey {bad}"}, "", ok), ({"Authorization": f"Bearer {good}"}, "", no), ({}, "", no),
            ({}, f"?api_key={bad}", no),
        )
        for headers, query, expected in cases:
            with self.subTest(headers=headers, query=query):
                status, kind, answer = self.ask("POST", "/api/push_list" + query, body, headers)
                self.assertEqual((status, kind), expected)
                if status == 401:
                    self.assertEqual(answer, b"")

    def test_bodies_of_refusals(self):
        key = {"X-API-Key": self.server.KEY}
        for verb in ("GET", "PUT", "DELETE"):
            self.assertEqual(self.ask(verb, "/api/device_list", headers=key)[::2], (405, b""), verb)
        self.assertEqual(self.ask("GET", "/api/device_list")[::2], (405, b""), "the method is looked at before the key")
        for body in (b"", b"{", b"nonsense", b"[]", b'"x"', b"{}{}", b"\xff"):
            status, kind, answer = self.post("device_list", body)
            self.assertEqual((status, answer), (400, b"Bad Request\n"), body)
            self.assertTrue(kind.startswith("text/plain"), kind)
        self.assertEqual(self.ask("POST", "/api/no_such_method", b"{}", key)[0], 404)
        self.assertEqual(self.ask("POST", "/api/", b"{}", key)[0], 404)

    def test_the_content_type_of_a_request_does_not_matter(self):
        for kind in ("text/plain; charset=ISO-8859-1", "application/x-www-form-urlencoded", "application/octet-stream", ""):
            headers = {"Content-Type": kind} if kind else {}
            self.assertEqual(self.post("cancel_push", b'{"uid":"never"}', **headers),
                             (200, "application/json", b'{"error":{"code":104,"message":"uid: no push of this app has it"}}'))

    def test_nulls_are_absent_as_some_clients_send_them(self):
        register = {"id": None, "provider": "fcm", "token": "ok-null", "platform": None, "user": "null-user", "meta": None, "topics": ["null-t"],
                    "timezone": None, "locale": None}
        id_ = self.server.result("device_register", register)["id"]
        nothing = {"filter": None, "include_total_count": None, "include_meta": None, "include_topics": None, "cursor": None, "limit": None}
        self.assertTrue(self.server.result("device_list", nothing)["items"])
        self.assertTrue(self.server.result("device_topic_list", {**nothing, "include_device": None})["items"])
        self.assertIsInstance(self.server.result("user_topic_list", nothing)["items"], list)
        filter_ = {"ids": None, "users": ["null-user"], "topics": None, "providers": None, "platforms": None}
        self.assertEqual([item["id"] for item in self.server.result("device_list", {"filter": filter_})["items"]], [id_])
        update = {"ids": [id_], "users": None, "user_update": None, "meta_update": None, "topics_update": None, "timezone_update": None,
                  "locale_update": {"locale": "en"}}
        self.assertEqual(self.server.result("device_update", update), {})
        send = {"recipient": {"filter": filter_, "fcm_tokens": None, "fcm_topic": None, "fcm_condition": None, "hms_tokens": None, "hms_topic": None,
                              "hms_condition": None, "apns_tokens": None},
                "notification": {**HELLO, "hms": None, "apns": None, "expire_at": None}, "uid": None, "send_at": None,
                "optimize_for_reliability": None, "limit_strategy": {"rate_limit": None, "time_limit": None}, "analytics_uid": None,
                "localizations": None, "use_templating": None, "use_meta": None}
        self.assertEqual(self.outcomes(self.server.wait_done(self.server.result("send_push_notification", send)["uid"])), {("fcm", "accepted"): 1})

    def test_answers_have_no_member_that_strict_clients_do_not_know(self):
        self.register("ok-strict", user="strict", topics=["strict"], meta={"k": "v"}, timezone="UTC", locale="en")
        self.server.result("user_topic_update", {"user": "strict", "op": "set", "topics": ["bound"]})
        page = self.server.result("device_list", {"include_meta": True, "include_topics": True, "include_total_count": True})
        self.assertLessEqual(set(page), LIST)
        self.assertTrue(all(set(item) <= DEVICE for item in page["items"]))
        for include in (False, True):
            page = self.server.result("device_topic_list", {"include_device": include, "include_total_count": True})
            self.assertLessEqual(set(page), LIST)
            for item in page["items"]:
                self.assertEqual(set(item), DEVICE_TOPIC)
                self.assertIn("id", item["device"])
                self.assertLessEqual(set(item["device"]), DEVICE if include else {"id"})
        page = self.server.result("user_topic_list", {"include_total_count": True})
        self.assertLessEqual(set(page), LIST)
        self.assertTrue(all(set(item) == USER_TOPIC for item in page["items"]))
        self.assertLess(page["total_count"], 2**31)
        for method, params in (("device_update", {"users": ["strict"], "locale_update": {"locale": "de"}}),
                               ("device_topic_update", {"device_id": self.register("ok-strict"), "op": "set"}),
                               ("user_topic_update", {"user": "strict", "op": "set"}), ("device_remove", {"users": ["strict"]})):
            self.assertEqual(self.post(method, json.dumps(params).encode()), (200, "application/json", b'{"result":{}}'), method)

    def test_empty_lists_are_lists(self):
        nobody = {"device_list": {"users": ["nobody"]}, "device_topic_list": {"device_users": ["nobody"]}, "user_topic_list": {"users": ["nobody"]}}
        for method, filter_ in nobody.items():
            for extra in ({}, {"include_total_count": True}):
                answer = self.post(method, json.dumps({"filter": filter_, **extra}).encode())
                self.assertEqual(answer, (200, "application/json", b'{"result":{"items":[]}}'), method)
        self.assertEqual(self.post("batch", b'{"commands":[]}')[2], b'{"replies":[]}')
        self.assertEqual(self.post("batch", b"{}")[2], b'{"replies":[]}')

    def test_batches_have_no_envelope_around_or_inside(self):
        for parallel in (b"false", b"true"):
            body = b'{"commands":[{"cancel_push":{"uid":"x"}},null,{"user_topic_update":{"user":"g","op":"set"}},{"Device_List":{"filter":{"users":["nobody"]}}}],' \
                   b'"parallel":' + parallel + b"}"
            replies = json.loads(self.post("batch", body)[2])["replies"]
            self.assertEqual(replies[0], {"error": {"code": 104, "message": "uid: no push of this app has it"}})
            self.assertEqual(replies[1]["error"]["code"], 107)
            self.assertEqual(replies[2:], [{"user_topic_update": {}}, {"device_list": {"items": []}}])

    def test_an_error_always_has_a_message_and_transport_mode_is_never_200(self):
        for method, body in (("device_register", b"{}"), ("explain", b"{}"), ("cancel_push", b'{"uid":"never"}')):
            error = json.loads(self.post(method, body)[2])["error"]
            self.assertTrue(error["message"])
            status, _, answer = self.post(method, body, **{"X-Centrifugo-Error-Mode": "transport"})
            self.assertEqual(json.loads(answer), error)
            self.assertGreaterEqual(status, 400)


if __name__ == "__main__":
    unittest.main()
