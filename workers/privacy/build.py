"""Puts the parts of erasing together, for the API and for the command line."""

from pathlib import Path

from graph import tombstones
from graph.client import Graph
from graph.domain.ids import UserId
from workers.intake.consent import ConsentCopy
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.traces import Traces
from workers.privacy.erasure import Erasures
from workers.privacy.model_files import ModelFiles
from workers.privacy.settings import PrivacySettings


def erasures_of(
    graph: Graph, redis_url: str, pseudonyms: Pseudonyms, model_store: Path
) -> Erasures:
    """Erasing, on these stores."""
    return Erasures(
        graph,
        ConsentCopy(redis_url),
        Traces(redis_url, pseudonyms),
        [ModelFiles(model_store, graph)],
        retrain_within_days=PrivacySettings().retrain_within_days,
    )


def known_as(graph: Graph, pseudonyms: Pseudonyms, raw_id: str, *, is_visitor: bool) -> UserId:
    """The pseudonym that a person goes by now, also after an erasure and a return."""
    pseudonyms.know_returned(graph.read(tombstones.generations))
    return pseudonyms.visitor(raw_id) if is_visitor else pseudonyms.customer(raw_id)[0]
