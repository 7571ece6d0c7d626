"""The signature that Taobao and JD ask for: a hash of the sorted parameters and the secret."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal

SignMethod = Literal["md5", "hmac", "hmac-sha256"]


def signature(secret: str, parameters: Mapping[str, str], method: SignMethod = "md5") -> str:
    """
    Sign names and values of all parameters, joined without anything between.

    Source:
        Taobao Open Platform, "API call method in detail"; JD Open Platform, developer guide.
    """
    text = "".join(name + value for name, value in sorted(parameters.items()))
    if method == "md5":
        return hashlib.md5(f"{secret}{text}{secret}".encode()).hexdigest().upper()  # noqa: S324
    digest = "md5" if method == "hmac" else "sha256"
    return hmac.new(secret.encode(), text.encode(), digest).hexdigest().upper()
