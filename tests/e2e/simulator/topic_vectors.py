# SPDX-License-Identifier: Apache-2.0
"""Subscriptions: the old instance-id methods and those of v1."""
from simulator.bench import Vectors

vector = Vectors()


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
