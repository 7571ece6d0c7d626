"""The evaluation on public data: one module per table of the report, run by name."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ml.evaluation.records import Study

Tell = Callable[[str, float], None]
"""Is told what is being done and the share that is done, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    How a study is to be run.

    Attributes:
        data: the folder with one folder per public data set.
        quick: smaller and with one seed, for a look; its figures are not for a report.
        seeds: seeds of everything that is trained.
        draws: bootstrap draws.
    """

    data: Path
    quick: bool = False
    seeds: tuple[int, ...] = (1, 2, 3)
    draws: int = 1000


STUDIES: dict[str, str] = {
    "alibaba": "ml.studies.alibaba:run",
    "journey": "ml.studies.journey:journey",
    "journey_next": "ml.studies.journey_next:journey_next",
    "beauty": "ml.studies.beauty:beauty",
    "movielens-time": "ml.studies.movielens:movielens_time",
    "movielens-recbole": "ml.studies.movielens:movielens_recbole",
    "retailrocket": "ml.studies.sessions:retailrocket",
    "diginetica": "ml.studies.sessions:diginetica",
    "switches": "ml.studies.switches:switches",
    "cold_journey": "ml.studies.cold:cold_journey",
    "cold_taobao": "ml.studies.cold:cold_taobao",
    "cold_taobao_categories": "ml.studies.cold:cold_taobao_categories",
}
"""Name on the command line, then ``module:function``; the function takes (Plan, Tell)."""


def run(name: str, plan: Plan, tell: Tell) -> Study:
    """Run one study; torch is loaded only by those that need it."""
    module, function = STUDIES[name].split(":")
    found: Study = getattr(import_module(module), function)(plan, tell)
    return found
