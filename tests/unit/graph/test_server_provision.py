"""Jars come from the lock, each one checked every time."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from graph.server.errors import JarRefused, JarUnavailable, LockMalformed
from graph.server.lock import LOCK_FILE, Jar, Lock, read_lock
from graph.server.provision import provision

CONTENT = {"one-1.jar": b"the first jar", "two-2.jar": b"the second jar"}
Fetch = Callable[[Jar, Path], Path]


def lock() -> Lock:
    """Two jars, by the sha256 of what they hold."""
    jars = tuple(
        Jar("g", name[:3], "jar", "", name[4], hashlib.sha256(content).hexdigest())
        for name, content in CONTENT.items()
    )
    return Lock(roots=("g:one:1",), jars=jars, digest="d" * 64)


class Shop:
    """Stands for the place that jars are downloaded from; counts, and may send rubbish first."""

    def __init__(self, *, rubbish: int = 0) -> None:
        self.fetched: list[str] = []
        self._rubbish = rubbish

    def __call__(self, jar: Jar, repository: Path) -> Path:
        repository.mkdir(parents=True, exist_ok=True)
        path = repository / jar.file_name
        if not path.exists():
            self.fetched.append(jar.file_name)
            is_bad = self.fetched.count(jar.file_name) <= self._rubbish
            path.write_bytes(b"rubbish" if is_bad else CONTENT[jar.file_name])
        return path


def held(lib: Path) -> dict[str, bytes]:
    """What lies in the class path's folder."""
    return {path.name: path.read_bytes() for path in lib.iterdir()}


def test_all_jars_of_the_lock_and_nothing_else_lie_in_one_folder(tmp_path: Path) -> None:
    """A jar that nobody checked must not get onto the class path."""
    lib = provision(lock(), tmp_path, fetch=Shop())
    (lib / "stranger.jar").write_bytes(b"?")
    assert held(provision(lock(), tmp_path, fetch=Shop())) == CONTENT


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    """The second start needs no network."""
    provision(lock(), tmp_path, fetch=Shop())
    second = Shop()
    provision(lock(), tmp_path, fetch=second)
    assert second.fetched == []


def test_a_jar_that_was_changed_is_refused_and_fetched_again(tmp_path: Path) -> None:
    """Both the placed file and the download behind it are rotten here."""
    lib = provision(lock(), tmp_path, fetch=Shop())
    for path in (lib / "one-1.jar", tmp_path / "maven" / "one-1.jar"):
        path.unlink()
        path.write_bytes(b"rotten")
    again = Shop()
    assert held(provision(lock(), tmp_path, fetch=again)) == CONTENT
    assert again.fetched == ["one-1.jar"]


def test_a_broken_download_gets_one_more_try(tmp_path: Path) -> None:
    """Cut short once, whole the second time."""
    assert held(provision(lock(), tmp_path, fetch=Shop(rubbish=1))) == CONTENT


def test_a_jar_that_stays_wrong_stops_the_start_and_leaves_nothing(tmp_path: Path) -> None:
    """The sentence names the coordinate."""
    with pytest.raises(JarRefused, match=r"g:(one|two):jar:\d does not have the sha256"):
        provision(lock(), tmp_path, fetch=Shop(rubbish=9))
    assert list((tmp_path / "maven").iterdir()) == []


def test_a_jar_that_cannot_be_had_is_said(tmp_path: Path) -> None:
    """The error of the fetch is the error of the start."""

    def away(jar: Jar, _: Path) -> Path:
        raise JarUnavailable(jar.coordinate)

    with pytest.raises(JarUnavailable):
        provision(lock(), tmp_path, fetch=away)


def test_progress_counts_up_to_all(tmp_path: Path) -> None:
    """For a bar."""
    told: list[tuple[int, int]] = []
    provision(lock(), tmp_path, fetch=Shop(), report=lambda *step: told.append(step))
    assert told == [(1, 2), (2, 2)]


def test_the_committed_lock_is_the_server_with_its_browser() -> None:
    """Version, roots, a checksum for each jar and no address."""
    real = read_lock()
    assert real.version == "5.26.21"
    assert {root.split(":")[1] for root in real.roots} == {"neo4j", "neo4j-server", "neo4j-browser"}
    assert len(real.jars) > 200
    assert "://" not in LOCK_FILE.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "not toml at all [",
        'roots = ["g:a:1"]\n[jars]\n"g:a:jar:1" = "short"\n',
        'roots = ["g:a:1"]\n[jars]\n"g:a" = "' + "0" * 64 + '"\n',
        "roots = []\n[jars]\n",
    ],
)
def test_a_malformed_lock_is_refused(tmp_path: Path, text: str) -> None:
    """No half-read list of jars."""
    path = tmp_path / "lock.toml"
    path.write_text(text)
    with pytest.raises(LockMalformed):
        read_lock(path)
