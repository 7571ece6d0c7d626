"""Next item in sessions of two shops: who foretells it best, and what each part is worth."""

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ml.evaluation.groups import in_prefix
from ml.evaluation.ranking import Cases, Ranked, rank_cases
from ml.evaluation.ranking_metrics import head_items, ranking_gain, ranking_row
from ml.evaluation.records import Curve, Figure, Gain, Goal, Row, Study
from ml.fusion.config import FusionConfig
from ml.fusion.model import Fusion
from ml.ranking.blend import Blend
from ml.ranking.gru4rec import CONFIG as GRU4REC
from ml.ranking.gru4rec import GRU4Rec
from ml.ranking.item_knn import ItemKNN
from ml.ranking.popular import Popular
from ml.ranking.rerank import Reranker
from ml.ranking.rules import SequentialRules
from ml.ranking.sasrec import CONFIG as SASREC
from ml.ranking.sasrec import SASRec
from ml.ranking.sequences import Ranker, Sequences
from ml.ranking.vsknn import VSKNN
from ml.studies import Plan, Tell
from ml.studies.session_files import SessionData, read
from ml.studies.session_settings import DIGINETICA, RETAILROCKET, SessionSetting
from ml.studies.shared_models import Shared

FIGURES = ("recall@20", "mrr@20", "ndcg@10")
OURS, BLEND, NETWORK, MEMORY = "fusion", "fixed blend", "fusion network alone", "V-SKNN"
WITHOUT_ATTENTION = "fusion network without attention"
WITHOUT_GRAPH = "fusion network without item graph"
WITHOUT_MEMORY = "fusion without memory"
GRU_EPOCHS, SAS_EPOCHS = 4, 8
"""The published networks learn more slowly, as they see no item graph."""

RECENT = 30_000
"""Sessions after which a rule or an item's popularity counts half."""

QUICK = 10
"""A quick look learns from the newest one in so many sessions and asks one case in so many."""


def retailrocket(plan: Plan, tell: Tell) -> Study:
    """The study of RetailRocket's sessions."""
    return _study(RETAILROCKET, plan, tell)


def diginetica(plan: Plan, tell: Tell) -> Study:
    """The study of Diginetica's sessions."""
    return _study(DIGINETICA, plan, tell)


@dataclass(frozen=True, slots=True)
class _Contender:
    """A model with all its seeds."""

    name: str
    models: Sequence[Ranker]
    note: str = ""


def _study(setting: SessionSetting, plan: Plan, tell: Tell) -> Study:
    begun = time.monotonic()
    torch.set_num_threads(1)
    data = read(plan.data / setting.folder)
    if plan.quick:
        data = _smaller(data)
    contenders = _contenders(setting, plan, len(data.past))
    seconds = _learn(contenders, data.past, tell)
    ranked = _ask(contenders, data.cases, seconds, tell)
    return _report(setting, plan, data, contenders, ranked, seconds, begun)


def _contenders(setting: SessionSetting, plan: Plan, whole: int) -> list[_Contender]:
    memory = Shared(lambda: VSKNN(setting.memory))
    onward = Shared(lambda: VSKNN(setting.onward))
    rules = Shared(lambda: SequentialRules(half_life=RECENT))
    nets = [_network(setting.network, seed) for seed in plan.seeds]
    tabular: dict[str, Callable[[], Ranker]] = {
        "memory": memory.view,
        "onward": onward.view,
        "rules": rules.view,
    }
    first = plan.seeds[0]

    def reranked(network: Shared, others: Mapping[str, Callable[[], Ranker]], seed: int) -> Ranker:
        # What the trees learn of one network's opinions holds for those of its twins.
        part = nets[0] if network in nets else network
        view = partial(network.view, part=part, whole=whole)
        return Reranker({"network": view, **others}, setting.rerank, seed)

    blends = [Blend(net.view(), memory.view(), share=setting.share) for net in nets]
    ours = [reranked(net, tabular, seed) for net, seed in zip(nets, plan.seeds, strict=True)]
    without: dict[str, Ranker] = {
        WITHOUT_ATTENTION: Fusion(replace(setting.network, attention=False), seed=first),
        WITHOUT_GRAPH: Fusion(replace(setting.network, hops=0), seed=first),
        WITHOUT_MEMORY: reranked(nets[0], {"rules": rules.view}, first),
    }
    batch = setting.network.batch
    gru = replace(GRU4REC, epochs=GRU_EPOCHS, batch=batch)
    sas = replace(SASREC, epochs=SAS_EPOCHS, batch=batch)
    return [
        _Contender("popularity, lately", [Popular(half_life_sequences=RECENT)]),
        _Contender("Item-KNN", [ItemKNN(decay=0.5)]),
        _Contender("sequential rules", [rules.view()]),
        _Contender(MEMORY, [memory.view()]),
        _Contender("GRU4Rec", [GRU4Rec(gru, s) for s in plan.seeds]),
        _Contender("SASRec", [SASRec(sas, s) for s in plan.seeds]),
        _Contender(NETWORK, [net.view() for net in nets]),
        _Contender(BLEND, blends, f"memory counts {setting.share:g}"),
        _Contender(OURS, ours),
        *(_Contender(name, [model], "one seed") for name, model in without.items()),
    ]


def _network(config: FusionConfig, seed: int) -> Shared:
    return Shared(partial(Fusion, config, seed=seed))


def _learn(contenders: Sequence[_Contender], past: Sequences, tell: Tell) -> dict[str, float]:
    """Fit all; seconds by name, a model that others share is counted where it comes first."""
    seconds = {}
    for done, one in enumerate(contenders):
        tell(f"learn {one.name}", 0.7 * done / len(contenders))
        begun = time.monotonic()
        for model in one.models:
            model.fit(past)
        seconds[one.name] = time.monotonic() - begun
    return seconds


def _ask(
    contenders: Sequence[_Contender], cases: Cases, seconds: dict[str, float], tell: Tell
) -> dict[str, list[Ranked]]:
    """Rank block by block, all models on one block, so that shared scores are computed once."""
    found: dict[str, list[list[Ranked]]] = {one.name: [] for one in contenders}
    for rows in cases.blocks():
        part = _part(cases, rows)
        tell("rank the cases", 0.7 + 0.3 * rows[0] / len(cases))
        for one in contenders:
            begun = time.monotonic()
            found[one.name].append([rank_cases(model, part) for model in one.models])
            seconds[one.name] += time.monotonic() - begun
    return {
        name: [_joined(seed) for seed in zip(*blocks, strict=True)]
        for name, blocks in found.items()
    }


def _part(cases: Cases, rows: NDArray[np.int64]) -> Cases:
    return Cases.one_each(cases.prefixes.take(rows), cases.target[rows], cases.owner[rows])


def _joined(blocks: Sequence[Ranked]) -> Ranked:
    rank = np.concatenate([block.rank for block in blocks])
    return Ranked(rank, np.concatenate([block.top for block in blocks]))


def _smaller(data: SessionData) -> SessionData:
    n = len(data.past)
    asked = np.flatnonzero(data.cases.owner % QUICK == 0)
    return SessionData(
        past=data.past.take(np.arange(n - n // QUICK, n)), cases=_part(data.cases, asked)
    )


def _report(
    setting: SessionSetting,
    plan: Plan,
    data: SessionData,
    contenders: Sequence[_Contender],
    ranked: dict[str, list[Ranked]],
    seconds: dict[str, float],
    begun: float,
) -> Study:
    rng = np.random.default_rng(plan.seeds[0])
    popularity = np.bincount(data.past.item, minlength=data.past.n_items)
    rows = [
        ranking_row(
            one.name,
            ranked[one.name],
            data.cases,
            FIGURES,
            draws=plan.draws,
            rng=rng,
            popularity=popularity,
            seconds=seconds[one.name],
            note=one.note,
        )
        for one in contenders
    ]
    gain = partial(_gains, ranked=ranked, cases=data.cases, draws=plan.draws, rng=rng)
    whole = {row.model: row.figures for row in rows}[OURS]
    return Study(
        name=setting.name,
        title=setting.title,
        protocol=(
            "All prefixes of later sessions, the full catalogue is ranked, items of the prefix may "
            "come again. Settings were chosen on the last training sessions, then all models "
            "learned from all of them. Bootstrap over sessions."
        ),
        cases=len(data.cases),
        rows=rows,
        gains=gain([(OURS, MEMORY), (OURS, BLEND), (OURS, "GRU4Rec"), (OURS, "SASRec")])
        + gain([(OURS, NETWORK), (BLEND, MEMORY), (BLEND, NETWORK)]),
        ablation=gain(
            [
                *((NETWORK, part) for part in (WITHOUT_ATTENTION, WITHOUT_GRAPH)),
                *((OURS, part) for part in (WITHOUT_MEMORY, BLEND)),
            ]
        ),
        groups=_groups(ranked, data, popularity, plan.draws, rng),
        curves=_curves(contenders),
        goals=_goals(setting, whole),
        notes=_notes(setting, plan),
        seconds=time.monotonic() - begun,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _gains(
    pairs: Sequence[tuple[str, str]],
    ranked: dict[str, list[Ranked]],
    cases: Cases,
    draws: int,
    rng: np.random.Generator,
) -> list[Gain]:
    """
    P@20 and MRR@20 of each pair.

    A part that was left out was left out with the first seed, so both are compared with that
    seed.
    """
    found = []
    for ours, theirs in pairs:
        seeds = min(len(ranked[ours]), len(ranked[theirs])) if "without" in theirs else None
        both = {name: ranked[name][:seeds] for name in (ours, theirs)}
        found += [
            ranking_gain(ours, theirs, both, cases, figure, draws=draws, rng=rng)
            for figure in ("recall@20", "mrr@20")
        ]
    return found


def _groups(
    ranked: dict[str, list[Ranked]],
    data: SessionData,
    popularity: NDArray[np.int64],
    draws: int,
    rng: np.random.Generator,
) -> dict[str, list[Row]]:
    cases = data.cases
    length = cases.prefixes.lengths
    again = in_prefix(cases)
    is_head = head_items(popularity)[cases.target]
    groups = {
        "history 1": length == 1,
        "history 2-4": (length >= 2) & (length <= 4),
        "history 5+": length >= 5,
        "target in the prefix": again,
        "target not in the prefix": ~again,
        "head items": is_head,
        "tail items": ~is_head,
    }
    found = {}
    for name, mask in groups.items():
        at = np.flatnonzero(mask)
        if len(at):
            part = _part(cases, at)
            found[f"{name} ({len(at)} cases)"] = [
                ranking_row(
                    model,
                    [Ranked(one.rank[at], one.top[at]) for one in ranked[model]],
                    part,
                    FIGURES[:2],
                    draws=draws,
                    rng=rng,
                )
                for model in (MEMORY, NETWORK, BLEND, OURS)
            ]
    return found


def _goals(setting: SessionSetting, whole: Mapping[str, Figure]) -> list[Goal]:
    values = (whole["recall@20"].value, whole["mrr@20"].value)
    return [
        Goal(what=f"{setting.name}, {figure} of {OURS}, per cent", value=100 * value, bar=bar)
        for figure, value, bar in zip(("P@20", "MRR@20"), values, setting.bars, strict=True)
    ]


def _curves(contenders: Sequence[_Contender]) -> list[Curve]:
    """Mean loss of each epoch, first seed; the losses of different models are not comparable."""
    found = []
    for one in contenders:
        losses = getattr(one.models[0], "losses", None)
        if losses:
            epochs = [float(k + 1) for k in range(len(losses))]
            found.append(Curve(kind="learning", model=one.name, x=epochs, y=list(losses)))
    return found


def _notes(setting: SessionSetting, plan: Plan) -> list[str]:
    held = f"{setting.rerank.held_out:.0%}"
    notes = [
        f"The re-ranker learns on prefixes of the last {held} of the training sessions, with "
        "channels fitted on the sessions before; then the channels learn again from all.",
        "All seeds of fusion share the network of the first seed in that first step.",
        "P@20 of the papers is recall@20, as every case has one target.",
        "Attention and item graph are left out of the network alone, the memory out of fusion.",
        "The seconds of a model leave out what it shares with a model above it.",
        f"Fusion's network learns for {setting.network.epochs} epochs, GRU4Rec for {GRU_EPOCHS}, "
        f"SASRec for {SAS_EPOCHS}: on validation each gains little after that many.",
    ]
    if len(plan.seeds) > 1:
        notes.append("Models without a part were measured with the first seed only.")
    return notes
