"""Holds openapi.yaml and the answers together.

Every answer that a test gets is checked against the schema that the document gives for its route
and status, and noted, so that a last test can say which documented statuses nothing produced.
"""

import json

import jsonschema
import yaml

from .places import REPO

_FILE = REPO / "openapi.yaml"


class Contract:
    def __init__(self):
        self.document = yaml.safe_load(_FILE.read_text()) if _FILE.exists() else None
        self.statuses = set()  # (METHOD, path, status) that answers had
        self._validators = {}

    def documented(self):
        """(METHOD, path, status) that the document promises."""
        return {(method.upper(), path, int(status))
                for path, item in self.document["paths"].items()
                for method, operation in item.items() if method in ("get", "post", "delete")  # a PUT is the POST of its path
                for status in operation["responses"] if status.isdigit()}

    def _documented_path(self, path):
        """"/v1/messages/{id}" of "/v1/messages/01K…"."""
        path = path.partition("?")[0]
        for pattern in self.document["paths"] if self.document else ():
            start, brace, rest = pattern.partition("{")
            end = rest.partition("}")[2]
            if brace and path.startswith(start) and path.endswith(end) and len(path) > len(start + end):
                return pattern
        return path

    def seen(self, method, path, answer, request_body=None):
        path = self._documented_path(path)
        self.statuses.add((method, path, answer.status))
        if not self.document or path not in self.document["paths"]:
            return
        operation = self.document["paths"][path].get(method.lower())
        if operation is None:  # 405, or HEAD
            return
        response = self._resolve(operation["responses"].get(str(answer.status)))
        assert response, f"{method} {path} answered {answer.status}, which is not documented"
        self._check_body(method, path, response, answer)
        for header in response.get("headers", {}):
            required = self._resolve(response["headers"][header]).get("required")
            assert answer.headers.get(header) or not required, (
                f"{method} {path} {answer.status} came without {header}")
        schema = self._resolve(operation.get("requestBody", {}))
        if (method == "POST" and answer.status in (200, 201, 202, 207) and request_body
                and list(schema.get("content", {})) == ["application/json"]):  # else it need not have been JSON
            self._validate(("request", path), self._schema(schema, "application/json"),
                           json.loads(request_body), f"the request of {path}, which was taken,")

    def _check_body(self, method, path, response, answer):
        if not response.get("content"):
            return
        what = f"{method} {path} {answer.status}"
        assert answer.type in response["content"], (
            f"{what} has type {answer.type}, documented are {list(response['content'])}")
        if answer.type.endswith("json"):
            self._validate((path, method, answer.status), self._schema(response, answer.type),
                           answer.json, what)

    def _schema(self, holder, media_type):
        return holder["content"][media_type].get("schema", {})

    def _validate(self, key, schema, value, what):
        if key not in self._validators:
            resolver = jsonschema.RefResolver("", self.document)
            self._validators[key] = jsonschema.Draft202012Validator(schema, resolver=resolver)
        errors = [f"at /{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
                  for error in self._validators[key].iter_errors(value)]
        assert not errors, f"{what} is not what openapi.yaml says:\n" + "\n".join(errors)

    def _resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            node = target
        return node


contract = Contract()
