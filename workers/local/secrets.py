"""Keys and passwords of one data folder, made once."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from workers.local.errors import StateUnreadable


@dataclass(frozen=True, repr=False)
class Secrets:
    """
    What must not be guessed.

    Losing the pseudonym key makes every known shopper a stranger; losing the encryption key makes
    the shop's own ids unreadable.
    """

    neo4j_password: str
    valkey_password: str
    pseudonym_key: str
    encryption_key: str
    browser_key: str
    server_key: str
    admin_key: str

    @property
    def api_keys(self) -> str:
        """The keys of the HTTP interface, ``scope:name:key`` with commas between."""
        return (
            f"browser:local:{self.browser_key},"
            f"server:local:{self.server_key},"
            f"admin:local:{self.admin_key}"
        )


def load_secrets(home: Path) -> Secrets:
    """
    The secrets of a data folder; made and kept for the owner's eyes on the first call.

    Raises:
        StateUnreadable: the file is damaged.
    """
    path = home / "secrets.json"
    if not path.exists():
        return _create(path)
    try:
        values = json.loads(path.read_text())
        return Secrets(**{field.name: str(values[field.name]) for field in fields(Secrets)})
    except (ValueError, KeyError, TypeError) as error:
        raise StateUnreadable(f"{path} is damaged; bring it back from a backup") from error


def add_keys(home: Path) -> Secrets:
    """Put new keys behind those of pseudonyms and encrypted ids; the old ones stay readable."""
    old = load_secrets(home)
    made = replace(
        old,
        pseudonym_key=f"{old.pseudonym_key},{_random(32)}",
        encryption_key=f"{old.encryption_key},{_random(64)}",
    )
    _write(home / "secrets.json", made)
    return made


def _create(path: Path) -> Secrets:
    made = Secrets(
        neo4j_password=secrets.token_urlsafe(24),
        valkey_password=secrets.token_urlsafe(24),
        pseudonym_key=_random(32),
        encryption_key=_random(64),
        browser_key=secrets.token_urlsafe(24),
        server_key=secrets.token_urlsafe(24),
        admin_key=secrets.token_urlsafe(24),
    )
    _write(path, made)
    return made


def _random(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).decode()


def _write(path: Path, made: Secrets) -> None:
    write_private(path, json.dumps(asdict(made), indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file in one step, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.part")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
