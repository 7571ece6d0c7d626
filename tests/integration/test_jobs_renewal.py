"""The live model takes in what is new, without training."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from graph import events, items, models
from graph.client import Graph
from graph.domain.catalogue import Item
from graph.domain.events import EventType
from graph.domain.ids import ItemId
from graph.domain.models import Model, RunState
from ml.delivery import embed
from ml.serving.model import ServingModel
from tests import shop
from tests.runs import stored_vectors, trained
from workers.columns import pull
from workers.errors import JobsUnavailable
from workers.intake.changes import CatalogueChanges
from workers.refresh import refresh
from workers.renewal import ask_if_due
from workers.settings import JobSettings
from workers.stages import Place

LATE_MS = shop.START_MS + 80 * shop.DAY_MS
NEW = ItemId("item-40")


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> JobSettings:
    """A model store of the test's own."""
    return JobSettings(redis_url=redis_url, model_store=tmp_path / "models", lease_ttl_s=5)


def come_to_the_shelf(graph: Graph) -> None:
    """A new item of the even colour, which even people look at."""
    new = Item(item_id=NEW, title=NEW, categories=("colour/0",), updated_at=LATE_MS)
    graph.write(items.upsert, [new], now_ms=LATE_MS)
    told = [
        shop.event(90_000 + step, shop.person(2 * step), 40, EventType.VIEW, LATE_MS + step)
        for step in range(6)
    ]
    graph.write(events.record, told)


def live_model(graph: Graph) -> Model:
    live = graph.read(models.live)
    assert live is not None
    return live


def test_e16_a_new_item_is_answered_for_after_a_renewal(
    graph: Graph, settings: JobSettings
) -> None:
    """It has a vector from its category and its first edges, neighbours, and a place in lists."""
    shop.fill(graph, shop.checkerboard())
    trained(graph, settings)
    before = live_model(graph)
    come_to_the_shelf(graph)
    run = trained(graph, settings, 2, profile="renewal")
    assert run.state is RunState.FINISHED, run.error
    live = live_model(graph)
    assert (live.version, live.profile) == (run.model_version, "paper")
    assert live.data_seq == before.data_seq
    assert live.seen_seq > before.seen_seq
    assert live.metrics == before.metrics
    served = ServingModel.load(settings.model_store / live.version)
    assert NEW in served.item_ids
    nearest = served.similar(NEW, 5)
    assert np.mean([int(other[5:]) % 2 == 0 for other, _ in nearest]) >= 0.8
    assert NEW in dict(served.top(served.popular(), 100))


def test_a_renewed_model_has_the_vectors_that_its_weights_give(
    graph: Graph, settings: JobSettings
) -> None:
    """Of everybody and everything, in the other slot; the refresh after it has nothing to do."""
    shop.fill(graph, shop.checkerboard())
    trained(graph, settings)
    before = live_model(graph)
    come_to_the_shelf(graph)
    trained(graph, settings, 2, profile="renewal")
    live = live_model(graph)
    assert live.slot is before.slot.other
    place = Place(settings.model_store, 5)
    data = pull(graph, place.cache, report=lambda _: None).interactions
    wanted = embed(settings.model_store / before.version, data, now_ms=live.as_of_ms)
    people = graph.read(stored_vectors, live.slot)
    np.testing.assert_allclose(
        [people[one] for one in wanted.user_ids], wanted.user_vectors, atol=1e-5
    )
    goods = graph.read(stored_vectors, live.slot, "Item")
    np.testing.assert_allclose(
        [goods[one] for one in wanted.item_ids], wanted.item_vectors, atol=1e-5
    )
    assert refresh(graph, place, CatalogueChanges(settings.broker_url)).people == 0


def test_any_model_whose_files_are_there_can_be_renewed(
    graph: Graph, settings: JobSettings
) -> None:
    """So an older one can answer again after its vectors were written over."""
    shop.fill(graph, shop.checkerboard())
    first = trained(graph, settings)
    trained(graph, settings, 2, force=True)
    trained(graph, settings, 3, force=True)
    run = trained(graph, settings, 4, profile="renewal", model=first.model_version)
    assert run.state is RunState.FINISHED, run.error
    assert run.figures["renewed"] == first.model_version
    again, old = (
        ServingModel.load(settings.model_store / str(one.model_version)) for one in (run, first)
    )
    assert np.array_equal(again.head.weight, old.head.weight)


@pytest.mark.parametrize(("options", "reason"), [({}, "no model to renew"), ({"model": "x"}, "x")])
def test_without_a_model_there_is_nothing_to_renew(
    graph: Graph, settings: JobSettings, options: dict[str, Any], reason: str
) -> None:
    """The run fails with a sentence."""
    shop.fill(graph, shop.checkerboard(people=2, days=3))
    run = trained(graph, settings, profile="renewal", **options)
    assert run.state is RunState.FAILED
    assert reason in (run.error or "")


def test_the_refresh_tells_of_new_items_and_a_renewal_is_asked_for_when_it_is_time(
    graph: Graph, settings: JobSettings
) -> None:
    """Not more often than the shop wants, and never twice at once."""
    shop.fill(graph, shop.checkerboard())
    trained(graph, settings)
    come_to_the_shelf(graph)
    place = Place(settings.model_store, 5)
    found = refresh(graph, place, CatalogueChanges(settings.broker_url))
    assert (found.people, found.new_items) == (6, 1)
    assert found.live is not None
    asked: list[str] = []
    jobs: Any = SimpleNamespace(train=lambda run_id, options: asked.append(run_id))
    assert not ask_if_due(graph, jobs, found.live, 1, every_s=3600)
    assert not ask_if_due(graph, jobs, found.live, 0, every_s=0)
    assert ask_if_due(graph, jobs, found.live, 1, every_s=0)
    assert not ask_if_due(graph, jobs, found.live, 1, every_s=0)
    assert len(asked) == 1


def test_a_renewal_that_cannot_be_asked_for_is_no_trouble(
    graph: Graph, settings: JobSettings
) -> None:
    """The next refresh asks again."""
    shop.fill(graph, shop.checkerboard())
    trained(graph, settings)

    def refuse(run_id: str, options: object) -> None:
        raise JobsUnavailable("the broker does not answer")

    jobs: Any = SimpleNamespace(train=refuse)
    assert not ask_if_due(graph, jobs, live_model(graph), 1, every_s=0)
