# SPDX-License-Identifier: Apache-2.0
"""What docs/api.md and /openapi.json say is so: every example works, the schema is one, and no answer falls outside of it.

Needs build/venv (./dev test makes it).
"""
import collections
import itertools
import json
import pathlib
import re
import unittest

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (content_type_conformance, response_headers_conformance, response_schema_conformance,
                                               status_code_conformance)

from harness import BUILD, EndToEnd, Server, http
from world import apns_section, fcm_section

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = re.compile(r"^### `(\w+)`.*?^Example:\n```json\n(.*?)\n```\n```json\n(.*?)\n```", re.M | re.S)
CASES = 12  # per method, error mode and kind of request


@schemathesis.serializer("application/x-ndjson")
def lines(_, value):
    return json.dumps(value).encode() + b"\n"


@schemathesis.deserializer("application/x-ndjson")
def first_line(_, response):
    return json.loads(response.content.partition(b"\n")[0] or b'{"id": "", "provider": "", "token": ""}')


def shape(value):
    """What kind of thing it is, values aside."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__


class ApiDocuments(EndToEnd):
    @classmethod
    def make_server(cls, folder):
        return Server(BUILD, folder, cls.simulator, providers=fcm_section(cls.simulator) + apns_section(cls.simulator))

    def document(self):
        status, body = http("GET", self.server.url + "/openapi.json")
        self.assertEqual(status, 200)
        return json.loads(body)

    def test_the_schema_is_valid_openapi(self):
        validate(self.document())

    def test_the_schema_has_every_published_method_under_the_published_base(self):
        document = self.document()
        self.assertEqual([server["url"] for server in document["servers"]], ["/api"])
        self.assertEqual(document["components"]["securitySchemes"]["ApiKeyAuth"], {"type": "apiKey", "in": "header", "name": "X-API-Key"})
        published = {"device_register", "device_update", "device_remove", "device_list", "device_topic_list", "device_topic_update",
                     "user_topic_list", "user_topic_update", "send_push_notification", "update_push_status", "cancel_push", "batch"}
        self.assertLessEqual({f"/{name}" for name in published}, set(document["paths"]))

    def test_every_example_works_and_answers_as_shown(self):
        page = (ROOT / "docs/api.md").read_text()
        examples = EXAMPLES.findall(page)
        available = [path[1:] for path, item in self.document()["paths"].items() if item["post"].get("x-belfry-available", True)]
        self.assertEqual([name for name, _, _ in examples], available, "every available method has an example")
        real_ids = {}  # by those shown
        for name, request, answer in examples:
            with self.subTest(method=name):
                for shown, real in real_ids.items():
                    request = request.replace(shown, real)
                status, body = http("POST", f"{self.server.url}/api/{name}", request.encode(), {"X-API-Key": self.server.KEY})
                self.assertEqual(status, 200, body)
                got = json.loads(body)
                self.assertNotIn("error", got)
                got = got if name in ("batch", "device_export") else got["result"]
                self.assertEqual(shape(got), shape(json.loads(answer)))
                if name in ("device_register", "apns_channel_create"):
                    real_ids[json.loads(answer)["id"]] = got["id"]

    def strict(self, document):
        """The same, with answers that may have no member which is not documented: published clients stop at those."""
        schemas = document["components"]["schemas"]

        def close(node):
            if isinstance(node, list):
                for inner in node:
                    close(inner)
            elif isinstance(node, dict):
                if "$ref" in node:
                    target = schemas[node["$ref"].rsplit("/", 1)[-1]]
                    if "additionalProperties" not in target:
                        close(target)
                elif "properties" in node:
                    node.setdefault("additionalProperties", False)
                for inner in list(node.values()):
                    close(inner)

        for path in document["paths"].values():
            close(path["post"]["responses"]["200"]["content"])
        return document

    def test_no_answer_falls_outside_of_the_schema(self):
        schema = schemathesis.openapi.from_dict(self.strict(self.document()))
        checks = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance, response_headers_conformance)
        seen = collections.Counter()
        for mode, wanted in itertools.product(("standard", "transport"), GenerationMode):
            headers = {"X-API-Key": self.server.KEY, "X-Centrifugo-Error-Mode": mode}
            for result in schema.get_all_operations():
                operation = result.ok()

                @settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
                @given(case=operation.as_strategy(generation_mode=wanted))
                def try_one(case):
                    case.headers = headers
                    answer = case.call(base_url=self.server.url + "/api", timeout=120)
                    seen[answer.status_code] += 1
                    case.validate_response(answer, checks=checks, headers=headers)

                with self.subTest(mode=mode, wanted=wanted.value, method=operation.label):
                    try_one()
        self.assertTrue(self.server.process.alive())
        self.assertLessEqual(set(seen), {200, 400, 404, 409, 413, 429})
        self.assertGreater(min(seen[200], seen[400]), 100, "requests that are taken and requests that are refused")


if __name__ == "__main__":
    unittest.main()
