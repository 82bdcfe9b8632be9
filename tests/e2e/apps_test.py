# SPDX-License-Identifier: Apache-2.0
"""Apps with keys and provider instances of their own, under the same wire names: nothing of one is seen or reached from another."""
import pathlib
import tempfile
import unittest

from harness import BUILD, HELLO, EndToEnd, Server, Simulator


class Apps(EndToEnd):
    @classmethod
    def setUpClass(cls):
        owner = tempfile.TemporaryDirectory(prefix="belfry-e2e-")
        cls.addClassCleanup(owner.cleanup)
        folder = pathlib.Path(owner.name)
        cls.simulator = Simulator(BUILD, folder / "simulator")
        cls.addClassCleanup(cls.simulator.stop)
        facts = cls.simulator.facts
        extra = f"""
[providers.fcm-shop]
plugin = "fcm"
credentials = {{ file = "{facts['service_account']}" }}
endpoint = "{facts['fcm_url']}"
ca_file = "{facts['ca_file']}"

[apps.shop]
keys = [ {{ name = "shop", key = "shop-key" }}, {{ name = "shop-2", key = "shop-key-2" }} ]
providers = {{ fcm = "fcm-shop" }}
"""
        cls.server = Server(BUILD, folder / "server", cls.simulator, extra=extra)
        cls.addClassCleanup(cls.stop_server)

    def as_app(self, key):
        self.server.KEY = key
        self.addCleanup(lambda: self.server.__dict__.pop("KEY", None))

    def listed(self, **filter_):
        return self.server.result("device_list", {"filter": filter_})["items"]

    def test_wire_names_lead_to_the_apps_own_instance(self):
        self.as_app("shop-key")
        id_ = self.register("ok-apps-own", topics=["own"])
        self.assertEqual([item["provider"] for item in self.listed(ids=[id_])], ["fcm"])
        self.assertEqual(self.outcomes(self.send({"filter": {"topics": ["own"], "providers": ["fcm"]}}, HELLO)), {("fcm", "accepted"): 1})
        self.assertEqual(self.outcomes(self.send({"fcm_tokens": ["ok-apps-raw"]}, HELLO)), {("fcm", "accepted"): 1})
        self.assertEqual(len(self.phone("ok-apps-own")), 1)
        for params in ({"provider": "fcm-shop", "token": "ok-x"}, {"provider": "apns", "token": "ok-x"}):
            error = self.server.call("device_register", params)["error"]
            self.assertEqual((error["code"], error["message"].startswith("provider: ")), (107, True), error)

    def test_one_token_topic_user_and_uid_in_two_apps_are_two(self):
        mine = self.register("ok-apps-same", user="same", topics=["same"])
        uid = self.server.result("send_push_notification", {"recipient": {"filter": {"topics": ["same"]}}, "notification": HELLO, "uid": "same"})
        self.server.wait_done("same")
        self.as_app("shop-key")
        self.assertEqual(self.listed(users=["same"]), [])
        theirs = self.register("ok-apps-same", user="same")
        self.assertNotEqual(mine, theirs)
        self.server.result("user_topic_update", {"user": "same", "op": "set", "topics": ["theirs"]})
        self.assertEqual(self.server.call("push_status", uid)["error"]["code"], 104)
        for method in ("cancel_push", "push_pause", "push_resume"):
            self.assertEqual(self.server.call(method, uid)["error"]["code"], 104, method)
        self.assertEqual(self.server.result("recipient_count", {"recipient": {"filter": {"topics": ["same"]}}})["devices"], 0)
        self.assertEqual(self.send({"filter": {"users": ["same"]}}, HELLO, uid="same")["planned"], 1)
        self.assertEqual(len(self.phone("ok-apps-same")), 2)
        self.server.result("device_remove", {"users": ["same"]})
        self.server.__dict__.pop("KEY")
        self.assertEqual([item["id"] for item in self.listed(users=["same"])], [mine])
        topics = self.server.result("device_topic_list", {"filter": {"device_users": ["same"]}})["items"]
        self.assertEqual([item["topic"] for item in topics], ["same"])
        self.assertEqual(self.server.result("user_topic_list", {"filter": {"users": ["same"]}}), {"items": []})
        self.assertEqual(self.server.result("push_status", uid)["planned"], 1)

    def test_every_key_of_an_app_sees_the_same(self):
        self.as_app("shop-key")
        id_ = self.register("ok-apps-keys", user="keys")
        self.server.KEY = "shop-key-2"
        self.assertEqual([item["id"] for item in self.listed(users=["keys"])], [id_])

    def test_ids_of_one_app_are_refused_by_another(self):
        id_ = self.register("ok-apps-id")
        self.as_app("shop-key")
        for method, params in (("device_register", {"id": id_, "provider": "fcm", "token": "ok-apps-id"}), ("device_remove", {"ids": [id_]}),
                               ("device_update", {"ids": [id_], "locale_update": {"locale": "de"}}),
                               ("device_topic_update", {"device_id": id_, "op": "set"}), ("device_list", {"filter": {"ids": [id_]}}),
                               ("device_topic_list", {"filter": {"device_ids": [id_]}})):
            self.assertEqual(self.server.call(method, params)["error"]["code"], 107, method)


if __name__ == "__main__":
    unittest.main()
