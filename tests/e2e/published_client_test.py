# SPDX-License-Identifier: Apache-2.0
"""The published Python client `cent` works unchanged, as far as this milestone has its methods. Needs build/venv (./dev test makes it)."""
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
