"""One description of every route: merged of all services or refused, never a part of them."""

from typing import Any

from build_gateway.api_description import describe
from build_testkit.gateway import Gateway

OWN: dict[str, Any] = {
    "openapi": "3.1.0",
    "paths": {
        "/api/keys": {"get": {"operationId": "list_keys_api_keys_get", "responses": {"200": {}, "422": {}}}},
        "/healthz": {"get": {}},
    },
    "components": {"schemas": {"Page": {"title": "own"}, "HTTPValidationError": {}}},
}
PART: dict[str, Any] = {
    "paths": {
        "/api/builds": {"get": {"operationId": "list_api_builds_get", "parameters": [{"name": "retryOf"}]}},
        "/api/builds/{id}/tests": {"get": {"operationId": "list_api_builds__id__tests_get"}},
        "/api/keys": {"get": {"operationId": "foreign"}},
        "/internal/stored": {"get": {}},
    },
    "components": {"schemas": {"Page": {"title": "foreign"}, "Build": {}}},
}


def test_parts_are_merged_and_the_gateway_comes_first() -> None:
    """Routes below /api/ of all, the gateway's where two have one; nothing internal, nothing of the framework."""
    document = describe(OWN, {"ingest": PART}, "1.2.3")

    assert list(document["paths"]) == ["/api/keys", "/api/builds", "/api/builds/{id}/tests"]
    assert document["paths"]["/api/keys"]["get"]["operationId"] == "list_keys"
    assert document["components"]["schemas"].keys() == {"Page", "Build", "Problem"}
    assert document["components"]["schemas"]["Page"] == {"title": "own"}
    assert document["info"]["version"] == "1.2.3"


def test_names_of_operations_are_unique() -> None:
    """A name that two services chose is distinguished by its path."""
    paths = describe(OWN, {"ingest": PART}, "")["paths"]

    assert [paths[path]["get"]["operationId"] for path in ("/api/builds", "/api/builds/{id}/tests")] == [
        "list_of_builds",
        "list_of_builds_tests",
    ]


def test_what_the_framework_claims_of_errors_is_replaced() -> None:
    """Errors are problems: the framework's own 422 is gone; what was given stays unchanged."""
    answers = describe(OWN, {}, "")["paths"]["/api/keys"]["get"]["responses"]

    assert answers["422"] == {"$ref": "#/components/responses/Invalid"}
    assert answers["200"] == {}
    assert OWN["paths"]["/api/keys"]["get"]["responses"]["422"] == {}


def test_keys_read_what_services_own_and_upload_artifacts_only() -> None:
    """The gateway's own routes are for people; a service's are read with a key as well."""
    post = {"/api/artifacts": {"post": {"operationId": "offer"}}, "/api/mutes": {"post": {"operationId": "mute"}}}
    parts = {"ingest": PART, "artifacts": {"paths": {"/api/artifacts": post["/api/artifacts"]}}}
    paths = describe(OWN, parts | {"notifier": {"paths": {"/api/mutes": post["/api/mutes"]}}}, "")["paths"]

    def schemes(path: str, method: str) -> set[str]:
        return {name for each in paths[path][method]["security"] for name in each}

    assert schemes("/api/keys", "get") == {"accessToken"}
    assert schemes("/api/builds", "get") == {"accessToken", "apiKey"}
    assert schemes("/api/artifacts", "post") == {"accessToken", "apiKey"}
    assert schemes("/api/mutes", "post") == {"accessToken"}


async def test_a_service_that_does_not_answer_is_named_and_never_left_out(gateway: Gateway) -> None:
    """503 that names it, to be asked again; whole as soon as it answers."""
    gateway.ingest.is_away = True
    missing = await gateway.as_admin("GET", "/api/openapi.json")
    gateway.ingest.is_away = False
    whole = await gateway.as_admin("GET", "/api/openapi.json")

    assert (missing.status_code, missing.headers["content-type"]) == (503, "application/problem+json")
    assert "ingest" in missing.json()["detail"]
    assert "Retry-After" in missing.headers
    assert whole.status_code == 200
    assert "/api/builds" in whole.json()["paths"]


async def test_the_websocket_s_documents_are_served_to_people(gateway: Gateway) -> None:
    """AsyncAPI and JSON Schema, to whoever is logged in and to nobody else."""
    for path, key in (("/api/asyncapi.json", "asyncapi"), ("/api/protocol.schema.json", "$schema")):
        answer = await gateway.as_admin("GET", path)
        async with gateway.http as client:
            refused = await client.get(path)
        assert key in answer.json()
        assert refused.status_code == 401
