"""
One study in a process of its own: ``python -m ml.studies NAME --to FILE``.

Progress goes to stdout, one JSON object per line; the study goes to the file, whole or not at
all. What may go wrong is one sentence on stderr and exit code 1.
"""

import argparse
import json
import os
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

from ml.errors import MLError
from ml.evaluation.records import Study
from ml.studies import Plan, run
from ml.studies.store import write_study

QUICK_DRAWS = 200


def main(arguments: list[str] | None = None) -> int:
    """Run the study that the command line names."""
    asked = _parser().parse_args(arguments)
    plan = Plan(data=asked.data, quick=asked.quick, seeds=tuple(range(1, asked.seeds + 1)))
    if plan.quick:
        plan = replace(plan, draws=QUICK_DRAWS)
    began = time.perf_counter()
    try:
        found = run(asked.name, plan, _tell)
    except (MLError, FileNotFoundError, ModuleNotFoundError) as error:
        sys.stderr.write(f"{_sentence(error)}\n")
        return 1
    write_study(_with_costs(found, time.perf_counter() - began), asked.to)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml.studies", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    return parser


def _tell(what: str, share: float) -> None:
    sys.stdout.write(json.dumps({"what": what, "share": share}) + "\n")
    sys.stdout.flush()


def _with_costs(study: Study, seconds: float) -> Study:
    # Linux counts kilobytes, macOS bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return replace(study, seconds=seconds, peak_mb=peak_mb)


def _sentence(error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"{os.fspath(error.filename)} is not there"
    if isinstance(error, ModuleNotFoundError):
        return f"the package {error.name} is not installed; pip install 'shopgraph[evaluate]'"
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
