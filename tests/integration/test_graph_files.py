"""A graph in files: written while it lives, put back the same to the last bit."""

import gzip
import hashlib
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import orjson
import pytest
from neo4j import ManagedTransaction

from graph import campaigns, events, items, leases, migrations, pulls, tombstones
from graph.client import Graph
from graph.counts import counts
from graph.domain.campaigns import Redemption
from graph.domain.catalogue import Item
from graph.domain.events import ITEM_BEHAVIOURS, EventType
from graph.domain.ids import CampaignId, CouponId, DeviceId, ItemId, UserId
from graph.errors import GraphRejected, RestoreUnfinished
from graph.settings import GraphSettings
from tests.environments import process_environment
from tests.factories import told
from workers.graph_files import errors
from workers.graph_files.export import export
from workers.graph_files.folder import MANIFEST, PROGRESS, GraphFile, Manifest, sha256, write_model
from workers.graph_files.restore import Restored, restore
from workers.intake.pseudonyms import Pseudonyms
from workers.privacy.build import erasures_of
from workers.privacy.erasure import apply_tombstones

NOW = 1_772_352_000_000
ODD = [
    "SKU-1",
    "sku-1",
    "sku-1 ",
    "ＳＫＵ-1",
    "é",
    "e\u0301",
    "颜色/红",
    "a`b\"c'd",
    "..",
    "🛒",
    "\u200fx",
]
PEOPLE = 30

VALUES = """
CREATE (:Brand {
    name: 'kinds', whole: 1, float: 1.0, big: 9223372036854775807, small: -9223372036854775808,
    tiny: 5e-324, third: 0.1 + 0.2, minus: -0.0, nan: 0.0 / 0.0, beyond: 1.0 / 0.0,
    yes: true, text: 'a\\nb\\u0000c', empty: '', none: [], words: ['b', 'a'], wholes: [3, 1],
    floats: [1.0, -0.0, 0.5], oddfloats: [0.0 / 0.0, 1.0], flags: [true, false],
    date: date('2026-02-28'), clock: localtime('23:59:59.000000001'),
    zoned: time('01:02:03.5+05:30'), moment: datetime('2026-10-25T02:30:00+01:00[Europe/Berlin]'),
    earlier: datetime('2026-10-25T02:30:00+02:00[Europe/Berlin]'),
    utc: datetime('2026-01-01T00:00Z'),
    local: localdatetime('2026-01-01T00:00:00.123456789'),
    moments: [datetime('2026-01-01T00:00Z')], lasting: duration('P1Y2M3DT4.000000005S'),
    place: point({longitude: 1.5, latitude: -2.0}), spot: point({x: 1, y: 2, z: 3}),
    bytes: $bytes
})
"""


def fill(graph: Graph) -> None:
    """A small shop with something of everything, and ids of every kind."""
    graph.write(
        items.upsert,
        [
            Item(item_id=ItemId(one), categories=("tea/red", "gifts"), brand="Bo", price_minor=9)
            for one in ODD
        ],
        now_ms=NOW,
    )
    rows = [
        told(
            f"e{n}", list(EventType)[n % 9 + 1], user_id=UserId(f"c_{n % PEOPLE}"), ts=n,
            item_id=ItemId(ODD[n % len(ODD)]), order_id=f"o{n}", device_id=DeviceId(f"d_{n % 4}"),
            rating=4.0, value=2.5, flags=("late",) if n % 7 == 0 else (),
        )
        for n in range(200)
    ]  # fmt: skip
    graph.write(events.record, rows)
    shown = told("s1", EventType.IMPRESSION, item_id=None, shown_items=tuple(ODD[:3]))
    login = told("l1", EventType.IDENTIFY, item_id=None, visitor_id=UserId("v_1"))
    asked = told("q1", EventType.SEARCH, item_id=None, query="红 tea")
    graph.write(events.record, [shown, login, asked])
    graph.write(
        campaigns.redeem,
        [Redemption(user_id=UserId("c_1"), coupon_id=CouponId("10 %"),
                    campaign_id=CampaignId("spring"), ts=NOW)],
    )  # fmt: skip
    graph.write(lambda tx: tx.run(VALUES, bytes=bytes(range(256))).consume())
    graph.write(
        lambda tx: tx.run(
            "MATCH (u:User) SET u.embedding_blue = [x IN range(1, 8) | x / 3.0], u:Brand"
            " SET u.name = 'a person and a brand ' + u.user_id"
        ).consume()
    )


def digest(graph: Graph) -> str:
    """A hash of every node and edge with all labels, names, kinds and values of properties."""
    return hashlib.sha256("\n".join(graph.read(_facts)).encode()).hexdigest()


def _facts(tx: ManagedTransaction) -> list[str]:
    nodes = tx.run("MATCH (n) WHERE NOT n:__Neo4jMigration RETURN labels(n), properties(n)")
    edges = tx.run(
        "MATCH (a)-[r]->(b) WHERE type(r) <> 'MIGRATED_TO'"
        " RETURN type(r), properties(a), properties(b), properties(r)"
    )
    return sorted(_fact(row.values()) for rows in (nodes, edges) for row in rows)


def _fact(value: Any) -> str:
    """Text that differs wherever two values differ, in kind or in content."""
    if isinstance(value, dict):
        return repr({name: _fact(one) for name, one in sorted(value.items())})
    if isinstance(value, list):
        return repr([_fact(one) for one in value])
    return f"{type(value).__name__} {value!r}"


def put_back(graph: Graph, folder: Path, **options: Any) -> Restored:
    given = {"owner": "tests", "now_ms": NOW, "erase_again": nobody, "batch": 20}
    return restore(graph, folder, **{**given, **options})


def nobody(graph: Graph, also: Any) -> int:
    """Where nobody was ever erased."""
    return 0


def wipe(graph: Graph) -> None:
    graph.run_alone("MATCH (n) WHERE NOT n:__Neo4jMigration DETACH DELETE n")


@pytest.fixture
def folder(graph: Graph, tmp_path: Path) -> Path:
    """An export of the small shop, which is still in the graph."""
    fill(graph)
    export(graph, tmp_path / "export", now_ms=NOW, lines=40)
    return tmp_path / "export"


def test_export_wipe_restore_gives_the_same_graph_to_the_last_bit(
    graph: Graph, folder: Path
) -> None:
    """Every label, type, property, kind of value and odd id; and the files are no one else's."""
    before = digest(graph)
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
    wipe(graph)
    assert digest(graph) != before
    assert put_back(graph, folder).left_out == {}
    assert digest(graph) == before
    migrations.verify(graph)


def test_an_export_is_of_the_moment_at_which_it_began(graph: Graph, tmp_path: Path) -> None:
    """What comes while files are written is left out, and no number is given twice afterwards."""
    fill(graph)
    upper = graph.read(pulls.last_seq)
    late = [told("late", user_id=UserId("c_new"), item_id=ItemId("new"))]

    def go_on_living(file: GraphFile) -> None:
        if file.name.startswith("00000"):
            graph.write(events.record, late)

    manifest = export(graph, tmp_path / "export", now_ms=NOW, lines=40, report=go_on_living)
    assert manifest.last_seq == upper
    wipe(graph)
    put_back(graph, tmp_path / "export")
    assert sum(graph.read(counts).relationships.get(one, 0) for one in LOGGED) == upper
    graph.write(events.record, [*late, told("later", user_id=UserId("c_newer"))])
    idx = graph.read(lambda tx: tx.run("MATCH (u:User) RETURN u.idx").value())
    assert len(idx) == len(set(idx))


def test_a_person_who_goes_while_files_are_written_is_left_out(
    graph: Graph, tmp_path: Path
) -> None:
    """The edges are told of, and the restore ends well."""
    fill(graph)
    gone = UserId("c_2")  # has edges of the first type

    def forget(_: object) -> None:
        graph.run_alone(f"MATCH (u:User {{user_id: '{gone}'}}) DETACH DELETE u")

    export(graph, tmp_path / "export", now_ms=NOW, lines=1_000, report=forget)
    wipe(graph)
    restored = put_back(graph, tmp_path / "export")
    assert sum(restored.left_out.values()) > 0
    assert gone not in graph.read(people)


@pytest.mark.parametrize("files", [0, 3, 12])
def test_an_export_that_was_killed_goes_on_at_the_last_whole_file(
    graph: Graph, neo4j_settings: GraphSettings, tmp_path: Path, files: int
) -> None:
    """By a real signal 9, in the middle of a file; whole files are not written again."""
    fill(graph)
    folder = tmp_path / "export"
    killed(neo4j_settings, f"""
        from workers.graph_files import export, folder
        write, seen = folder.write_lines, []
        def half(path, rows):
            seen.append(path)
            if len(seen) > {files}:
                die_after(0, rows)
            return write(path, rows)
        export.write_lines = half
        export.export(graph, Path({str(folder)!r}), now_ms={NOW}, lines=40)
    """)  # fmt: skip
    with pytest.raises(errors.FilesDamaged, match="cut short"):
        put_back(graph, folder, replace_graph=True)
    whole = {path: path.stat().st_mtime_ns for path in folder.glob("[0-9]*.gz")}
    assert len(whole) >= min(files, 1)
    export(graph, folder, now_ms=NOW + 1, lines=40)
    assert {path: path.stat().st_mtime_ns for path in whole} == whole
    assert not (folder / PROGRESS).exists()
    before = digest(graph)
    wipe(graph)
    put_back(graph, folder)
    assert digest(graph) == before


@pytest.mark.parametrize("batches", [0, 4, 15])
def test_a_restore_that_was_killed_goes_on_at_the_last_batch(
    graph: Graph, neo4j_settings: GraphSettings, folder: Path, batches: int
) -> None:
    """By a real signal 9; meanwhile nothing may be served, and another folder is refused."""
    before = digest(graph)
    wipe(graph)
    killed(neo4j_settings, f"""
        from workers.graph_files import restore
        report = lambda *_: die_after({batches}, [])
        restore.restore(graph, Path({str(folder)!r}), owner="tests", now_ms={NOW}, batch=20,
                        erase_again=lambda graph, also: 0, report=report)
    """)  # fmt: skip
    with pytest.raises(RestoreUnfinished):
        migrations.verify(graph)
    assert put_back(graph, folder).erased == 0
    assert digest(graph) == before
    migrations.verify(graph)


def test_m5_a_person_erased_after_the_dump_is_erased_again_before_anything_is_served(
    graph: Graph, redis_url: str, folder: Path, tmp_path: Path
) -> None:
    """By the mark that the graph kept, and by a list where the graph is lost."""
    anna, ben = UserId("c_1"), UserId("c_2")
    pseudonyms = Pseudonyms(b"p" * 32, bytes(range(64)))
    erasing = erasures_of(graph, redis_url, pseudonyms, tmp_path / "models")
    receipt = erasing.erase(anna, by="tests")

    def erase_again(served: Graph, also: Any) -> int:
        assert {anna, ben} <= served.read(people), "the old state is there for a moment,"
        with pytest.raises(RestoreUnfinished):
            migrations.verify(served)  # in which nothing is served
        return apply_tombstones(erasing, served, also=also)

    restored = put_back(graph, folder, replace_graph=True, erased=[ben], erase_again=erase_again)
    assert restored.erased == 2
    assert graph.read(people).isdisjoint({anna, ben})
    assert set(graph.read(tombstones.every)) == {anna, ben}
    assert erasing.get(receipt.receipt_id).counts["nodes.User"] == 2, "once each time"
    migrations.verify(graph)


def test_a_graph_that_is_not_empty_is_refused_without_a_word_to_replace_it(
    graph: Graph, folder: Path
) -> None:
    """Nothing is changed by the refusal; with the word the old graph is gone."""
    whole = digest(graph)
    graph.write(items.mention, [ItemId("newer")])
    before = digest(graph)
    with pytest.raises(errors.RestoreRefused, match="--replace"):
        put_back(graph, folder)
    assert digest(graph) == before
    put_back(graph, folder, replace_graph=True)
    assert digest(graph) == whole


def test_a_graph_on_which_somebody_is_at_work_is_refused(graph: Graph, folder: Path) -> None:
    """Also with the word to replace it: what they write would be neither old nor new."""
    graph.write(leases.acquire, "ingest", "somebody", now_ms=NOW - 10, ttl_ms=1_000)
    before = digest(graph)
    with pytest.raises(errors.RestoreRefused, match="ingest is at work"):
        put_back(graph, folder, replace_graph=True)
    assert digest(graph) == before


def test_a_folder_of_an_older_graph_is_changed_as_the_graph_was(graph: Graph, folder: Path) -> None:
    """The migrations of data that it has not seen run again, on what was put back."""
    path = folder / MANIFEST
    told = Manifest.model_validate_json(path.read_bytes())
    write_model(path, told.model_copy(update={"migration": "0004"}).sealed())
    graph.write(lambda tx: tx.run("MATCH ()-[r:IDENTIFIED]->() DELETE r").consume())
    put_back(graph, folder, replace_graph=True)
    logins = "MATCH (:User)-[r:IDENTIFIED]->(:User) RETURN r.event_id AS id"
    assert graph.read(lambda tx: tx.run(logins).value()) == ["l1"]
    write_model(path, told.model_copy(update={"migration": "9999"}).sealed())
    with pytest.raises(errors.RestoreRefused, match="newer program"):
        put_back(graph, folder, replace_graph=True)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _lose(file: Path) -> None:
    file.unlink()


def _shorten(file: Path) -> None:
    """A line less, with the hash mended."""
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    file.write_bytes(gzip.compress(b"".join(lines[:-1])))
    path = file.with_name(MANIFEST)
    found = Manifest.model_validate_json(path.read_bytes())
    files = tuple(
        one.model_copy(update={"sha256": sha256(file)}) if one.name == file.name else one
        for one in found.files
    )
    write_model(path, found.model_copy(update={"files": files}).sealed())


def _miscount(file: Path) -> None:
    path = file.with_name(MANIFEST)
    told = orjson.loads(path.read_bytes())
    told["relationships"]["PURCHASED"] += 1
    path.write_bytes(orjson.dumps(told))


@pytest.mark.parametrize("damage", [_cut, _flip, _lose, _shorten, _miscount])
def test_a_damaged_folder_is_refused_before_anything_is_written(
    graph: Graph, folder: Path, damage: Any
) -> None:
    damage(sorted(folder.glob("*.gz"))[-1])
    wipe(graph)
    with pytest.raises(errors.FilesDamaged):
        put_back(graph, folder)
    assert counts_are_zero(graph)


def test_a_graph_with_another_number_of_edges_than_the_files_stays_closed(
    graph: Graph, folder: Path
) -> None:
    """Somebody wrote meanwhile: the restore says what is wrong and nothing may be served."""
    wipe(graph)

    def meddle(done: int, total: int) -> None:
        if done == total:
            graph.write(events.record, [told("meanwhile", EventType.VIEW)])

    with pytest.raises(errors.RestoreIncomplete, match="VIEWED"):
        put_back(graph, folder, report=meddle)
    with pytest.raises(RestoreUnfinished):
        migrations.verify(graph)
    put_back(graph, folder, replace_graph=True)
    migrations.verify(graph)


def test_a_folder_that_holds_something_else_is_not_written_to(
    graph: Graph, folder: Path, tmp_path: Path
) -> None:
    """A whole export, other files, a beginning that is damaged or of another choice."""
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "letter.txt").touch()
    with pytest.raises(errors.ExportRefused, match="not empty"):
        export(graph, begun, now_ms=NOW)
    (begun / PROGRESS).write_text("{")
    with pytest.raises(errors.ExportRefused, match="damaged"):
        export(graph, begun, now_ms=NOW)
    with pytest.raises(errors.ExportRefused, match="whole export"):
        export(graph, folder, now_ms=NOW)


def test_vectors_are_left_out_when_told_so(graph: Graph, tmp_path: Path) -> None:
    fill(graph)
    export(graph, tmp_path / "export", now_ms=NOW, with_vectors=False)
    wipe(graph)
    put_back(graph, tmp_path / "export")
    query = "MATCH (n) WHERE n.embedding_blue IS NOT NULL RETURN count(n) AS n"
    assert graph.read(lambda tx: tx.run(query).single(strict=True)["n"]) == 0


def test_what_could_not_be_found_again_stops_the_export(graph: Graph, tmp_path: Path) -> None:
    """A node whose label has no unique key, and one that lacks it."""
    for node in ("(:Stranger {name: 'x'})", "(:Item {title: 'no id'})", "({name: 'no label'})"):
        wipe(graph)
        graph.write(lambda tx, node=node: tx.run(f"CREATE {node}").consume())
        with pytest.raises(GraphRejected, match=r"key|named"):
            export(graph, tmp_path / node.strip("()"), now_ms=NOW)


def test_commands_export_and_restore_a_folder(
    graph: Graph, redis_url: str, neo4j_settings: GraphSettings, tmp_path: Path
) -> None:
    """As an operator types them; the second export into one folder is refused in a sentence."""
    fill(graph)
    before, folder = digest(graph), tmp_path / "monday"
    assert (
        "Keep secrets.json"
        in shopgraph(neo4j_settings, redis_url, "export", "graph", str(folder)).stdout
    )
    again = shopgraph(neo4j_settings, redis_url, "export", "graph", str(folder))
    assert (again.returncode, "whole export" in again.stderr) == (1, True)
    refused = shopgraph(neo4j_settings, redis_url, "restore", str(folder))
    assert (refused.returncode, "--replace" in refused.stderr) == (1, True)
    done = shopgraph(neo4j_settings, redis_url, "restore", str(folder), "--replace")
    assert "is back" in done.stdout, done.stderr
    assert digest(graph) == before


LOGGED = (
    *("IDENTIFIED", "RETURNED", "SAW", "SEARCHED"),
    *(behaviour.relationship for behaviour in ITEM_BEHAVIOURS.values()),
)


def people(tx: ManagedTransaction) -> set[UserId]:
    return {UserId(one) for one in tx.run("MATCH (u:User) RETURN u.user_id").value()}


def counts_are_zero(graph: Graph) -> bool:
    found = graph.read(counts)
    return not found.nodes and not found.relationships


def killed(settings: GraphSettings, script: str) -> None:
    """Run a script in a process that kills itself with signal 9."""
    door = textwrap.dedent("""
        import os
        from pathlib import Path
        from graph.client import Graph
        from graph.settings import GraphSettings
        graph = Graph(GraphSettings())
        calls = 0
        def die_after(n, rows):
            global calls
            calls += 1
            if calls > n or rows:
                if rows: next(rows)
                os.kill(os.getpid(), 9)
    """)
    done = subprocess.run(
        [sys.executable, "-c", door + textwrap.dedent(script)],
        env=process_environment(settings, "redis://nobody.invalid"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr


def shopgraph(
    settings: GraphSettings, redis_url: str, *words: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "workers.commands", *words],
        env=process_environment(settings, redis_url, COLUMNS="200"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
