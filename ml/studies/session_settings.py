"""The two sets of sessions and the settings chosen for each on its last training sessions."""

from dataclasses import dataclass

from ml.fusion.config import FusionConfig
from ml.ranking.rerank import RerankConfig
from ml.ranking.vsknn import Neighbourhood


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSetting:
    """
    One set of sessions.

    Attributes:
        folder: below the folder of public data.
        shortest: events of the shortest prefix among the test cases.
        memory: V-SKNN, the channel and the baseline alike.
        onward: a second V-SKNN that looks at what comes right after the match, lately.
        network: the two towers.
        share: what the memory counts in the fixed blend.
        bars: what P@20 and MRR@20 were to reach, in per cent.
    """

    name: str
    title: str
    folder: str
    shortest: int
    memory: Neighbourhood
    onward: Neighbourhood
    network: FusionConfig
    share: float
    rerank: RerankConfig
    bars: tuple[float, float]


RETAILROCKET = SessionSetting(
    name="retailrocket",
    title="Next item of a session, RetailRocket",
    folder="retailrocket_sessions",
    shortest=2,
    memory=Neighbourhood(
        neighbours=300,
        decay=0.75,
        rarity=4.0,
        half_life=120_000,
        reach=0.75,
        behind=0.7,
        answer_rarity=2.0,
    ),
    onward=Neighbourhood(
        neighbours=300, decay=0.75, rarity=4.0, half_life=30_000, reach=2.0, behind=0.2
    ),
    network=FusionConfig(epochs=3, batch=3072),
    share=0.5,
    rerank=RerankConfig(shortest=2),
    bars=(58.5, 30.0),
)

DIGINETICA = SessionSetting(
    name="diginetica",
    title="Next item of a session, Diginetica",
    folder="diginetica_sessions",
    shortest=1,
    memory=Neighbourhood(
        neighbours=500,
        decay=1.5,
        rarity=4.0,
        half_life=120_000,
        reach=1.0,
        behind=0.7,
        answer_rarity=1.0,
    ),
    onward=Neighbourhood(
        neighbours=500, decay=1.5, rarity=4.0, half_life=30_000, reach=2.0, behind=0.2
    ),
    network=FusionConfig(epochs=3, batch=3072),
    share=0.5,
    rerank=RerankConfig(),
    bars=(54.0, 19.2),
)
