"""Tables in Markdown."""

import re
from collections.abc import Iterator, Sequence

NUMBER = re.compile(r"$|[≥≤+\-−]? ?\.?\d")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table and an empty one; columns that are empty everywhere are left out."""
    kept = [k for k in range(len(head)) if k == 0 or any(row[k] for row in rows)]
    if not rows:
        return
    yield _line([head[k] for k in kept])
    yield _line(["---:" if all(NUMBER.match(row[k]) for row in rows) else "---" for k in kept])
    for row in rows:
        yield _line([row[k] for k in kept])
    yield ""


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
