"""Every name that the vocabulary defines is used: a word of a field that is gone goes with it."""

from collections.abc import Iterator
from importlib import import_module

from build_embedded.serve import SERVICES
from build_protocol.model import WireModel
from build_protocol.vocabulary import MEANINGS


def test_every_defined_name_is_a_field_of_some_model() -> None:
    """Of the model that is named before it, where one is."""
    for service in SERVICES:
        import_module(f"build_{service}.routes")
    fields = {(model.__name__, name) for model in _models(WireModel) for name in model.model_fields}
    names = {name for _, name in fields}
    unused = [
        word
        for word in MEANINGS
        if not word.startswith("query.")
        and (tuple(word.split(".")) not in fields if "." in word else word not in names)
    ]

    assert unused == []


def _models(model: type[WireModel]) -> Iterator[type[WireModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _models(each)
