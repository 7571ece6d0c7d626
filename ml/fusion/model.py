"""Both towers, learned together: what will this sequence touch next?"""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn import functional

from ml.behaviours import N_CODES
from ml.errors import TrainingDiverged
from ml.fusion.batches import batches, gather
from ml.fusion.bonus import Bonus
from ml.fusion.config import Ahead, Content, FusionConfig
from ml.fusion.items import ItemTower
from ml.fusion.loss import Drawn, Negatives, sampled_softmax
from ml.fusion.people import Events, UserTower
from ml.fusion.plans import KINDS, Plans
from ml.fusion.questions import Asked, Baskets, NextEvents, Questions, asked_at
from ml.ranking.item_graph import transitions
from ml.ranking.profiles import TIE, popularity
from ml.ranking.sequences import Sequences

CLIP = 1.0
AT_ONCE = 1024
"""Sequences whose vectors are computed together."""

Watch = Callable[[int, float], None]
"""Is told the epoch, from 1, and its mean loss; the model can be asked meanwhile."""


class Fusion:
    """
    Two towers over events and content; whoever has events has a vector, there is no user table.

    Args:
        ahead: learn what follows moments; then the moment of each sequence must be told.
        plans: what is on promotion, for the switches of promotion; they need ``ahead``.

    Shapes:
        user_vectors: (S, dim) float32, item_vectors (V, dim); their products are the scores,
        but for the learned popularity where it is switched on;
        losses: mean loss of each epoch
    """

    def __init__(
        self,
        config: FusionConfig | None = None,
        content: Content | None = None,
        seed: int = 1,
        *,
        ahead: Ahead | None = None,
        plans: Plans | None = None,
    ) -> None:
        self.config = config or FusionConfig()
        self.content = content
        self.seed = seed
        self.ahead = ahead
        self.plans = plans if self.config.needs_plans else None
        if self.config.needs_plans and (plans is None or ahead is None):
            raise ValueError("promotion needs plans, and moments that are asked about")

    def fit(self, past: Sequences, *, watch: Watch | None = None) -> None:
        """
        Learn from all positions of all sequences.

        Raises:
            NotEnoughData: there is no event.
            TrainingDiverged: the loss is no number.
            ValueError: moments are asked about and events have no times, or the plans are of
                another catalogue.
        """
        self._check(past)
        self._popularity = popularity(past)
        config = self.config
        counts = np.bincount(past.item, minlength=past.n_items)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._items = ItemTower(counts, self._graphs(past), self.content, config)
            self._people = UserTower(config, len(KINDS) if self.plans is not None else 0)
            self._bias = nn.Parameter(torch.zeros(past.n_items + 1))
            self._bonus = Bonus(self.plans) if self.plans and config.promotion_bias else None
            self._learn(past, Negatives(counts, config), watch)
        self._freeze()

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) products of the vectors; popularity decides between equals."""
        found: NDArray[np.float32] = self.user_vectors(prefixes) @ self._table.T
        if self.config.popular:
            found += self._bias.detach().numpy()[:-1]
        if self._bonus is not None:
            self._bonus.add_to(found, prefixes)
        return found + np.float32(TIE) * self._popularity

    def user_vectors(self, prefixes: Sequences) -> NDArray[np.float32]:
        """
        (S, dim) the vector after the last event; somebody without events has the prior.

        Raises:
            ValueError: the model has learned from moments, and none are asked about.
        """
        self._check(prefixes)
        part = prefixes.last(self.config.steps)
        order = np.argsort(part.lengths, kind="stable")
        found = np.zeros((len(part), self.config.dim), np.float32)
        table = torch.from_numpy(np.vstack([self._z, np.zeros_like(self._z[:1])]))
        with torch.no_grad():
            for first in range(0, len(part), AT_ONCE):
                rows = order[first : first + AT_ONCE]
                found[rows] = self._last(table, self._events(part, rows)).numpy()
        return found

    def item_vectors(self) -> NDArray[np.float32]:
        """(V, dim) as they were after learning."""
        return self._table

    def behaviour_weights(self) -> dict[str, NDArray[np.float32]]:
        """
        What the attention and the own edges hold of each behaviour code.

        Returns:
            ``beta`` and ``gamma`` (heads, codes), ``eta`` and ``tau`` (codes,), those there are;
            with the gate ``delta`` (heads, K) and ``delta_own`` (1, K), with the bonus of items
            on promotion ``bonus`` (K,), all by kind of promotion as in ``KINDS``.
        """
        found: dict[str, Tensor | None] = {}
        if self._people.attention is not None:
            found["beta"] = self._people.attention.beta
            found["gamma"] = self._people.attention.gamma
            found["delta"] = self._people.attention.delta
        if self._people.own is not None:
            found["eta"] = self._people.own.eta
            found["tau"] = self._people.own.log_tau.exp()
            found["delta_own"] = self._people.own.delta
        found["bonus"] = None if self._bonus is None else self._bonus.worth
        there = {name: value for name, value in found.items() if value is not None}
        return {name: value.detach().numpy().copy() for name, value in there.items()}

    def _check(self, sequences: Sequences) -> None:
        if self.plans is not None and self.plans.n_items != sequences.n_items:
            raise ValueError(
                f"the plans are of {self.plans.n_items} items, the sequences of {sequences.n_items}"
            )

    def _graphs(self, past: Sequences) -> list[csr_array]:
        if not self.config.hops:
            return []
        codes: list[int | None] = [None]
        if self.config.edges_by_behaviour and past.code is not None:
            codes = [int(code) for code in np.unique(past.code)]
        k, half_life = self.config.neighbours, self.config.edge_half_life
        return [transitions(past, neighbours=k, half_life=half_life, code=code) for code in codes]

    def _learn(self, past: Sequences, negatives: Negatives, watch: Watch | None) -> None:
        config = self.config
        rng = np.random.default_rng(self.seed)
        asks = self._questions(past)
        weight = self._weights(past)
        values = [*self._items.parameters(), *self._people.parameters(), self._bias]
        values += [] if self._bonus is None else [self._bonus.worth]
        self.losses: list[float] = []
        optimiser = torch.optim.Adam(values, lr=config.learning_rate, fused=True)
        steps = max(int(asks.lengths.sum()) // config.batch, 1) * config.epochs
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: _rate(k / steps))
        for epoch in range(config.epochs):
            self._mode(training=True)
            losses = []
            for rows in batches(asks.lengths, config.batch, rng):
                asked = asks.ask(rows, rng)
                loss = self._loss(past, asked, weight, negatives.draw(rng))
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(values, CLIP)
                optimiser.step()
                schedule.step()
                losses.append(loss.item())
            mean = float(np.mean(losses)) if losses else 0.0
            if not math.isfinite(mean):
                raise TrainingDiverged(f"the loss of epoch {epoch + 1} is {mean}")
            self.losses.append(mean)
            if watch is not None:
                self._freeze()
                watch(epoch + 1, mean)

    def _loss(
        self,
        past: Sequences,
        asked: Asked,
        weight: NDArray[np.float32],
        drawn: Drawn,
    ) -> Tensor:
        events = asked.events
        target = past.item[asked.at].astype(np.int64)
        # One look-up of the items of this step: each look-up has a table of gradients.
        read = [events.item.numpy().ravel(), target, drawn.item]
        item, place = np.unique(np.concatenate(read), return_inverse=True)
        read_from = torch.from_numpy(item)
        table = self._items.some(read_from)
        every = table[torch.from_numpy(place)]
        seen, right, others = torch.split(every, [len(part) for part in read])
        states = self._people(seen.view(*events.item.shape, -1), events)  # (B, T, dim)
        prior = self._prior(asked.first)
        users = self._directed(torch.cat([prior, states[asked.row, asked.step]]))
        right, others = self._compared(right), self._compared(others)
        users, right, others = self._with_bias(users, right, others, target, drawn.item)
        offset = None
        if self._bonus is not None:
            vectors = users, right, others
            (users, right, others), offset = self._bonus.join(vectors, asked, target, drawn.item)
        each = sampled_softmax(users, right, others, target, drawn, offset)
        worth = torch.from_numpy(weight[asked.at])
        loss: Tensor = (each * worth).sum() / worth.sum()
        return loss

    def _with_bias(
        self,
        users: Tensor,
        right: Tensor,
        others: Tensor,
        target: NDArray[np.int64],
        drawn: NDArray[np.int64],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The bias as one more coordinate, where it is switched on."""
        if not self.config.popular:
            return users, right, others
        return (
            torch.cat([users, torch.ones(len(users), 1)], dim=1),
            torch.cat([right, self._bias[target][:, None]], dim=1),
            torch.cat([others, self._bias[drawn][:, None]], dim=1),
        )

    def _questions(self, past: Sequences) -> Questions:
        if self.ahead is None:
            return NextEvents(past, self.config)
        return Baskets(past, self.config, self.ahead, self.plans)

    def _events(self, part: Sequences, rows: NDArray[np.int64]) -> Events:
        begin, end = part.start[:-1][rows], part.start[1:][rows]
        if self.ahead is None:
            return gather(part, begin, end)
        if part.asked is None:
            raise ValueError("this model foretells what follows a moment; set Sequences.asked")
        place = None if part.place is None else part.place[rows]
        return asked_at(part, begin, end, part.asked[rows], place, self.plans)

    def _prior(self, rows: int) -> Tensor:
        prior: Tensor = self._people.norm(self._people.prior)
        return prior.expand(rows, -1)

    def _last(self, table: Tensor, events: Events) -> Tensor:
        states = self._people(table[events.item], events)
        step = (events.length - 1).clamp(min=0, max=states.shape[1] - 1)
        last = states[torch.arange(len(states)), step]
        last = torch.where((events.length > 0)[:, None], last, self._prior(len(states)))
        return self._directed(last)

    def _directed(self, users: Tensor) -> Tensor:
        if self.config.cosine:
            return functional.normalize(users, dim=-1) / self.config.temperature
        return users / math.sqrt(self.config.dim)

    def _compared(self, table: Tensor) -> Tensor:
        return functional.normalize(table, dim=-1) if self.config.cosine else table

    def _weights(self, past: Sequences) -> NDArray[np.float32]:
        """(N,) what foretelling each event counts."""
        age = np.arange(len(past))[::-1] / (self.config.half_life or np.inf)
        weight = np.exp2(-age)[past.owner]
        if self.config.target_weight is not None and past.code is not None:
            by_code = np.ones(N_CODES)
            by_code[: len(self.config.target_weight)] = self.config.target_weight
            weight = weight * by_code[past.code]
        return weight.astype(np.float32)

    def _freeze(self) -> None:
        self._mode(training=False)
        with torch.no_grad():
            z = self._items()
            self._z = z[:-1].numpy().copy()
            self._table = self._compared(z)[:-1].numpy().copy()

    def _mode(self, *, training: bool) -> None:
        self._items.train(training)
        self._people.train(training)


def _rate(done: float) -> float:
    """Warm up over the first twentieth, then fall in a straight line to a fiftieth."""
    return min(done / 0.05 + 0.05, 1.0) * max(1 - done, 0.02)
