# SPDX-License-Identifier: Apache-2.0
"""Push Kit with real processes: both kinds of API, partial success, dead tokens, wrong credentials, trouble that heals."""
import json
import pathlib
import ssl
import subprocess
import time
import unittest
import urllib.parse
import urllib.request

from harness import BUILD, RETRIES, EndToEnd, Server
from world import hms_section

HELLO = {"message": {"data": "{\"k\":\"v\"}", "android": {"notification": {"title": "Hello", "body": "You", "click_action": {"type": 3}}}}}
ALERT = {"message": {"payload": {"notification": {"category": "IM", "title": "Hello", "body": "You", "clickAction": {"actionType": 0}}}}}


class Hms(EndToEnd):
    """A server that knows Push Kit only: `hms` sends v1, `harmony` v3."""
    config_extra = RETRIES
    settings = {}

    @classmethod
    def make_server(cls, folder):
        return Server(BUILD, folder, cls.simulator, extra=cls.config_extra, providers=cls.section())

    @classmethod
    def section(cls):
        return hms_section(cls.simulator) + hms_section(cls.simulator, "v3", "harmony")

    def setUp(self):
        super().setUp()
        self.simulator.control("PUT", "/config", {"hms_devices_per_second": 0, "hms_foreign_app": False, "hms_push_right": True, "hms_auth_status": 401,
                                                  "hms_refusal_status": 400, "hms_numbers": False, "hms_objects": False, "hms_blanks": False})

    def register(self, device, provider="hms", **fields):
        return self.server.result("device_register", {"provider": provider, "token": device, "platform": "android", **fields})["id"]

    def register_many(self, tokens, topic, provider="hms"):
        self.server.register_many(tokens, topic, provider=provider)

    def push(self, topic, notification=None, **fields):
        return self.server.result("send_push_notification", {"recipient": {"filter": {"topics": [topic]}},
                                                             "notification": notification or {"hms": HELLO}, **fields})["uid"]

    def send_to(self, topic, notification=None, seconds=60):
        return self.server.wait_done(self.push(topic, notification), seconds)

    def hms(self):
        return self.simulator.control("GET", "/hms")

    def fault(self, **rule):
        self.simulator.control("POST", "/faults", {"action": "status", "match": {"route": "hms", **rule.pop("match", {})}, **rule})


class Pushes(Hms):
    def test_a_broadcast_reaches_every_phone_many_to_a_request(self):
        devices = [f"all-{i}" for i in range(1500)]
        self.register_many(devices, "all")
        before = self.hms()
        expires = int(time.time()) + 3600
        status = self.send_to("all", {"hms": HELLO, "expire_at": expires})
        self.assertEqual(self.outcomes(status), {("hms", "accepted"): 1500})
        self.assertEqual([d for d in devices if len(self.phone(d)) != 1], [])
        message = self.phone(devices[0])[-1]
        self.assertEqual((message["notification"]["title"], message["data"]), ("Hello", HELLO["message"]["data"]))
        self.assertTrue(3500 < int(message["ttl"].removesuffix("s")) <= 3600, message["ttl"])
        after = self.hms()
        self.assertEqual(after["devices"] - before["devices"], 1500)
        self.assertGreater(after["largest"], 500, "devices share requests")
        self.assertEqual(after["oauth_calls"], 1, "one token serves all")

    def test_both_generations_get_their_own_message(self):
        self.register("old-phone", topics=["both"])
        self.register("next-phone", provider="harmony", topics=["both"])
        status = self.send_to("both", {"hms": HELLO, "harmony": ALERT})
        self.assertEqual(self.outcomes(status), {("hms", "accepted"): 1, ("harmony", "accepted"): 1})
        message = self.phone("next-phone")[-1]
        self.assertEqual((message["notification"]["title"], message["headers"]["push-type"]), ("Hello", "0"))
        self.assertEqual(self.phone("old-phone")[-1]["notification"]["body"], "You")

    def test_a_title_from_the_command_line_is_right_for_either_generation(self):
        self.register("old-titled", topics=["titled"])
        self.register("next-titled", provider="harmony", topics=["titled"])
        subprocess.run([BUILD / "host/belfry", "send", "--config", self.server.config, "--topic", "titled", "--title", "Hello", "--body", "You", "--wait",
                        "--provider", "hms", "--provider", "harmony=hms"], check=True, capture_output=True, timeout=60)
        for device in ("old-titled", "next-titled"):
            shown = self.phone(device)[-1]["notification"]
            self.assertEqual((shown["title"], shown["body"]), ("Hello", "You"))

    def test_raw_tokens_topics_and_conditions(self):
        status = self.send({"hms_tokens": ["raw-1", "raw-2", "raw-1"]}, {"hms": HELLO})
        self.assertEqual(self.outcomes(status), {("hms", "accepted"): 3})
        self.assertEqual((len(self.phone("raw-1")), len(self.phone("raw-2"))), (1, 1), "a token given twice gets it once")
        self.assertEqual(self.hms()["repeated"], 0)
        bearer = self.access_token()
        for topic, tokens in (("news", ["sub-1", "sub-2"]), ("sport", ["sub-2"])):
            answer = self.huawei("/topic:subscribe", {"topic": topic, "tokenArray": tokens}, bearer)
            self.assertEqual(answer["code"], "80000000")
        self.assertEqual(self.outcomes(self.send({"hms_topic": "news"}, {"hms": HELLO})), {("hms", "accepted"): 1})
        self.assertEqual(self.outcomes(self.send({"hms_condition": "'news' in topics && 'sport' in topics"}, {"hms": HELLO})), {("hms", "accepted"): 1})
        self.assertEqual((len(self.phone("sub-1")), len(self.phone("sub-2"))), (1, 2))
        status = self.send({"tokens": {"provider": "harmony", "tokens": ["next-raw"]}}, {"harmony": ALERT})
        self.assertEqual(self.outcomes(status), {("harmony", "accepted"): 1})

    def access_token(self):
        hms = self.simulator.facts["hms"]
        secret = pathlib.Path(hms["client_secret_file"]).read_text()
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": hms["app_id"], "client_secret": secret}).encode()
        self.tls = ssl.create_default_context(cafile=self.simulator.facts["ca_file"])
        with urllib.request.urlopen(urllib.request.Request(hms["token_url"], data=form), context=self.tls) as answer:
            return json.loads(answer.read())["access_token"]

    def huawei(self, path, body, bearer):
        hms = self.simulator.facts["hms"]
        request = urllib.request.Request(f"{hms['url']}/v1/{hms['app_id']}{path}", data=json.dumps(body).encode(),
                                         headers={"Authorization": "Bearer " + bearer, "Content-Type": "application/json"})
        with urllib.request.urlopen(request, context=self.tls) as answer:
            return json.loads(answer.read())

    def test_bad_requests_are_refused_at_once_and_say_where(self):
        for recipient, notification, words in (
                ({"hms_tokens": ["a"]}, {"hms": {"message": {"data": {"k": "v"}}}}, "message.data"),
                ({"hms_tokens": ["a"]}, {"hms": {"message": {"android": {"notification": {"title": "t"}}}}}, "click_action"),
                ({"hms_tokens": ["a"]}, {"hms": {"message": {"data": "x" * 4097}}}, "4096"),
                ({"hms_tokens": ["a"]}, {"hms": ALERT}, "v3"),
                ({"tokens": {"provider": "harmony", "tokens": ["next-a"]}}, {"harmony": HELLO}, "v3"),
                ({"hms_tokens": ["a b"]}, {"hms": HELLO}, "token")):
            envelope = self.server.call("send_push_notification", {"recipient": recipient, "notification": notification})
            self.assertEqual(envelope.get("error", {}).get("code"), 107, envelope)
            self.assertIn(words, json.dumps(envelope))

    def test_marketing_beyond_the_quota_is_accepted_and_not_shown(self):
        self.register("shopper", topics=["shop"])
        offer = {"message": {"android": {**HELLO["message"]["android"], "category": "MARKETING"}}}
        for _ in range(3):
            self.assertEqual(self.outcomes(self.send_to("shop", {"hms": offer})), {("hms", "accepted"): 1})
        self.assertEqual((len(self.phone("shopper")), self.hms()["withheld"]), (2, 1))

    def test_a_dry_run_is_checked_by_huawei_and_reaches_nobody(self):
        status = self.send({"hms_tokens": ["dry-1"]}, {"hms": HELLO}, dry_run="provider")
        self.assertEqual(self.outcomes(status), {("hms", "accepted"): 1})
        self.assertEqual(self.phone("dry-1"), [])

    def test_dead_tokens_of_a_partial_success_are_deleted_and_no_others(self):
        for variation in ({}, {"hms_objects": True, "hms_numbers": True}):
            with self.subTest(variation=variation):
                self.simulator.control("PUT", "/config", variation)
                topic = "partly-" + str(len(variation))
                dead = {f"illegal-{topic}-{i}" for i in range(40)} | {f"foreign-{topic}-{i}" for i in range(10)}
                alive = {f"{topic}-{i}" for i in range(150)}
                self.register_many(sorted(dead | alive), topic)
                status = self.send_to(topic)
                self.assertEqual(self.outcomes(status), {("hms", "accepted"): 150, ("hms", "gone"): 50})
                self.assertEqual(self.wait_tokens(alive, topic), alive)
                self.assertEqual([d for d in alive if len(self.phone(d)) != 1], [], "the good ones are not sent again")

    def test_v3_says_by_token_which_are_dead(self):
        self.simulator.control("PUT", "/config", {"hms_blanks": True})
        kept = {f"next-{word}-1" for word in ("ok", "pushtype", "atomic", "country", "penalty", "image", "voice", "live", "odd")}
        dead = {"next-illegal-1", "next-platform-1", "next-foreign-1", "of-android-1"}
        for device in sorted(kept | dead):
            self.register(device, provider="harmony", topics=["words"])
        status = self.send_to("words", {"harmony": ALERT})
        self.assertEqual(self.outcomes(status), {("harmony", "accepted"): 1, ("harmony", "gone"): 4, ("harmony", "refused"): 8})
        self.assertEqual(self.wait_tokens(kept, "words"), kept)
        self.assertIn("noPushTypeRight", json.dumps(status["samples"]))


class Trouble(Hms):
    def test_expired_and_revoked_access_tokens_are_renewed_once(self):
        self.register("renewed", topics=["renew"])
        self.assertEqual(self.outcomes(self.send_to("renew")), {("hms", "accepted"): 1})
        for number, (call, status) in enumerate((("/expire-access-tokens", 401), ("/hms/revoke-access-tokens", 200))):
            with self.subTest(call=call):
                self.simulator.control("PUT", "/config", {"hms_auth_status": status})
                before = self.hms()
                self.simulator.control("POST", call)
                self.assertEqual(self.outcomes(self.send_to("renew")), {("hms", "accepted"): 1})
                after = self.hms()
                self.assertEqual((after["tokens_issued"] - before["tokens_issued"], after["sends"] - before["sends"]), (1, 2))
                self.assertEqual(len(self.phone("renewed")), 2 + number)

    def test_busy_and_broken_answers_lose_nothing(self):
        for number, rule in enumerate(({"status": 503, "empty": True, "retry_after_s": 1}, {"status": 500}, {"status": 502},
                                       {"status": 200, "body": "{\"code\":\"81000001\",\"msg\":\"x\"}"}, {"status": 500, "body": "{\"code\":\"80600003\"}", "next": 1},
                                       {"action": "tcp_reset"})):
            with self.subTest(rule=rule):
                topic = f"trouble-{number}"
                devices = [f"{topic}-{i}" for i in range(200)]
                self.register_many(devices, topic)
                self.fault(match={"next": rule.pop("next", 2)}, **rule)
                self.assertEqual(self.outcomes(self.send_to(topic, seconds=90)), {("hms", "accepted"): 200})
                self.assertEqual([d for d in devices if not self.phone(d)], [])
                self.assertGreater(self.simulator.control("GET", "/faults")["faults"][0]["hits"], 0)
                self.simulator.control("DELETE", "/faults")
                self.assertEqual(len(self.tokens(topic)), 200)

    def test_an_answer_that_says_nothing_is_asked_for_twice_at_most(self):
        self.register("silent", topics=["silent"])
        self.fault(status=200, body="{\"code\":\"8000", processed=True)
        status = self.send_to("silent")
        self.assertEqual(self.outcomes(status), {("hms", "internal"): 1})
        self.assertEqual(len(self.phone("silent")), 2)
        self.assertEqual(self.tokens("silent"), {"silent"})

    def test_half_an_answer_stops_nobody_and_deletes_the_dead_only(self):
        for number, cut in enumerate(({}, {"on_wire": True, "code": "INTERNAL_ERROR"})):
            with self.subTest(cut=cut):
                topic = f"cut-{number}"
                alive, dead = {f"{topic}-{i}" for i in range(30)}, {f"illegal-{topic}-{i}" for i in range(5)}
                self.register_many(sorted(alive | dead), topic)
                self.fault(action="truncate", match={"next": 1}, **cut)
                self.assertEqual(self.outcomes(self.send_to(topic)), {("hms", "accepted"): 30, ("hms", "gone"): 5})
                self.assertEqual(self.simulator.control("GET", "/faults")["faults"][0]["hits"], 1)
                self.assertEqual(self.wait_tokens(alive, topic), alive)
                # Nobody knew whether the first had arrived.
                self.assertEqual({len(self.phone(device)) for device in alive}, {2})
                self.assertNotIn("refuses our credential", self.server.process.log.read_text())
                self.simulator.control("DELETE", "/faults")

    def test_a_refused_message_is_refused_for_all_at_once(self):
        devices = [f"refused-{i}" for i in range(300)]
        self.register_many(devices, "refused")
        high = {"message": {"android": {"notification": {"title": "t", "body": "b", "importance": "HIGH", "click_action": {"type": 3}}}}}
        status = self.send_to("refused", {"hms": high})
        self.assertEqual(self.outcomes(status), {("hms", "refused"): 300})
        self.assertIn("80300011", json.dumps(status["samples"]))
        self.assertEqual(len(self.tokens("refused")), 300)

    def test_what_goes_to_one_device_only_is_split(self):
        devices = [f"single-{i}" for i in range(5)]
        self.register_many(devices, "single")
        self.fault(status=400, body="{\"code\":\"80100002\",\"msg\":\"one token only\"}", match={"next": 1})
        before = self.hms()["sends"]
        self.assertEqual(self.outcomes(self.send_to("single")), {("hms", "accepted"): 5})
        self.assertEqual([len(self.phone(d)) for d in devices], [1] * 5)
        self.assertEqual(self.hms()["sends"] - before, 5)


class ForeignApp(Hms):
    def test_when_every_token_is_illegal_nothing_is_deleted(self):
        self.simulator.control("PUT", "/config", {"hms_foreign_app": True})
        devices = [f"device-{i}" for i in range(300)]
        self.register_many(devices, "foreign")
        status = self.send_to("foreign")
        self.assertEqual(self.outcomes(status), {("hms", "refused"): 300})
        self.assertIn("kept: no device was served", json.dumps(status["samples"]))
        time.sleep(0.5)
        self.assertEqual(len(self.tokens("foreign")), 300)
        self.wait_health("deletions")
        # Proven by many, a few dead tokens that get requests of their own are believed.
        self.simulator.control("PUT", "/config", {"hms_foreign_app": False})
        for _ in range(12):
            self.assertEqual(self.outcomes(self.send_to("foreign")), {("hms", "accepted"): 300})
        for name in ("one", "two"):
            self.register("illegal-" + name, topics=[name])
            self.assertEqual(self.outcomes(self.send_to(name)), {("hms", "gone"): 1})
            self.assertEqual(self.wait_tokens(set(), name), set())
        # Most requests are answered like that again: nobody is believed any more.
        self.simulator.control("PUT", "/config", {"hms_foreign_app": True})
        for _ in range(8):
            self.send_to("foreign")
        status = self.send_to("foreign")
        self.assertEqual(self.outcomes(status), {("hms", "refused"): 300})
        self.assertIn("kept: too many requests", json.dumps(status["samples"]))
        self.assertEqual(len(self.tokens("foreign")), 300)


class WrongSecret(Hms):
    @classmethod
    def section(cls):
        wrong = cls.folder / "wrong-secret"
        wrong.write_text("not the secret")
        wrong.chmod(0o600)
        return hms_section(cls.simulator, client_secret=f'{{ file = "{wrong}" }}')

    def test_the_provider_pauses_says_so_keeps_everything_and_heals(self):
        devices = [f"device-{i}" for i in range(20)]
        self.register_many(devices, "secret")
        uid = self.push("secret")
        self.wait_health("client_secret")
        time.sleep(1)
        self.assertEqual((self.hms()["sends"], self.hms()["oauth_calls"]), (0, 1), "nothing is sent, the secret is not tried again and again")
        self.assertEqual(self.server.result("push_status", {"uid": uid})["state"], "running")
        self.assertEqual(len(self.tokens("secret")), 20)
        self.reload_provider(hms_section(self.simulator))
        self.assertEqual(self.outcomes(self.server.wait_done(uid, 60)), {("hms", "accepted"): 20})


class NoRight(Hms):
    def test_an_app_without_the_right_pauses_its_provider_only(self):
        self.simulator.control("PUT", "/config", {"hms_push_right": False})
        self.register_many([f"device-{i}" for i in range(20)], "right")
        uid = self.push("right")
        self.wait_health("80300002")
        self.assertEqual(self.server.result("push_status", {"uid": uid})["state"], "running")
        self.assertEqual(len(self.tokens("right")), 20)
        self.simulator.control("PUT", "/config", {"hms_push_right": True})
        self.reload_provider(self.section())
        self.assertEqual(self.outcomes(self.server.wait_done(uid, 90)), {("hms", "accepted"): 20})


class ShortTokens(Hms):
    simulator_arguments = ("--token-lifetime-s", "14")

    def test_access_tokens_are_renewed_while_pushes_go_on(self):
        """When, and that none is used in its last seconds, host/delivery/authorizer_test.cpp says, by a clock of its own."""
        self.register("steady", topics=["steady"])
        before, end = self.hms()["tokens_issued"], time.monotonic() + 120
        while self.hms()["tokens_issued"] < before + 2:
            self.assertLess(time.monotonic(), end, "no token was renewed")
            status = self.send_to("steady", seconds=60)
            self.assertEqual(self.outcomes(status), {("hms", "accepted"): 1})
            self.assertEqual(status["samples"], [], "an expired token costs a request, no attempt")
            time.sleep(0.25)


class OtherGeneration(Hms):
    @classmethod
    def section(cls):
        return hms_section(cls.simulator)

    def test_a_device_keeps_the_generation_it_was_registered_for(self):
        self.register("from-android", topics=["upgrade"])
        self.reload_provider(hms_section(self.simulator, "v3"))
        self.wait_v3()
        status = self.send_to("upgrade", {"hms": ALERT})
        self.assertEqual(self.outcomes(status), {("hms", "accepted"): 1, ("hms", "refused"): 1})
        self.assertIn("OTHER_GENERATION", json.dumps(status["samples"]))
        self.assertEqual(self.tokens("upgrade"), {"from-android", "next-phone"}, "refused, not given up")

    def wait_v3(self, seconds=20):
        """Until a device of the new generation is served."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            envelope = self.server.call("send_push_notification", {"recipient": {"hms_tokens": ["next-probe"]}, "notification": {"hms": ALERT}})
            if "error" not in envelope:
                self.register("next-phone", topics=["upgrade"])
                return
            time.sleep(0.1)
        self.fail("the new generation does not take its messages")


class V2(Hms):
    @classmethod
    def section(cls):
        return hms_section(cls.simulator, "v2")

    def test_v2_names_the_project(self):
        self.register("v2-phone", topics=["v2"])
        self.assertEqual(self.outcomes(self.send_to("v2")), {("hms", "accepted"): 1})
        total = self.simulator.control("GET", "/counters")["journal_total"]
        sends = [e for e in self.simulator.control("GET", f"/journal?offset={max(0, total - 100)}")["entries"] if e["route"] == "hms"]
        self.assertEqual({e["project"] for e in sends}, {"v2"})


if __name__ == "__main__":
    unittest.main()
