"""From the facts to the figures of a report, dimension by dimension."""

from collections import Counter
from collections.abc import Iterator

from graph.domain.events import EventType
from graph.domain.quality import Figure
from graph.quality import WHOLE_RETURN, Tally
from workers.intake.letters import NEVER_KEPT
from workers.intake.reference import required
from workers.intake.tally import WAITS_S, Place
from workers.quality.drift import js_divergence, psi
from workers.quality.facts import DAY_MS, Facts
from workers.quality.settings import QualitySettings

_OF_ALL = 4
"""Fields that every row needs: its id, its type, its time, and a person."""

_ELSEWHERE = frozenset({"missing_field", "unknown_event_type"})
"""Reasons with a check of their own."""

_NOT_OF_FORM = NEVER_KEPT | {"time_out_of_range", "conflict"}


def figures(facts: Facts, settings: QualitySettings) -> list[Figure]:
    """All figures, dimension by dimension."""
    return [
        *_promises(facts, settings),
        *_completeness(facts, settings),
        *_uniqueness(facts),
        *_validity(facts),
        *_consistency(facts),
        *_timeliness(facts),
        *_volume(facts, settings),
        *_drift(facts),
    ]


def _share(check: str, place: Place, count: int, total: int, detail: str = "") -> Figure:
    return Figure(
        check=check,
        source=place[0],
        event_type=place[1],
        detail=detail,
        value=100.0 * count / total if total else None,
        count=count,
        total=total,
    )


def _places(facts: Facts) -> list[Place]:
    refused = {(source, kind) for source, kind, _ in facts.counts.refused}
    return sorted(facts.tallies.keys() | facts.counts.rows.keys() | refused)


def _refused(facts: Facts, place: Place, *, but: frozenset[str] = frozenset()) -> int:
    return sum(
        n for (*where, reason), n in facts.counts.refused.items()
        if tuple(where) == place and reason not in but
    )  # fmt: skip


def _sent(facts: Facts, place: Place) -> int:
    """Rows that a place sent, taken or not; for history that is imported, what is stored."""
    if place not in facts.counts.rows and place in facts.tallies:
        return facts.tallies[place].rows + _refused(facts, place)
    return facts.counts.rows[place] + _refused(facts, place)


def _missing(facts: Facts, settings: QualitySettings, place: Place) -> dict[str, tuple[int, int]]:
    """Rows without a field, out of how many, by field."""
    sent = _sent(facts, place)
    found = {
        name: (n, sent) for (*where, name), n in facts.counts.missing.items()
        if tuple(where) == place
    }  # fmt: skip
    tally = facts.tallies.get(place)
    for name in settings.expected.get(place[1], ()) if tally else ():
        assert tally is not None
        found[name] = (tally.rows - tally.filled[name], tally.rows)
    return found


def _promises(facts: Facts, settings: QualitySettings) -> Iterator[Figure]:
    for place in _places(facts):
        missing = _missing(facts, settings, place)
        sent, tally = _sent(facts, place), facts.tallies.get(place)
        is_kind = place[1] in set(EventType)
        needed = _OF_ALL + (len(required(EventType(place[1]))) if is_kind else 0)
        expected = settings.expected.get(place[1], ())
        cells = sent * needed + (tally.rows if tally else 0) * len(expected)
        absent = sum(n for n, _ in missing.values())
        yield _share("completeness_pct", place, cells - absent, cells)
        refused = _refused(facts, place, but=NEVER_KEPT | {"missing_field"})
        rows = (tally.rows if tally else 0) + refused
        wrong = (tally.wrong if tally else 0) + refused
        yield _share("accuracy_pct", place, rows - wrong, rows)
        yield _latency(facts, place)


def _latency(facts: Facts, place: Place) -> Figure:
    """The upper end of the class in which the 95th percentile lies."""
    waits = {k: n for (*where, k), n in facts.counts.waits.items() if tuple(where) == place}
    total, value = sum(waits.values()), None
    seen = 0
    for place_in_line in sorted(waits):
        seen += waits[place_in_line]
        if value is None and seen >= 0.95 * total:
            value = float(WAITS_S[min(place_in_line, len(WAITS_S) - 1)])
    return Figure(
        check="latency_p95_seconds",
        source=place[0],
        event_type=place[1],
        value=value,
        total=total,
    )


def _completeness(facts: Facts, settings: QualitySettings) -> Iterator[Figure]:
    for place in _places(facts):
        for name, (n, total) in sorted(_missing(facts, settings, place).items()):
            yield _share("missing_pct", place, n, total, name)


def _uniqueness(facts: Facts) -> Iterator[Figure]:
    for place in _places(facts):
        repeats, sent = facts.counts.duplicates[place], _sent(facts, place)
        yield _share("duplicate_pct", place, repeats, sent + repeats, "same id")
    for place, tally in facts.tallies.items():
        if tally.told_again:
            yield _share("duplicate_pct", place, tally.told_again, tally.rows, "across sources")
    for source in sorted({source for source, _ in facts.counts.repeats}):
        most = max(n for (name, _), n in facts.counts.repeats.items() if name == source)
        yield Figure(check="dup_per_device_max", source=source, value=float(most), count=most)


def _validity(facts: Facts) -> Iterator[Figure]:
    unknown: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    for place in _places(facts):
        sent[place[0]] += _sent(facts, place)
    for (source, kind, reason), n in sorted(facts.counts.refused.items()):
        unknown[source] += n if reason == "unknown_event_type" else 0
        if reason not in _ELSEWHERE | NEVER_KEPT:
            place = (source, kind)
            yield _share("invalid_pct", place, n, _sent(facts, place), reason)
    for source, total in sorted(sent.items()):
        yield _share("unknown_event_type_pct", (source, ""), unknown[source], total)
    for place, tally in facts.tallies.items():
        if tally.priced:
            yield _share("price_outlier_pct", place, tally.outliers, tally.priced)


def _consistency(facts: Facts) -> Iterator[Figure]:
    for place, tally in facts.tallies.items():
        if facts.catalogue or tally.orphans:
            yield _share("orphan_pct", place, tally.orphans, tally.rows)
    for place, accepted in sorted(facts.counts.events.items()):
        if facts.waiting is not None:
            missed = accepted - _arrived(facts, place) - facts.waiting[place]
            yield _share("log_vs_graph_diff", place, max(0, missed), accepted)
    looks = {source for source, kind in facts.tallies if kind in ("view", "click")}
    for source, (bought, odd) in sorted(facts.funnel.items()):
        if source in looks:
            yield _share("funnel_inversions", (source, EventType.PURCHASE), odd, bought)


def _arrived(facts: Facts, place: Place) -> int:
    """Accepted events whose fate is known: they are in the graph, or were dropped with a reason."""
    source, kind = place
    kinds = (kind, WHOLE_RETURN) if kind == EventType.REFUND else (kind,)
    stored = [facts.tallies.get((source, one)) for one in kinds]
    return sum(one.rows for one in stored if one is not None) + facts.counts.dropped[place]


def _timeliness(facts: Facts) -> Iterator[Figure]:
    for source, known in sorted(facts.sources.items()):
        rows = sum(known.before.values()) + _live(facts, source).total()
        seconds = (facts.as_of_ms - known.last_ms) / 1_000
        yield Figure(check="freshness_seconds", source=source, value=seconds, total=rows)
    for place, tally in facts.tallies.items():
        for check, off_ms in (("event_lag_p95", tally.lag_ms), ("clock_skew_p95", tally.clock_ms)):
            yield Figure(
                check=check,
                source=place[0],
                event_type=place[1],
                value=None if off_ms is None else off_ms / 1_000,
                total=tally.live,
            )
        yield _share("late_pct", place, tally.late, tally.rows)
        yield _share("future_pct", place, tally.future, tally.rows)
        if tally.devices:
            yield _share("skewed_device_pct", place, tally.skewed_devices, tally.devices)
    for source, at_ms in sorted(facts.connectors.items()):
        minutes = (facts.as_of_ms - at_ms) / 60_000
        yield Figure(check="connector_gap_minutes", source=source, value=minutes)


def _volume(facts: Facts, settings: QualitySettings) -> Iterator[Figure]:
    for place, tally in facts.tallies.items():
        rows = tally.rows
        yield Figure(check="row_count", source=place[0], event_type=place[1], value=float(rows))
        yield _share("behaviour_mix", place, rows, _rows(facts, place[0]))
        yield _share("bot_pct", place, tally.bots, rows)
    for place in _places(facts):
        broken = _refused(facts, place, but=_NOT_OF_FORM)
        if broken:
            yield Figure(
                check="schema_violations", source=place[0], event_type=place[1], value=float(broken)
            )
    yield from _changes(facts, settings)
    yield Figure(check="dead_letter_depth", value=float(facts.letters), count=facts.letters)


def _changes(facts: Facts, settings: QualitySettings) -> Iterator[Figure]:
    """Against the mean of the days on which a source sent; freshness tells of a silent one."""
    length = (facts.as_of_ms - facts.window.begin_ms) / DAY_MS
    for source, known in sorted(facts.sources.items()):
        now = _live(facts, source)
        if not now or not known.days:
            continue
        for kind in sorted(now.keys() | known.before.keys()):
            usual = known.before[kind] / len(known.days) * length
            yield Figure(
                check="row_count_change_pct",
                source=source,
                event_type=kind,
                value=100.0 * (now[kind] - usual) / usual if usual else None,
                count=now[kind],
                total=round(usual),
            )


def _drift(facts: Facts) -> Iterator[Figure]:
    for place, now in sorted(facts.prices.items()):
        before = facts.prices_before.get(place)
        if before:
            yield Figure(
                check="psi",
                source=place[0],
                event_type=place[1],
                value=psi(now, before),
                total=min(now.total(), before.total()),
            )
    for source, known in sorted(facts.sources.items()):
        live = _live(facts, source)
        if live and known.before:
            yield Figure(
                check="js_divergence",
                source=source,
                value=js_divergence(live, known.before),
                total=min(live.total(), known.before.total()),
            )


def _live(facts: Facts, source: str) -> Counter[str]:
    """Events of a source in the window that were not imported, by type."""
    return Counter(
        {
            kind: one.live
            for (name, kind), one in facts.tallies.items()
            if name == source and one.live
        }
    )


def _rows(facts: Facts, source: str) -> int:
    tallies: list[Tally] = [one for (name, _), one in facts.tallies.items() if name == source]
    return sum(one.rows for one in tallies)
