"""Free attributes: kept as JSON text, small, and without anybody's phone number or address."""

import json
import re
from typing import Any

from workers.intake.rows import Fault

MAX_ATTRIBUTES_BYTES = 8 * 1024
_DIRECT_IDENTIFIER = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]+"  # e-mail
    r"|(?<![\d.])1[3-9]\d{9}(?![\d.])"  # mobile number in mainland China
    r"|\+\d{1,3}[\s\d().-]{7,}\d"  # international phone number
)


def attributes_text(attributes: dict[str, Any]) -> str | Fault:
    """The attributes as JSON text, or what is wrong with them."""
    try:
        text = json.dumps(attributes, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except UnicodeEncodeError:
        return Fault("invalid_text", "attributes")
    except (TypeError, ValueError, RecursionError):
        return Fault("invalid_type", "attributes")
    if size > MAX_ATTRIBUTES_BYTES:
        return Fault("row_too_large", "attributes")
    if "\\u0000" in text or _DIRECT_IDENTIFIER.search(text):
        return Fault("invalid_text", "attributes")
    return text
