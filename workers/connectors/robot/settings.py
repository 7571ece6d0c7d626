"""What the page robot may do; without hosts it does nothing."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from workers.connectors.robot.errors import RobotOff


class RobotSettings(BaseSettings):
    """Permission and manners of the page robot; prefix ``SHOPGRAPH_ROBOT_``."""

    model_config = SettingsConfigDict(env_prefix="SHOPGRAPH_ROBOT_", frozen=True)

    hosts: str = Field(
        default="", description="hosts that it may open, separated by commas; empty: it is off"
    )
    contact: str = Field(
        default="", description="address where a site reaches you; part of its name to every site"
    )
    interval_s: float = Field(
        default=5.0, ge=1.0, description="least seconds between two pages of a host"
    )

    @property
    def allowed(self) -> frozenset[str]:
        """The hosts, in small letters."""
        return frozenset(filter(None, (one.strip().lower() for one in self.hosts.split(","))))

    def must_be_on(self) -> None:
        """Raises ``RobotOff`` unless somebody allowed hosts and says who they are."""
        if not self.allowed:
            raise RobotOff("the robot is off: SHOPGRAPH_ROBOT_HOSTS allows no host")
        if not self.contact.strip():
            raise RobotOff("SHOPGRAPH_ROBOT_CONTACT must say where a site reaches you")
