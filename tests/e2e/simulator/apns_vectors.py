# SPDX-License-Identifier: Apache-2.0
"""APNs: tokens of devices and of providers, sizes, headers, streams, channels and faults."""
import asyncio
import pathlib
import re
import ssl
import time

import httpx
import jwt

from simulator.bench import Vectors

vector = Vectors()

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
    apns, office = Apns(c.sim), Apns(c.sim, place="channels_url")
    path, headers = "/1/apps/com.example.app/channels", {"authorization": "bearer " + apns.jwt}
    assert apns.http.post(path, json={}, headers=headers).json() == {"reason": "BadPath"}
    made = office.http.post(path, json={"message-storage-policy": 0, "push-type": "LiveActivity"}, headers=headers)
    assert (made.status_code, made.content) == (201, b""), made.text
    channel = {**headers, "apns-channel-id": made.headers["apns-channel-id"]}
    assert office.http.get(path, headers=channel).json() == {"message-storage-policy": 0, "push-type": "LiveActivity"}
    assert made.headers["apns-channel-id"] in office.http.get("/1/apps/com.example.app/all-channels", headers=headers).json()["channels"]

    def broadcast(**more):
        fields = {**channel, "apns-push-type": "liveactivity", "apns-expiration": "0", "apns-priority": "10", **more}
        return apns.http.post("/4/broadcasts/apps/com.example.app", json={"aps": {}}, headers=fields)

    assert broadcast().status_code == 200
    assert broadcast(**{"apns-expiration": "1700000000"}).json() == {"reason": "BadExpirationDate"}
    assert office.http.delete(path, headers=channel).status_code == 204
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
