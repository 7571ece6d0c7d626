"""
Small models of the person's period and of the item's period, whose logits are columns of pairs.

A person's week shows on all of that person's pairs at once. A model of pairs sees millions of rows
but only some thousand such weeks and overfits them; a model of the weeks themselves does not.
Each is fitted on periods before the one it speaks about.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np

from ml.distinct import distinct
from ml.intent.hazards import pooled
from ml.intent.household import people
from ml.intent.item_columns import items
from ml.intent.kind_lines import SAMPLE, kind_lines
from ml.intent.moment import Columns, Moment
from ml.intent.promoted import item_promotions
from ml.intent.spells import Numbers, Rows
from ml.intent.trees import TreeSettings, boost

BASE = 0.025
"""Rate that combined logits are measured from; any would do."""

EPSILON = 1e-5


@dataclass(frozen=True, slots=True)
class Lines:
    """
    What one period teaches a sub-model.

    Shapes:
        values: (R, n) float32; target, weight: (R,) float32, a weight of 0 is not learned from
    """

    values: Rows
    target: Rows
    weight: Rows


@dataclass(frozen=True, slots=True)
class SubModel:
    """What a sub-model is about, how it grows, and from how many of the latest periods."""

    name: str
    lines: Callable[[Moment], Lines]
    settings: TreeSettings
    periods: int = 1000


def person_lines(at: Moment) -> tuple[Numbers, Numbers, Numbers, Rows]:
    """(U, n) values, active and bought pairs (U,), whether there was a trip (U,)."""
    return at.history.once(("person_lines", at.period), lambda: _person_lines(at))


def _person_lines(at: Moment) -> tuple[Numbers, Numbers, Numbers, Rows]:
    history, state, n = at.history, at.state, at.history.n_users
    hazard = pooled(at)
    leaflet, display = at.flags_of(state.user, state.item)
    active = np.bincount(state.user, minlength=n).astype(np.float64)
    some = np.maximum(active, 1)

    def summed(values: Rows) -> Numbers:
        return np.bincount(state.user, values, n)

    extra = {
        "hazard": summed(hazard) / some,
        "due": summed(hazard),
        "leaflet": summed(leaflet > 0) / some,
        "display": summed(display > 0) / some,
        "leaflet_due": summed(hazard * (leaflet > 0)) / np.maximum(summed(hazard), EPSILON),
    }
    values = np.stack([*people(at).values(), *extra.values()], axis=1).astype(np.float32)
    trip = history.trips.active(at.period)[history.trips.find(np.arange(n))]
    return values, active, summed(state.bought), trip


def person_rate(at: Moment) -> Lines:
    """Share of the person's active pairs that are bought."""
    values, active, bought, _ = person_lines(at)
    return _share(values, active, bought)


def person_visit(at: Moment) -> Lines:
    """Whether the person shops at all."""
    values, active, _, trip = person_lines(at)
    return Lines(values, trip.astype(np.float32), (active > 0).astype(np.float32))


def item_rate(at: Moment) -> Lines:
    """Share of the item's active pairs that are bought."""
    history, state, n = at.history, at.state, at.history.n_asked
    slot = history.slot[state.item]
    hazard = pooled(at)
    active = np.bincount(slot, minlength=n).astype(np.float64)
    some = np.maximum(active, 1)
    parts = [np.bincount(slot, hazard, n) / some]
    if history.promotions is not None:
        kinds = at.flags_of(state.user, state.item)
        parts += [np.bincount(slot, one > 0, n) / some for one in kinds]
        parts += list(item_promotions(at).values())
    department = history.levels.department[history.asked].astype(np.float64)
    parts += [*items(at).values(), department]
    values = np.stack(parts, axis=1).astype(np.float32)
    return _share(values, active, np.bincount(slot, state.bought, n))


def kind_need(at: Moment) -> Lines:
    """Whether a person buys anything of a kind bought before; one group in a few, by turns."""
    spells = at.history.by_kind
    group = distinct(spells.group[spells.within(at.first, at.period)])
    group = group[(spells.key[group] + at.period) % SAMPLE == 0]
    values, bought = kind_lines(at, group)
    return Lines(values, bought.astype(np.float32), np.ones(len(group), np.float32))


def _share(values: Rows, active: Numbers, bought: Numbers) -> Lines:
    weight = active / max(active.mean(), EPSILON)
    target = bought / np.maximum(active, 1)
    return Lines(values, target.astype(np.float32), weight.astype(np.float32))


def _slow(leaves: int, leaf_rows: int, rounds: int) -> TreeSettings:
    return TreeSettings(
        rounds=rounds,
        patience=0,
        learning_rate=0.04,
        leaves=leaves,
        bins=127,
        leaf_rows=leaf_rows,
        column_share=0.4,
        row_share=0.7,
        l2=30.0,
        objective="cross_entropy",
    )


SUB_MODELS = (
    SubModel("person", person_rate, _slow(12, 100, 180)),
    SubModel("visit", person_visit, _slow(12, 100, 180)),
    SubModel("item", item_rate, _slow(24, 200, 200)),
    SubModel("kind", kind_need, TreeSettings(rounds=80, patience=0, leaf_rows=200), periods=6),
)


class SubModels:
    """Fitted sub-models of one moment on."""

    def __init__(self, boosters: dict[str, lightgbm.Booster]) -> None:
        """By name."""
        self.boosters = boosters

    @classmethod
    def fit(cls, lines: dict[str, list[Lines]], seed: int) -> "SubModels":
        """Learn from the lines of closed periods, by name; unlearnable ones are left out."""
        boosters = {}
        for model in SUB_MODELS:
            past = lines[model.name][-model.periods :]
            if not past:
                continue
            values, target, weight = (
                np.concatenate([getattr(one, part) for one in past])
                for part in ("values", "target", "weight")
            )
            kept = weight > 0
            if kept.sum() >= 2 and np.ptp(target[kept]) > 0:
                boosters[model.name] = boost(
                    values[kept], target[kept], weight[kept], model.settings, seed
                )
        return cls(boosters)

    def columns(self, at: Moment, hazards: dict[str, Any]) -> Columns:
        """The logits at the pairs, alone and added up with hazards of the pairs."""
        user, slot = at.user, at.history.slot[at.item]
        logit = {name: self._logit(name, at) for name in ("person", "visit", "item")}
        both = logit["person"][user] + logit["item"][slot] - _logit(BASE)
        found: Columns = {
            "sub_person": logit["person"][user],
            "sub_visit": logit["visit"][user],
            "sub_item": logit["item"][slot],
            "sub_person_item": both,
        }
        kind = self._kind(at)
        found["sub_kind"] = kind
        found["sub_kind_item"] = kind + logit["item"][slot] - _logit(BASE)
        for name in ("hazard", "hazard_phase", "hazard_item_count"):
            found[f"sub_{name}"] = both + _logit(hazards[name]) - _logit(BASE)
        return found

    def _kind(self, at: Moment) -> Numbers:
        """(P,) logit of the kind's need; that of a stranger where the person never bought it."""
        spells, size = at.history.by_kind, int(at.history.levels.kind.max(initial=0)) + 1
        group = spells.find(at.user * size + at.kind)
        recent = np.zeros(len(spells.key) + 1, bool)
        recent[spells.group[spells.within(at.first, at.period)]] = True
        found = np.full(len(spells.key) + 1, _logit(BASE))
        asked = distinct(group[recent[group]])
        if "kind" in self.boosters and len(asked):
            values, _ = kind_lines(at, asked)
            found[asked] = _logit(np.asarray(self.boosters["kind"].predict(values, num_threads=1)))
        answer: Numbers = found[group]
        return answer

    def _logit(self, name: str, at: Moment) -> Numbers:
        lines = {model.name: model for model in SUB_MODELS}[name].lines(at)
        if name not in self.boosters:
            return np.full(len(lines.values), _logit(BASE))
        rate = np.asarray(self.boosters[name].predict(lines.values, num_threads=1))
        logit: Numbers = _logit(rate)
        return logit


def _logit(rate: Any) -> Any:
    safe = np.clip(rate, EPSILON, 1 - EPSILON)
    return np.log(safe / (1 - safe))
