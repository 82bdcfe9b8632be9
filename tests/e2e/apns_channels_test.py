# SPDX-License-Identifier: Apache-2.0
"""Broadcast channels of APNs with real processes: made, listed, read, sent to, deleted; two environments; trouble on the way."""
import json
import threading
import time
import unittest
import urllib.error
import urllib.request

from harness import BUILD, EndToEnd, Server
from world import apns_section, fcm_section

UPDATE = {"payload": {"aps": {"event": "update", "content-state": {"score": 3}, "timestamp": 1}}}


class ChannelsBench(EndToEnd):
    @classmethod
    def make_server(cls, folder):
        return Server(BUILD, folder, cls.simulator, providers=cls.sections())

    def setUp(self):
        super().setUp()
        self.simulator.control("PUT", "/config", {"apns_channels_max": 10000, "clock_offset_s": 0})

    def channel(self, verb, **params):
        return self.server.result("apns_channel_" + verb, params)

    def refused(self, verb, **params):
        error = self.server.call("apns_channel_" + verb, params)["error"]
        return error["code"], error["message"]

    def ids(self, **params):
        return {item["id"] for item in self.channel("list", **params)["items"]}

    def followers(self, channel, *phones):
        self.simulator.control("POST", "/apns/followers", {"channel": channel, "phones": phones})

    def broadcast(self, recipient, provider="apns", **notification):
        return self.send(recipient, {provider: UPDATE, **notification})

    def transport(self, verb, **params):
        """Status, headers and error of a call in transport error mode."""
        request = urllib.request.Request(f"{self.server.url}/api/apns_channel_{verb}", json.dumps(params).encode(),
                                         {"X-API-Key": self.server.KEY, "X-Centrifugo-Error-Mode": "transport"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, {}
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers, json.loads(refused.read())

    def journal(self, route):
        return [entry for entry in super().journal() if entry["route"] == route]


class Channels(ChannelsBench):
    """Two APNs instances, one for each environment, and a provider that knows no channels."""

    @classmethod
    def sections(cls):
        return apns_section(cls.simulator) + apns_section(cls.simulator, "sandbox", name="apns-dev") + fcm_section(cls.simulator)

    def test_from_making_to_deleting(self):
        made = self.channel("create")["id"]
        self.assertIn(made, self.ids())
        self.assertEqual(self.channel("get", id=made), {"id": made, "message_storage_policy": 0, "push_type": "LiveActivity"})
        self.followers(made, "live-1", "live-2")
        status = self.broadcast({"apns_channel": made})
        self.assertEqual(self.outcomes(status), {("apns", "accepted"): 1})
        for phone in ("live-1", "live-2"):
            self.assertEqual(self.phone(phone)[-1]["payload"], UPDATE["payload"])
        self.assertEqual(self.channel("delete", id=made), {})
        self.assertNotIn(made, self.ids())
        self.assertEqual(self.refused("get", id=made)[0], 104)
        self.assertEqual(self.refused("delete", id=made)[0], 104)
        status = self.broadcast({"apns_channel": made})
        self.assertEqual(self.outcomes(status), {("apns", "refused"): 1})
        self.assertIn("ChannelNotRegistered: there is no such channel", json.dumps(status["samples"]))

    def test_an_expiry_is_for_channels_that_store_and_no_harm_to_others(self):
        soon = int(time.time()) + 600
        for policy in (0, 1):
            with self.subTest(policy=policy):
                made = self.channel("create", message_storage_policy=policy)["id"]
                self.assertEqual(self.channel("get", id=made)["message_storage_policy"], policy)
                before = len(self.journal("apns"))
                status = self.broadcast({"apns_channel": made}, expire_at=soon)
                self.assertEqual(self.outcomes(status), {("apns", "accepted"): 1})
                asked = [entry["reason"] for entry in self.journal("apns")[before:]]
                self.assertEqual(asked, ["BadExpirationDate", ""] if policy == 0 else [""])
                own = {"apns": {**UPDATE, "headers": {"apns-expiration": str(soon)}}}
                status = self.send({"apns_channel": made}, own)
                self.assertEqual(self.outcomes(status), {("apns", "accepted" if policy else "refused"): 1})
                if policy == 0:
                    self.assertIn("0 for a channel that stores nothing", json.dumps(status["samples"]))

    def test_each_instance_has_the_channels_of_its_environment(self):
        production, sandbox = self.channel("create")["id"], self.channel("create", provider="apns-dev")["id"]
        self.assertIn(sandbox, self.ids(provider="apns-dev"))
        self.assertNotIn(sandbox, self.ids())
        self.assertEqual(self.refused("get", id=production, provider="apns-dev")[0], 104)
        status = self.broadcast({"channel": {"provider": "apns-dev", "id": sandbox}}, "apns-dev", expire_at=int(time.time()) + 600)
        self.assertEqual(self.outcomes(status), {("apns-dev", "accepted"): 1})
        status = self.broadcast({"channel": {"provider": "apns", "id": sandbox}})
        self.assertEqual(self.outcomes(status), {("apns", "refused"): 1})

    def test_providers_without_channels_and_wrong_requests_say_so(self):
        cases = ((107, '"fcm" does not manage channels', "list", {"provider": "fcm"}),
                 (107, 'this app has no provider "hms"', "list", {"provider": "hms"}),
                 (107, "topic: is no bundle id", "create", {"topic": "a/b"}),
                 (107, "topic: TopicDisallowed", "create", {"topic": "com.example.unknown"}),
                 (107, "id: no channel's id", "get", {"id": "not base64!"}),
                 (107, "push_type", "create", {"push_type": "alert"}),
                 (104, "id: BadChannelId", "get", {"id": "dW5rbm93bg=="}))
        for code, words, verb, params in cases:
            with self.subTest(words=words):
                got = self.refused(verb, **params)
                self.assertEqual(got[0], code, got)
                self.assertIn(words, got[1])
        batch = self.server.call("batch", {"commands": [{"apns_channel_list": {}}]})
        self.assertIn("waits for a provider", batch["replies"][0]["error"]["message"])
        error = self.server.call("send_push_notification", {"recipient": {"apns_channel": "a b"}, "notification": {"apns": UPDATE}})["error"]
        self.assertEqual((error["code"], error["message"]), (107, "recipient.apns_channel: no channel's id: those are base64"))

    def test_apples_limit_is_a_conflict(self):
        self.simulator.control("PUT", "/config", {"apns_channels_max": len(self.ids())})
        code, message = self.refused("create")
        self.assertEqual(code, 113)
        self.assertIn("CannotCreateChannelConfig", message)

    def test_a_full_list_arrives_whole(self):
        for _ in range(3):
            self.channel("create")
        self.simulator.control("POST", "/faults", [{"action": "status", "status": 200, "content_type": "application/json", "body":
                                                    {"channels": [f"{number:040d}" for number in range(10000)]},
                                                    "match": {"route": "apns_channels", "next": 1}}])
        self.assertEqual(len(self.channel("list")["items"]), 10000)

    def test_trouble_at_apple_is_told_at_once_and_heals(self):
        cases = (({"action": "status", "status": 429, "retry_after_s": 7}, 429, 111, "TooManyRequests"),
                 ({"action": "status", "status": 500}, 503, 100, "InternalServerError"),
                 ({"action": "status", "status": 503, "body": {"reason": "Service Unavailable"}}, 503, 100, "Service Unavailable"),
                 ({"action": "status", "status": 400, "body": {"reason": "FeatureNotEnabled"}}, 503, 100, "enable broadcasts"),
                 ({"action": "status", "status": 403, "body": {"reason": "BadEnvironmentKeyIdInToken"}}, 503, 100, "other environment"),
                 ({"action": "status", "status": 200, "body": "<html>"}, 503, 100, "channel_endpoint"),
                 ({"action": "tcp_reset"}, 503, 100, "list them before you try again"))
        for fault, status, code, words in cases:
            with self.subTest(words=words):
                self.simulator.control("DELETE", "/faults")
                self.simulator.control("POST", "/faults", [{**fault, "match": {"route": "apns_channels"}}])
                got, headers, error = self.transport("create")
                self.assertEqual((got, error["code"]), (status, code), error)
                self.assertIn(words, error["message"])
                if status == 429:
                    self.assertEqual(headers["Retry-After"], "7")
        self.simulator.control("DELETE", "/faults")
        self.assertTrue(self.channel("create")["id"])

    def test_a_silent_apple_costs_its_client_ten_seconds_and_nobody_else(self):
        self.simulator.control("POST", "/faults", [{"action": "black_hole", "match": {"route": "apns_channels", "project": "production"}}])
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(self.refused("create")))
        waiting.start()
        self.assertIsInstance(self.ids(provider="apns-dev"), set)
        self.server.result("device_list", {})
        self.assertEqual(answers, [], "others are served meanwhile")
        waiting.join(60)
        self.assertEqual(answers[0][0], 100)
        self.assertIn("list them before you try again", answers[0][1])

    def test_all_calls_carry_one_provider_token(self):
        self.channel("list")
        self.broadcast({"apns_channel": self.channel("create")["id"]})
        connections = self.simulator.control("GET", "/apns")["connections"].values()
        self.assertLessEqual(max(c["provider_tokens"] for c in connections), 1)


class WrongKey(ChannelsBench):
    @classmethod
    def sections(cls):
        apns = cls.simulator.facts["apns"]
        return apns_section(cls.simulator, key=f'{{ file = "{apns["second_key_file"]}" }}', key_id=f'"{apns["key_id"]}"',
                            team_id=f'"{apns["team_id"]}"')

    def test_credentials_that_apple_refuses_are_named(self):
        code, message = self.refused("list")
        self.assertEqual(code, 100)
        self.assertIn("InvalidProviderToken: check key, key_id, team_id", message)


class Certificate(ChannelsBench):
    @classmethod
    def sections(cls):
        apns = cls.simulator.facts["apns"]
        return apns_section(cls.simulator, certificate=f'{{ file = "{apns["certificate_p12"]}" }}',
                            certificate_password=f'"{apns["certificate_password"]}"')

    def test_a_certificate_manages_channels_without_provider_tokens(self):
        made = self.channel("create")["id"]
        self.assertIn(made, self.ids())
        self.channel("delete", id=made)


if __name__ == "__main__":
    unittest.main()
