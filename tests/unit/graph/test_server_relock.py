"""The list of jars is made from jgo's, without addresses."""

import tomllib
from pathlib import Path

from graph.server.lock import LOCK_FILE, read_lock
from graph.server.relock import lock_text


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    """Classifiers are kept, and the order does not depend on jgo's."""
    native = {"groupId": "g", "artifactId": "b", "packaging": "jar", "classifier": "linux-x86_64"}
    resolved = {
        "dependencies": [
            native | {"version": "2", "sha256": "b" * 64},
            {"groupId": "g", "artifactId": "a", "packaging": "jar", "version": "1"}
            | {"sha256": "a" * 64, "module_name": "g.a"},
        ]
    }
    path = tmp_path / "lock.toml"
    path.write_text(lock_text(("g:a:1",), resolved))
    lock = read_lock(path)
    assert lock.roots == ("g:a:1",)
    assert [jar.file_name for jar in lock.jars] == ["a-1.jar", "b-2-linux-x86_64.jar"]


def test_the_committed_lock_is_in_that_form() -> None:
    """So that a new one shows the changed jars alone."""
    lock = read_lock()
    resolved = {
        "dependencies": [
            {
                "groupId": jar.group,
                "artifactId": jar.artifact,
                "packaging": jar.packaging,
                "classifier": jar.classifier,
                "version": jar.version,
                "sha256": jar.sha256,
            }
            for jar in lock.jars
        ]
    }
    assert tomllib.loads(LOCK_FILE.read_text())
    assert lock_text(lock.roots, resolved) == LOCK_FILE.read_text()
