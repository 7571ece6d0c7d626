"""How much memory is left, by the machine and by the container."""

from pathlib import Path

import psutil

from workers.free_memory import free_bytes

GIB = 1 << 30


def container(folder: Path, limit: str, used: int, cached: int = 0) -> Path:
    """The files in which a container finds its limits."""
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\nactive_file 7\n")
    return folder


def test_a_container_may_take_less_than_the_machine_has(tmp_path: Path) -> None:
    """Files that are only cached make room."""
    limit = 1 << 20
    assert free_bytes(container(tmp_path, str(limit), 1000, 300)) == limit - 700


def test_a_container_that_is_full_has_nothing_left(tmp_path: Path) -> None:
    assert free_bytes(container(tmp_path, "1000", 5000)) == 0


def test_without_a_limit_the_machine_decides(tmp_path: Path) -> None:
    """Also where there are no such files at all."""
    for folder in (container(tmp_path, "max", 1), tmp_path / "none"):
        assert 0 < free_bytes(folder) <= psutil.virtual_memory().total
