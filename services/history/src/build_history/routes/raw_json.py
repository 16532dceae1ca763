"""Raw JSON: answers that carry stored rows as the JSON they are stored as.

A row's body is a model's own JSON, so a page of thousands need not be parsed and written again.
"""

from collections.abc import Iterable

from build_protocol.model import WireModel
from fastapi import Response


def with_bodies(model: WireModel, name: str, bodies: Iterable[str]) -> str:
    """The model as JSON, its empty list `name` filled with these bodies."""
    empty = f'"{name}":[]'
    text = model.to_json()
    if empty not in text:
        raise ValueError(f"{type(model).__name__}.{name} is no empty list")
    # Quotes within a value are escaped, so the first such list is the list itself.
    return text.replace(empty, f'"{name}":[{",".join(bodies)}]', 1)


def answer(body: str) -> Response:
    """The answer of a route that declares its model itself."""
    return Response(body, media_type="application/json")
