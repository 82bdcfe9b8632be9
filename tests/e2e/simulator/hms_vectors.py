# SPDX-License-Identifier: Apache-2.0
"""Push Kit: its token endpoint, signed tokens by PyJWT, messages of v1 and v3, partial success, sizes, topics."""
import json
import pathlib
import time

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.bench import Vectors

vector = Vectors()

AUDIENCE = "https://oauth-login.cloud.huawei.com/oauth2/v3/token"
DATA = {"data": "{\"k\":\"v\"}"}
SHOWN = {"android": {"notification": {"title": "t", "body": "b", "click_action": {"type": 3}}}}
ALERT = {"payload": {"notification": {"title": "t", "body": "b", "clickAction": {"actionType": 0}}}}


class Hms:
    """A client of the simulated Push Kit."""

    def __init__(self, sim):
        self.sim, self.facts = sim, sim.urls["hms"]
        self.account = json.loads(pathlib.Path(self.facts["service_account"]).read_text())
        self.secret = pathlib.Path(self.facts["client_secret_file"]).read_text()
        self.http = httpx.Client(http2=True, verify=sim.urls["ca_file"], base_url=self.facts["url"], timeout=10)

    def oauth(self, **changes):
        form = {"grant_type": "client_credentials", "client_id": self.facts["app_id"], "client_secret": self.secret, **changes}
        return self.http.post(self.facts["token_url"], data={k: v for k, v in form.items() if v is not None})

    def signed(self, key=None, algorithm="PS256", kid=None, **changes):
        now = int(time.time())
        claims = {"iss": self.account["sub_account"], "aud": AUDIENCE, "iat": now - 10, "exp": now + 3590, **changes}
        return jwt.encode(claims, key or self.account["private_key"], algorithm=algorithm, headers={"kid": kid or self.account["key_id"]})

    def send(self, path, body, bearer, push_type=None):
        headers = {"authorization": "Bearer " + bearer, "content-type": "application/json; charset=utf-8"}
        if push_type is not None:
            headers["push-type"] = push_type
        content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return self.http.post(path, content=content, headers=headers)

    def v1(self, tokens, message=None, bearer=None, **top):
        body = {**top, "message": {"token": tokens, **(message or DATA)}}
        return self.send(f"/v1/{self.facts['app_id']}/messages:send", body, bearer or self.oauth().json()["access_token"]).json()

    def v3(self, tokens, body=None, bearer=None, push_type="0"):
        body = {"target": {"token": tokens}, **(body or ALERT)}
        return self.send(f"/v3/{self.facts['project_id']}/messages:send", body, bearer or self.signed(), push_type).json()


def is_code(answer, code):
    assert str(answer["code"]) == str(code), answer
    assert answer["requestId"].isdigit() or answer["requestId"] == "", answer


@vector("HMS O1/O6 a form with a secret full of marks gives a token with escaped slashes, the same one until it ends")
def hms_oauth(c):
    hms = Hms(c.sim)
    answer = hms.oauth()
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store", answer.text
    token = answer.json()
    assert "\\/" in answer.text and "/" in token["access_token"] and token["token_type"] == "Bearer", answer.text
    assert 0 < token["expires_in"] <= 3600 and hms.oauth().json()["access_token"] == token["access_token"]


@vector("HMS O3 every field of the form is checked")
def hms_oauth_refusals(c):
    hms = Hms(c.sim)
    for changes, code in (({"client_secret": "x"}, 12304), ({"client_id": "1x"}, 20002), ({"client_id": "1"}, 20003),
                          ({"client_secret": None}, 20171), ({"grant_type": "password"}, 20182)):
        answer = hms.oauth(**changes)
        assert (answer.status_code, answer.json()["sub_error"]) == (400, code), (changes, answer.text)


@vector("HMS 17.5 PS256 tokens by PyJWT are taken, wrong ones refused")
def hms_signed(c):
    hms = Hms(c.sim)
    is_code(hms.v3(["next-1"]), 80000000)
    is_code(hms.v1(["T1"], bearer=hms.signed()), 80000000)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())
    for bearer, code in ((hms.signed(key=other), 80200001), (hms.signed(algorithm="RS256"), 80200001), (hms.signed(kid="k"), 80200001),
                         (hms.signed(iss="x"), 80200001), (hms.signed(aud="x"), 80200001), (hms.signed(exp=now - 1), 80200005),
                         (hms.signed(exp=now + 90_000), 80300036), (hms.oauth().json()["access_token"], 80200001), ("x", 80200001)):
        is_code(hms.v3(["next-1"], bearer=bearer), code)


@vector("HMS A10 an expired access token is told from one that was never issued")
def hms_expired(c):
    hms = Hms(c.sim)
    bearer = hms.oauth().json()["access_token"]
    is_code(hms.v1(["T1"], bearer=bearer), 80000000)
    c.sim.control.post("/expire-access-tokens")
    is_code(hms.v1(["T1"], bearer=bearer), 80200003)
    c.sim.control.post("/hms/revoke-access-tokens")
    is_code(hms.v1(["T1"], bearer=bearer), 80200001)
    c.token = c.sim.bearer()  # FCM's have ended, too


@vector("HMS A3/A6 partial success names the bad tokens, all bad is plain text")
def hms_partly(c):
    hms = Hms(c.sim)
    answer = hms.v1(["T1", "illegal-2", "foreign-3"])
    is_code(answer, 80100000)
    msg = json.loads(answer["msg"])
    assert (msg["success"], msg["failure"], sorted(msg["illegal_tokens"])) == (1, 2, ["foreign-3", "illegal-2"]), msg
    answer = hms.v1(["illegal-1"])
    is_code(answer, 80300007)
    assert answer["msg"] == "All the tokens are invalid", answer


@vector("HMS A7/A8/A9 v3 says why, as a text, as an object, with blanks")
def hms_words(c):
    hms = Hms(c.sim)
    answer = hms.v3(["next-1", "next-illegal-1", "next-pushtype-1"])
    is_code(answer, 80100000)
    assert json.loads(answer["msg"])["illegalTokens"] == {"noPushTypeRight": ["next-pushtype-1"], "tokenFormatError": ["next-illegal-1"]}
    answer = hms.v3(["old-1", "next-foreign-1"])
    is_code(answer, 80300007)
    assert json.loads(answer["msg"]) == {"failure": 2, "illegalTokens": {"noRight": ["old-1", "next-foreign-1"]}}
    c.sim.configure(hms_objects=True, hms_blanks=True, hms_numbers=True)
    answer = hms.v3(["next-1", "next-country-1"])
    assert answer["code"] == 80100000 and answer["msg"]["illegalTokens"] == {" countryNotSupport ": ["next-country-1"]}, answer
    c.sim.configure(hms_objects=False, hms_blanks=False, hms_numbers=False)


@vector("HMS 17.3 sizes in bytes without tokens, counts of tokens")
def hms_sizes(c):
    hms = Hms(c.sim)
    empty = len(json.dumps({"message": {"token": [], "data": ""}}, separators=(",", ":")))
    is_code(hms.v1(["T1"], {"data": "x" * (4096 - empty)}), 80000000)
    is_code(hms.v1(["T1"], {"data": "x" * (4097 - empty)}), 80300008)
    is_code(hms.v1(["T1"], {"data": "\u4f60" * ((4096 - empty) // 3 + 1)}), 80300008)
    is_code(hms.v1([f"T{i}" for i in range(1000)], {"data": "x" * (4096 - empty)}), 80000000)
    is_code(hms.v1([f"T{i}" for i in range(1001)]), 80300010)
    is_code(hms.v1([]), 80300010)


@vector("HMS section 4 messages that are refused, and how")
def hms_messages(c):
    hms = Hms(c.sim)
    is_code(hms.v1(["T1"], SHOWN), 80000000)
    for message, code in (({"data": {"k": 1}}, 80100003), ({"android": {"notification": {"title": "t", "body": "b"}}}, 80100003),
                          ({**DATA, "android": {"ttl": "1h"}}, 80100001), ({**DATA, "android": {"ttl": "0s"}}, 80100004),
                          ({**DATA, "android": {"collapse_key": 101}}, 80100013), ({**DATA, "topic": "a"}, 80100001)):
        is_code(hms.v1(["T1"], message), code)
    is_code(hms.v1(["dry-1"], validate_only=True), 80000000)
    assert c.sim.control.get("/phones/dry-1").json()["received"] == 0
    for body, push_type, code in ((ALERT, "99", 80100001), ({"payload": {}}, "0", 80100003), ({"payload": {"extraData": "x"}}, "6", 80000000),
                                  ({**ALERT, "pushOptions": {"ttl": 1_296_001}}, "0", 80100004)):
        is_code(hms.v3(["next-1"], body, push_type=push_type), code)
    is_code(hms.v3([f"next-{i}" for i in range(11)], {**ALERT, "pushOptions": {"testMessage": True}}), 80300030)


@vector("HMS sections 11 and 17.7 topics and conditions")
def hms_topics(c):
    hms = Hms(c.sim)
    bearer, app = hms.oauth().json()["access_token"], hms.facts["app_id"]
    for topic, tokens in (("a", ["S1", "S2"]), ("b", ["S1"])):
        is_code(hms.send(f"/v1/{app}/topic:subscribe", {"topic": topic, "tokenArray": tokens}, bearer).json(), 80000000)
    for recipient in ({"topic": "a"}, {"condition": "'a' in topics && ('b' in topics || 'c' in topics)"}):
        is_code(hms.send(f"/v1/{app}/messages:send", {"message": {**DATA, **recipient}}, bearer).json(), 80000000)
    received = [c.sim.control.get("/phones/" + token).json()["received"] for token in ("S1", "S2")]
    assert received == [2, 1], received
    is_code(hms.send(f"/v1/{app}/messages:send", {"message": {**DATA, "condition": "a in topics"}}, bearer).json(), 80100001)


@vector("HMS section 12 flow is counted in devices: 503 without a body")
def hms_flow(c):
    hms = Hms(c.sim)
    c.sim.configure(hms_devices_per_second=10)
    answer = hms.send(f"/v1/{hms.facts['app_id']}/messages:send", {"message": {**DATA, "token": [f"T{i}" for i in range(11)]}},
                      hms.oauth().json()["access_token"])
    c.sim.configure(hms_devices_per_second=6000)
    assert (answer.status_code, answer.content) == (503, b""), answer.text
