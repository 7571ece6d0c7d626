"""Fetching the server's jars, each one checked against the lock every time."""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import structlog
from jgo.maven import MavenContext

from graph.server.errors import JarRefused, JarUnavailable
from graph.server.lock import Jar, Lock

log = structlog.get_logger(__name__)

Report = Callable[[int, int], None]
Fetch = Callable[[Jar, Path], Path]

_THREADS = 16
_TRIES = 4


def cache_folder() -> Path:
    """Where jars are kept for all data folders: ``SHOPGRAPH_CACHE`` or the user's cache folder."""
    named = os.environ.get("SHOPGRAPH_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "shopgraph"


def provision(
    lock: Lock,
    cache: Path,
    *,
    report: Report = lambda done, total: None,
    fetch: Fetch | None = None,
) -> Path:
    """
    Make sure that every jar of the lock lies in one folder, and nothing else.

    One process at a time: a second one waits for the first.

    Args:
        lock: what must be there.
        cache: where downloads and the folder are kept.
        report: told after each jar how many of how many are there.
        fetch: finds or downloads one jar into a repository folder; by default from Maven Central.

    Returns:
        The folder, for the server's class path.

    Raises:
        JarUnavailable: a jar could not be fetched.
        JarRefused: a jar has another content than the lock says, even when fetched again.
    """
    lib = cache / f"neo4j-{lock.version}-{lock.digest[:12]}"
    lib.mkdir(parents=True, exist_ok=True)
    with _alone(cache / "provision.lock"), ThreadPoolExecutor(_THREADS) as pool:
        _drop_strangers(lib, lock)
        place = fetch or _fetch
        waiting = [pool.submit(_ensure, jar, lib, cache / "maven", place) for jar in lock.jars]
        try:
            for done, future in enumerate(waiting, start=1):
                future.result()
                report(done, len(waiting))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return lib


def _ensure(jar: Jar, lib: Path, repository: Path, fetch: Fetch) -> None:
    target = lib / jar.file_name
    if _is_right(target, jar):
        return
    if target.exists():
        log.warning("jar_refused", jar=jar.coordinate, action="fetching it again")
        target.unlink()
    source = fetch(jar, repository)
    if not _is_right(source, jar):
        # A cached download may have been cut short or tampered with: one fresh try.
        source.unlink(missing_ok=True)
        source = fetch(jar, repository)
        if not _is_right(source, jar):
            source.unlink(missing_ok=True)
            raise JarRefused(f"{jar.coordinate} does not have the sha256 of the lock; removed it")
    _place(source, target)


def _place(source: Path, target: Path) -> None:
    half = target.with_name(f".{target.name}.part")
    half.unlink(missing_ok=True)
    try:
        os.link(source, half)
    except OSError:
        shutil.copyfile(source, half)
    half.replace(target)


def _is_right(path: Path, jar: Jar) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def _drop_strangers(lib: Path, lock: Lock) -> None:
    # The class path takes every jar in the folder, so one nobody checked must not lie there.
    expected = {jar.file_name for jar in lock.jars}
    for path in lib.iterdir():
        if path.name not in expected:
            path.unlink()


def _fetch(jar: Jar, repository: Path) -> Path:
    context = MavenContext(repo_cache=repository, timeout=30)
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    artifact = component.artifact(jar.classifier, jar.packaging)
    for attempt in range(1, _TRIES + 1):
        try:
            return Path(artifact.resolve())
        except (OSError, RuntimeError) as error:
            # jgo downloads in place, so a broken connection leaves half a file behind.
            if artifact.cached_path is not None:
                Path(artifact.cached_path).unlink(missing_ok=True)
            if attempt == _TRIES:
                raise JarUnavailable(
                    f"{jar.coordinate} could not be fetched ({type(error).__name__}); "
                    "is this machine online?"
                ) from error
            time.sleep(2.0**attempt)
    raise AssertionError("unreachable")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
