# SPDX-License-Identifier: Apache-2.0
"""APNs with real processes: pushes, dead tokens, both environments, certificates, wrong keys, faults that heal."""
import json
import time
import unittest

from harness import BUILD, RETRIES, EndToEnd, Server
from world import apns_section

HELLO = {"apns": {"payload": {"aps": {"alert": {"title": "Hello"}}}}}
FAST = 'server_error_retry_s = 1\n'


def token(number, prefix=""):
    return prefix + f"{number:0{64 - len(prefix)}x}"


class Apns(EndToEnd):
    """A server that knows APNs only, in the environment and with the keys of the class."""
    simulator_arguments = ()
    environment, keys = "production", {}
    config_extra = RETRIES

    @classmethod
    def make_server(cls, folder):
        return Server(BUILD, folder, cls.simulator, extra=cls.config_extra, providers=cls.section())

    @classmethod
    def section(cls):
        return apns_section(cls.simulator, cls.environment, FAST, **cls.keys)

    def setUp(self):
        super().setUp()
        self.simulator.control("PUT", "/config", {"apns_strict_streams": False, "apns_excess_streams": "goaway", "apns_stream_limit": 500,
                                                  "apns_wedge_expired": False, "clock_offset_s": 0, "connection_max_idle_ms": 0})

    def register(self, device, **fields):
        return self.server.result("device_register", {"provider": "apns", "token": device, "platform": "ios", **fields})["id"]

    def register_many(self, tokens, topic):
        self.server.register_many(tokens, topic, provider="apns", platform="ios")

    def send_to(self, topic, notification=None, **fields):
        return self.send({"filter": {"topics": [topic]}}, notification or HELLO, **fields)


class Pushes(Apns):
    def test_broadcast_reaches_every_phone_with_derived_headers(self):
        devices = [token(i) for i in range(700)]
        self.register_many(devices, "all")
        expires = int(time.time()) + 3600
        status = self.send_to("all", {**HELLO, "expire_at": expires})
        self.assertEqual(self.outcomes(status), {("apns", "accepted"): 700})
        message = self.phone(devices[0])[-1]
        headers = message["headers"]
        self.assertEqual(message["payload"], HELLO["apns"]["payload"])
        self.assertEqual((headers["apns-topic"], headers["apns-push-type"], headers["apns-expiration"]), ("com.example.app", "alert", str(expires)))
        self.assertEqual(message["message_id"], headers["apns-id"])
        self.assertEqual(len({self.phone(device)[-1]["message_id"] for device in devices[:50]}), 50)
        counters = self.simulator.control("GET", "/counters")
        self.assertEqual(counters["stream_limit_violations"], 0)
        self.assertLessEqual(max(c["provider_tokens"] for c in self.simulator.control("GET", "/apns")["connections"].values()), 1)

    def test_raw_tokens_and_the_callers_own_headers(self):
        notification = {"apns": {"headers": {"apns-push-type": "voip", "apns-collapse-id": "c1", "apns-priority": "10"},
                                 "payload": {"aps": {}, "x": 1e2}}}
        status = self.send({"apns_tokens": [token(1, "aa"), token(2, "AA")]}, notification)
        self.assertEqual(self.outcomes(status), {("apns", "accepted"): 2})
        headers = self.phone(token(1, "aa"))[-1]["headers"]
        self.assertEqual((headers["apns-topic"], headers["apns-collapse-id"], headers["apns-priority"]), ("com.example.app.voip", "c1", "10"))
        self.assertEqual(len(self.phone(token(2, "aa"))), 1)

    def test_a_broadcast_reaches_its_channel_with_one_request(self):
        channel = self.simulator.control("POST", "/apns", {"bundle": "com.example.app"})["channel"]
        update = {"apns": {"payload": {"aps": {"event": "update", "content-state": {"score": 3}}}}}
        status = self.send({"apns_channel": channel}, update)
        self.assertEqual(self.outcomes(status), {("apns", "accepted"): 1})
        self.assertEqual(self.simulator.control("GET", "/apns")["channels"][channel]["sent"], 1)
        status = self.send({"apns_channel": "unknown"}, update)
        self.assertEqual(self.outcomes(status), {("apns", "refused"): 1})
        self.assertIn("ChannelNotRegistered", json.dumps(status["samples"]))

    def test_bad_requests_are_refused_at_once_and_say_where(self):
        envelope = self.server.call("device_register", {"provider": "apns", "token": "not hex", "platform": "ios"})
        self.assertEqual(envelope["error"]["code"], 107)
        self.assertIn("hex", json.dumps(envelope))
        bad = {"apns": {"headers": {"apns-push-type": "background", "apns-priority": "10"}, "payload": {}}}
        envelope = self.server.call("send_push_notification", {"recipient": {"apns_tokens": ["aa"]}, "notification": bad})
        self.assertEqual(envelope["error"]["code"], 107)
        self.assertIn("apns-priority", json.dumps(envelope))

    def test_dead_tokens_are_deleted_by_their_timestamps(self):
        dead, long_ago, expired, foreign, alive = (token(1, p) for p in ("dead", "dead01d", "fade", "0ff", "ab"))
        for device in (dead, long_ago, expired, foreign, alive):
            self.register(device, topics=["dead"])
        status = self.send_to("dead")
        self.assertEqual(self.outcomes(status), {("apns", "accepted"): 1, ("apns", "gone"): 4})
        # Registered after 2023: the phone has the app again. The foreign one is suspect, and others had success.
        self.assertEqual(self.wait_tokens({long_ago, alive}, topic="dead"), {long_ago, alive})

    def test_half_an_answer_stops_and_deletes_nothing(self):
        for number, cut in enumerate(({}, {"on_wire": True, "code": "INTERNAL_ERROR"})):
            with self.subTest(cut=cut):
                topic = f"cut-{number}"
                alive, dead = {token(i, f"ace{number}") for i in range(30)}, token(number, "dead")
                self.register_many(sorted(alive) + [dead], topic)
                self.simulator.control("POST", "/faults", [{"action": "truncate", **cut, "match": {"route": "apns", "token_prefix": "dead", "next": 1}}])
                status = self.send_to(topic)
                self.assertEqual(self.simulator.control("GET", "/faults")["faults"][0]["hits"], 1)
                self.assertEqual(self.outcomes(status), {("apns", "accepted"): 30, ("apns", "gone"): 1})
                self.assertEqual(self.wait_tokens(alive, topic=topic), alive)
                self.assertEqual([device for device in alive if len(self.phone(device)) != 1], [])
                self.assertNotIn("refuses our credential", self.server.process.log.read_text())
                self.simulator.control("DELETE", "/faults")

    def window(self):
        [provider] = self.admin("GET", "providers")["items"]
        return provider["window"]

    def test_a_device_that_gets_too_much_waits_alone(self):
        slowed, other = token(1, "4291"), token(1, "ac")
        for device in (slowed, other):
            self.register(device, topics=["rate"])
        uid = self.server.result("send_push_notification", {"recipient": {"filter": {"topics": ["rate"]}}, "notification": HELLO})["uid"]
        end = time.monotonic() + 20
        while not self.phone(other) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual((len(self.phone(other)), len(self.phone(slowed))), (1, 0))
        # One device's quota is not the provider's: raw pushes to hot phones, further apart than the window's memory.
        window = self.window()
        for number in range(2, 5):
            self.server.result("send_push_notification", {"recipient": {"apns_tokens": [token(number, "4291")]}, "notification": HELLO})
            time.sleep(0.6)
        self.assertGreaterEqual(len([entry for entry in self.journal() if entry["status"] == 429]), 4)
        self.assertGreaterEqual(self.window(), window)
        self.assertEqual(self.outcomes(self.server.wait_done(uid, 90)), {("apns", "accepted"): 2})


class MostlyDead(Apns):
    def test_mostly_bad_tokens_open_the_breaker_and_nothing_is_deleted(self):
        devices = [token(i, "bad0") for i in range(300)]
        self.register_many(devices, "breaker")
        status = self.send_to("breaker")
        self.assertEqual(self.outcomes(status), {("apns", "gone"): 300})
        time.sleep(0.5)
        self.assertEqual(len(self.tokens("breaker")), 300, "where nobody accepts, nobody is believed")
        self.wait_health("deletions")


class BothEnvironments(Apns):
    environment = "both"

    def test_tokens_find_their_environment_and_it_is_remembered(self):
        production, sandbox, nowhere = token(1, "ab"), token(1, "5a"), token(1, "5abad0")
        for device in (production, sandbox, nowhere):
            self.register(device, topics=["both"])
        status = self.send_to("both")
        self.assertEqual(self.outcomes(status), {("apns", "accepted"): 2, ("apns", "gone"): 1})
        self.assertEqual(self.wait_tokens({production, sandbox}, topic="both"), {production, sandbox})
        time.sleep(0.5)
        self.assertEqual(self.outcomes(self.send_to("both")), {("apns", "accepted"): 2})
        asked = [e["project"] for e in self.journal() if e["target"] == "token:" + sandbox]
        self.assertEqual(asked, ["production", "sandbox", "sandbox"])


class Certificate(Apns):
    @classmethod
    def section(cls):
        apns = cls.simulator.facts["apns"]
        return apns_section(cls.simulator, "production", FAST, certificate=f'{{ file = "{apns["certificate_p12"]}" }}',
                            certificate_password=f'"{apns["certificate_password"]}"')

    def test_a_certificate_pushes_without_provider_tokens(self):
        devices = [token(i, "ce") for i in range(50)]
        self.register_many(devices, "cert")
        self.assertEqual(self.outcomes(self.send_to("cert")), {("apns", "accepted"): 50})
        connections = self.simulator.control("GET", "/apns")["connections"].values()
        self.assertEqual({c["certificate"] for c in connections}, {"com.example.app"})


class WrongKey(Apns):
    @classmethod
    def section(cls):
        apns = cls.simulator.facts["apns"]
        return apns_section(cls.simulator, "production", FAST, key=f'{{ file = "{apns["second_key_file"]}" }}', key_id=f'"{apns["key_id"]}"',
                            team_id=f'"{apns["team_id"]}"')

    def test_provider_pauses_keeps_everything_says_so_and_resumes_after_sighup(self):
        devices = [token(i, "cc") for i in range(20)]
        self.register_many(devices, "key")
        uid = self.server.result("send_push_notification", {"recipient": {"filter": {"topics": ["key"]}}, "notification": HELLO})["uid"]
        self.wait_health("InvalidProviderToken")
        self.assertIn("InvalidProviderToken", self.server.process.log.read_text())
        self.assertEqual(self.server.result("push_status", {"uid": uid})["state"], "running")
        self.assertEqual(len(self.tokens("key")), 20)
        sent = -1
        while sent != (now := self.simulator.control("GET", "/counters")["sends"]):  # what was under way comes to its end
            self.assertLessEqual(now, 2 * len(devices), "a refused provider is left alone but for one try with a fresh token")
            sent = now
            time.sleep(1)
        self.reload_provider(apns_section(self.simulator, "production", FAST))
        self.assertEqual(self.outcomes(self.server.wait_done(uid, 60)), {("apns", "accepted"): 20})


class TwoInstances(Apns):
    """One key, two apps: their requests share connections, which take one provider token each."""
    @classmethod
    def section(cls):
        return apns_section(cls.simulator, "production", FAST) + apns_section(cls.simulator, "both", FAST, name="apns-more")

    def test_of_one_key_do_not_take_turns_with_two_tokens(self):
        for prefix, provider in (("da", "apns"), ("db", "apns-more")):
            self.server.register_many([token(i, prefix) for i in range(200)], "two", provider=provider, platform="ios")
        hello = HELLO["apns"]
        for _ in range(3):
            outcomes = self.send_to("two", {"apns": hello, "apns-more": hello})
            self.assertEqual(self.outcomes(outcomes), {("apns", "accepted"): 200, ("apns-more", "accepted"): 200})
        refused = [entry for entry in self.journal() if entry["status"] == 429]
        self.assertEqual(refused, [])


# Name, fault, percent of the requests. What ends a connection takes its neighbours along: rarer.
FAULTS = (
    ("500", {"action": "status", "status": 500}, 50),
    ("503", {"action": "status", "status": 503}, 50),
    ("shutdown", {"action": "status", "status": 503, "body": {"reason": "Shutdown"}}, 5),
    ("idle timeout", {"action": "status", "status": 400, "body": {"reason": "IdleTimeout"}}, 5),
    ("unrelated key", {"action": "status", "status": 403, "body": {"reason": "UnrelatedKeyIdInToken"}}, 5),
    ("too many tokens", {"action": "status", "status": 429, "body": {"reason": "TooManyProviderTokenUpdates"}}, 5),
    ("refused stream", {"action": "rst", "code": "REFUSED_STREAM"}, 50),
    ("reset stream", {"action": "rst", "code": "INTERNAL_ERROR"}, 20),
    ("goaway", {"action": "goaway", "last_stream_id": "before", "debug": "{\"reason\":\"Shutdown\"}", "close": True}, 3),
    ("goaway in two", {"action": "goaway", "last_stream_id": "max", "debug": "{\"reason\":\"IdleTimeout\"}"}, 3),
    ("tcp reset", {"action": "tcp_reset"}, 3),
)
DEVICES = 300


class Trouble(Apns):
    def test_every_device_gets_it_once_faults_heal(self):
        for number, (name, action, percent) in enumerate(FAULTS):
            with self.subTest(fault=name):
                topic = f"rel2-{number}"
                devices = [token(i, f"f{number:x}") for i in range(DEVICES)]
                self.register_many(devices, topic)
                rule = {**action, "match": {"route": "apns", "percent": percent}}
                self.simulator.control("POST", "/faults", [rule])
                uid = self.server.result("send_push_notification", {"recipient": {"filter": {"topics": [topic]}}, "notification": HELLO})["uid"]
                end = time.monotonic() + 60
                while self.simulator.control("GET", "/faults")["faults"][0]["hits"] == 0:
                    self.assertLess(time.monotonic(), end, "the fault met nothing")
                    time.sleep(0.05)
                time.sleep(1)
                self.simulator.control("DELETE", "/faults")
                final = self.server.wait_done(uid, 120)
                self.assertEqual(self.outcomes(final), {("apns", "accepted"): DEVICES})
                self.assertEqual([d for d in devices if not self.phone(d)], [])
                self.assertEqual(len(self.tokens(topic)), DEVICES)

    def test_streams_that_shrink_after_refusals_lose_nothing(self):
        for excess in ("goaway", "refuse"):
            with self.subTest(excess=excess):
                self.simulator.control("PUT", "/config", {"apns_strict_streams": True, "apns_excess_streams": excess})
                topic, prefix = f"strict-{excess}", {"goaway": "c0", "refuse": "c1"}[excess]
                devices = [token(i, prefix if i % 10 else prefix + "5a") for i in range(300)]
                bad = [token(i, "bad0" + prefix) for i in range(12)]
                self.register_many(devices + bad, topic)
                status = self.send_to(topic, seconds=120)
                self.assertEqual(self.outcomes(status), {("apns", "accepted"): 300, ("apns", "gone"): 12})
                accepted = self.simulator.control("GET", "/tokens/" + devices[0])["times_accepted"]
                self.assertEqual(accepted, 1)

    def test_refused_connects_are_retried_with_backoff(self):
        self.simulator.control("POST", "/faults", [{"action": "refuse_connects"}, {"action": "tcp_reset", "match": {"route": "apns", "next": 1}}])
        self.register(token(1, "cb"), topics=["refused"])
        uid = self.server.result("send_push_notification", {"recipient": {"filter": {"topics": ["refused"]}}, "notification": HELLO})["uid"]
        time.sleep(3)
        self.assertEqual(self.server.result("push_status", {"uid": uid})["state"], "running")
        self.simulator.control("DELETE", "/faults")
        self.assertEqual(self.outcomes(self.server.wait_done(uid, 60)), {("apns", "accepted"): 1})


if __name__ == "__main__":
    unittest.main()
