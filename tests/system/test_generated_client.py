"""A client that a generator made of `/api/openapi.json` reads everything there is to read."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from build_testkit.program import install
from build_testkit.server import cannot_be_had
from build_testkit.stack import Stack, wait_until

pytestmark = pytest.mark.slow

GENERATOR, VALIDATOR = "openapi-python-client==0.29.1", "openapi-spec-validator==0.8.5"
ANSWERED = {"401", "403", "404", "409", "422", "429", "503"}
PROJECT, CONFIG, COMMIT = "generated", "release", "abcdef1234"
TESTED = "echo '1/1 Test #1: note .............   Passed    0.01 sec'"
BROKEN = f"{TESTED}; echo 'a.cpp:3:9: error: expected expression'; echo noted > note.txt; exit 1"
NO_JSON = {"get_badge", "export_audit", "get_object", "download_artifact", "search_logs"}
"""Their answers are files, or a line for each thing that is found."""

NARROWED = {"search_logs": ("config",)}
"""What is not answered of everything there is."""

NONE_YET = {"get_command": "command_id", "get_parked": "parked_id", "get_notification": "notification_id"}
"""Of these a fresh system has none: the answer is 404, as a problem."""

Document = dict[str, Any]


@pytest.fixture(scope="module")
def document(embedded: Stack) -> Document:
    """The API as the first who asks is answered."""
    described: Document = embedded.get("/api/openapi.json")
    return described


@pytest.fixture(scope="module")
def client(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of the generated package, which can be imported while the tests run."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_text(json.dumps(document))
    command = ["generate", "--path", "openapi.json", "--output-path", "dashboard_client", "--meta", "none"]
    _run(GENERATOR, "openapi-python-client", *command, folder=folder)
    sys.path.insert(0, str(folder))
    yield "dashboard_client"
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def build(embedded: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A build that failed, with an artifact, on a branch that was green before; once history has judged it."""
    folder = tmp_path_factory.mktemp("build")
    options = ("--config-name", CONFIG, "--branch", "main", "--artifact", "note.txt", "--linger", "30")
    for commit, script in (("1234567890", TESTED), (COMMIT, BROKEN)):
        command = embedded.agent_command(PROJECT, "sh", "-c", script, options=(*options, "--commit", commit))
        subprocess.run(command, env=embedded.agent_environment, cwd=folder, check=False, timeout=120)
    token = embedded.token()

    def judged() -> bool:
        listed = [f"/api/{noun}?project={PROJECT}" for noun in ("incidents", "failures")]
        return all(embedded.get(path, token)["items"] for path in listed)

    wait_until(judged, 60, "the failure is an incident", every=0.2)
    newest: dict[str, Any] = embedded.get(f"/api/builds?project={PROJECT}")["items"][0]
    return newest


def test_the_document_is_valid_and_whole(document: Document, tmp_path: Path) -> None:
    """By the OpenAPI project's own schema; every service is in it, and every property and parameter says what it is."""
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    _run(VALIDATOR, "openapi-spec-validator", "openapi.json", folder=tmp_path)
    schemas = document["components"]["schemas"]
    properties = {
        f"{name}.{field}": found
        for name, each in schemas.items()
        for field, found in each.get("properties", {}).items()
    }
    operations = list(_operations(document))
    parameters = [each for _, _, operation in operations for each in operation.get("parameters", ())]

    assert document["info"]["title"] == "ML Compiler Build Dashboard"
    assert {"auth", "builds", "artifacts", "failures", "notifications"} <= {
        path.split("/")[2] for path, _, _ in operations
    }
    assert len(properties) > 800
    assert [name for name, found in properties.items() if not found.get("description")] == []
    nameless = [each["name"] for each in parameters if not each.get("description")]
    assert nameless == [], " ".join(nameless)
    assert [operation["operationId"] for _, _, operation in operations if not operation.get("description")] == []


def test_every_operation_declares_its_errors_and_who_may_ask(document: Document) -> None:
    """problem+json for each of the usual refusals; the schemes that are named are declared."""
    declared = document["components"]["responses"]
    schemes = document["components"]["securitySchemes"]
    for path, method, operation in _operations(document):
        references = {status: operation["responses"][status]["$ref"].rsplit("/", 1)[1] for status in ANSWERED}
        contents = {name: list(declared[name]["content"]) for name in references.values()}
        assert contents == {name: ["application/problem+json"] for name in contents}, (method, path)
        assert {name for each in operation["security"] for name in each} <= schemes.keys()


def test_who_may_ask_is_what_is_declared(embedded: Stack, document: Document) -> None:
    """Without a token every GET is refused with 401, but for those that are declared to need none."""
    import httpx

    wrong = {}
    with httpx.Client(base_url=embedded.url, trust_env=False) as anonymous:
        for path, method, operation in _operations(document):
            if method == "get":
                answer = anonymous.get(path.replace("{", "").replace("}", ""))
                is_open = operation["security"] == []
                if (answer.status_code == 401) == is_open:
                    wrong[path] = answer.status_code
    assert wrong == {}


def test_a_generated_client_reads_every_route(
    embedded: Stack, document: Document, client: str, build: dict[str, Any]
) -> None:
    """Each GET answers 200 with what the document promises, and its model is read by the generated code."""
    token = embedded.token()
    known = _known(embedded, token, build)
    authenticated = import_module(client).AuthenticatedClient(base_url=embedded.url, token=token)
    problem = import_module(f"{client}.models").Problem
    failed = {}
    for path, method, operation in _operations(document):
        if method == "get":
            name = operation["operationId"]
            module = import_module(f"{client}.api.{operation['tags'][0]}.{name}")
            wanted = [
                each
                for each in operation.get("parameters", ())
                if each.get("required") or each["name"] in ("project", *NARROWED.get(name, ()))
            ]
            answer = module.sync_detailed(
                client=authenticated, **{_python(each): known[each["name"]] for each in wanted}
            )
            is_read = name in NO_JSON or isinstance(answer.parsed, problem) == (name in NONE_YET)
            if answer.status_code not in ((404,) if name in NONE_YET else (200, 307)) or not is_read:
                failed[path] = (int(answer.status_code), answer.content[:300])
    assert failed == {}


def test_a_generated_client_reads_a_refusal(embedded: Stack, client: str) -> None:
    """As the problem it is, with the sentence and the remedy."""
    authenticated = import_module(client).AuthenticatedClient(base_url=embedded.url, token=embedded.token())
    get_build = import_module(f"{client}.api.builds.get_build")
    problem = get_build.sync(client=authenticated, build_id="01890000-0000-7000-8000-000000000001")

    assert (problem.status, problem.code) == (404, "not_found")
    assert problem.remedy.endswith(".")


def _known(stack: Stack, token: str, build: Mapping[str, Any]) -> dict[str, Any]:
    """A value of something that is there for every parameter that is needed."""

    def first(path: str) -> dict[str, Any]:
        found: dict[str, Any] = wait_until(lambda: stack.get(path, token)["items"], 30, path)[0]
        return found

    artifact = first(f"/api/builds/{build['id']}/artifacts")["id"]
    wait_until(lambda: stack.get(f"/api/artifacts/{artifact}", token)["state"] == "verified", 30, "verified")
    failure = first(f"/api/failures?project={PROJECT}")
    return dict.fromkeys(NONE_YET.values(), "none") | {
        "build_id": build["id"],
        "project": PROJECT,
        "branch": "main",
        "config": CONFIG,
        "gate": "bump",
        "q": "error",
        "sha": build["commit"],
        "commit": build["commit"],
        "name": "note",
        "artifact_id": artifact,
        "incident_id": first(f"/api/incidents?project={PROJECT}")["id"],
        "signature": failure["signature"],
        "ticket": stack.get(f"/api/artifacts/{artifact}/link", token)["url"].rsplit("/", 1)[1],
    }


def _operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def _python(parameter: Mapping[str, Any]) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in parameter["name"])


def _run(requirement: str, program: str, *arguments: str, folder: Path) -> None:
    try:
        path = install(requirement, program)
    except (OSError, subprocess.SubprocessError) as error:
        cannot_be_had(f"{requirement} cannot be had: {error}")
    done = subprocess.run([path, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
