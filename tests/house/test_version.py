"""The release's number: every place that has it has the one of `build_dashboard.__version__`."""

import json
import re
import tomllib
from pathlib import Path

import yaml
from build_dashboard import __version__


def test_every_place_has_the_version_of_the_package(repository: Path) -> None:
    """Distributions, their pins to each other, the page, the image of Kubernetes, the changelog's first section."""
    found: dict[str, str] = {}
    for name in ("pyproject.toml", "deploy/embedded/pyproject.toml", "libs/testkit/pyproject.toml"):
        project = tomllib.loads((repository / name).read_text())["project"]
        found[name] = project["version"]
        pins = [*project.get("dependencies", ()), *project.get("optional-dependencies", {}).get("server", ())]
        found |= {
            f"{name}: {pin}": pin.partition("==")[2]
            for pin in pins
            if pin.startswith("build-dashboard") and "==" in pin
        }
    for name in ("package.json", "services/gateway/web/package.json"):
        found[name] = json.loads((repository / name).read_text())["version"]
    (image,) = yaml.safe_load((repository / "deploy/kubernetes/base/kustomization.yaml").read_text())["images"]
    found["deploy/kubernetes"] = image["newTag"]
    sections = re.findall(r"^## (\S+)", (repository / "CHANGELOG.md").read_text(), re.MULTILINE)
    found["CHANGELOG.md"] = next(section for section in sections if section != "Unreleased")

    assert len(found) >= 9
    assert {} == {place: version for place, version in found.items() if version != __version__}


def test_forms_and_workflows_name_what_exists(repository: Path) -> None:
    """GitHub's files are YAML with what it asks for; the workflow runs what CI runs."""
    forms = list((repository / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"))
    for form in forms:
        read = yaml.safe_load(form.read_text())
        assert {"name", "description", "body"} <= set(read), form
        assert all({"type", "id", "attributes"} <= set(field) for field in read["body"]), form
    workflow = yaml.safe_load((repository / ".github/workflows/ci.yml").read_text())
    (job,) = workflow["jobs"].values()

    assert len(forms) == 2
    assert any(".ci/run" in step.get("run", "") for step in job["steps"])
