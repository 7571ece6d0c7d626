"""Finding a Java that the server runs on, among small commands that only tell a version."""

from pathlib import Path

import pytest

from graph.server.errors import JavaMissing
from graph.server.java import find_java


def java(folder: Path, said: str, *, modules: str = "java.base@17") -> Path:
    """A command that answers ``-version`` and ``--list-modules`` as a Java would."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "java"
    path.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = -version ]; then echo \'openjdk version "{said}"\' >&2; fi\n'
        f"if [ \"$1\" = --list-modules ]; then echo '{modules}'; fi\n"
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("said", "major"), [("17.0.15", 17), ("21.0.8", 21), ("21", 21)])
def test_java_17_and_21_are_taken(tmp_path: Path, said: str, major: int) -> None:
    """By what the command itself says."""
    found = find_java([java(tmp_path, said)])
    assert (found.path, found.major) == (tmp_path / "java", major)


@pytest.mark.parametrize("said", ["25.0.1", "11.0.2", "1.8.0_292"])
def test_another_java_is_refused_with_a_sentence(tmp_path: Path, said: str) -> None:
    """The sentence names what was found, where, and what would do."""
    with pytest.raises(JavaMissing, match=r"17 or 21 only; found Java (25|11|8) at .*JAVA_HOME"):
        find_java([java(tmp_path, said)])


def test_a_right_java_behind_a_wrong_one_is_found(tmp_path: Path) -> None:
    """Java 25 first on the PATH is no reason to give up."""
    wrong, right = java(tmp_path / "a", "25"), java(tmp_path / "b", "21.0.8")
    assert find_java([wrong, right]).path == right


def test_no_java_and_a_command_that_is_none(tmp_path: Path) -> None:
    """Silence is not a version."""
    silent = tmp_path / "java"
    silent.write_text("#!/bin/sh\nexit 1\n")
    silent.chmod(0o755)
    with pytest.raises(JavaMissing, match="no Java at all"):
        find_java([silent, tmp_path / "missing"])


@pytest.mark.parametrize(("modules", "has"), [("jdk.incubator.vector@17", True), ("x", False)])
def test_the_vector_module_is_looked_for(tmp_path: Path, modules: str, has: bool) -> None:
    """The flag for it stops a Java that lacks it."""
    assert find_java([java(tmp_path, "17.0.1", modules=modules)]).has_vector_module is has


def test_java_home_comes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user names wins."""
    mine, other = java(tmp_path / "home" / "bin", "21.0.1"), java(tmp_path / "path", "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(mine.parents[1]))
    monkeypatch.setenv("PATH", f"{other.parent}:/usr/bin:/bin")
    assert find_java().path == mine
