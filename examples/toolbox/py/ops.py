"""Sizes of shapes."""


def size(rows: int, columns: int) -> int:
    """How many elements a shape has."""
    return rows * columns
