"""Amounts as people read them."""

from decimal import Decimal


def format_amount(amount: Decimal) -> str:
    """The exact digits of `amount`: no exponent, no trailing zeros, no negative zero.

    Works on the text alone, since Decimal's own arithmetic rounds to 28 digits.
    """
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
