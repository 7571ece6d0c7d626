"""Erasing while a model is trained: the new one holds nobody who was erased at any point."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graph import models
from graph.client import Graph
from graph.domain.models import RunState
from ml.forgetting import people_in
from ml.serving.model import ServingModel
from tests import shop
from tests.factories import PSEUDONYMS
from tests.runs import stored_vectors, trained
from workers import rules
from workers.columns import load
from workers.intake.consent import ConsentCopy
from workers.intake.traces import Traces
from workers.privacy.erasure import Erasures
from workers.privacy.model_files import CACHE, ModelFiles
from workers.progress import Reporter
from workers.settings import JobSettings

QUICK = {"max_epochs": 1, "item2vec_epochs": 1, "stack_steps": 5, "bootstrap_draws": 5}

POINTS: dict[str, Callable[[str, float, dict[str, Any]], bool]] = {
    "before it reads": lambda stage, share, _: stage == "pull" and share == 0.0,
    "while it reads": lambda stage, share, _: stage == "pull" and share > 0.0,
    "when it has read": lambda stage, _, figures: "fresh_events" in figures,
    "when it begins to learn": lambda _, share, __: share > 0.09,
    "while it learns": lambda _, share, __: share > 0.45,
    "when it exports": lambda stage, _, __: stage == "export",
    "at the gate": lambda stage, _, __: stage == "gate",
    "while it writes back": lambda stage, _, __: stage == "write",
    "before the swap": lambda stage, _, __: stage == "swap",
}


@pytest.fixture
def settings(tmp_path: Path) -> JobSettings:
    """A model store of the test's own."""
    return JobSettings(redis_url="redis://nowhere", model_store=tmp_path / "models", lease_ttl_s=30)


@pytest.fixture
def erasing(graph: Graph, redis_url: str, settings: JobSettings) -> Erasures:
    """Erasing on the stores of the test."""
    return Erasures(
        graph,
        ConsentCopy(redis_url),
        Traces(redis_url, PSEUDONYMS),
        [ModelFiles(settings.model_store, graph)],
        retrain_within_days=30,
    )


def test_m4_whoever_is_erased_at_any_of_ten_points_of_a_retrain_is_not_in_the_new_model(
    graph: Graph, settings: JobSettings, erasing: Erasures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run, ten people, each erased at a point of their own; one between sweep and swap."""
    monkeypatch.setattr(rules, "TOLERANCE", -1.0)
    shop.fill(graph, shop.checkerboard())
    trained(graph, settings, **QUICK)
    left = dict(enumerate(POINTS.items()))
    report, sweep = Reporter.at, ModelFiles.sweep

    def at(self: Reporter, stage: str, share: float, *args: Any, **kwargs: Any) -> None:
        report(self, stage, share, *args, **kwargs)
        figures = {**(args[0] if args and args[0] else {}), **kwargs.get("figures", {})}
        for number, (_, is_here) in list(left.items()):
            if is_here(stage, share, figures):
                del left[number]
                erasing.erase(shop.person(number), by="test")

    def sweep_and_miss_one(self: ModelFiles) -> int:
        number = sweep(self)
        if not left:
            monkeypatch.setattr(ModelFiles, "sweep", sweep)
            erasing.erase(shop.person(len(POINTS)), by="test")
        return number

    monkeypatch.setattr(Reporter, "at", at)
    monkeypatch.setattr(ModelFiles, "sweep", sweep_and_miss_one)
    run = trained(graph, settings, 2, force=True, **QUICK)
    assert run.state is RunState.FINISHED, run.error
    assert left == {}, "a point of the run was never passed"
    _nobody_is_left(graph, settings, {shop.person(n) for n in range(len(POINTS) + 1)})


def _nobody_is_left(graph: Graph, settings: JobSettings, gone: set[Any]) -> None:
    live = graph.read(models.live)
    assert live is not None
    folders = [folder for folder in settings.model_store.glob("m-*") if folder.is_dir()]
    assert len(folders) == 2
    for folder in folders:
        people = set(people_in(folder))
        assert len(people) == 20, folder
        assert not people & gone
        ServingModel.load(folder)
    for slot in ("blue", "green"):
        assert len(graph.read(stored_vectors, slot).keys() - gone) == 20
        assert not graph.read(stored_vectors, slot).keys() & gone
    assert len({*load(settings.model_store / CACHE).columns["user"].tolist()}) == 20


def test_an_erasure_makes_the_next_run_learn_anew_though_nothing_happened(
    graph: Graph, settings: JobSettings, erasing: Erasures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run without new events is skipped otherwise; its model would know the person for ever."""
    monkeypatch.setattr(rules, "TOLERANCE", -1.0)
    shop.fill(graph, shop.checkerboard())
    first = trained(graph, settings, **QUICK)
    receipt = erasing.erase(shop.person(1), by="test")
    assert receipt.counts["models.rows"] == 1
    assert receipt.counts["training.events"] == sum(
        n for name, n in receipt.counts.items() if name in ("edges.VIEWED", "edges.PURCHASED")
    )
    second = trained(graph, settings, 2, **QUICK)
    assert second.model_version != first.model_version
    assert "note" not in second.figures
