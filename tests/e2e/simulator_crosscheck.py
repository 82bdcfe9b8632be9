#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Walks the FCM and APNs test vectors against belfry-simulator with independent libraries: httpx (HTTP/2), PyJWT, cryptography.

usage: simulator_crosscheck.py PATH_TO_BELFRY_SIMULATOR
needs: pip install 'httpx[http2]' PyJWT cryptography

Starts its own simulator on free ports in a temporary folder, prints one line per vector, ends with 1 when any failed.
The answers expected here are written out from the FCM and APNs references, not taken from the simulator's sources.
"""
import asyncio
import email.utils
import json
import pathlib
import re
import ssl
import subprocess
import sys
import tempfile
import time

import httpx
import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
QUOTA_FAILURE = "type.googleapis.com/google.rpc.QuotaFailure"
WINDOW_TEXT = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)


def fcm(code):
    return {"@type": FCM_ERROR, "errorCode": code}


def bad_request(field, description):
    return {"@type": BAD_REQUEST, "fieldViolations": [{"field": field, "description": description}]}


def error(code, status, message, *details):
    inner = {"code": code, "message": message, "status": status}
    if details:
        inner["details"] = list(details)
    return {"error": inner}


class Simulator:
    """One running belfry-simulator and a client for each of its ports."""

    def __init__(self, binary, folder, *options):
        self.process = subprocess.Popen(
            [binary, "--dir", str(folder), *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        description = pathlib.Path(folder) / "simulator.json"
        deadline = time.monotonic() + 20
        while not description.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the simulator did not start: {self.process.stderr.read()}")
            time.sleep(0.02)
        self.urls = json.loads(description.read_text())
        self.account = json.loads(pathlib.Path(self.urls["service_account"]).read_text())
        self.http = self.new_client()
        self.control = httpx.Client(base_url=self.urls["control_url"])

    def new_client(self, **options):
        options.setdefault("timeout", 30)
        return httpx.Client(http2=True, verify=self.urls["ca_file"], base_url=self.urls["fcm_url"], **options)

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=10)

    def assertion(self, key=None, algorithm="RS256", drop=(), **changes):
        now = int(time.time())
        claims = {
            "iss": self.account["client_email"],
            "scope": SCOPE,
            "aud": self.account["token_uri"],
            "iat": now - 10,
            "exp": now + 3590,
        }
        claims.update(changes)
        for name in drop:
            del claims[name]
        headers = {"kid": self.account["private_key_id"]} if key is None else {}
        return jwt.encode(claims, key or self.account["private_key"], algorithm=algorithm, headers=headers)

    def token_answer(self, assertion):
        return self.http.post(self.account["token_uri"], data={"grant_type": GRANT, "assertion": assertion})

    def bearer(self):
        return self.token_answer(self.assertion()).json()["access_token"]

    def configure(self, **settings):
        answer = self.control.put("/config", json=settings)
        assert answer.status_code == 200, answer.text

    def faults(self, *rules):
        self.control.delete("/faults")
        if rules:
            answer = self.control.post("/faults", json=list(rules))
            assert answer.status_code == 200, answer.text

    def reset(self):
        self.control.post("/reset")


CHECKS = []


def vector(name):
    def register(function):
        CHECKS.append((name, function))
        return function

    return register


class Context:
    def __init__(self, simulator):
        self.sim = simulator
        self.token = simulator.bearer()

    def send(self, message, client=None, headers=None, project="demo", **top):
        headers = {"authorization": f"Bearer {self.token}"} if headers is None else headers
        return (client or self.sim.http).post(
            f"/v1/projects/{project}/messages:send", json={"message": message, **top}, headers=headers
        )

    def expect(self, answer, status, body):
        assert answer.http_version == "HTTP/2", answer.http_version
        assert answer.status_code == status, (answer.status_code, answer.text)
        assert answer.json() == body, json.dumps(answer.json(), indent=1)


def to(token, **more):
    return {"token": token, "notification": {"title": "Hello", "body": "How are you?"}, **more}


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


def check_oauth(answer, status, code, description):
    assert answer.status_code == status, answer.text
    assert answer.json() == {"error": code, "error_description": description}, answer.text


@vector("T1 not three parts")
def t1(c):
    for text in ("a.b", "a.b.c.d", "!!.!!.!!", "onlytext"):
        check_oauth(c.sim.token_answer(text), 400, "invalid_request", "Bad Request")


@vector("T2 bad signature, wrong algorithm, before anything else is judged")
def t2(c):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for assertion in (c.sim.assertion(key=other), c.sim.assertion(key=other, drop=("iat", "exp"), iss="nobody"),
                      c.sim.assertion(key="0123456789abcdef0123456789abcdef", algorithm="HS256"),
                      c.sim.assertion()[:-6] + "AAAAAA"):
        check_oauth(c.sim.token_answer(assertion), 400, "invalid_grant", "Invalid JWT Signature.")


@vector("T3 unknown account, before iat and exp")
def t3(c):
    text = "Invalid grant: account not found"
    check_oauth(c.sim.token_answer(c.sim.assertion(iss="x@y", drop=("iat", "exp"))), 400, "invalid_grant", text)


@vector("T4 no iat, no exp, before the window")
def t4(c):
    check_oauth(c.sim.token_answer(c.sim.assertion(drop=("iat",))), 400, "invalid_grant",
                "Invalid JWT: iat (issued at) is not set.")
    check_oauth(c.sim.token_answer(c.sim.assertion(drop=("exp",), iat=1)), 400, "invalid_grant",
                "Invalid JWT: exp (expiration time) is not set.")


@vector("T5 outside the window or too long, before the scope")
def t5(c):
    now = int(time.time())
    for changes in ({"iat": now, "exp": now + 3601}, {"iat": now - 7200, "exp": now - 3600},
                    {"iat": now + 3600, "exp": now + 7000}, {"iat": now, "exp": now + 90000, "scope": ""}):
        check_oauth(c.sim.token_answer(c.sim.assertion(**changes)), 400, "invalid_grant", WINDOW_TEXT)
    c.sim.configure(clock_offset_s=7200)
    answer = c.sim.token_answer(c.sim.assertion())
    check_oauth(answer, 400, "invalid_grant", WINDOW_TEXT)
    skew = email.utils.parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()
    assert 7190 < skew < 7210, skew
    c.sim.configure(clock_offset_s=0)


@vector("T6 empty scope, before the audience")
def t6(c):
    check_oauth(c.sim.token_answer(c.sim.assertion(scope="", aud="elsewhere")), 400, "invalid_scope",
                "Invalid OAuth scope or ID token audience provided.")


@vector("T7 wrong audience")
def t7(c):
    check_oauth(c.sim.token_answer(c.sim.assertion(aud="https://elsewhere.example/token")), 400, "invalid_grant",
                "Invalid JWT: Failed audience check.")


@vector("T8 disabled account; digit strings are good; server trouble")
def t8(c):
    c.sim.configure(account_state="disabled")
    answer = c.sim.token_answer(c.sim.assertion())
    assert answer.status_code == 401 and answer.json()["error"] == "disabled_client"
    c.sim.configure(account_state="internal_failure")
    assert c.sim.token_answer(c.sim.assertion()).json()["error"] == "internal_failure"
    c.sim.configure(account_state="active")
    now = int(time.time())
    answer = c.sim.token_answer(c.sim.assertion(iat=str(now), exp=str(now + 60)))
    assert answer.status_code == 200 and answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == 3599 and answer.http_version == "HTTP/2"


@vector("T9 unknown scope gives an id_token only")
def t9(c):
    for scope in ("https://www.googleapis.com/auth/unheard.of", SCOPE + " https://www.googleapis.com/auth/unheard.of"):
        answer = c.sim.token_answer(c.sim.assertion(scope=scope))
        assert answer.status_code == 200 and list(answer.json()) == ["id_token"], answer.text


@vector("T10 one fetch serves parallel sends, and only for its lifetime")
def t10(c):
    fetched = c.sim.control.get("/counters").json()["token_fetches"]
    headers = {"authorization": f"Bearer {c.sim.bearer()}"}

    # One event loop and no threads: httpx loses requests when threads share an HTTP/2 connection.
    async def send_together():
        async with httpx.AsyncClient(http2=True, verify=c.sim.urls["ca_file"], base_url=c.sim.urls["fcm_url"],
                                     headers=headers, timeout=30) as client:
            sends = (client.post("/v1/projects/demo/messages:send", json={"message": to(f"ok-t10-{i}")})
                     for i in range(1000))
            return [answer.status_code for answer in await asyncio.gather(*sends)]

    statuses = asyncio.run(send_together())
    assert set(statuses) == {200}, set(statuses)
    assert c.sim.control.get("/counters").json()["token_fetches"] == fetched + 1
    c.sim.configure(token_lifetime_s=2)
    answer = c.sim.token_answer(c.sim.assertion()).json()
    c.sim.configure(token_lifetime_s=3599)
    assert answer["expires_in"] == 2
    time.sleep(2.1)
    expired = c.send(to("ok-1"), headers={"authorization": f"Bearer {answer['access_token']}"})
    assert expired.status_code == 401, expired.text
    c.sim.control.post("/expire-access-tokens")
    assert c.send(to("ok-1"), headers=headers).status_code == 401
    c.token = c.sim.bearer()


def iid(c, action, tokens, topic="/topics/news"):
    return c.sim.http.post(f"/iid/v1:{action}", json={"to": topic, "registration_tokens": tokens},
                           headers={"authorization": f"Bearer {c.token}", "access_token_auth": "true"})


@vector("L1 iid batchAdd maps errors per token; the topic reaches its phones")
def l1(c):
    c.expect(iid(c, "batchAdd", ["ok-topic", "unreg-1", "dev429-1"]), 200,
             {"results": [{}, {"error": "NOT_FOUND"}, {"error": "RESOURCE_EXHAUSTED"}]})
    assert c.send({"topic": "news", "data": {"a": "b"}}).status_code == 200
    assert c.sim.control.get("/phones/ok-topic").json()["messages"][-1]["data"] == {"a": "b"}
    c.expect(iid(c, "batchRemove", ["ok-topic"]), 200, {"results": [{}]})
    received = c.sim.control.get("/phones/ok-topic").json()["received"]
    assert c.send({"topic": "news", "data": {"a": "b"}}).status_code == 200
    assert c.sim.control.get("/phones/ok-topic").json()["received"] == received


@vector("L2 iid failure is a bare string")
def l2(c):
    c.expect(iid(c, "batchAdd", []), 400, {"error": "INVALID_ARGUMENT"})
    c.expect(iid(c, "batchAdd", ["ok-1"] * 1001), 400, {"error": "INVALID_ARGUMENT"})
    c.expect(iid(c, "batchAdd", ["ok-1"], "news"), 400, {"error": "INVALID_ARGUMENT"})


@vector("L3 v1 subscribe twice, list, delete")
def l3(c):
    base = "/v1/projects/demo/registrations/ok%2Fslash/topicSubscriptions"
    headers = {"authorization": f"Bearer {c.token}"}
    first = c.sim.http.post(base, params={"topic_name": "weather"}, json={}, headers=headers)
    assert first.status_code == 200 and first.json()["topic_name"] == "weather", first.text
    again = c.sim.http.post(base, params={"topic_name": "weather"}, json={}, headers=headers)
    assert again.status_code == 409 and again.json()["error"]["status"] == "ALREADY_EXISTS"
    listed = c.sim.http.get(base, headers=headers).json()["topic_subscriptions"]
    assert [each["topic_name"] for each in listed] == ["weather"]
    assert c.sim.http.delete(base + "/weather", headers=headers).json() == {}
    assert c.sim.http.delete(base + "/weather", headers=headers).status_code == 404
    assert c.sim.http.delete(base + "/weather", params={"allowMissing": "true"}, headers=headers).json() == {}


@vector("certificate, files and HTTP/1.1 keep-alive")
def housekeeping(c):
    pem = pathlib.Path(c.sim.urls["ca_file"]).read_bytes()
    assert x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    for path in pathlib.Path(c.sim.urls["ca_file"]).parent.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    opened = c.sim.control.get("/counters").json()["connections_opened"]
    with httpx.Client(http2=False, verify=c.sim.urls["ca_file"], base_url=c.sim.urls["fcm_url"]) as client:
        answers = [c.send(to("ok-h1"), client=client) for _ in range(3)]
    assert {(a.status_code, a.http_version) for a in answers} == {(200, "HTTP/1.1")}
    assert c.sim.control.get("/counters").json()["connections_opened"] == opened + 1


@vector("gzip when accepted, plain when not")
def gzip(c):
    compressed = c.send(to("ok-1"))
    assert compressed.headers["content-encoding"] == "gzip" and "name" in compressed.json()
    plain = c.send(to("ok-1"), headers={"authorization": f"Bearer {c.token}", "accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers and "name" in plain.json()


@vector("faults seen by a client: reset, RST_STREAM, GOAWAY, truncated body, delays, black hole")
def faults(c):
    def once(**rule):
        c.sim.faults({**rule, "match": {"token_prefix": "ok-fault", "next": 1}})

    def fails(client):
        try:
            c.send(to("ok-fault"), client=client)
        except httpx.TransportError as trouble:
            return type(trouble).__name__ + ": " + str(trouble)
        return ""

    for rule in ({"action": "tcp_reset"}, {"action": "tcp_reset", "processed": True}, {"action": "half_open"},
                 {"action": "rst", "code": "REFUSED_STREAM"}, {"action": "rst", "code": "INTERNAL_ERROR"},
                 {"action": "black_hole"}, {"action": "goaway", "last_stream_id": "before", "debug": "session_timed_out"}):
        before = c.sim.control.get("/tokens/ok-fault").json()["times_accepted"]
        once(**rule)
        with c.sim.new_client(timeout=0.5) as client:
            assert fails(client), rule
        accepted = c.sim.control.get("/tokens/ok-fault").json()["times_accepted"]
        assert accepted == before + (1 if rule.get("processed") else 0), rule
    once(action="truncate")
    try:
        c.send(to("ok-fault")).json()
        raise AssertionError("the truncated body was good JSON")
    except json.JSONDecodeError:
        pass
    for rule in ({"before_headers_ms": 200}, {"before_body_ms": 200}):
        once(action="delay", **rule)
        start = time.monotonic()
        assert c.send(to("ok-fault")).status_code == 200
        assert time.monotonic() - start >= 0.2
    c.sim.faults({"action": "refuse_connects"})
    time.sleep(0.1)
    with c.sim.new_client(timeout=0.5) as client:
        assert fails(client).startswith("ConnectError")
    c.sim.faults({"action": "tls_stall", "match": {"next": 1}})
    time.sleep(0.1)
    with c.sim.new_client(timeout=0.5) as client:
        assert fails(client).startswith("ConnectTimeout")
    c.sim.faults()
    assert c.send(to("ok-fault")).status_code == 200


@vector("journal and summary")
def journal(c):
    c.sim.reset()
    for i in range(5):
        c.send(to(f"ok-j{i}"))
    c.send(to("ok-j0"))
    answer = c.sim.control.get("/journal", params={"offset": 1, "limit": 2}).json()
    assert answer["total"] == 6 and [e["target"] for e in answer["entries"]] == ["token:ok-j1", "token:ok-j2"]
    summary = c.sim.control.get("/tokens/summary").json()
    assert summary == {"distinct": 5, "accepted": 6, "min_times": 1, "max_times": 2, "more_than_once": 1}, summary


APNS_TOKEN = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"


class Apns:
    """One HTTP/2 connection to the simulated APNs, with a provider token of its own."""

    def __init__(self, sim, key="key", place="url", age=0, **options):
        self.facts = sim.urls["apns"]
        self.jwt = self.provider_token(key, age)
        options.setdefault("verify", sim.urls["ca_file"])
        self.http = httpx.Client(http2=True, base_url=self.facts[place], timeout=10, **options)

    def provider_token(self, key="key", age=0, **claims):
        claims = {"iss": self.facts["team_id"], "iat": int(time.time()) - age, **claims}
        pem = pathlib.Path(self.facts[key + "_file"]).read_text()
        return jwt.encode(claims, pem, algorithm="ES256", headers={"kid": self.facts[key + "_id"]})

    def push(self, token=APNS_TOKEN, body=b'{"aps":{"alert":"hi"}}', **headers):
        sent = {"authorization": "bearer " + self.jwt, "apns-topic": "com.example.app", "apns-push-type": "alert"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.http.post("/3/device/" + token, content=body, headers={k: v for k, v in sent.items() if v is not None})

    def refused(self, status, reason, *arguments, **headers):
        answer = self.push(*arguments, **headers)
        assert answer.http_version == "HTTP/2" and answer.headers["content-type"] == "application/json", answer.headers
        assert (answer.status_code, answer.json()) == (status, {"reason": reason}), (answer.status_code, answer.text)


@vector("APNs A1/A2 accepted, id echoed or made, empty body; A30 a raw ES256 signature by PyJWT")
def apns_accepted(c):
    apns = Apns(c.sim)
    answer = apns.push(apns_id="eabeae54-14a8-11e5-b60b-1697f925ec7b")
    assert (answer.status_code, answer.http_version, answer.content) == (200, "HTTP/2", b""), answer.text
    assert answer.headers["apns-id"] == "eabeae54-14a8-11e5-b60b-1697f925ec7b" and "apns-unique-id" not in answer.headers
    assert re.fullmatch(r"[0-9a-f-]{36}", apns.push().headers["apns-id"])
    phone = c.sim.control.get("/phones/" + APNS_TOKEN).json()["messages"][0]
    assert phone["notification"] == {"body": "hi"} and phone["headers"]["apns-topic"] == "com.example.app", phone


@vector("APNs A3 to A7 dead and foreign tokens")
def apns_dead(c):
    apns = Apns(c.sim)
    apns.refused(400, "BadDeviceToken", "bad0" + APNS_TOKEN)
    apns.refused(400, "BadDeviceToken", "ok-1")
    apns.refused(400, "DeviceTokenNotForTopic", "0ff0")
    for token, reason in (("dead01d0", "Unregistered"), ("fade01d0", "ExpiredToken")):
        answer = apns.push(token)
        assert (answer.status_code, answer.json()) == (410, {"reason": reason, "timestamp": 1700000000123}), answer.text
    before = int(time.time() * 1000)
    assert before - 5 <= apns.push("dead00").json()["timestamp"] <= time.time() * 1000 + 5


@vector("APNs A8 to A10 sizes and headers")
def apns_rules(c):
    apns = Apns(c.sim)
    body = lambda size: b'{"a":"' + b"x" * (size - 8) + b'"}'
    voip = {"apns_push_type": "voip", "apns_topic": "com.example.app.voip"}
    assert apns.push(body=body(4096)).status_code == 200 and apns.push(body=body(5120), **voip).status_code == 200
    apns.refused(413, "PayloadTooLarge", body=body(4097))
    apns.refused(413, "PayloadTooLarge", body=body(5121), **voip)
    apns.refused(400, "BadCollapseId", apns_collapse_id="c" * 65)
    apns.refused(400, "BadPriority", apns_push_type="background", apns_priority="10")
    apns.refused(400, "BadTopic", apns_push_type="liveactivity")
    apns.refused(400, "MissingTopic", apns_topic=None)
    apns.refused(400, "TopicDisallowed", apns_topic="com.somebody.else")
    apns.refused(400, "InvalidPushType", apns_push_type="loud")
    assert apns.http.get("/3/device/" + APNS_TOKEN).json() == {"reason": "MethodNotAllowed"}
    assert apns.http.post("/3/devices/x").json() == {"reason": "BadPath"}


@vector("APNs A11 to A14, A18, A19 provider tokens")
def apns_tokens(c):
    Apns(c.sim, age=3601).refused(403, "ExpiredProviderToken")
    Apns(c.sim, age=-120).refused(403, "InvalidProviderToken")
    Apns(c.sim).refused(403, "MissingProviderToken", authorization=None)
    Apns(c.sim).refused(403, "InvalidProviderToken", authorization="bearer nonsense")
    Apns(c.sim, key="sandbox_key").refused(403, "BadEnvironmentKeyIdInToken")
    bound = Apns(c.sim)
    assert bound.push("ab01").status_code == 200
    bound.refused(403, "UnrelatedKeyIdInToken", authorization="bearer " + bound.provider_token("topic_key"))
    renewing = Apns(c.sim)
    assert renewing.push("ab02").status_code == 200
    assert renewing.push("ab03", authorization="bearer " + renewing.provider_token(age=5)).status_code == 200
    renewing.refused(429, "TooManyProviderTokenUpdates", "ab04", authorization="bearer " + renewing.provider_token(age=9))


@vector("APNs sandbox: its own tokens, apns-unique-id")
def apns_sandbox(c):
    sandbox = Apns(c.sim, key="sandbox_key", place="sandbox_url")
    answer = sandbox.push("5a00")
    assert answer.status_code == 200 and re.fullmatch(r"[0-9a-f-]{36}", answer.headers["apns-unique-id"]), answer.headers
    sandbox.refused(400, "BadDeviceToken", APNS_TOKEN)
    Apns(c.sim).refused(400, "BadDeviceToken", "5a00")


@vector("APNs client certificate instead of a token")
def apns_certificate(c):
    shown = ssl.create_default_context(cafile=c.sim.urls["ca_file"])
    shown.load_cert_chain(c.sim.urls["apns"]["certificate_pem"])
    apns = Apns(c.sim, verify=shown)
    assert apns.push("ce01", authorization=None, apns_topic=None).status_code == 200
    apns.refused(400, "TopicDisallowed", "ce02", authorization=None, apns_topic="com.example.other")


@vector("APNs A21 one stream until a token was accepted")
def apns_streams(c):
    async def many(client, headers):
        return await asyncio.gather(*(client.post(f"/3/device/{i:04x}", content=b"{}", headers=headers) for i in range(200)))

    async def session():
        apns = Apns(c.sim)
        headers = {"authorization": "bearer " + apns.jwt, "apns-topic": "com.example.app"}
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(http2=True, verify=c.sim.urls["ca_file"], base_url=apns.facts["url"], limits=limits, timeout=20) as client:
            await client.post("/3/device/ab05", content=b"{}", headers=headers)
            return await many(client, headers)

    before = c.sim.control.get("/counters").json()["stream_limit_violations"]
    answers = asyncio.run(session())
    assert {a.status_code for a in answers} == {200}
    counters = c.sim.control.get("/counters").json()
    assert counters["stream_limit_violations"] == before and counters["streams_high_water"] > 1, counters


@vector("APNs B1 to B3 broadcast channels")
def apns_channels(c):
    apns = Apns(c.sim)
    path, headers = "/1/apps/com.example.app/channels", {"authorization": "bearer " + apns.jwt}
    made = apns.http.post(path, json={"message-storage-policy": 0, "push-type": "LiveActivity"}, headers=headers)
    assert (made.status_code, made.content) == (201, b""), made.text
    channel = {**headers, "apns-channel-id": made.headers["apns-channel-id"]}
    assert apns.http.get(path, headers=channel).json() == {"message-storage-policy": 0, "push-type": "LiveActivity"}
    assert made.headers["apns-channel-id"] in apns.http.get("/1/apps/com.example.app/all-channels", headers=headers).json()["channels"]

    def broadcast(**more):
        fields = {**channel, "apns-push-type": "liveactivity", "apns-expiration": "0", "apns-priority": "10", **more}
        return apns.http.post("/4/broadcasts/apps/com.example.app", json={"aps": {}}, headers=fields)

    assert broadcast().status_code == 200
    assert broadcast(**{"apns-expiration": "1700000000"}).json() == {"reason": "BadExpirationDate"}
    assert apns.http.delete(path, headers=channel).status_code == 204
    assert broadcast().json() == {"reason": "ChannelNotRegistered"}


@vector("APNs faults: GOAWAY with a reason, RST_STREAM, HTTP/1.1 refused")
def apns_faults(c):
    for rule in ({"action": "goaway", "last_stream_id": "before", "debug": '{"reason":"Shutdown"}', "close": True},
                 {"action": "rst", "code": "REFUSED_STREAM"}, {"action": "tcp_reset"}):
        c.sim.faults({**rule, "match": {"route": "apns", "next": 1}})
        try:
            Apns(c.sim).push("ab06")
            raise AssertionError(rule)
        except httpx.TransportError:
            pass
    c.sim.faults({"action": "status", "status": 503, "match": {"route": "apns", "next": 1}})
    Apns(c.sim).refused(503, "ServiceUnavailable", "ab06")
    c.sim.faults()
    assert Apns(c.sim).push("ab06").status_code == 200
    try:
        httpx.post(c.sim.urls["apns"]["url"] + "/3/device/ab07", verify=c.sim.urls["ca_file"])
        raise AssertionError("HTTP/1.1 was served")
    except httpx.TransportError:
        pass


def run(simulator, checks):
    context, failed = Context(simulator), 0
    for name, check in checks:
        try:
            check(context)
            print("ok    ", name)
        except Exception as trouble:  # a vector that breaks must not hide the others
            failed += 1
            print("FAILED", name, "-", type(trouble).__name__, str(trouble)[:1500])
    return failed


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        simulator = Simulator(sys.argv[1], folder, "--project", "demo", "--project", "other")
        key = simulator.account["private_key_id"]
        try:
            failed = run(simulator, CHECKS)
        finally:
            status = simulator.stop()
        simulator = Simulator(sys.argv[1], folder, "--project", "demo", "--project", "other")
        restarted = simulator.account["private_key_id"] == key and Context(simulator).send(to("ok-1")).status_code == 200
        simulator.stop()
        print("ok    " if status == 0 and restarted else "FAILED", "clean exit, same keys after a restart")
        failed += 0 if status == 0 and restarted else 1
    print(f"{len(CHECKS) + 1} checks, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
