"""A real browser without a screen, which says who it is and reaches the listed hosts only."""

import os
import shutil
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from selenium import webdriver
from selenium.common.exceptions import WebDriverException

from workers.connectors.robot.errors import PageChanged, RobotOff
from workers.connectors.robot.pages import CAPTCHAS, LOGIN, LOGIN_WALL, SCRIPT, Look, Verdict, judge
from workers.connectors.robot.site import Site

_LOOK_AGAIN_S = 0.2
_LOAD_S = 60


class PageBrowser:
    """Chromium with an empty profile, for one run."""

    def __init__(self, agent: str, hosts: Iterable[str]) -> None:
        """
        Raises:
            RobotOff: Chromium or its driver is not here.
        """
        program, driver = _programs()
        options = webdriver.ChromeOptions()
        options.binary_location = program
        # Also pictures and scripts of other hosts are nothing that somebody allowed.
        others = ", ".join(["MAP * ~NOTFOUND", *(f"EXCLUDE {host}" for host in sorted(hosts))])
        for argument in (
            "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,1600",
            f"--user-agent={agent}", f"--host-resolver-rules={others}",
        ):  # fmt: skip
            options.add_argument(argument)
        if os.geteuid() == 0:  # Chromium has no sandbox for root
            options.add_argument("--no-sandbox")
        self._driver = webdriver.Chrome(options, webdriver.ChromeService(driver))
        self._driver.set_page_load_timeout(_LOAD_S)

    def look(self, site: Site, url: str) -> Look:
        """Open a page once and say what it is; it has a while to show its rows."""
        try:
            self._driver.get(url)
        except WebDriverException as error:
            told = (error.msg or "").splitlines() or ["no answer"]
            return Look(url, Verdict.CHANGED, f"it could not be opened: {told[0]}")
        until = time.monotonic() + site.wait_s
        while True:
            found = judge(site, url, self._shown(site))
            # Rows may still come; a refusal is one at once, and nothing is solved by waiting.
            is_early = found.verdict is Verdict.CHANGED or found.reason == LOGIN_WALL
            if not is_early or time.monotonic() > until:
                return found
            time.sleep(_LOOK_AGAIN_S)

    def snapshot(self) -> tuple[str, bytes]:
        """The page as it is now: its HTML, and a picture (PNG)."""
        return self._driver.page_source, self._driver.get_screenshot_as_png()

    def _shown(self, site: Site) -> dict[str, Any]:
        try:
            shown: dict[str, Any] = self._driver.execute_script(
                SCRIPT, site.model_dump(mode="json"), list(CAPTCHAS), LOGIN
            )
        except WebDriverException as error:
            told = (error.msg or "").splitlines() or ["no page"]
            raise PageChanged(f"a selector of {site.name} cannot be used: {told[0]}") from error
        return shown

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._driver.quit()


def _programs() -> tuple[str, str]:
    found = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if found[0] is None or found[1] is None:
        raise RobotOff("the robot needs Chromium and chromedriver on the path")
    return found[0], found[1]
