# SPDX-License-Identifier: Apache-2.0
"""REL-2 and REL-4 for FCM: faults heal without loss, wrong credentials pause and delete nothing."""
import json
import pathlib
import signal
import subprocess
import time
import unittest

from harness import BUILD, HELLO, RETRIES, EndToEnd, Server, fcm_section, http

DEVICES = 400


FAULTS = {
    "429": {"action": "status", "status": 429, "retry_after_s": 1},
    "503": {"action": "status", "status": 503, "retry_after_s": 1},
    "500": {"action": "status", "status": 500},
    "502 html": {"action": "status", "status": 502, "body": "<html>Bad gateway</html>"},
    "refused stream": {"action": "rst", "code": "REFUSED_STREAM"},
    "goaway": {"action": "goaway", "last_stream_id": "before", "close": True},
    "tcp reset": {"action": "tcp_reset"},
}


class ProviderTrouble(EndToEnd):
    config_extra = RETRIES

    def test_every_device_gets_it_once_half_of_the_answers_are_faults(self):
        for number, (name, action) in enumerate(FAULTS.items()):
            with self.subTest(fault=name):
                topic = f"rel2-{number}"
                self.server.register_many([f"ok-{topic}-{i}" for i in range(DEVICES)], topic)
                # What breaks a connection takes its neighbours along: rarer, so that some get through.
                percent = 5 if action["action"] in ("goaway", "tcp_reset") else 50
                self.simulator.control("POST", "/faults", [{**action, "match": {"route": "send", "percent": percent}}])
                uid = self.server.result("send_push_notification", {"recipient": {"filter": {"topics": [topic]}}, "notification": HELLO})["uid"]
                time.sleep(2)
                self.simulator.control("DELETE", "/faults")
                final = self.server.wait_done(uid, 90)
                self.assertEqual(self.outcomes(final), {("fcm", "accepted"): DEVICES})
                missing = [i for i in range(DEVICES) if not self.phone(f"ok-{topic}-{i}")]
                self.assertEqual(missing, [])
                self.assertEqual(len(self.tokens(topic)), DEVICES)


class Throttled(EndToEnd):
    def test_a_reload_for_something_else_keeps_a_providers_pause_and_its_token(self):
        self.simulator.control("POST", "/faults", [{"action": "status", "status": 429, "retry_after_s": 600, "match": {"route": "send"}}])
        self.server.result("send_push_notification", {"recipient": {"fcm_tokens": ["ok-paused"]}, "notification": HELLO})
        self.wait_health("throttled")
        requests = lambda: self.simulator.control("GET", "/counters")["requests"]
        before = requests()
        text = self.server.config.read_text()
        self.server.config.write_text(text.replace("[providers.fcm]", "[log]\nlevel = \"warning\"\n[providers.fcm]\nrate = { per_minute = 4200 }"))
        self.server.process.child.send_signal(signal.SIGHUP)
        metrics = lambda: http("GET", self.server.url + "/metrics")[1].decode()
        self.server.process.wait_until(lambda: 'belfry_provider_pace_per_minute{provider="fcm"} 4200\n' in metrics(), 30, "new rate")
        time.sleep(2)
        self.assertIn("throttled", self.health())
        self.assertEqual(requests(), before, "nothing is sent, no token fetched")


CUTS = ({}, {"on_wire": True, "code": "INTERNAL_ERROR"})


class CutAnswers(EndToEnd):
    config_extra = RETRIES

    def test_half_an_answer_about_one_device_stops_nobody(self):
        for number, cut in enumerate(CUTS):
            with self.subTest(cut=cut):
                topic = f"cut-{number}"
                good = [f"ok-{topic}-{i}" for i in range(50)]
                self.server.register_many(good + [f"unreg-{topic}"], topic)
                self.simulator.control("POST", "/faults", [{"action": "truncate", **cut, "match": {"route": "send", "token_prefix": "unreg-", "next": 1}}])
                final = self.send({"filter": {"topics": [topic]}}, HELLO)
                self.assertEqual(self.simulator.control("GET", "/faults")["faults"][0]["hits"], 1)
                self.assertEqual(self.outcomes(final), {("fcm", "accepted"): 50, ("fcm", "gone"): 1})
                self.assertEqual([token for token in good if len(self.phone(token)) != 1], [])
                self.assertEqual(self.wait_tokens(set(good), topic), set(good))
                self.assertNotIn("refuses our credential", self.server.process.log.read_text())
                self.simulator.control("DELETE", "/faults")

    def test_sums_are_exact_while_a_third_of_all_answers_break_off(self):
        good, dead = [f"ok-third-{i}" for i in range(DEVICES)], [f"unreg-third-{i}" for i in range(20)]
        self.server.register_many(good + dead, "third")
        self.simulator.control("POST", "/faults", [{"action": "truncate", **CUTS[1], "match": {"route": "send", "percent": 33}}])
        final = self.send({"filter": {"topics": ["third"]}}, HELLO)
        self.assertEqual(self.outcomes(final), {("fcm", "accepted"): DEVICES, ("fcm", "gone"): len(dead)})
        self.assertEqual(self.wait_tokens(set(good), "third"), set(good))
        self.assertNotIn("refuses our credential", self.server.process.log.read_text())


class RefusedPlatform(EndToEnd):
    config_extra = RETRIES
    REFUSAL = {"error": {"code": 401, "message": "Auth error from APNS or Web Push Service", "status": "UNAUTHENTICATED",
                         "details": [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "THIRD_PARTY_AUTH_ERROR"}]}}

    def test_is_said_while_the_others_are_served_and_no_more_once_it_works(self):
        for i in range(10):
            self.register(f"ok-droid-{i}", topics=["both"])
            self.register(f"ok-apple-{i}", topics=["both"], platform="ios")
        self.simulator.control("POST", "/faults", [{"action": "status", "status": 401, "body": self.REFUSAL, "match": {"route": "send", "token_prefix": "ok-apple-"}}])
        uid = self.server.result("send_push_notification", {"recipient": {"filter": {"topics": ["both"]}}, "notification": HELLO})["uid"]
        self.wait_health("ios is refused: THIRD_PARTY_AUTH_ERROR")
        self.server.process.wait_until(lambda: all(self.phone(f"ok-droid-{i}") for i in range(10)), 20, "the others")
        [provider] = self.admin("GET", "providers")["items"]
        self.assertEqual((provider["state"], provider["operator_must_act"]), ("open", True))
        [platform] = provider["platforms"]
        self.assertEqual((platform["name"], platform["state"]), ("ios", "refused"))
        shown = subprocess.run([BUILD / "host/belfry", "providers", "--config", self.server.config], capture_output=True, text=True,
                               timeout=60, check=True)
        self.assertIn("ios is refused: THIRD_PARTY_AUTH_ERROR", shown.stdout)
        metrics = http("GET", self.server.url + "/metrics")[1].decode()
        self.assertIn('belfry_provider_platforms_refused{provider="fcm"} 1\n', metrics)
        self.assertIn('belfry_provider_needs_operator{provider="fcm"} 1\n', metrics)
        self.simulator.control("DELETE", "/faults")
        self.assertEqual(self.outcomes(self.server.wait_done(uid, 120)), {("fcm", "accepted"): 20})
        [provider] = self.admin("GET", "providers")["items"]
        self.assertNotIn("platforms", provider)
        self.assertFalse(provider["operator_must_act"])
        self.assertEqual(self.server.process.log.read_text().count("platform refuses our credential"), 1)


class WrongCredentials(EndToEnd):
    @classmethod
    def make_server(cls, folder):
        key = json.loads(pathlib.Path(cls.simulator.facts["service_account"]).read_text())
        key["client_email"] = "nobody@demo.example"
        cls.wrong = cls.folder / "wrong.json"
        cls.wrong.write_text(json.dumps(key))
        cls.wrong.chmod(0o600)
        return Server(BUILD, folder, cls.simulator, providers=fcm_section(cls.simulator, credentials=cls.wrong))

    def test_provider_pauses_keeps_the_queue_deletes_nothing_and_says_so(self):
        for i in range(20):
            self.register(f"ok-cred-{i}", topics=["cred"])
        uid = self.server.result("send_push_notification", {"recipient": {"filter": {"topics": ["cred"]}}, "notification": HELLO})["uid"]
        deadline = time.monotonic() + 15
        health = {}
        while time.monotonic() < deadline:
            health = json.loads(http("GET", self.server.url + "/health")[1])
            if "account not found" in json.dumps(health):
                break
            time.sleep(0.1)
        self.assertIn("account not found", json.dumps(health))
        self.assertEqual(self.server.result("push_status", {"uid": uid})["state"], "running")
        self.assertEqual(len(self.tokens("cred")), 20)
        self.assertIn("account not found", self.server.process.log.read_text())
        self.assertEqual(sum(len(self.phone(f"ok-cred-{i}")) for i in range(20)), 0)
        text = self.server.config.read_text().replace(str(self.wrong), self.simulator.facts["service_account"])
        self.server.config.write_text(text)
        self.server.process.child.send_signal(signal.SIGHUP)
        self.assertEqual(self.outcomes(self.server.wait_done(uid, 60)), {("fcm", "accepted"): 20})


if __name__ == "__main__":
    unittest.main()
