"""The REST API, from the description that the dashboard serves."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from build_embedded.serve import SERVICES
from build_gateway.api_description import describe
from fastapi import FastAPI

from tools.reference.schemas import type_words


def description() -> dict[str, Any]:
    """The OpenAPI document, of the routes of every service, without starting one."""
    documents = {}
    for service in SERVICES:
        app = FastAPI()
        # Unchecked: a description needs no secret.
        settings = import_module(f"build_{service}.settings").Settings.model_construct()
        for router in import_module(f"build_{service}.routes").routers(settings):
            app.include_router(router)
        documents[service] = app.openapi()
    return describe(documents.pop("gateway"), documents, "")


def api_section() -> str:
    """Each route: who may ask, its parameters, what it answers."""
    document = description()
    parts: list[str] = []
    last = ""
    for path, operations in sorted(document["paths"].items()):
        tag = path.split("/")[2]
        if tag != last:
            parts.append(f"### {tag}")
            last = tag
        for method, operation in operations.items():
            parts.append("\n\n".join(_operation(method, path, operation)))
    return "\n\n".join(parts)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"#### {method.upper()} {path}"
    yield " ".join(str(operation.get("description", "")).split())
    asked = " or ".join("nobody in particular" if not each else next(iter(each)) for each in operation["security"])
    answers = ", ".join(
        f"{status} {_answer(answer)}".strip()
        for status, answer in operation["responses"].items()
        if status.startswith(("2", "3"))
    )
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    takes = f" Body: {_named(body)}." if body else ""
    yield f"May ask: {asked or 'everybody'}.{takes} Answers {answers}."
    if parameters := operation.get("parameters"):
        rows = [
            f"| `{each['name']}` | {each['in']} | {type_words(each['schema']).replace('|', chr(92) + '|')} "
            f"| {'**required**' if each.get('required') else ''} | {each.get('description', '')} |"
            for each in parameters
        ]
        yield "\n".join(["| parameter | in | type | | meaning |", "|---|---|---|---|---|", *rows])


def _answer(answer: Mapping[str, Any]) -> str:
    kinds = []
    for kind, content in answer.get("content", {}).items():
        schema = content.get("schema", {})
        kinds.append(_named(schema) if kind == "application/json" and schema else kind)
    return " or ".join(kinds)


def _named(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return f"`{schema['$ref'].rsplit('/', 1)[1]}`"
    if alternatives := schema.get("anyOf"):
        return " or ".join(_named(each) for each in alternatives)
    return f"list of {_named(schema['items'])}" if schema.get("type") == "array" else "JSON"
