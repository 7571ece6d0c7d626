"""Debian's Chromium before a shop, before a proxy that can fail, before the real API."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver

from tests.browser.servers import Proxy, Shop, serving
from tests.browser.shopper import Browser, Collected
from workers.benchmarks.stack import Stack, running_stack
from workers.local.errors import LocalError
from workers.local.secrets import load_secrets

HOW_TO_GET_ONE = (
    "no Chromium with chromedriver: `make browser` as root on Debian installs both, elsewhere "
    "install them with the system's package manager"
)

ELSEWHERE = ("NEO4J_URI", "NEO4J_USER", "NEO4J_PASSWORD", "REDIS_URL", "SHOPGRAPH_API_KEYS")


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """The shop; its origin is one that the API lists."""
    server = Shop()
    with serving(server):
        yield server


@pytest.fixture(scope="session")
def stack(programs: tuple[str, str], shop: Shop) -> Iterator[Stack]:
    """The real API, ingest, graph and stream."""
    with _running("api", "ingest", origin=shop.origin) as found:
        yield found


@pytest.fixture
def stack_without_api() -> Iterator[Stack]:
    """Ingest, graph and stream for one test."""
    with _running("ingest", origin="") as found:
        yield found


@pytest.fixture(scope="session")
def the_proxy(stack: Stack, shop: Shop) -> Iterator[Proxy]:
    """The proxy, for all tests."""
    server = Proxy(stack.target.port)
    shop.host, shop.key = server.origin, load_secrets(stack.home).browser_key
    with serving(server):
        yield server


@pytest.fixture
def proxy(the_proxy: Proxy) -> Iterator[Proxy]:
    """The proxy, passing everything on."""
    the_proxy.good()
    yield the_proxy
    the_proxy.good()


@pytest.fixture
def collected(stack: Stack) -> Collected:
    """What is in the graph in the end."""
    return Collected(stack.graph)


@pytest.fixture(scope="session")
def programs() -> tuple[str, str]:
    """Where Chromium and its driver are; skips without them, and fails where they are required."""
    found = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if found[0] is None or found[1] is None:
        _missing("REQUIRE_BROWSER", HOW_TO_GET_ONE)
    assert found[0]
    assert found[1]
    return found[0], found[1]


@pytest.fixture
def browser(
    programs: tuple[str, str], shop: Shop, proxy: Proxy, tmp_path: Path
) -> Iterator[Browser]:
    """A browser with an empty profile."""
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    # The driver switches the cache off for everybody.
    options.add_experimental_option("excludeSwitches", ["disable-back-forward-cache"])
    options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(programs[1]))
    driver.set_script_timeout(60)
    try:
        yield Browser(driver, shop)
    finally:
        driver.quit()


@contextmanager
def _running(*names: str, origin: str) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ELSEWHERE:
            patch.delenv(name, raising=False)
        patch.setenv("SHOPGRAPH_ALLOWED_ORIGINS", origin)
        try:
            with running_stack(names) as found:
                yield found
        except LocalError as error:
            _missing("REQUIRE_SERVICES", f"no services: {error}")


def _missing(variable: str, why: str) -> None:
    if os.environ.get(variable) == "1":
        pytest.fail(f"required: {why}")
    pytest.skip(why)
