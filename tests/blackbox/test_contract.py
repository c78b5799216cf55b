"""openapi.yaml against what all the other tests have seen. Runs last; only a whole run can tell."""

import pytest

from .contract import contract
from .places import LONG, scratch
from .scripted import ScriptedServer

# What no test can bring about without breaking the machine.
UNREACHABLE = set()


def seen(method, path, status):
    """A 404 is every path's, a 405 every method's."""
    for have_method, have_path, have_status in contract.statuses:
        if have_status == status and (status == 404 or have_path == path) and (
                status in (404, 405) or have_method == method):
            return True
    return False


def test_every_example_of_a_request_is_taken():
    from .postern import Postern
    paths = contract.document["paths"]
    with ScriptedServer() as relay, Postern(relay=relay.url(), data=scratch("data")) as postern:
        for path in ("/v1/send", "/v1/compose", "/v1/check", "/v1/messages", "/v1/batches", "/v1/suppressions",
                     "/v1/templates/{name}/render"):
            content = paths[path]["post"]["requestBody"]["content"]["application/json"]
            examples = [e["value"] for e in content.get("examples", {}).values()]
            for example in examples + ([content["example"]] if "example" in content else []):
                answer = postern.post(path.replace("{name}", "generic"), example)
                assert answer.status in (200, 201, 202), (path, example, answer)


def test_every_example_of_an_answer_fits_its_schema():
    checked = 0
    for path, item in contract.document["paths"].items():
        for operation in (item[method] for method in item if method != "parameters"):
            for status, response in operation["responses"].items():
                response = contract._resolve(response)
                for kind, content in response.get("content", {}).items():
                    examples = [e["value"] for e in content.get("examples", {}).values()]
                    examples += [content["example"]] if "example" in content else []
                    for example in examples:
                        contract._validate((path, status, kind, "example"), content["schema"], example,
                                           f"the example of {path} {status}")
                        checked += 1
    assert checked > 5


def test_every_documented_status_was_produced(request):
    files = {item.path.name for item in request.session.items}
    there = {path.name for path in request.path.parent.glob("test_*.py")}
    if files | LONG != there or request.config.option.keyword:
        pytest.skip("only some of the tests were run")
    missing = sorted(promise for promise in contract.documented() - UNREACHABLE
                     if not seen(*promise))
    assert not missing
