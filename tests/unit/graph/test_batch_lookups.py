"""Batches look their nodes up by an index that the query names."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

import graph

LOOK_UP = re.compile(r"MATCH \((?:\w*):(?P<label>\w+) \{+(?P<key>\w+): [^$}]+\}+\)")
SOURCES = sorted(Path(graph.__file__).parent.rglob("*.py"))


def unnamed(text: str) -> list[str]:
    """Look-ups for the rows of a batch without a word on their index."""
    found, since = [], 99
    for line, following in pairwise([*text.splitlines(), ""]):
        since = 0 if "UNWIND" in line else since + 1
        named = LOOK_UP.search(line)
        # A few lines below an UNWIND a look-up is done for each of its rows.
        if named and since < 5 and f":{named['label']}({named['key']})" not in following:
            found.append(line.strip())
    return found


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_look_up_of_a_batch_names_its_index(source: Path) -> None:
    """
    A young index is thought to be empty until it is sampled, and the planner then walks all of it
    for each row: a catalogue of 10,000 items told after the events took longer than a transaction
    may.
    """
    assert not unnamed(source.read_text(encoding="utf-8"))


def test_a_look_up_without_its_index_is_seen() -> None:
    query = "UNWIND $rows AS row\nMATCH (i:Item {item_id: row[0]})-[under:IN]->()\n"
    assert unnamed(query + "DELETE under")
    assert not unnamed(query + "USING INDEX SEEK i:Item(item_id)\nDELETE under")
