"""Studies in files, one JSON document each."""

from pathlib import Path

import orjson

from ml.evaluation.records import Study
from ml.studies import STUDIES


def write_study(study: Study, path: Path) -> None:
    """Put a study into a file at once, so that nobody reads half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_bytes(orjson.dumps(study.to_dict(), option=orjson.OPT_INDENT_2))
    draft.replace(path)


def read_studies(folder: Path) -> list[Study]:
    """All studies of a folder, in the order of the table of studies."""
    found = [
        Study.from_dict(orjson.loads(path.read_bytes())) for path in sorted(folder.glob("*.json"))
    ]
    order = {name: place for place, name in enumerate(STUDIES)}
    return sorted(found, key=lambda study: order.get(study.name, len(order)))
