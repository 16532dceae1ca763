"""config.yaml: the founding document's file is valid as it stands, a wrong one says where."""

from pathlib import Path

import pytest
import yaml
from build_protocol.project_config import ConfigFile
from pydantic import ValidationError

SEED = Path(__file__).parents[3] / "config.yaml"


def test_the_seed_s_file_is_valid_as_it_stands() -> None:
    """Every name of the founding document works."""
    config = ConfigFile.model_validate(yaml.safe_load(SEED.read_text()))

    assert {"torch-mlir", "ieee-mlir", "llvm-mlir"} == set(config.projects)
    assert 2000 == config.projects["ieee-mlir"].websocket.reconnect_interval
    assert "ninja" in (config.projects["llvm-mlir"].build_command or "")


def test_a_bare_project_has_every_default() -> None:
    """`projects: {torch-mlir: }` is enough."""
    config = ConfigFile.model_validate(yaml.safe_load("projects:\n  torch-mlir:\n"))

    assert ("broken", "fixed", "new_signature") == config.projects["torch-mlir"].notify


def test_a_misspelled_field_is_named() -> None:
    """A typo is an error that names its place, not a silent default."""
    with pytest.raises(ValidationError, match=r"projects\.torch-mlir\.build_comand"):
        ConfigFile.model_validate({"projects": {"torch-mlir": {"build_comand": "ninja"}}})
