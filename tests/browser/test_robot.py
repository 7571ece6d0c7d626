"""The page robot in a real browser, before a site of our own that changes its mind."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from neo4j import ManagedTransaction

from graph import pulls
from graph.domain.events import EventType
from tests.browser.review_site import ReviewSite, page, review
from tests.browser.servers import serving
from workers.benchmarks.stack import Stack
from workers.commands.robot import robot
from workers.connectors.robot.browser import PageBrowser
from workers.connectors.robot.collecting import collect
from workers.connectors.robot.errors import PageBlocked, PageChanged, PageForbidden
from workers.connectors.robot.health import PAGES, health
from workers.connectors.robot.manners import Manners, user_agent
from workers.connectors.robot.records import Collected, Records
from workers.connectors.robot.site import Site, read_site

SITE = """
name = "reviews"
pages = ["{origin}/one"]
next = "a.next"
rows = "li.review"
wait_s = 1.0
[fields.sku]
selector = ".sku"
[fields.stars]
selector = ".stars"
attribute = "data-stars"
pattern = "^([0-9])/5$"
[fields.day]
selector = "time"
[fields.text]
selector = "p"
is_required = false
[events]
[events.columns]
item_id = "sku"
rating = "stars"
event_time = "day"
[events.fixed]
event_type = "review"
[events.time]
zone = "Asia/Shanghai"
format = "%Y-%m-%d"
"""
FIRST = [review("颜色/红", 4, "2026-02-01"), review("SKU-2", 5, "2026-02-02")]
CONTACT = "https://shop.example/robot"


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_772_352_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def ms(self) -> int:
        self.now += 1
        return int(self.now * 1_000)


@pytest.fixture
def reviews() -> Iterator[ReviewSite]:
    """Two reviews on one page, and no robots.txt."""
    server = ReviewSite()
    with serving(server):
        server.shows("/one", page(*FIRST))
        yield server


@pytest.fixture(scope="module")
def chromium(programs: tuple[str, str]) -> Iterator[PageBrowser]:
    with PageBrowser(user_agent(CONTACT), ["127.0.0.1"]) as browser:
        yield browser


@pytest.fixture
def site_file(reviews: ReviewSite, tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(SITE.replace("{origin}", reviews.origin))
    return path


@pytest.fixture
def site(site_file: Path) -> Site:
    return read_site(site_file)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "robot", "reviews")


@pytest.fixture
def run(chromium: PageBrowser, site: Site, records: Records) -> Any:
    """A run of the robot; the clock goes on from run to run."""
    clock = Clock()

    def collected(of: Site = site, **how: Any) -> Collected:
        manners = Manners(
            frozenset({"127.0.0.1"}), user_agent(CONTACT), 5.0, clock=clock, sleep=clock.sleep
        )
        return collect(of, chromium, manners, records, clock_ms=clock.ms, **how)

    collected.clock = clock  # type: ignore[attr-defined]
    return collected


def kept(records: Records) -> list[tuple[str, ...]]:
    return [(row["row"], row["sku"], row["stars"], row["text"]) for row in records.kept()]


def test_rows_of_all_pages_are_kept_as_the_selectors_say(
    run: Any, reviews: ReviewSite, records: Records
) -> None:
    """Attributes, patterns, whole texts, the link to the next page; also rows made by a script."""
    later = "<script>setTimeout(() => document.querySelector('ul').innerHTML = `{}`, 300)</script>"
    reviews.shows("/one", page(*FIRST, more='<a class="next" href="/two">more</a>'))
    reviews.shows("/two", page(more=later.format(review("SKU-3", 1, "2026-02-03"))))
    assert run() == Collected(pages=2, rows=3)
    assert kept(records) == [
        ("1", "颜色/红", "4", "fine tea"), ("2", "SKU-2", "5", "fine tea"),
        ("1", "SKU-3", "1", "fine tea"),
    ]  # fmt: skip
    assert len({row["key"] for row in records.kept()}) == 3
    assert records.rows_file.stat().st_mode & 0o077 == 0


REFUSALS: dict[str, tuple[str, int, type[Exception], str]] = {
    "changed_layout": (page(*FIRST).replace("review", "opinion"), 200, PageChanged, "0 rows"),
    "changed_field": (page(*FIRST).replace("data-stars", "data-n"), 200, PageChanged, "stars in 0"),
    "login_wall": ("<form><input type=password></form>", 200, PageBlocked, "login"),
    "captcha": (page(*FIRST, more='<div class="g-recaptcha"></div>'), 200, PageBlocked, "captcha"),
    "empty_list": (page(), 200, PageChanged, "0 rows"),
    "forbidden": (page(*FIRST), 403, PageBlocked, "status 403"),
    "too_many": (page(*FIRST), 429, PageBlocked, "status 429"),
    "gone": ("gone", 404, PageChanged, "status 404"),
    "broken": (page(*FIRST), 500, PageChanged, "status 500"),
}
FALLS = {"changed_field": {"stars"}, "changed_layout": {PAGES, "sku", "stars", "day", "text"}}


@pytest.mark.parametrize("case", REFUSALS)
def test_j7_a_page_that_is_blocked_or_changed_is_an_error_and_never_data(
    run: Any, reviews: ReviewSite, records: Records, case: str
) -> None:
    """No row is kept, health falls, the page is archived, and the site is not asked again."""
    body, status, error, reason = REFUSALS[case]
    run()
    before = kept(records)
    reviews.shows("/one", body, status)
    reviews.asked.clear()
    with pytest.raises(error, match=reason):
        run()
    assert kept(records) == before, "the rows of the good run stay as they were"
    assert reviews.times("/one") == 1, "a block is not tried again"
    newest = health(records.visits())
    assert newest is not None
    assert newest.verdict == ("blocked" if error is PageBlocked else "changed")
    fallen = {one.selector for one in newest.selectors if one.falls}
    expected = {
        "changed_field": {"stars"},
        "changed_layout": {PAGES, "sku", "stars", "day", "text"},
    }
    assert fallen >= expected.get(case, set())
    (archived,) = (records.folder / "pages").iterdir()
    assert {path.name for path in archived.iterdir()} == {"page.html", "page.png", "about.json"}
    assert reason in json.loads((archived / "about.json").read_text())["reason"]
    assert (archived / "page.png").read_bytes().startswith(b"\x89PNG")


def test_one_blocked_page_spoils_the_run(run: Any, reviews: ReviewSite, records: Records) -> None:
    """The good page before it is no half truth, and the page after it is not asked for."""
    reviews.shows("/one", page(*FIRST, more='<a class="next" href="/two">more</a>'))
    reviews.shows("/two", page(*FIRST, more='<a class="next" href="/three">more</a>'), 403)
    with pytest.raises(PageBlocked):
        run()
    assert not records.rows_file.exists()
    assert reviews.times("/three") == 0


def test_signs_of_the_site_itself_are_known_from_its_file(
    run: Any, reviews: ReviewSite, site: Site
) -> None:
    reviews.shows("/one", page(*FIRST, more="<p>You look like a robot</p>"))
    told = site.model_copy(update={"blocked": site.blocked.model_copy(
        update={"texts": ("look like a robot",)})})  # fmt: skip
    with pytest.raises(PageBlocked, match="look like a robot"):
        run(told)


def test_robots_txt_and_the_list_of_hosts_are_kept_to(
    run: Any, reviews: ReviewSite, site: Site
) -> None:
    """A page that may not be opened is not opened; neither by a link nor by a redirect."""
    reviews.shows("/robots.txt", "User-agent: ShopgraphRobot\nDisallow: /private")
    reviews.shows("/one", page(*FIRST, more='<a class="next" href="/private/two">more</a>'))
    with pytest.raises(PageForbidden, match=r"robots\.txt"):
        run()
    assert reviews.times("/private/two") == 0
    elsewhere = site.model_copy(update={"pages": (f"http://localhost:{reviews.server_port}/one",)})
    reviews.asked.clear()
    with pytest.raises(PageForbidden, match="SHOPGRAPH_ROBOT_HOSTS"):
        run(elsewhere)
    assert reviews.asked == []
    reviews.shows("/one", "", 302, Location=f"http://localhost:{reviews.server_port}/two")
    with pytest.raises(PageChanged, match="could not be opened"):
        run()
    assert reviews.times("/two") == 0


def test_a_site_that_cannot_say_what_it_allows_is_left_alone(run: Any, reviews: ReviewSite) -> None:
    reviews.shows("/robots.txt", "", 503)
    with pytest.raises(PageForbidden):
        run()
    assert reviews.times("/one") == 0


@pytest.mark.parametrize(
    ("rules", "pause"),
    [("", 5.0), ("User-agent: *\nCrawl-delay: 12", 12.0),
     ("User-agent: *\nRequest-rate: 1/30s", 30.0), ("User-agent: *\nCrawl-delay: 1", 5.0)],
)  # fmt: skip
def test_pages_keep_their_distance(run: Any, reviews: ReviewSite, rules: str, pause: float) -> None:
    """Ours, or the site's where that is longer."""
    reviews.shows("/robots.txt", rules)
    reviews.shows("/one", page(*FIRST, more='<a class="next" href="/two">more</a>'))
    reviews.shows("/two", page(*FIRST))
    run()
    (slept,) = run.clock.slept
    assert pause - 2 < slept <= pause, "the clock of the records ran on by a second a page"


def test_the_robot_says_who_it_is(run: Any, reviews: ReviewSite, chromium: PageBrowser) -> None:
    """To robots.txt and to pages alike, with an address; and it does not deny to be driven."""
    reviews.shows(
        "/one", page(*FIRST, more="<script>document.title = navigator.webdriver</script>")
    )
    run()
    assert {one.path for one in reviews.asked} == {"/robots.txt", "/one"}
    assert {one.agent for one in reviews.asked} == {user_agent(CONTACT)}
    assert user_agent(CONTACT).startswith("ShopgraphRobot/")
    assert CONTACT in user_agent(CONTACT)
    assert "<title>true</title>" in chromium.snapshot()[0]


def test_what_is_collected_is_stored_as_low_trust_and_not_learnt_from(
    stack_without_api: Stack, reviews: ReviewSite, site_file: Path, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    """As an operator types it: nothing while it is off; then rows, status, accuracy by hand."""
    for name, value in {**stack_without_api.children, "SHOPGRAPH_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    off = invoke("collect", str(site_file))
    assert "SHOPGRAPH_ROBOT_HOSTS" in str(off.exception)
    assert reviews.asked == []
    monkeypatch.setenv("SHOPGRAPH_ROBOT_HOSTS", "127.0.0.1")
    monkeypatch.setenv("SHOPGRAPH_ROBOT_CONTACT", CONTACT)
    monkeypatch.setenv("SHOPGRAPH_ROBOT_INTERVAL_S", "1")
    for _ in range(2):
        done = invoke("collect", str(site_file))
        assert done.exit_code == 0, done.output
    graph = stack_without_api.graph
    edges = graph.read(_reviews)
    assert [(one["item"], one["rating"], one["flags"]) for one in edges] == [
        ("SKU-2", 5.0, ["bot", "low_trust"]), ("颜色/红", 4.0, ["bot", "low_trust"]),
    ]  # fmt: skip
    assert edges[1]["ts"] == 1_769_875_200_000, "midnight of Shanghai"
    assert graph.read(pulls.edges, EventType.REVIEW, after=0, upper=10**9, page=9).n == 0

    told = invoke("status").output
    assert "not judged yet" in told
    sample = tmp_path / "sample.csv"
    rows = Records(tmp_path / "robot", "reviews").kept()
    labels = [f"reviews,{row['url']},{row['row']},4" for row in rows]
    sample.write_text("\n".join(["site,url,row,stars", *labels]))
    (judged,) = json.loads(invoke("judge", str(sample), "--json").stdout)
    assert judged["fields"]["stars"]["right"] == 1
    assert "50.0 %" in invoke("status").output


def invoke(*words: str) -> Any:
    return CliRunner().invoke(robot, list(words))


def _reviews(tx: ManagedTransaction) -> list[dict[str, Any]]:
    query = """
        MATCH (u:User)-[r:REVIEWED]->(i:Item) WHERE r.source = 'robot-reviews'
        RETURN i.item_id AS item, r.rating AS rating, r.flags AS flags, r.ts AS ts ORDER BY item
    """
    return tx.run(query).data()
