"""Types of SQL columns that mean the same in every database: compared byte by byte, as SQLite does."""

from typing import Any

from sqlalchemy import Column, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine


def ascii_text(length: int) -> TypeEngine[str]:
    """Ids, digests and words of ours: ASCII. With a binary collation an index entry is as long as its characters."""
    return String(length).with_variant(mysql.VARCHAR(length, charset="ascii", collation="ascii_bin"), "mysql")


def exact_text(length: int) -> TypeEngine[str]:
    """Names that people chose: `Ann` and `ann` are two."""
    return String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql")


ColumnType = TypeEngine[Any] | type[TypeEngine[Any]]


def required(**types: ColumnType) -> list[Column[Any]]:
    """Columns that have a value in every row, by their names."""
    return [Column(name, each, nullable=False) for name, each in types.items()]


def optional(**types: ColumnType) -> list[Column[Any]]:
    """Columns that may have none, by their names."""
    return [Column(name, each) for name, each in types.items()]


LONG_TEXT: TypeEngine[str] = Text().with_variant(mysql.LONGTEXT(collation="utf8mb4_bin"), "mysql")
"""A whole model as JSON."""
