# SPDX-License-Identifier: Apache-2.0
"""messages:send: what is accepted, each error FCM has, and how strict its JSON is."""
import email.utils
import re
import time

from simulator.bench import ERROR_INFO, QUOTA_FAILURE, Vectors, bad_request, error, fcm, to

vector = Vectors()


@vector("S1 accepted, seen by the phone")
def s1(c):
    answer = c.send(to("ok-1", data={"k": "v"}))
    assert answer.status_code == 200 and answer.http_version == "HTTP/2", answer.text
    assert list(answer.json()) == ["name"]
    assert re.fullmatch(r"projects/demo/messages/0:\d+%[0-9a-f]+", answer.json()["name"]), answer.text
    phone = c.sim.control.get("/phones/ok-1").json()
    assert phone["received"] == 1
    assert phone["messages"][0]["message_id"] == answer.json()["name"]
    assert phone["messages"][0]["notification"] == {"title": "Hello", "body": "How are you?"}
    assert phone["messages"][0]["data"] == {"k": "v"}
    again = c.send(to("ok-1"))
    assert again.json()["name"] != answer.json()["name"]
    assert c.sim.control.get("/tokens/ok-1").json()["times_accepted"] == 2


@vector("S2 validate_only delivers nothing")
def s2(c):
    before = c.sim.control.get("/tokens/ok-dry").json()["times_accepted"]
    answer = c.send(to("ok-dry"), validate_only=True)
    assert answer.status_code == 200 and "name" in answer.json()
    assert c.sim.control.get("/tokens/ok-dry").json()["times_accepted"] == before == 0
    assert c.sim.control.get("/phones/ok-dry").json()["received"] == 0


@vector("E1 unregistered")
def e1(c):
    c.expect(c.send(to("unreg-1")), 404,
             error(404, "NOT_FOUND", "Requested entity was not found.", fcm("UNREGISTERED")))


@vector("E2 malformed token")
def e2(c):
    text = "The registration token is not a valid FCM registration token"
    c.expect(c.send(to("bad-1")), 400, error(400, "INVALID_ARGUMENT", text, fcm("INVALID_ARGUMENT")))


@vector("E3 no target")
def e3(c):
    text = "Recipient of the message is not set."
    c.expect(c.send({"notification": {"title": "x"}}), 400,
             error(400, "INVALID_ARGUMENT", text, bad_request("message", text), fcm("INVALID_ARGUMENT")))


@vector("E4 data value is a number")
def e4(c):
    text = "Invalid value at 'message.data[0].value' (TYPE_STRING), 12"
    c.expect(c.send(to("ok-1", data={"n": 12})), 400,
             error(400, "INVALID_ARGUMENT", text, bad_request("message.data[0].value", text)))


@vector("E5 unknown field")
def e5(c):
    text = "Invalid JSON payload received. Unknown name \"toen\" at 'message': Cannot find field."
    c.expect(c.send({"toen": "ok-1"}), 400, error(400, "INVALID_ARGUMENT", text, bad_request("message", text)))


@vector("E6a/b too big, both wordings, and the largest that fits")
def e6(c):
    for setting, text in (("android", "Android message is too big"),
                          ("new", "Message is too large. The maximum is 4K (4096 bytes).")):
        c.sim.configure(too_big_text=setting)
        c.expect(c.send({"token": "ok-1", "data": {"k": "x" * 5000}}), 400,
                 error(400, "INVALID_ARGUMENT", text, fcm("INVALID_ARGUMENT")))
    assert c.send({"token": "ok-1", "data": {"k": "x" * 4095}}).status_code == 200
    assert c.send({"token": "ok-1", "data": {"k": "x" * 4096}}).status_code == 400
    assert c.send({"topic": "t", "data": {"k": "x" * 2047}}).status_code == 200
    assert c.send({"topic": "t", "data": {"k": "x" * 2048}}).status_code == 400


@vector("E7 malformed token, told by field")
def e7(c):
    answer = c.send(to("badfield-1"))
    details = answer.json()["error"]["details"]
    assert answer.status_code == 400 and answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert fcm("INVALID_ARGUMENT") in details
    assert bad_request("message.token", "Invalid registration token") in details


@vector("E8 sender mismatch")
def e8(c):
    c.expect(c.send(to("mismatch-1")), 403,
             error(403, "PERMISSION_DENIED", "SenderId mismatch", fcm("SENDER_ID_MISMATCH")))


@vector("E9 role missing, and a token of another project")
def e9(c):
    expected = error(403, "PERMISSION_DENIED", "Permission 'cloudmessaging.messages.create' denied on resource")
    c.sim.configure(missing_role=True)
    c.expect(c.send(to("ok-1")), 403, expected)
    c.sim.configure(missing_role=False)
    c.expect(c.send(to("ok-1"), project="other"), 403, expected)


@vector("E10 third party auth")
def e10(c):
    c.expect(c.send(to("apnsauth-1")), 401,
             error(401, "UNAUTHENTICATED", "Auth error from APNS or Web Push Service", fcm("THIRD_PARTY_AUTH_ERROR")))


@vector("E11 third party auth with the misleading text")
def e11(c):
    answer = c.send(to("apnsauthtext-1"))
    assert answer.status_code == 401 and answer.json()["error"]["details"] == [fcm("THIRD_PARTY_AUTH_ERROR")]
    assert answer.json()["error"]["message"].startswith(
        "Request is missing required authentication credential. Expected OAuth 2 access token, ")


def check_401(answer, text, reason):
    assert answer.status_code == 401, answer.text
    body = answer.json()["error"]
    assert body["code"] == 401 and body["status"] == "UNAUTHENTICATED" and body["message"].startswith(text), body
    if reason is None:
        assert "details" not in body
        return
    assert body["details"] == [{
        "@type": ERROR_INFO, "reason": reason, "domain": "googleapis.com",
        "metadata": {"method": "google.firebase.fcm.v1.FcmService.SendMessage", "service": "fcm.googleapis.com"},
    }], body


@vector("E12 expired bearer")
def e12(c):
    c.sim.configure(token_lifetime_s=1)
    short = c.sim.bearer()
    c.sim.configure(token_lifetime_s=3599)
    headers = {"authorization": f"Bearer {short}"}
    assert c.send(to("ok-1"), headers=headers).status_code == 200
    time.sleep(1.1)
    check_401(c.send(to("ok-1"), headers=headers), "Request had invalid authentication credentials. ",
              "ACCESS_TOKEN_EXPIRED")


@vector("E13 garbage bearer")
def e13(c):
    check_401(c.send(to("ok-1"), headers={"authorization": "Bearer nonsense"}),
              "Request had invalid authentication credentials. ", None)


@vector("E14 no Authorization")
def e14(c):
    check_401(c.send(to("ok-1"), headers={}), "Request is missing required authentication credential. ",
              "CREDENTIALS_MISSING")


def check_429(answer):
    assert answer.status_code == 429, answer.text
    body = answer.json()["error"]
    assert body["code"] == 429 and body["status"] == "RESOURCE_EXHAUSTED"
    assert fcm("QUOTA_EXCEEDED") in body["details"]
    failure = [d for d in body["details"] if d["@type"] == QUOTA_FAILURE]
    assert failure and failure[0]["violations"][0]["subject"] and failure[0]["violations"][0]["description"]


@vector("E15 project quota with retry-after, 4xx counted")
def e15(c):
    c.sim.reset()
    c.sim.configure(quota_per_minute=3, quota_retry_after_s=30)
    statuses = [c.send(to(token)).status_code for token in ("ok-1", "unreg-1", "ok-2", "ok-3")]
    assert statuses == [200, 404, 200, 429], statuses
    answer = c.send(to("ok-4"))
    check_429(answer)
    assert answer.headers["retry-after"] == "30"


@vector("E16 project quota without retry-after; a device's quota")
def e16(c):
    c.sim.configure(quota_retry_after_s=0)
    answer = c.send(to("ok-4"))
    check_429(answer)
    assert "retry-after" not in answer.headers
    c.sim.configure(quota_per_minute=600000, device_per_minute=2)
    assert [c.send(to("ok-often")).status_code for _ in range(3)] == [200, 200, 429]
    check_429(c.send(to("dev429-1")))
    c.sim.configure(device_per_minute=240)


@vector("E17 internal error")
def e17(c):
    c.sim.faults({"action": "status", "status": 500, "match": {"next": 1}})
    c.expect(c.send(to("ok-1")), 500, error(500, "INTERNAL", "Internal error encountered.", fcm("INTERNAL")))
    assert c.send(to("ok-1")).status_code == 200
    assert [c.send(to("r500-2-a")).status_code for _ in range(3)] == [500, 500, 200]


@vector("E18 unavailable, retry-after as seconds and as a date")
def e18(c):
    c.sim.faults({"action": "status", "status": 503, "retry_after_s": 120, "match": {"next": 1}},
                 {"action": "status", "status": 503, "retry_after_s": 120, "retry_after_form": "date"})
    first = c.send(to("ok-1"))
    c.expect(first, 503, error(503, "UNAVAILABLE", "The service is currently unavailable.", fcm("UNAVAILABLE")))
    assert first.headers["retry-after"] == "120"
    at = email.utils.parsedate_to_datetime(c.send(to("ok-1")).headers["retry-after"])
    assert 110 < at.timestamp() - time.time() < 125
    c.sim.faults()
    assert [c.send(to("r503-1-a")).status_code for _ in range(2)] == [503, 200]


@vector("E19 HTML 404 for removed endpoints")
def e19(c):
    for path in ("/batch", "/fcm/send", "/v1/messages:send", "/v1/projects/demo/messages"):
        answer = c.sim.http.post(path, content=b"{}", headers={"authorization": f"Bearer {c.token}"})
        assert answer.status_code == 404 and answer.headers["content-type"].startswith("text/html"), path
        assert answer.text.lstrip().startswith("<!DOCTYPE html>")


@vector("E20 JSON 404 without details")
def e20(c):
    c.expect(c.send(to("ok-1"), project="nowhere"), 404, error(404, "NOT_FOUND", "Requested entity was not found."))


@vector("E21 unimplemented")
def e21(c):
    c.sim.faults({"action": "status", "status": 501, "times": 1})
    c.expect(c.send(to("ok-1")), 501,
             error(501, "UNIMPLEMENTED", "Operation is not implemented, or supported, or enabled."))
    c.sim.faults()


@vector("proto3 strictness: types, targets, reserved keys, ttl, duplicates")
def strict(c):
    refused = [
        {"token": "ok-1", "topic": "a"},
        {"token": 5},
        {"topic": "not a topic"},
        {"condition": "'a' in topics &&"},
        {"token": "ok-1", "data": {"from": "x"}},
        {"token": "ok-1", "data": {"google.x": "x"}},
        {"token": "ok-1", "data": {"gcm.notification.x": "x"}},
        {"token": "ok-1", "data": []},
        {"token": "ok-1", "notification": {"title": 1}},
        {"token": "ok-1", "notification": "text"},
        {"token": "ok-1", "android": {"ttl": "2419201s"}},
        {"token": "ok-1", "android": {"ttl": "-1s"}},
        {"token": "ok-1", "android": {"ttl": 3600}},
        {"token": "ok-1", "android": {"ttl": "3600"}},
        {"token": "ok-1", "android": {"priority": "urgent"}},
        {"token": "ok-1", "android": {"notification": {"sticky": "yes"}}},
        {"token": "ok-1", "android": {"notification": {"color": "red"}}},
        {"token": "ok-1", "apns": {"headers": {"apns-priority": 5}}},
        {"token": "ok-1", "webpush": {"fcm_options": {"link": "http://insecure.example"}}},
        {"token": "ok-1", "fcm_options": {"analytics_label": "no spaces"}},
    ]
    for message in refused:
        answer = c.send(message)
        assert answer.status_code == 400 and answer.json()["error"]["status"] == "INVALID_ARGUMENT", message
    accepted = [
        {"token": "ok-1", "android": {"ttl": "2419200s", "priority": "high", "collapseKey": "c"}},
        {"token": "ok-1", "android": {"ttl": "3.5s", "notification": {"notification_count": 3, "eventTime":
                                                                      "2026-01-02T03:04:05.5Z"}}},
        {"token": "ok-1", "apns": {"headers": {"apns-priority": "5"}, "payload": {"aps": {"content-available": 1}}}},
        {"condition": "'a' in topics && ('b' in topics || !('c' in topics))"},
        {"topic": "/topics/news", "notification": None},
        {"fid": "ok-fid"},
    ]
    for message in accepted:
        answer = c.send(message)
        assert answer.status_code == 200, (message, answer.text)
    url, headers = "/v1/projects/demo/messages:send", {"authorization": f"Bearer {c.token}"}
    twice = b'{"message":{"token":"ok-1","token":"ok-2"}}'
    json_headers = {**headers, "content-type": "application/json"}
    assert c.sim.http.post(url, content=twice, headers=json_headers).status_code == 400
    assert c.sim.http.post(url, content=b'{"message":', headers=json_headers).status_code == 400
    assert c.sim.http.post(url, data={"a": "b"}, headers=headers).status_code == 400
