"""What a provider says, made plain: texts without markup, addresses that are ones, numbers that are ones."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from tasks.errors import Unavailable

LONGEST_TEXT = 500
LONGEST_ADDRESS = 2000
MOST = 10**9

HIDDEN = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|$)|<!--.*?(?:-->|$)", re.IGNORECASE | re.DOTALL)
BREAK = re.compile(r"</?(?:br|p|div|li|ul|ol|tr|td|th|table)\b[^>]*>", re.IGNORECASE)
TAG = re.compile(r"<[a-zA-Z/!?][^>]*(?:>|$)")
JOINERS = "\u200c\u200d"
"""Without them Persian words and composed emoji fall apart."""


def plain(value: object, longest: int = LONGEST_TEXT) -> str:
    """`value` as one line of text: no tags, no entities, no control characters, no two spaces in a row.

    It is gone over until nothing changes, so that markup which was escaped twice, or split by a character that
    is taken out, is none afterwards either. What is neither a text nor a number is empty.

    Args:
        longest: characters that are kept.
    """
    text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    text, before = text[: 10 * longest], None
    while text != before:
        before = text
        text = without_tags(printable(html.unescape(text)))
    return text[:longest].rstrip()


def without_tags(text: str) -> str:
    text = BREAK.sub(" ", HIDDEN.sub(" ", text))
    return " ".join(TAG.sub("", text).split())


def printable(text: str) -> str:
    """`text` without control, format, private and unassigned characters; white space of any kind is a space."""
    spaced = (" " if char.isspace() else char for char in text)
    return "".join(char for char in spaced if char in JOINERS or not unicodedata.category(char).startswith("C"))


def address(value: object) -> str:
    """`value` if it is a web address, with `https:` where it begins with `//`; else empty."""
    text = printable(value).strip() if isinstance(value, str) else ""
    text = f"https:{text}" if text.startswith("//") else text
    return text if re.fullmatch(r"https?://[^\s<>\"]+", text) and len(text) <= LONGEST_ADDRESS else ""


def number(value: object) -> int | None:
    """`value` if it is a whole number from 1 to MOST, or a text of one."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= MOST:
        return None
    return int(value) if value == int(value) else None


def records(answer: Mapping[str, Any], *path: str, provider: str) -> list[dict[str, Any]]:
    """The list of objects that lies at `path` in a provider's answer.

    Raises:
        Unavailable: if there is none.
    """
    value: Any = answer
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Unavailable(
            f"{provider} must answer a list of objects as `{'.'.join(path)}`. Received: {type(value).__name__}"
        )
    return value
