"""The ``shopgraph`` command: a group whose commands are loaded when they are used."""

import importlib
import os
import sys
from dataclasses import dataclass

import click
from pydantic_core import ValidationError

EXPECTED = {
    ("graph.errors", "GraphError"),
    ("graph.server.errors", "ServerError"),
    ("ml.errors", "MLError"),
    ("workers.errors", "WorkersError"),
    ("workers.intake.errors", "IntakeError"),
    ("workers.local.errors", "LocalError"),
}
"""
What may go wrong in the ordinary course of things: said in one sentence, exit code 1.

By name, since importing the drivers behind them would make ``--help`` slow.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One command: where it is, what it does.

    Attributes:
        needs_services: it talks to the graph or the stream, so their addresses are looked up.
        offline: its options and commands that do without.
    """

    target: str
    help: str
    needs_services: bool = True
    offline: tuple[str, ...] = ()


COMMANDS: dict[str, Entry] = {
    "demo": Entry(
        "workers.commands.demo:demo",
        "Everything from nothing: services, real data, training, answers.",
        needs_services=False,
    ),
    "up": Entry(
        "workers.commands.up:up",
        "Run all processes in the foreground until Ctrl-C.",
        needs_services=False,
    ),
    "services": Entry(
        "workers.commands.services:services",
        "Start, stop or look at Neo4j and Valkey.",
        needs_services=False,
    ),
    "backup": Entry(
        "workers.commands.backup:backup",
        "Write the data of the stopped services into one file.",
        needs_services=False,
    ),
    "restore": Entry(
        "workers.commands.backup:restore",
        "Put back a backup (one file) or an exported graph (a folder).",
        needs_services=False,
    ),
    "migrate": Entry(
        "workers.commands.migrate:migrate", "Bring constraints and indexes up to date."
    ),
    "import": Entry(
        "workers.commands.imports:import_",
        "Import files of the known formats.",
        offline=("--check", "layouts"),
    ),
    "connectors": Entry(
        "workers.commands.connectors:connectors",
        "Bring in orders and refunds of platforms.",
        offline=("list",),
    ),
    "robot": Entry(
        "workers.commands.robot:robot",
        "Collect public pages that you may collect; off unless it is allowed.",
        offline=("status", "judge", "--only-rows"),
    ),
    "ingest": Entry("workers.commands.ingest:ingest", "Move events from the stream to the graph."),
    "deadletters": Entry(
        "workers.commands.deadletters:deadletters", "List, mend and replay rows that were refused."
    ),
    "export": Entry(
        "workers.commands.export:export", "Write the graph, or a person's data, into files."
    ),
    "keys": Entry("workers.commands.keys:keys", "New keys for pseudonyms, with the same history."),
    "retention": Entry(
        "workers.commands.retention:retention", "Take away what was kept long enough."
    ),
    "erase": Entry("workers.commands.erase:erase", "Take a person out of every store, for good."),
    "train": Entry("workers.commands.train:train", "Train on the graph and follow the run."),
    "evaluate": Entry(
        "workers.commands.evaluate:evaluate",
        "Measure the models on public data and write a report.",
        needs_services=False,
    ),
    "models": Entry("workers.commands.models:models", "List the models, or make one answer."),
    "quality": Entry(
        "workers.commands.quality:quality", "Measure the data, and see what is wrong with it."
    ),
    "scheduler": Entry(
        "workers.commands.scheduler:scheduler", "Ring the bell for the periodic jobs."
    ),
    "recommend": Entry(
        "workers.commands.recommend:recommend",
        "Ask the running API what to show to a person.",
        needs_services=False,
    ),
    "coupon-targets": Entry(
        "workers.commands.coupon_targets:coupon_targets",
        "Ask the running API whom to give a campaign's coupons.",
        needs_services=False,
    ),
    "explore": Entry(
        "workers.commands.explore:explore",
        "Say where to look at the graph in Neo4j Browser.",
        needs_services=False,
    ),
    "benchmark": Entry(
        "workers.commands.benchmark:benchmark",
        "Print the speed of this machine beside the numbers to hold.",
        needs_services=False,
    ),
}


class LazyGroup(click.Group):
    """Knows its commands by name and imports one only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.target.partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is about to run, and tell it where the services are."""
        name, command, rest = super().resolve_command(ctx, args)
        # Stdout belongs to the command's answer; long-running commands say more, on stderr.
        importlib.import_module("workers.logs").configure(level="WARNING")
        entry = COMMANDS.get(args[0]) if args else None
        if entry is not None and entry.needs_services:
            # A file may be called like a command: only the first word is one.
            said = {*rest[:1], *(word for word in rest if word.startswith("-"))}
            if not said & {*ctx.help_option_names, *entry.offline}:
                enter()
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="shopgraph")
def cli() -> None:
    """Shop behaviour becomes a graph, the graph a model, the model answers."""


def enter() -> None:
    """Set what the processes of this data folder need, where the environment does not say it."""
    state = importlib.import_module("workers.local.state")
    os.environ.update(state.environment(state.home()))


def main() -> None:
    """Run the command line; an expected error is one sentence and exit code 1."""
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        code = 130
    except ValidationError as error:
        click.echo(f"Error: {_settings_sentence(error)}", err=True)
        code = 1
    except Exception as error:
        if not is_expected(error):
            raise
        click.echo(f"Error: {error}", err=True)
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def is_expected(error: BaseException) -> bool:
    """Whether an error is one of the project's own, so that its sentence says enough."""
    return any((kind.__module__, kind.__name__) in EXPECTED for kind in type(error).__mro__)


def _settings_sentence(error: ValidationError) -> str:
    """Which setting is missing or wrong; never its value."""
    parts = []
    for problem in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in problem["loc"]).upper() or error.title
        parts.append(f"{name}: {problem['msg']}")
    return f"a setting is missing or wrong ({error.title}): " + "; ".join(parts)
