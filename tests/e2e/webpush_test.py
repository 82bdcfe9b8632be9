# SPDX-License-Identifier: Apache-2.0
"""Web Push end to end: registration, encryption, four services, dead subscriptions, throttling, keys over a restart."""
import base64
import http.server
import json
import re
import subprocess
import threading
import time
import unittest

from harness import BUILD, EndToEnd, Server, webpush_section
from harness import http as http_call


class WebPushEndToEnd(EndToEnd):
    FLAVOURS = ("fcm", "mozilla", "apple", "windows")

    @classmethod
    def make_server(cls, folder):
        return Server(BUILD, folder, cls.simulator, providers=webpush_section(cls.simulator), extra=cls.config_extra)

    def setUp(self):
        super().setUp()
        self.simulator.control("POST", "/reset")

    def browser(self, name, flavour="mozilla", **more):
        return self.simulator.control("POST", "/webpush/subscriptions", {"flavour": flavour, "name": name, **more})["subscription"]

    def subscribe(self, name, flavour="mozilla", **more):
        subscription = self.browser(name, flavour, **more)
        self.server.result("device_register", {"provider": "webpush", "platform": "web", "token": json.dumps(subscription),
                                               "topics": [self.id()]})
        return subscription

    def push(self, payload, **fields):
        return self.send({"filter": {"topics": [self.id()]}}, {"webpush": {"payload": payload, **fields}})

    def shown(self, name):
        return self.simulator.control("GET", f"/webpush/phones/{name}")["messages"]

    def requests(self):
        return self.simulator.control("GET", "/webpush/requests")["requests"]

    def id(self):
        return super().id().rsplit(".", 1)[1]

    def provider(self):
        [provider] = self.admin("GET", "providers")["items"]
        return provider


class WebPush(WebPushEndToEnd):
    def test_browsers_of_all_services_show_the_message(self):
        for flavour in self.FLAVOURS:
            for i in range(5):
                self.subscribe(f"{flavour}-{i}", flavour)
        payload = {"title": "Hello \u2713", "n": [1, 2]}
        status = self.push(payload, ttl=600, urgency="high", topic="news")
        self.assertEqual(self.outcomes(status), {("webpush", "accepted"): 20})
        for flavour in self.FLAVOURS:
            for i in range(5):
                [message] = self.shown(f"{flavour}-{i}")
                self.assertEqual(json.loads(message["payload"]), payload)
                self.assertEqual((message["urgency"], len(message["topic"])), ("high", 24))
                self.assertLessEqual(message["ttl"], 600)
        requests = self.requests()
        self.assertEqual(len({r["salt"] for r in requests}), 20)
        self.assertEqual(len({r["sender_key"] for r in requests}), 20)
        self.assertEqual(len({r["authorization"] for r in requests}), 4, "one token per origin")
        self.assertEqual(len({r["connection"] for r in requests}), 4, "one connection per origin")

    def test_texts_arrive_at_raw_tokens(self):
        raw = self.browser("raw")
        status = self.send({"tokens": {"provider": "webpush", "tokens": [json.dumps(raw)]}}, {"webpush": {"payload": "plain text"}})
        self.assertEqual(self.outcomes(status), {("webpush", "accepted"): 1})
        self.assertEqual(self.shown("raw")[0]["payload"], "plain text")

    def test_dead_subscriptions_are_removed_and_others_stay(self):
        alive, dead = self.subscribe("alive"), self.subscribe("dead")
        self.simulator.control("POST", "/webpush/subscriptions/dead", {"state": "gone"})
        status = self.push("x")
        self.assertEqual(self.outcomes(status), {("webpush", "accepted"): 1, ("webpush", "gone"): 1})
        self.assertEqual(self.wait_tokens({alive["endpoint"]}, topic=self.id()), {alive["endpoint"]})
        self.assertNotIn(dead["endpoint"], self.tokens(self.id()))

    def test_half_an_answer_is_no_word_about_our_key(self):
        other = self.browser("other")["keys"]["p256dh"]  # any point of the curve
        for i in range(5):
            self.subscribe(f"ours-{i}", "apple")
        for number, cut in enumerate(({}, {"on_wire": True, "code": "INTERNAL_ERROR"})):
            with self.subTest(cut=cut):
                foreign = f"foreign-{number}"
                self.subscribe(foreign, "apple", application_server_key=other)
                self.simulator.control("POST", "/faults", [{"action": "truncate", **cut, "match": {"route": "webpush", "token_prefix": foreign, "next": 1}}])
                status = self.push("x")
                self.assertEqual(self.simulator.control("GET", "/faults")["faults"][0]["hits"], 1)
                self.assertEqual(self.outcomes(status)[("webpush", "accepted")], 5)
                self.assertEqual(sum(row["n"] for row in status["outcomes"]), status["planned"])
                self.assertIn("KEY_MISMATCH", json.dumps(status["samples"]))
                self.assertEqual([len(self.shown(f"ours-{i}")) for i in range(5)], [number + 1] * 5)
                self.assertNotIn("refuses our credential", self.server.process.log.read_text())
                self.simulator.control("DELETE", "/faults")

    def test_bad_subscriptions_and_payloads_are_refused_with_a_reason(self):
        good = self.browser("good")
        for change, place in (({"endpoint": "https://169.254.169.254/latest"}, "endpoint"), ({"endpoint": "http://localhost/x"}, "endpoint"),
                              ({"keys": {"p256dh": "AAAA", "auth": good["keys"]["auth"]}}, "p256dh")):
            answer = self.server.call("device_register", {"provider": "webpush", "token": json.dumps({**good, **change})})
            self.assertEqual(answer["error"]["code"], 107, change)
            self.assertIn(place, answer["error"]["message"])
        for payload in ({}, {"payload": "x", "tll": 1}, {"payload": "x" * 4000}):
            answer = self.server.call("send_push_notification", {"recipient": {"filter": {"topics": ["t"]}}, "notification": {"webpush": payload}})
            self.assertEqual(answer["error"]["code"], 107, payload)

    def test_trouble_passes_and_redirects_are_never_followed(self):
        self.subscribe("later")
        self.simulator.control("POST", "/faults", [{"action": "status", "status": 503, "retry_after_s": 1, "match": {"route": "webpush", "next": 1}}])
        self.assertEqual(self.outcomes(self.push("x")), {("webpush", "accepted"): 1})
        self.assertEqual(len(self.shown("later")), 1)
        self.simulator.control("POST", "/faults", [{"action": "status", "status": 301, "match": {"route": "webpush"}}])
        self.assertEqual(self.outcomes(self.push("x")), {("webpush", "refused"): 1})
        self.assertEqual(len(self.tokens(self.id())), 1, "a redirect deletes nothing")

    def test_an_export_fills_an_empty_server_that_reaches_the_same_browsers(self):
        made = subprocess.run([BUILD / "host/belfry", "vapid", "generate", "--json"], capture_output=True, text=True, check=True)
        sections = webpush_section(self.simulator) + f'vapid_private_key = "{json.loads(made.stdout)["private_key"]}"\n'
        first = Server(BUILD, self.folder / "first", self.simulator, providers=sections)
        self.addCleanup(first.kill)
        subscription = self.browser("moves")
        first.result("device_register", {"provider": "webpush", "platform": "web", "token": json.dumps(subscription), "topics": ["moving"]})
        [device] = first.result("device_list", {"include_webpush_keys": True})["items"]
        self.assertEqual(json.loads(device["webpush_keys"]), subscription["keys"])
        lines = self.stream(first, "device_export", b"{}")
        second = Server(BUILD, self.folder / "second", self.simulator, providers=sections)
        self.addCleanup(second.kill)
        self.assertEqual(json.loads(self.stream(second, "device_import", lines))["result"]["registered"], 1)
        uid = second.result("send_push_notification", {"recipient": {"filter": {"topics": ["moving"]}},
                                                       "notification": {"webpush": {"payload": "still here"}}})["uid"]
        second.wait_done(uid)
        self.assertEqual([message["payload"] for message in self.shown("moves")], ["still here"])

    def test_a_push_service_on_this_machine_may_do_without_tls(self):
        seen = []

        class Service(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                seen.append((self.path, self.headers["Content-Encoding"], len(body)))
                self.send_response(201)
                self.end_headers()

            def log_message(self, *_):
                pass

        service = http.server.HTTPServer(("127.0.0.1", 0), Service)
        threading.Thread(target=service.serve_forever, daemon=True).start()
        self.addCleanup(service.server_close)
        self.addCleanup(service.shutdown)
        here = f"127.0.0.1:{service.server_port}"
        subscription = {**self.browser("plain"), "endpoint": f"http://{here}/w/1"}
        for plain, outcome in (("true", "accepted"), ("false", "refused")):
            sections = (f'[providers.webpush]\nsubject = "mailto:ops@example.com"\nallow_private_networks = true\n'
                        f'allowed_origins = ["{here}"]\nplain_loopback = {plain}\n')
            server = Server(BUILD, self.folder / f"plain-{plain}", self.simulator, providers=sections)
            self.addCleanup(server.kill)
            uid = server.result("send_push_notification", {
                "recipient": {"tokens": {"provider": "webpush", "tokens": [json.dumps(subscription)]}},
                "notification": {"webpush": {"payload": "x"}}})["uid"]
            self.assertEqual(self.outcomes(server.wait_done(uid)), {("webpush", outcome): 1})
        [(path, encoding, size)] = seen
        self.assertEqual((path, encoding), ("/w/1", "aes128gcm"))
        self.assertGreater(size, 86)
        answer = self.server.call("device_register", {"provider": "webpush", "token": json.dumps({**subscription, "endpoint": "http://push.example.com/x"})})
        self.assertEqual(answer["error"]["code"], 107)

    @staticmethod
    def stream(server, method, body):
        status, answer = http_call("POST", f"{server.url}/api/{method}", body, {"X-API-Key": server.KEY})
        assert status == 200, answer
        return answer

    def test_key_pair_outlives_the_process(self):
        self.subscribe("same-key")
        self.push("before")
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        self.assertEqual(self.outcomes(self.push("after")), {("webpush", "accepted"): 1})
        self.assertEqual([m["payload"] for m in self.shown("same-key")], ["before", "after"])
        keys = {r["authorization"].split("k=")[1] for r in self.requests()}
        self.assertEqual(len(keys), 1)
        printed = set(re.findall(r"application_server_key=(\S+)", self.server.process.log.read_text()))
        self.assertEqual(printed, keys)
        self.assertEqual(len(base64.urlsafe_b64decode(keys.pop() + "=")), 65)


class WithoutASuccessOfTheirOwn(WebPushEndToEnd):
    """What looks dead at a service that took nothing yet is kept, however well the others work."""

    def keeps(self, named):
        self.assertEqual(len(self.wait_tokens({subscription["endpoint"] for subscription in named}, self.id(), seconds=1.5)),
                         len(named), "none is removed")

    def test_another_servers_key_deletes_nothing(self):
        other = "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs"
        all_of_them = [self.subscribe("foreign", "apple", application_server_key=other), self.subscribe("fine", "mozilla")]
        self.assertEqual(self.outcomes(self.push("x")), {("webpush", "gone"): 1, ("webpush", "accepted"): 1})
        self.assertEqual(self.outcomes(self.push("x")), {("webpush", "gone"): 1, ("webpush", "accepted"): 1})
        self.keeps(all_of_them)

    def test_a_service_that_knows_nobody_deletes_nothing(self):
        all_of_them = [self.subscribe(f"fine-{i}", "fcm") for i in range(20)]
        all_of_them += [self.subscribe(f"lost-{i}", "windows") for i in range(60)]
        self.simulator.control("POST", "/faults", [{"action": "status", "status": 404, "match": {"route": "webpush", "project": "windows"}}])
        for _ in range(2):
            self.assertEqual(self.outcomes(self.push("x")), {("webpush", "gone"): 60, ("webpush", "accepted"): 20})
        self.keeps(all_of_them)
        trouble = self.provider()
        self.assertTrue(trouble["deletions_stopped"])
        [origin] = trouble["origins"]
        self.assertEqual((origin["url"], origin["state"]), (self.simulator.facts["webpush"]["windows"], "open"))
        self.simulator.control("DELETE", "/faults")
        self.assertEqual(self.outcomes(self.push("x")), {("webpush", "accepted"): 80})
        self.assertFalse(self.provider()["deletions_stopped"])


class OneServiceInTrouble(WebPushEndToEnd):
    """One push service fails in each way while the three others go on; its own deliveries wait, and nothing is lost."""
    EACH = 40
    config_extra = """
[delivery]
retry_base_ms = 300
retry_max_ms = 2000
"""

    def setUp(self):
        super().setUp()
        for flavour in self.FLAVOURS:
            for i in range(self.EACH):
                self.subscribe(f"{self.id()}-{flavour}-{i}", flavour)
        self.assertEqual(self.outcomes(self.push("all is well")), {("webpush", "accepted"): 4 * self.EACH})

    def start_push(self):
        return self.server.result("send_push_notification", {"recipient": {"filter": {"topics": [self.id()]}},
                                                             "notification": {"webpush": {"payload": "now"}}})["uid"]

    def wait_accepted(self, uid, n, seconds):
        end = time.monotonic() + seconds
        while True:
            outcomes = self.outcomes(self.server.result("push_status", {"uid": uid}))
            if outcomes.get(("webpush", "accepted"), 0) >= n or time.monotonic() > end:
                return outcomes
            time.sleep(0.05)

    def others_go_on(self, fault, seconds=8):
        self.simulator.control("POST", "/faults", [{**fault, "match": {"route": "webpush", "project": "mozilla"}}])
        uid = self.start_push()
        self.assertEqual(self.wait_accepted(uid, 3 * self.EACH, seconds), {("webpush", "accepted"): 3 * self.EACH})
        return uid

    def heals(self, uid, seconds=90):
        self.simulator.control("DELETE", "/faults")
        self.assertEqual(self.outcomes(self.server.wait_done(uid, seconds)), {("webpush", "accepted"): 4 * self.EACH})
        self.assertEqual(len(self.tokens(self.id())), 4 * self.EACH)
        for i in range(self.EACH):
            self.assertIn("now", [m["payload"] for m in self.shown(f"{self.id()}-mozilla-{i}")])

    def test_throttled_with_a_time(self):
        uid = self.others_go_on({"action": "status", "status": 429, "retry_after_s": 3})
        [origin] = self.provider()["origins"]
        self.assertEqual((origin["url"], origin["state"]), (self.simulator.facts["webpush"]["mozilla"], "throttled"))
        self.assertFalse(self.provider()["operator_must_act"])
        self.heals(uid)

    def test_refuses_our_credential(self):
        uid = self.others_go_on({"action": "status", "status": 403, "body": "no"})
        [origin] = self.provider()["origins"]
        self.assertEqual(origin["state"], "refused")
        self.assertIn("FORBIDDEN", origin["reason"])
        self.assertTrue(self.provider()["operator_must_act"])
        self.assertIn(origin["url"], http_call("GET", self.server.url + "/health")[1].decode())
        self.assertIn("origin refuses our credential", self.server.process.log.read_text())
        again = self.start_push()  # another push does not ask it again either
        self.assertEqual(self.wait_accepted(again, 3 * self.EACH, 8), {("webpush", "accepted"): 3 * self.EACH})
        self.assertEqual(len(self.tokens(self.id())), 4 * self.EACH)
        self.heals(uid, seconds=100)

    def test_broken_inside(self):
        self.heals(self.others_go_on({"action": "status", "status": 500}))

    def test_resets_connections(self):
        self.heals(self.others_go_on({"action": "tcp_reset"}))

    def test_does_not_answer(self):
        self.heals(self.others_go_on({"action": "black_hole"}))


class PrivateNetworks(EndToEnd):
    @classmethod
    def make_server(cls, folder):
        return Server(BUILD, folder, cls.simulator, providers=webpush_section(cls.simulator, extra=""))

    def test_are_out_of_reach_unless_the_operator_says_otherwise(self):
        made = self.simulator.control("POST", "/webpush/subscriptions", {"name": "inside"})["subscription"]
        answer = self.server.call("device_register", {"provider": "webpush", "token": json.dumps(made)})
        self.assertEqual(answer["error"]["code"], 107)
        self.assertIn("allow_private_networks", answer["error"]["message"])
        self.assertEqual(self.simulator.control("GET", "/webpush/requests")["total"], 0)
        self.assertEqual(http_call("GET", self.server.url + "/ready")[0], 200)


if __name__ == "__main__":
    unittest.main()
