"""What the commands print on."""

import pytest
from rich.console import Console
from rich.progress import Progress

from workers.commands.output import bar


def shown(progress: Progress) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(progress.get_renderable())
    return capture.get()


@pytest.mark.parametrize(
    ("total", "expected"), [(200.0, " 25 %"), (None, " 50 ")], ids=["of so many", "of a stream"]
)
def test_progress_is_a_share_where_the_end_is_known_and_a_number_where_not(
    total: float | None, expected: str
) -> None:
    progress = bar()
    task = progress.add_task("lines", total=total)
    progress.update(task, completed=50)
    assert expected in shown(progress)
