"""Studies in files, one JSON document each."""

import json
from pathlib import Path

from ml.evaluation.records import Study
from ml.studies import STUDIES


def write_study(study: Study, path: Path) -> None:
    """Put a study into a file at once, so that nobody reads half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(study.to_dict(), indent=1), encoding="utf-8")
    draft.replace(path)


def read_studies(folder: Path) -> list[Study]:
    """All studies of a folder, in the order of the table of studies."""
    found = [
        Study.from_dict(json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(folder.glob("*.json"))
    ]
    order = {name: place for place, name in enumerate(STUDIES)}
    return sorted(found, key=lambda study: order.get(study.name, len(order)))
