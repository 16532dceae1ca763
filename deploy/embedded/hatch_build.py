"""Packs the chassis and the five services, which lie elsewhere in the checkout, into the server's wheel.

Hatch's `force-include` would do, but it also copies them into an editable installation, where the copies shadow the
sources and grow old.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parents[2]


class ServerPackages(BuildHookInterface[Any]):
    """Adds each package of `libs/chassis` and `services/*` to a release; the gateway's carries the built page.

    Tests that stand beside what they test are for the checkout only."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name what goes in; `version` is `standard` for a wheel and `editable` for a checkout."""
        if version != "editable":
            for package in sorted([*ROOT.glob("libs/chassis/src/build_*"), *ROOT.glob("services/*/src/build_*")]):
                build_data["force_include"] |= {
                    str(path): str(path.relative_to(package.parent))
                    for path in package.rglob("*")
                    if path.is_file() and path.suffix != ".pyc" and not _is_test(path.relative_to(package))
                }


def _is_test(path: Path) -> bool:
    """Whether a package's file is a test: those stand beside channels only; elsewhere `test_` names a subject."""
    return path.parts[0] == "channels" and path.match("test_*.py")
