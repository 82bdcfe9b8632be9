# SPDX-License-Identifier: Apache-2.0
"""Certificates, connections, compression, faults on the wire, and the journal."""
import json
import pathlib
import time

import httpx
from cryptography import x509

from simulator.bench import Vectors, to

vector = Vectors()


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
