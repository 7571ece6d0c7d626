"""The model that serves now: follows the pointer in the graph and swaps at once."""

import threading
import time
from collections.abc import Callable

import structlog

from backend.acquaintances import Acquaintances
from backend.breaker import GraphPort
from backend.serving import Loaded, LoadModel, ModelUnusable, ServingModel
from backend.shelf import Shelf
from graph import models
from graph.domain.ids import ModelVersion
from graph.domain.models import Model, ModelStatus
from graph.errors import GraphError

log = structlog.get_logger(__name__)

_AGAIN_S = 30.0
"""A model that could not be loaded is looked at again this often: somebody may mend it."""


class LiveModel:
    """
    Holds the live model of this process.

    Readers take ``current()`` once per answer and keep what they got, so that no answer mixes two
    versions. A swap replaces one reference; a version that cannot be loaded changes nothing.
    """

    def __init__(
        self,
        graph: GraphPort,
        load: LoadModel,
        shelf: Shelf,
        acquaintances: Acquaintances,
        *,
        interval_s: float = 2.0,
        on_swap: Callable[[str], None] = lambda version: None,
        on_look: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._graph = graph
        self._load_version = load
        self._shelf = shelf
        self._acquaintances = acquaintances
        self._interval_s = interval_s
        self.on_swap = on_swap
        self.on_look = on_look
        self._loaded: Loaded | None = None
        self._clock = clock
        self._refused: ModelVersion | None = None
        self._again_at = 0.0
        self._loading = threading.Lock()
        self._wake = threading.Event()
        self._stopped = False
        self._follower: threading.Thread | None = None

    def current(self) -> Loaded | None:
        """The model that serves, if there is one."""
        return self._loaded

    def refresh(self) -> Loaded | None:
        """
        Look at the pointer and swap if it has moved.

        Raises:
            GraphError: the pointer cannot be read; the model stays as it is.
        """
        with self._loading:
            pointer = self._graph.read(models.live)
            if pointer is None or (self._loaded and self._loaded.version == pointer.version):
                return self._loaded
            model = self._load(pointer.version)
            if model is not None:
                self._swap(model, pointer)
            elif self._loaded is None:
                self._fall_back()
            return self._loaded

    def _swap(self, model: ServingModel, of: Model, *, is_stale: bool = False) -> None:
        known = frozenset(model.item_ids)
        self._learn(known)
        self._loaded = Loaded(model, of.version, of.slot, known, is_stale)
        self.on_swap(of.version)
        log.info("model_swapped", version=of.version, items=len(known), stale=is_stale)

    def _fall_back(self) -> None:
        """The newest model that was live before and whose files are whole answers meanwhile."""
        for older in self._graph.read(models.all_models):
            if older.status is ModelStatus.RETIRED:
                try:
                    model = self._load_version(older.version)
                except ModelUnusable:
                    continue
                self._swap(model, older, is_stale=True)
                return

    def can_load(self, version: ModelVersion) -> bool:
        """Whether the files of a version are there and whole."""
        try:
            self._load_version(version)
        except ModelUnusable:
            return False
        return True

    def wake(self) -> None:
        """Have the pointer looked at now: somebody saw that it moved."""
        self._wake.set()

    def watch(self) -> None:
        """Follow the pointer in the background until the process ends."""
        self._follower = threading.Thread(target=self._follow, name="live-model", daemon=True)
        self._follower.start()

    def stop(self) -> None:
        """End following; what is being read is read to the end."""
        self._stopped = True
        self._wake.set()
        if self._follower is not None:
            self._follower.join()

    def _follow(self) -> None:
        was_away = False
        while not self._stopped:
            try:
                self.refresh()
                self.on_look()
                if self._shelf.keep_in_step() or self._acquaintances.epoch != self._shelf.epoch:
                    self._acquaintances.learn(self._graph, self._shelf.epoch)
                is_away = False
            except GraphError as error:
                is_away = True
                if not was_away:
                    log.warning("model_pointer_unread", error=type(error).__name__)
            was_away = is_away
            self._wake.wait(self._interval_s)
            self._wake.clear()

    def _learn(self, known: frozenset[str]) -> None:
        self._shelf.learn(sorted(known))
        self._acquaintances.learn(self._graph, self._shelf.epoch)

    def _load(self, version: ModelVersion) -> ServingModel | None:
        """The model, unless it could not be loaded a moment ago: its files are read whole."""
        if version == self._refused and self._clock() < self._again_at:
            return None
        try:
            return self._load_version(version)
        except ModelUnusable as error:
            if version != self._refused:
                log.error("model_unusable", version=version, reason=str(error))
            self._refused, self._again_at = version, self._clock() + _AGAIN_S
            return None
