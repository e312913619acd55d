"""Texts in files that people open in a spreadsheet, which would run some of them as formulas."""

import re

# White space at the beginning is easily lost, so it is protected too.
_is_formula = re.compile(r"'*[=+\-@\s]").match
_is_protected = re.compile(r"'+[=+\-@\s]").match


def protected(text: str | None) -> str:
    """A text that no spreadsheet runs: one that looks like a formula has a `'` before it."""
    if not text or text[0].isalnum():
        return text or ""
    return f"'{text}" if _is_formula(text) else text


def unprotected(text: str) -> str:
    """What was protected, as it was; any other text as it is."""
    return text[1:] if _is_protected(text) else text
