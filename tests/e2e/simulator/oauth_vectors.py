# SPDX-License-Identifier: Apache-2.0
"""The token endpoint: assertions that are refused, tokens that end."""
import asyncio
import email.utils
import time

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.bench import SCOPE, WINDOW_TEXT, Vectors, to

vector = Vectors()


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
