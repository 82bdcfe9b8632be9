# SPDX-License-Identifier: Apache-2.0
"""A running belfry-simulator, what vectors ask it, and the words of FCM's errors, written out from its reference."""
import json
import pathlib
import subprocess
import time

import httpx
import jwt

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


class Vectors(list):
    """The checks of one subject, in the order of the file; each is a function of a Context."""

    def __call__(self, name):
        def register(function):
            self.append((name, function))
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
