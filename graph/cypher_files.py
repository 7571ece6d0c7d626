"""Reads a file of Cypher: its mode, its statements, and its text without what does not count."""

import re
from collections.abc import Iterator
from typing import Literal, get_args

from graph.errors import MigrationError

Mode = Literal["schema", "data", "auto"]
"""How a file runs: statement by statement, in one transaction, or in auto-commit."""

_MODE = re.compile(r"//\s*mode:\s*(\w+)\s*")
_TOKEN = re.compile(
    r"""
      (?P<comment> //[^\n]* | /\*.*?\*/ )
    | (?P<quoted> '(?:\\.|[^'\\])*' | "(?:\\.|[^"\\])*" | `(?:``|[^`])*` )
    | (?P<end> ; )
    | (?P<text> . )
    """,
    re.VERBOSE | re.DOTALL,
)


def mode_of(text: str, name: str) -> Mode:
    """
    The mode that the first line names.

    Raises:
        MigrationError: the first line is not like ``// mode: schema``.
    """
    first = text.split("\n", 1)[0]
    found = _MODE.fullmatch(first)
    modes: tuple[Mode, ...] = get_args(Mode)
    for mode in modes:
        if found is not None and found[1] == mode:
            return mode
    raise MigrationError(f"{name}: the first line must be // mode: {' or '.join(modes)}")


def statements_of(text: str) -> Iterator[str]:
    """The statements of a file, split at semicolons that stand outside quotes and comments."""
    current: list[str] = []
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "end":
            yield from _unless_blank(current)
            current = []
        elif token.lastgroup == "comment":
            current.append(" ")
        else:
            current.append(token[0])
    yield from _unless_blank(current)


def normalised(text: str) -> str:
    """The text without differences in line ends and in blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _unless_blank(parts: list[str]) -> Iterator[str]:
    statement = "".join(parts).strip()
    if statement:
        yield statement
