"""What the two-tower model can be told, and what it can be told about items."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Encoder = Literal["gru", "lstm", "attention", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionConfig:
    """
    Sizes and switches; each part can be turned off, so that its worth can be measured.

    Attributes:
        dim: length of item and user vectors.
        encoder: what reads the events in order.
        attention: look back over the states, with weights per behaviour.
        own_edges: add a decayed mean of the sequence's own items (``r``); it does harm on Taobao.
        heads: of the attention.
        steps: last events that are read; longer training sequences are cut into pieces.
        hops: 0 leaves the item graph out, 2 also mixes in neighbours of neighbours.
        neighbours: edges kept per item and type.
        edge_half_life: in later sequences; ``None`` counts all edges alike.
        edges_by_behaviour: one graph per behaviour code, where there are codes.
        count_gate: trust an item's own vector by n / (n + κ), with content; no gain measured.
        id_dropout: share of items whose own vector is hidden in a training step, with content;
            no gain measured.
        first: also learn to foretell the first event, from the vector of somebody unknown.
        cosine: compare directions only; ``temperature`` then scales them.
        popular: add a learned bias per item.
        negatives: items that each batch is compared with, drawn by popularity ** ``exponent``.
        target_weight: by behaviour code of what came next; ``None`` counts all alike.
        half_life: age in later sequences at which a training sequence counts half.
        promotion_then: each event knows whether its item was on promotion at its time.
        promotion_bias: items on promotion at the asked moment get a learned bonus.
        promotion_gate: the attention and the own edges look more, or less, at events whose item is
            on promotion at the asked moment; no gain measured, see docs/decisions/017.
        batch: events per step; the length of the sequences decides how many people that is.
    """

    dim: int = 64
    encoder: Encoder = "lstm"
    attention: bool = True
    own_edges: bool = False
    heads: int = 2
    steps: int = 50
    hops: int = 1
    neighbours: int = 20
    edge_half_life: float | None = None
    edges_by_behaviour: bool = False
    count_gate: bool = False
    id_dropout: float = 0.0
    first: bool = False
    cosine: bool = True
    temperature: float = 1 / 14
    popular: bool = False
    negatives: int = 2048
    exponent: float = 0.5
    target_weight: tuple[float, ...] | None = None
    half_life: float | None = None
    promotion_then: bool = False
    promotion_bias: bool = False
    promotion_gate: bool = False
    dropout: float = 0.25
    epochs: int = 6
    batch: int = 4096
    learning_rate: float = 3e-3

    @property
    def needs_plans(self) -> bool:
        """Whether a switch of promotion is on."""
        return self.promotion_then or self.promotion_bias or self.promotion_gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """
    Learn what people take within some days of given moments, in place of the next event.

    Attributes:
        moments: (M,) int64, milliseconds UTC; whoever has events before and within the horizon
            after one of them is a question.
        days: the horizon.
        targets: how many events of the horizon are drawn per question, with replacement, so that
            everybody counts alike.
    """

    moments: NDArray[np.int64]
    days: float = 7.0
    targets: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """
    What is known about items before anybody touches them; -1 is unknown.

    Shapes:
        category, brand: (V,) int64, any numbers from 0 up
        price:           (V,) int64, a band from 0 up, cheapest first
    """

    category: NDArray[np.int64] | None = None
    brand: NDArray[np.int64] | None = None
    price: NDArray[np.int64] | None = None

    def columns(self) -> list[tuple[NDArray[np.int64], int]]:
        """The columns that are there, each with the width of its embedding."""
        wide = ((self.category, 16), (self.price, 8), (self.brand, 16))
        return [(column, width) for column, width in wide if column is not None]
