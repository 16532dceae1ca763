"""What the documents say of the wire is generated, and what stands in them is what would be generated now."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # `tools` is no package that is installed

from tools.reference.documents import documents

GENERATED = documents()


@pytest.mark.parametrize("path", GENERATED)
def test_a_generated_document_is_up_to_date(path: str, repository: Path) -> None:
    """After a change of a model: `make reference`."""
    assert (repository / path).read_text() == GENERATED[path], f"{path} is out of date: run `make reference`"
