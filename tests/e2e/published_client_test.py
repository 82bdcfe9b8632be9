# SPDX-License-Identifier: Apache-2.0
"""The published Python client `cent` works unchanged: all eleven methods, synchronous and asynchronous. Needs build/venv (./dev test makes it)."""
import asyncio
import unittest

import cent
from cent import dto

from harness import EndToEnd


class PublishedClient(EndToEnd):
    def client(self):
        return cent.Client(self.server.url + "/api", self.server.KEY)

    def push(self, title):
        return cent.PushNotification(fcm=cent.FcmPushNotification(message={"notification": {"title": title}}))

    def topics(self, *topics):
        return dto.PushRecipient(filter=cent.DeviceFilter(topics=list(topics)))

    def test_register_send_list_and_remove(self):
        client = self.client()
        device = client.device_register(cent.DeviceRegisterRequest(provider="fcm", token="ok-cent", platform="android", user="7",
                                                                   topics=["cent"], meta={"k": "v"}))
        self.assertTrue(device.id)
        sent = client.send_push_notification(cent.SendPushNotificationRequest(recipient=self.topics("cent"), notification=self.push("sync")))
        self.assertEqual(self.outcomes(self.server.wait_done(sent.uid)), {("fcm", "accepted"): 1})
        listed = client.device_list(cent.DeviceListRequest(filter=cent.DeviceFilter(ids=[device.id]), include_meta=True, include_topics=True))
        self.assertEqual([(item.token, item.user, item.meta, item.topics) for item in listed.items], [("ok-cent", "7", {"k": "v"}, ["cent"])])
        client.device_remove(cent.DeviceRemoveRequest(ids=[device.id]))
        self.assertEqual(client.device_list(cent.DeviceListRequest(filter=cent.DeviceFilter(ids=[device.id]))).items, [])

    def test_user_topics_reach_the_users_devices(self):
        client = self.client()
        client.device_register(cent.DeviceRegisterRequest(provider="fcm", token="ok-cent-user", platform="android", user="u9"))
        client.user_topic_update(dto.UserTopicUpdateRequest(user="u9", op="add", topics=["late-topic"]))
        sent = client.send_push_notification(cent.SendPushNotificationRequest(recipient=self.topics("late-topic"), notification=self.push("t")))
        self.assertEqual(self.outcomes(self.server.wait_done(sent.uid)), {("fcm", "accepted"): 1})

    def test_errors_arrive_as_the_clients_own(self):
        client = self.client()
        with self.assertRaises(cent.CentApiResponseError) as refused:
            client.cancel_push(cent.CancelPushRequest(uid="never-sent"))
        self.assertEqual(refused.exception.code, 104)
        with self.assertRaises(cent.CentUnauthorizedError):
            cent.Client(self.server.url + "/api", "wrong").device_list(cent.DeviceListRequest())

    def test_devices_are_updated_and_their_topics_listed(self):
        client = self.client()
        id_ = client.device_register(cent.DeviceRegisterRequest(provider="fcm", token="ok-cent-update", platform="ios", user="old")).id
        client.device_update(cent.DeviceUpdateRequest(
            ids=[id_], user_update=cent.DeviceUserUpdate(user="new"), meta_update=cent.DeviceMetaUpdate(meta={"a": "b"}),
            topics_update=cent.DeviceTopicsUpdate(op="add", topics=["cent-t1"]),
            timezone_update=dto.DeviceTimezoneUpdate(timezone="Europe/Paris"), locale_update=dto.DeviceLocaleUpdate(locale="fr-FR")))
        device = client.device_list(cent.DeviceListRequest(filter=cent.DeviceFilter(ids=[id_]), include_meta=True, include_topics=True,
                                                           include_total_count=True))
        self.assertEqual(device.total_count, 1)
        one = device.items[0]
        self.assertEqual((one.user, one.meta, one.topics, one.model_extra.get("timezone") or one.timezone), ("new", {"a": "b"}, ["cent-t1"], "Europe/Paris"))
        client.device_topic_update(cent.DeviceTopicUpdateRequest(device_id=id_, op="add", topics=["cent-t2"]))
        for include in (None, True):
            listed = client.device_topic_list(cent.DeviceTopicListRequest(
                filter=cent.DeviceTopicFilter(device_ids=[id_], topic_prefix="cent-"), include_device=include, include_total_count=True))
            self.assertEqual([(item.topic, item.device.id) for item in listed.items], [("cent-t1", id_), ("cent-t2", id_)])
            self.assertEqual((listed.total_count, listed.items[0].device.user), (2, "new" if include else ""))
        with self.assertRaises(cent.CentApiResponseError) as refused:
            client.device_topic_update(cent.DeviceTopicUpdateRequest(device_id=id_, op="set", topics=[], user="somebody"))
        self.assertEqual(refused.exception.code, 113)
        self.assertEqual(client.device_topic_list(cent.DeviceTopicListRequest(filter=cent.DeviceTopicFilter(topics=["nobody"]))).items, [])

    def test_user_topics_are_listed(self):
        client = self.client()
        client.user_topic_update(dto.UserTopicUpdateRequest(user="cent-u", op="set", topics=["x", "y"]))
        listed = client.user_topic_list(cent.UserTopicListRequest(filter=dto.UserTopicFilter(users=["cent-u"]), include_total_count=True))
        self.assertEqual([(item.user, item.topic) for item in listed.items], [("cent-u", "x"), ("cent-u", "y")])
        self.assertEqual(listed.total_count, 2)

    def test_pushes_are_cancelled_and_status_reports_not_yet_taken(self):
        client = self.client()
        uid = client.send_push_notification(cent.SendPushNotificationRequest(
            recipient=dto.PushRecipient(fcm_tokens=["ok-cent-later"]), notification=self.push("later"), uid="cent-cancel",
            send_at=4102444800)).uid
        self.assertEqual(uid, "cent-cancel")
        client.cancel_push(cent.CancelPushRequest(uid=uid))
        self.assertEqual(self.server.result("push_status", {"uid": uid})["state"], "cancelled")
        with self.assertRaises(cent.CentApiResponseError) as refused:
            client.update_push_status(cent.UpdatePushStatusRequest(analytics_uid="a", status="delivered"))
        self.assertEqual(refused.exception.code, 108)

    def test_a_batch_of_every_method_comes_back_in_order(self):
        client = self.client()
        replies = client.batch(cent.BatchRequest(requests=[
            cent.DeviceRegisterRequest(provider="fcm", token="ok-cent-batch", platform="ios", user="cent-batch"),
            cent.DeviceUpdateRequest(users=["cent-batch"], topics_update=cent.DeviceTopicsUpdate(op="set", topics=["cent-batch"])),
            cent.DeviceListRequest(filter=cent.DeviceFilter(topics=["cent-batch"])),
            cent.DeviceTopicListRequest(filter=cent.DeviceTopicFilter(topics=["cent-batch"])),
            dto.UserTopicUpdateRequest(user="cent-batch", op="add", topics=["z"]),
            cent.UserTopicListRequest(filter=dto.UserTopicFilter(users=["cent-batch"])),
            cent.DeviceRemoveRequest(users=["cent-batch"]),
        ])).replies
        self.assertEqual([type(reply).__name__ for reply in replies], [
            "DeviceRegisterResult", "DeviceUpdateResult", "DeviceListResult", "DeviceTopicListResult", "UserTopicUpdateResult",
            "UserTopicListResult", "DeviceRemoveResult"])
        self.assertEqual([item.id for item in replies[2].items], [replies[0].id])

    def test_the_asynchronous_client_has_all_methods(self):
        async def run():
            client = cent.AsyncClient(self.server.url + "/api", self.server.KEY)
            try:
                id_ = (await client.device_register(cent.DeviceRegisterRequest(provider="fcm", token="ok-async-1", platform="ios", user="as"))).id
                await client.device_update(cent.DeviceUpdateRequest(ids=[id_], locale_update=dto.DeviceLocaleUpdate(locale="en")))
                await client.device_topic_update(cent.DeviceTopicUpdateRequest(device_id=id_, op="add", topics=["async-1"]))
                await client.user_topic_update(dto.UserTopicUpdateRequest(user="as", op="add", topics=["async-2"]))
                topics = await client.device_topic_list(cent.DeviceTopicListRequest(filter=cent.DeviceTopicFilter(device_ids=[id_])))
                bound = await client.user_topic_list(cent.UserTopicListRequest(filter=dto.UserTopicFilter(users=["as"])))
                listed = await client.device_list(cent.DeviceListRequest(filter=cent.DeviceFilter(users=["as"])))
                uid = (await client.send_push_notification(cent.SendPushNotificationRequest(
                    recipient=self.topics("async-1"), notification=self.push("async")))).uid
                await client.cancel_push(cent.CancelPushRequest(uid=uid))
                await client.device_remove(cent.DeviceRemoveRequest(ids=[id_]))
                with self.assertRaises(cent.CentApiResponseError):
                    await client.update_push_status(cent.UpdatePushStatusRequest(analytics_uid="a", status="delivered"))
                return [item.topic for item in topics.items], [item.topic for item in bound.items], [item.id for item in listed.items] == [id_]
            finally:
                await client.close()

        self.assertEqual(asyncio.run(run()), (["async-1", "async-2"], ["async-2"], True))

    def test_the_asynchronous_client_sends_too(self):
        async def send():
            client = cent.AsyncClient(self.server.url + "/api", self.server.KEY)
            try:
                return await client.send_push_notification(cent.SendPushNotificationRequest(
                    recipient=dto.PushRecipient(fcm_tokens=["ok-async"]), notification=self.push("async")))
            finally:
                await client.close()

        self.server.wait_done(asyncio.run(send()).uid)
        self.assertEqual([m["notification"]["title"] for m in self.phone("ok-async")], ["async"])


if __name__ == "__main__":
    unittest.main()
