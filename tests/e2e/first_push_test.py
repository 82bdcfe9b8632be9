# SPDX-License-Identifier: Apache-2.0
"""The first push end to end, through the server's HTTP API and TLS HTTP/2 to the simulator."""
import time
import unittest

from harness import EndToEnd

HELLO = {"fcm": {"message": {"notification": {"title": "Hello", "body": "How are you?"}}}}


class FirstPush(EndToEnd):
    def test_example_call_reaches_the_phone_and_is_counted(self):
        self.register("ok-1", topics=["test"])
        uid = self.server.result("send_push_notification", {"recipient": {"filter": {"topics": ["test"]}}, "notification": HELLO})["uid"]
        status = self.server.wait_done(uid)
        self.assertEqual(status["planned"], 1)
        self.assertTrue(status["planned_final"])
        self.assertEqual(self.outcomes(status), {("fcm", "accepted"): 1})
        message = self.phone("ok-1")[-1]
        self.assertEqual(message["notification"], {"title": "Hello", "body": "How are you?"})

    def test_raw_tokens_users_and_native_topics_arrive(self):
        self.register("ok-u1", user="42")
        self.register("ok-u2", user="42")
        for recipient, planned in (({"fcm_tokens": ["ok-raw-1", "ok-raw-2"]}, 2), ({"filter": {"users": ["42"]}}, 2),
                                   ({"fcm_topic": "news"}, 1), ({"fcm_condition": "'a' in topics"}, 1)):
            with self.subTest(recipient=recipient):
                status = self.send(recipient, HELLO)
                self.assertEqual(self.outcomes(status), {("fcm", "accepted"): planned})
        for token in ("ok-raw-1", "ok-raw-2", "ok-u1", "ok-u2"):
            self.assertEqual(len(self.phone(token)), 1, token)

    def test_same_uid_is_sent_once_and_another_request_conflicts(self):
        self.register("ok-same", topics=["same"])
        params = {"uid": "u-1", "recipient": {"filter": {"topics": ["same"]}}, "notification": HELLO}
        for _ in range(3):
            self.assertEqual(self.server.result("send_push_notification", params), {"uid": "u-1"})
        self.server.wait_done("u-1")
        params["notification"] = {"fcm": {"message": {"notification": {"title": "Other"}}}}
        self.assertEqual(self.server.call("send_push_notification", params)["error"]["code"], 113)
        self.assertEqual(len(self.phone("ok-same")), 1)

    def test_send_at_waits_and_cancel_before_it_sends_nothing(self):
        self.register("ok-later", topics=["later"])
        due = int(time.time()) + 5
        params = {"uid": "later-1", "send_at": due, "recipient": {"filter": {"topics": ["later"]}}, "notification": HELLO}
        self.server.result("send_push_notification", params)
        self.server.result("send_push_notification", {**params, "uid": "later-2"})
        self.assertEqual(self.server.result("cancel_push", {"uid": "later-2"}), {})
        self.assertEqual(self.server.result("push_status", {"uid": "later-1"})["state"], "delayed")
        self.server.wait_done("later-1")
        self.assertGreaterEqual(time.time(), due)
        self.assertEqual(self.server.wait_done("later-2")["state"], "cancelled")
        self.assertEqual(len(self.phone("ok-later")), 1)
        self.assertEqual(self.server.call("cancel_push", {"uid": "no-such"})["error"]["code"], 104)

    def test_expired_pushes_are_never_attempted(self):
        self.register("ok-old", topics=["old"])
        status = self.send({"filter": {"topics": ["old"]}}, {**HELLO, "expire_at": int(time.time()) - 5})
        self.assertIn(status["state"], ("expired", "done"))
        self.assertEqual(self.phone("ok-old"), [])

    def test_dead_token_is_deleted_and_a_refused_payload_deletes_nothing(self):
        self.register("unreg-1", topics=["mixed"])
        self.register("ok-alive", topics=["mixed"])
        status = self.send({"filter": {"topics": ["mixed"]}}, HELLO)
        self.assertEqual(self.outcomes(status), {("fcm", "accepted"): 1, ("fcm", "gone"): 1})
        self.assertEqual(self.wait_tokens({"ok-alive"}, topic="mixed"), {"ok-alive"})
        big = {"fcm": {"message": {"data": {"k": "x" * 3900}, "notification": {"title": "y" * 300}}}}
        status = self.send({"filter": {"topics": ["mixed"]}}, big)
        self.assertEqual(self.outcomes(status), {("fcm", "refused"): 1})
        self.assertTrue(status["samples"])
        self.assertEqual(self.tokens("mixed"), {"ok-alive"})

    def test_provider_dry_run_validates_and_shows_nothing_on_the_phone(self):
        status = self.send({"fcm_tokens": ["ok-dry"]}, HELLO, dry_run="provider")
        self.assertEqual(self.outcomes(status), {("fcm", "accepted"): 1})
        self.assertEqual(self.phone("ok-dry"), [])

    def test_pushes_survive_a_restart_between_accept_and_send(self):
        self.register("ok-restart", topics=["restart"])
        self.simulator.control("POST", "/faults", [{"action": "status", "status": 503, "retry_after_s": 1}])
        params = {"uid": "restart-1", "recipient": {"filter": {"topics": ["restart"]}}, "notification": HELLO}
        self.server.result("send_push_notification", params)
        self.server.kill()
        self.simulator.control("DELETE", "/faults")
        self.server.start()
        self.assertEqual(self.server.result("send_push_notification", params), {"uid": "restart-1"})
        self.server.wait_done("restart-1", 60)
        self.assertGreaterEqual(len(self.phone("ok-restart")), 1)

    def test_cancelled_small_pushes_stay_cancelled_over_a_kill(self):
        self.simulator.control("POST", "/faults", [{"action": "black_hole"}])
        uids = [f"bundle-{i}" for i in range(24)]
        commands = [{"send_push_notification": {"uid": uid, "recipient": {"fcm_tokens": [f"ok-{uid}"]}, "notification": HELLO}} for uid in uids]
        replies = self.server.call("batch", {"commands": commands, "parallel": True})["replies"]
        self.assertEqual(len([reply for reply in replies if "error" not in reply]), len(uids))
        cancelled, kept = uids[::2], uids[1::2]
        for uid in cancelled:
            self.server.result("cancel_push", {"uid": uid})
        self.server.kill()
        self.simulator.control("DELETE", "/faults")
        self.server.start()
        for uid in kept:
            self.assertEqual(self.server.wait_done(uid)["state"], "done")
            self.assertGreaterEqual(len(self.phone(f"ok-{uid}")), 1)
        self.assertEqual([uid for uid in cancelled if self.phone(f"ok-{uid}")], [])


if __name__ == "__main__":
    unittest.main()
