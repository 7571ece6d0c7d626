"""Asks the running HTTP interface, with a key of the data folder."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from workers.errors import ApiRefused, ApiUnavailable
from workers.local import state
from workers.local.secrets import load_secrets
from workers.local.settings import Ports

HEADER = "X-API-Key"


@dataclass(frozen=True, slots=True)
class Api:
    """Where the HTTP interface is, and the key to ask it with."""

    url: str
    key: SecretStr
    timeout_s: float = 30.0

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """
        Ask; parameters that are ``None`` are left out.

        Raises:
            ApiUnavailable: nobody answers there.
            ApiRefused: the answer is an error; the message holds its code and sentence.
        """
        query = urllib.parse.urlencode({k: v for k, v in params.items() if v is not None})
        return self._ask("GET", f"{path}?{query}")

    def post(self, path: str, body: Mapping[str, Any] | list[Any]) -> dict[str, Any]:
        """Send; raises as ``get``."""
        return self._ask("POST", path, json.dumps(body).encode())

    def readiness(self) -> dict[str, Any]:
        """What ``/readyz`` says; nothing while nobody answers or something is missing."""
        try:
            return self.get("/readyz")
        except (ApiRefused, ApiUnavailable):
            return {}

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        headers = {HEADER: self.key.get_secret_value(), "Content-Type": "application/json"}
        # The address was checked to be one of http.
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}{path}", data=body, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:  # noqa: S310
                value = json.load(answer)
        except urllib.error.HTTPError as error:
            raise ApiRefused(_sentence(error)) from error
        except (OSError, ValueError) as error:
            raise ApiUnavailable(
                f"the API does not answer at {self.url}; start it with `shopgraph up`"
            ) from error
        assert isinstance(value, dict)
        return value


def local_api(*, scope: str = "server") -> Api:
    """The API of this machine; ``SHOPGRAPH_API_URL`` names another one."""
    folder = state.home()
    listed = os.environ.get("SHOPGRAPH_API_KEYS") or load_secrets(folder).api_keys
    return Api(url=_address(folder_port()), key=SecretStr(_key_of(listed, scope)))


def folder_port() -> int:
    """The port that the API of this data folder listens on."""
    found = state.read_state(state.home())
    if found is not None and "SHOPGRAPH_API_PORT" not in os.environ:
        return found.api_port
    return Ports().api_port


def _address(port: int) -> str:
    address = os.environ.get("SHOPGRAPH_API_URL") or f"http://127.0.0.1:{port}"
    if not address.startswith(("http://", "https://")):
        raise ApiUnavailable("SHOPGRAPH_API_URL must begin with http:// or https://")
    return address.rstrip("/")


def _key_of(listed: str, scope: str) -> str:
    for part in listed.split(","):
        said, _, rest = part.strip().partition(":")
        if said.lower() == scope:
            return rest.partition(":")[2]
    raise ApiRefused(f"SHOPGRAPH_API_KEYS holds no key of scope {scope}")


def _sentence(error: urllib.error.HTTPError) -> str:
    try:
        body = json.load(error)
        return f"{body['message']} ({error.code} {body['code']})"
    except (ValueError, KeyError, TypeError):
        return f"the API answered {error.code} {error.reason}"
