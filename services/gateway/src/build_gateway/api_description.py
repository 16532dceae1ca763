"""The REST API as one OpenAPI document: the services' own descriptions, and what all routes have in common. Pure."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from http import HTTPStatus
from typing import Any

from build_chassis.errors import KINDS
from build_chassis.problems import MEDIA_TYPE
from build_protocol.views import Problem
from build_protocol.vocabulary import meaning

TITLE = "ML Compiler Build Dashboard"
DESCRIPTION = """Builds, their logs, what failed and whose it is. Lists answer `{items, nextCursor}`. Instants are
milliseconds since 1970 and end in `At`, durations end in `Ms` or `Seconds`; what is unknown is absent. Every error is
`application/problem+json` with a `code` for programs and a `remedy` for people."""

ANSWERED = (401, 403, 404, 409, 422, 429, 503)
"""Errors that any route may answer."""

SECURITY_SCHEMES: Mapping[str, Any] = {
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A person's access token, of `POST /api/auth/login`, or personal token (`bmp_...`).",
    },
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key: with scope `read` it reads, with scope `agent` it uploads artifacts.",
    },
    "refreshCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-refresh",
        "description": "The cookie that a login sets; without TLS its name is `refresh`.",
    },
}

_TOKEN, _KEY, _COOKIE, _NOBODY = ({"accessToken": []}, {"apiKey": []}, {"refreshCookie": []}, {})  # type: ignore[var-annotated]
_SECURITY: Mapping[tuple[str, str], list[Any]] = {
    ("post", "/api/auth/login"): [],
    ("get", "/api/auth/options"): [],
    ("post", "/api/auth/ci-token"): [],
    ("post", "/api/tokens/awaited"): [],
    ("post", "/api/tokens/give-up"): [],
    ("post", "/api/auth/refresh"): [_COOKIE],
    ("post", "/api/auth/logout"): [_NOBODY, _COOKIE, _TOKEN],
    ("get", "/api/projects/{project}/badge.svg"): [_NOBODY, _TOKEN, _KEY],
    ("post", "/api/notifications/webhooks/sendgrid"): [],
    ("get", "/api/artifacts/objects/{ticket}"): [],
    ("put", "/api/artifacts/objects/{ticket}"): [],
}
"""What is not asked for a token or key, or not only for these."""

_METHODS = frozenset({"get", "put", "post", "delete", "patch"})
_FRAMEWORKS_OWN = ("HTTPValidationError", "ValidationError")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def describe(own: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]], version: str) -> dict[str, Any]:
    """The document of every route below `/api/`.

    Args:
        own: The gateway's own description; of two of one name it comes first.
        parts: Those of the services behind it, by their names.
        version: The release.
    """
    paths: dict[str, Any] = {}
    components: dict[str, Any] = {}
    for service, part in {"": own, **parts}.items():
        for path, operations in part.get("paths", {}).items():
            if path.startswith("/api/") and path not in paths:
                paths[path] = {
                    method: _operation(service, method, path, operation)
                    for method, operation in operations.items()
                    if method in _METHODS
                }
        for kind, named in part.get("components", {}).items():
            components[kind] = {**deepcopy(named), **components.get(kind, {})}
    schemas = components.setdefault("schemas", {})
    for name in _FRAMEWORKS_OWN:
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema(by_alias=True)
    components["responses"] = dict(_responses())
    components["securitySchemes"] = dict(SECURITY_SCHEMES)
    _name_operations(paths)
    info = {"title": TITLE, "version": version, "description": DESCRIPTION, "license": {"name": "MIT"}}
    return {
        "openapi": own.get("openapi", "3.1.0"),
        "info": info,
        "servers": [{"url": "/", "description": "The dashboard that serves this document."}],
        "security": [_TOKEN],
        "paths": paths,
        "components": components,
    }


def _operation(service: str, method: str, path: str, given: Mapping[str, Any]) -> dict[str, Any]:
    operation = deepcopy(dict(given))
    operation.setdefault("tags", [path.split("/")[2]])
    operation["security"] = _SECURITY.get((method, path), _default_security(service, method))
    for parameter in operation.get("parameters", ()):
        words = _WORD.sub("_", parameter["name"]).lower().replace("-", "_")
        if (means := meaning("query", words)) is not None:
            parameter.setdefault("description", means)
    answers = {status: answer for status, answer in operation.get("responses", {}).items() if status != "422"}
    operation["responses"] = answers | {
        str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in ANSWERED
    }
    return operation


def _default_security(service: str, method: str) -> list[Any]:
    is_key_taken = service == "artifacts" or (service and method == "get")
    return [_TOKEN, _KEY] if is_key_taken else [_TOKEN]


def _responses() -> Iterator[tuple[str, Any]]:
    for kind in KINDS:
        if kind.status in ANSWERED:
            description = f"{HTTPStatus(kind.status).phrase}: {(kind.__doc__ or '').partition(chr(10))[0]}"
            content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
            yield _name(kind.status), {"description": description, "content": content}


def _name(status: int) -> str:
    return next(kind.__name__ for kind in KINDS if kind.status == status)


def _name_operations(paths: Mapping[str, Any]) -> None:
    """A function's name where only one route has it; else the path's first words tell them apart."""
    named: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for path, operations in paths.items():
        for method, operation in operations.items():
            suffix = re.sub(r"\W", "_", path) + f"_{method}"
            named.setdefault(operation.get("operationId", suffix).removesuffix(suffix), []).append((path, operation))
    for name, routes in named.items():
        for path, operation in routes:
            if len(routes) > 1:
                of = [word for word in path.split("/")[2:] if "{" not in word]
                operation["operationId"] = f"{name}_of_{'_'.join(of)}"
            else:
                operation["operationId"] = name
