"""The documents name every setting, frame and code."""

import re
from pathlib import Path
from typing import get_args

from build_gateway.settings import Settings
from build_protocol import frames
from build_protocol.frames import Close
from pydantic import BaseModel

ROOT = Path(__file__).parents[3]


def test_the_protocol_page_names_every_frame_close_code_and_refusal() -> None:
    """A frame, close code or refusal that is not in docs/protocol.md is not finished."""
    page = (ROOT / "docs" / "protocol.md").read_text()
    models = [each for each in vars(frames).values() if isinstance(each, type) and issubclass(each, BaseModel)]
    types = {model.model_fields["type"].default for model in models if "type" in model.model_fields}
    codes = get_args(frames.Refused.model_fields["code"].annotation)

    assert len(types) > 15
    assert {name for name in types if f"`{name}`" not in page} == set()
    assert {code for code in codes if f"REFUSED {code}" not in page} == set()
    assert {close for close in Close if not re.search(rf"\| {close.value} \| {close.name} \|", page)} == set()


def test_the_readme_names_every_setting() -> None:
    """A variable an operator can set is documented in the service's README."""
    readme = (ROOT / "services" / "gateway" / "README.md").read_text()
    own = set(Settings.model_fields) - set(Settings.__mro__[1].model_fields)  # type: ignore[attr-defined]  # ServiceSettings
    names = {str(Settings.model_fields[name].validation_alias or f"GATEWAY_{name.upper()}") for name in own}

    assert len(names) > 10
    assert {name for name in names if f"`{name}`" not in readme} == set()
