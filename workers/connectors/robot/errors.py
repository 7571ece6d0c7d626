"""
What can go wrong while pages are collected; none of it leaves rows behind.

ConnectorError
└── RobotError
    ├── RobotOff        nobody switched it on, or a part of it is not installed
    ├── SiteUnreadable  the file about a site, or a sample, makes no sense
    ├── PageForbidden   the list of hosts or robots.txt does not allow the page
    ├── PageBlocked     the site does not want us: a refusal, a captcha, a login wall
    └── PageChanged     the page is not as the selectors expect it
"""

from workers.connectors.errors import ConnectorError


class RobotError(ConnectorError):
    """Anything that goes wrong while pages are collected."""


class RobotOff(RobotError):
    """The robot may not or cannot run here."""


class SiteUnreadable(RobotError):
    """A file about a site cannot be understood."""


class PageForbidden(RobotError):
    """We may not open that page."""


class PageBlocked(RobotError):
    """The site does not serve us; it is not asked again in this run."""


class PageChanged(RobotError):
    """The page has another layout than the selectors know."""
