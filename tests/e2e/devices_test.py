# SPDX-License-Identifier: Apache-2.0
"""Devices, their topics and users' topics through the API, over the embedded storage: what each method changes, and what it leaves."""
import concurrent.futures
import unittest

from harness import HELLO, EndToEnd

APPS = """
[apps.shop]
keys = [ { name = "shop", key = "shop-key" } ]
"""


class Devices(EndToEnd):
    config_extra = APPS

    def setUp(self):
        super().setUp()
        self.mark = self.id().rsplit(".", 1)[-1][:40]

    def token(self, name):
        return f"ok-{self.mark}-{name}"

    def device(self, id_, **include):
        items = self.server.result("device_list", {"filter": {"ids": [id_]}, "include_topics": True, "include_meta": True, **include})["items"]
        self.assertLessEqual(len(items), 1)
        return items[0] if items else None

    def topics_of(self, id_):
        return sorted((self.device(id_) or {}).get("topics", []))

    def user_topics(self, user, op, *topics):
        self.assertEqual(self.server.result("user_topic_update", {"user": user, "op": op, "topics": list(topics)}), {})

    # ---- the table of registrations ----

    def test_same_token_without_id_is_the_same_device(self):
        first = self.register(self.token("a"), user="u1")
        self.assertEqual(self.register(self.token("a"), user="u2"), first)
        self.assertEqual(self.device(first)["user"], "u2")

    def test_new_token_without_id_is_a_new_device(self):
        self.assertNotEqual(self.register(self.token("a")), self.register(self.token("b")))

    def test_own_id_keeps_the_device_over_a_new_token(self):
        id_ = self.register(self.token("a"), topics=["t"])
        created = self.device(id_)["created_at"]
        self.assertEqual(self.register(self.token("b"), id=id_, user="u"), id_)
        device = self.device(id_)
        self.assertEqual((device["token"], device["user"], device["created_at"]), (self.token("b"), "u", created))
        self.assertNotIn("topics", device)

    def test_a_device_that_is_gone_comes_back_under_its_id(self):
        id_ = self.register(self.token("a"))
        self.server.result("device_remove", {"ids": [id_]})
        self.assertIsNone(self.device(id_))
        self.assertEqual(self.register(self.token("a"), id=id_), id_)
        self.assertEqual(self.device(id_)["token"], self.token("a"))

    def test_the_id_of_one_with_the_token_of_another_removes_the_other(self):
        a, b = self.register(self.token("a")), self.register(self.token("b"))
        self.assertEqual(self.register(self.token("b"), id=a), a)
        self.assertIsNone(self.device(b))
        self.assertEqual(self.device(a)["token"], self.token("b"))

    def test_ids_of_wrong_form_or_other_apps_are_107(self):
        id_ = self.register(self.token("a"))
        wrong = id_[:-1] + ("0" if id_[-1] != "0" else "1")
        for bad in ("x", "phone-1", id_ + "0", wrong):
            self.error("device_register", {"id": bad, "provider": "fcm", "token": self.token("a")}, 107, "id: ")
        self.server.KEY = "shop-key"
        try:
            self.error("device_register", {"id": id_, "provider": "fcm", "token": self.token("a")}, 107, "id: ")
        finally:
            del self.server.KEY

    def test_first_registrations_of_one_token_at_once_are_one_device(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            ids = set(pool.map(lambda _: self.register(self.token("race")), range(24)))
        self.assertEqual(len(ids), 1)

    def test_registering_replaces_the_whole_state(self):
        id_ = self.register(self.token("a"), user="u", topics=["t"], timezone="Europe/Berlin", locale="de", meta={"k": "v"})
        full = self.device(id_)
        self.assertEqual((full["timezone"], full["locale"], full["meta"]), ("Europe/Berlin", "de", {"k": "v"}))
        self.register(self.token("a"))
        self.assertEqual(set(self.device(id_)), {"id", "platform", "provider", "token", "created_at", "updated_at"})

    # ---- origins of topics ----

    def test_user_topics_reach_devices_at_once_and_leave_what_they_chose_themselves(self):
        user = self.mark
        id_ = self.register(self.token("a"), user=user, topics=["own", "both"])
        self.user_topics(user, "add", "both", "users")
        self.assertEqual(self.topics_of(id_), ["both", "own", "users"])
        self.user_topics(user, "remove", "both", "own")
        self.assertEqual(self.topics_of(id_), ["both", "own", "users"])
        self.user_topics(user, "set")
        self.assertEqual(self.topics_of(id_), ["both", "own"])

    def test_a_devices_change_leaves_what_its_user_has(self):
        user = self.mark
        self.user_topics(user, "set", "users")
        id_ = self.register(self.token("a"), user=user, topics=["own"])
        self.server.result("device_topic_update", {"device_id": id_, "op": "remove", "topics": ["users", "own"]})
        self.assertEqual(self.topics_of(id_), ["users"])
        self.server.result("device_topic_update", {"device_id": id_, "op": "set", "topics": ["new"]})
        self.assertEqual(self.topics_of(id_), ["new", "users"])

    def test_the_empty_user_binds_at_the_next_registration(self):
        id_ = self.register(self.token("a"))
        self.user_topics("", "add", "everybody")
        try:
            self.assertEqual(self.topics_of(id_), [])
            self.register(self.token("a"))
            self.assertEqual(self.topics_of(id_), ["everybody"])
            items = self.server.result("user_topic_list", {"filter": {"users": [""]}})["items"]
            self.assertEqual([(item["user"], item["topic"]) for item in items], [("", "everybody")])
        finally:
            self.user_topics("", "set")

    # ---- device_update ----

    def test_update_changes_what_is_given(self):
        id_ = self.register(self.token("a"), user="u", topics=["t"], meta={"k": "v"}, timezone="UTC", locale="en")
        before = self.device(id_)
        self.assertEqual(self.server.result("device_update", {"ids": [id_], "meta_update": {"meta": {"n": "1"}}}), {})
        self.assertEqual({**before, "meta": {"n": "1"}}, {**self.device(id_), "updated_at": before["updated_at"]})
        self.server.result("device_update", {"ids": [id_], "timezone_update": {"timezone": "Asia/Tokyo"}, "locale_update": {},
                                             "topics_update": {"op": "add", "topics": ["t2"]}})
        after = self.device(id_)
        self.assertEqual((after["timezone"], after.get("locale"), after["topics"], after["user"]), ("Asia/Tokyo", None, ["t", "t2"], "u"))

    def test_update_by_user_reaches_all_devices_of_the_user(self):
        user = self.mark
        ids = [self.register(self.token(n), user=user) for n in "abc"]
        other = self.register(self.token("d"), user=user + "-other")
        self.server.result("device_update", {"users": [user], "locale_update": {"locale": "fr"}})
        self.assertEqual([self.device(id_).get("locale") for id_ in (*ids, other)], ["fr", "fr", "fr", None])
        self.server.result("device_update", {"ids": [ids[0], other], "users": [user], "locale_update": {"locale": "it"}})
        self.assertEqual([self.device(id_).get("locale") for id_ in (ids[0], ids[1], other)], ["it", "fr", None])

    def test_a_new_user_brings_topics_only_when_asked(self):
        old, new = self.mark + "-old", self.mark + "-new"
        self.user_topics(old, "set", "old-topic")
        self.user_topics(new, "set", "new-topic")
        id_ = self.register(self.token("a"), user=old, topics=["own"])
        self.server.result("device_update", {"ids": [id_], "user_update": {"user": new}})
        self.assertEqual((self.device(id_)["user"], self.topics_of(id_)), (new, ["old-topic", "own"]))
        self.server.result("device_update", {"ids": [id_], "user_update": {"user": new, "sync_topics": True}})
        self.assertEqual(self.topics_of(id_), ["new-topic", "own"])

    def test_update_without_whom_or_what_is_107_and_of_nobody_104(self):
        gone = self.register(self.token("gone"))
        self.server.result("device_remove", {"ids": [gone]})
        self.error("device_update", {"user_update": {"user": "x"}}, 107, "ids: ")
        self.error("device_update", {"users": ["u"]}, 107, "user_update: ")
        self.error("device_update", {"ids": [gone], "user_update": {"user": "x"}}, 104, "ids: ")
        self.error("device_remove", {}, 107, "ids: ")
        self.assertEqual(self.server.result("device_update", {"users": ["nobody-" + self.mark], "user_update": {"user": "x"}}), {})

    def test_a_device_takes_a_thousand_topics_and_not_one_more(self):
        id_ = self.register(self.token("a"), topics=[f"t{i}" for i in range(1000)])
        self.error("device_register", {"provider": "fcm", "token": self.token("b"), "topics": [f"t{i}" for i in range(1001)]}, 107, "topics: ")
        self.error("device_topic_update", {"device_id": id_, "op": "add", "topics": ["one-more"]}, 107, "topics: ")
        self.assertEqual(len(self.topics_of(id_)), 1000)
        listed, cursor = [], ""
        while True:
            page = self.server.result("device_topic_list", {"filter": {"device_ids": [id_]}, "cursor": cursor, "limit": 300})
            listed += [item["topic"] for item in page["items"]]
            cursor = page.get("next_cursor", "")
            if not cursor:
                break
        self.assertEqual(sorted(listed), sorted(f"t{i}" for i in range(1000)))

    # ---- device_topic_update ----

    def test_the_guard_refuses_when_the_device_changed_hands(self):
        id_ = self.register(self.token("a"), user="now")
        self.error("device_topic_update", {"device_id": id_, "op": "add", "topics": ["t"], "user": "before"}, 113, "user: ")
        self.assertEqual(self.topics_of(id_), [])
        self.server.result("device_topic_update", {"device_id": id_, "op": "add", "topics": ["t"], "user": "now"})
        self.assertEqual(self.topics_of(id_), ["t"])
        self.server.result("device_remove", {"ids": [id_]})
        self.error("device_topic_update", {"device_id": id_, "op": "add", "topics": ["t"]}, 104, "device_id: ")

    # ---- lists ----

    def test_device_topics_are_filtered_counted_and_paged(self):
        ids = {n: self.register(self.token(n), user=self.mark + n, topics=[f"{self.mark}.x", f"{self.mark}.y", "z"]) for n in "abc"}
        base = {"topic_prefix": self.mark + "."}
        page = self.server.result("device_topic_list", {"filter": base, "include_total_count": True, "limit": 4})
        self.assertEqual((len(page["items"]), page["total_count"]), (4, 6))
        rest = self.server.result("device_topic_list", {"filter": base, "cursor": page["next_cursor"]})
        self.assertNotIn("next_cursor", rest)
        pairs = [(item["device"]["id"], item["topic"]) for item in page["items"] + rest["items"]]
        self.assertEqual(sorted(pairs), sorted((id_, f"{self.mark}.{t}") for id_ in ids.values() for t in "xy"))
        self.assertTrue(all(set(item["device"]) == {"id"} for item in page["items"]))
        self.assertEqual(len({item["id"] for item in page["items"] + rest["items"]}), 6)
        cases = (({"device_ids": [ids["a"]]}, {"a"}), ({"device_users": [self.mark + "b", self.mark + "c"]}, {"b", "c"}),
                 ({"device_platforms": ["ios"]}, set()), ({"device_providers": ["fcm"]}, set("abc")))
        for extra, names in cases:
            with self.subTest(extra=extra):
                items = self.server.result("device_topic_list", {"filter": {**base, **extra}, "include_device": True})["items"]
                self.assertEqual({item["device"]["user"] for item in items}, {self.mark + n for n in names})
        self.assertEqual(self.server.result("device_topic_list", {"filter": {"topics": ["no-such"]}}), {"items": []})

    def test_user_topics_are_filtered_counted_and_paged(self):
        for n in "ab":
            self.user_topics(self.mark + n, "set", "t1", "t2", "u1")
        users = [self.mark + "a", self.mark + "b"]
        page = self.server.result("user_topic_list", {"filter": {"users": users, "topic_prefix": "t"}, "include_total_count": True, "limit": 3})
        self.assertEqual([(item["user"], item["topic"]) for item in page["items"]], [(users[0], "t1"), (users[0], "t2"), (users[1], "t1")])
        self.assertEqual(page["total_count"], 4)
        rest = self.server.result("user_topic_list", {"filter": {"users": users, "topic_prefix": "t"}, "cursor": page["next_cursor"]})
        self.assertEqual([(item["user"], item["topic"]) for item in rest["items"]], [(users[1], "t2")])
        self.assertEqual(self.server.result("user_topic_list", {"filter": {"users": users, "topics": ["u1"]}})["items"][1]["user"], users[1])
        self.assertEqual(self.server.result("user_topic_list", {"filter": {"users": ["no-such"]}}), {"items": []})

    def test_devices_are_paged_in_one_order_and_counted(self):
        ids = {self.register(self.token(str(n)), topics=[self.mark]) for n in range(7)}
        seen, cursor = [], ""
        while True:
            page = self.server.result("device_list", {"filter": {"topics": [self.mark]}, "limit": 3, "cursor": cursor, "include_total_count": True})
            self.assertEqual(page["total_count"], 7)
            seen += [item["id"] for item in page["items"]]
            cursor = page.get("next_cursor", "")
            if not cursor:
                break
        self.assertEqual((len(seen), set(seen)), (7, ids))
        self.error("device_list", {"cursor": "no cursor of ours"}, 107, "cursor: ")
        self.error("device_topic_list", {"cursor": "no cursor of ours"}, 107, "cursor: ")
        self.error("user_topic_list", {"cursor": "no cursor of ours"}, 107, "cursor: ")

    # ---- apps ----

    def test_apps_never_meet(self):
        token, user, uid = self.token("same"), self.mark, self.mark
        mine = self.register(token, user=user, topics=[self.mark])
        self.user_topics(user, "set", "default-only")
        sent = self.send({"filter": {"topics": [self.mark]}}, HELLO, uid=uid)
        self.assertEqual(sent["planned"], 1)
        self.server.KEY = "shop-key"
        try:
            theirs = self.register(token, user=user)
            self.assertNotEqual(theirs, mine)
            self.assertEqual(self.topics_of(theirs), [])
            self.assertEqual(self.server.result("user_topic_list", {"filter": {"users": [user]}}), {"items": []})
            self.assertEqual(self.server.result("device_list", {"filter": {"topics": [self.mark]}}), {"items": []})
            self.error("device_update", {"ids": [mine], "user_update": {"user": "thief"}}, 107, "ids[0]: ")
            self.error("device_remove", {"ids": [mine]}, 107, "ids[0]: ")
            self.error("push_status", {"uid": uid}, 104)
            self.error("cancel_push", {"uid": uid}, 104)
            self.assertNotIn(uid, [push["uid"] for push in self.server.result("push_list", {"limit": 1000})["items"]])
            self.assertEqual(self.send({"filter": {"topics": [self.mark]}}, HELLO, uid=uid)["planned"], 0)
            self.server.result("device_remove", {"users": [user]})
            self.assertIsNone(self.device(theirs))
        finally:
            del self.server.KEY
        self.assertEqual(self.device(mine)["user"], user)
        self.assertEqual(self.server.result("push_status", {"uid": uid})["planned"], 1)

    def test_keys_of_methods_match_without_case_as_in_the_published_server(self):
        id_ = self.server.result("device_register", {"Provider": "fcm", "TOKEN": self.token("a"), "topicS": [self.mark]})["id"]
        self.assertEqual(self.topics_of(id_), [self.mark])


if __name__ == "__main__":
    unittest.main()
