"""The rehearsal of an ingest batch."""

from graph import counts, pulls
from graph.client import Graph
from graph.rehearsal import rehearse


def test_a_rehearsal_leaves_nothing_behind(graph: Graph) -> None:
    """No node, no edge, no sequence number: as if it had not been."""
    before = graph.read(counts.counts), graph.read(pulls.last_seq)
    rehearse(graph)
    assert (graph.read(counts.counts), graph.read(pulls.last_seq)) == before
