"""What is written in one cell: amounts, times, transaction ids and texts.

Every function takes the cell's text and the name of its column, and raises `Unreadable` with a
sentence that names both and says what to do.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, localcontext
from functools import lru_cache

from contacts.addresses import AddressError, normalise
from txsite.spreadsheets import unprotected

MAX_INTEGER_DIGITS = 78  # a uint256 has at most 78
MAX_DECIMALS = 30
MAX_LABEL = 100
MAX_NAME = 200
MAX_NOTE = 10_000

ZERO = Decimal(0)
UNKNOWN = frozenset({"", "-", "N/A", "n/a"})
# What signs of currency stand for; others tell nothing.
SIGNS = {
    "€": ("EUR",),
    "£": ("GBP", "EGP", "FKP", "GIP", "LBP", "SHP", "SSP", "SYP"),
    "¥": ("JPY", "CNY"),
    "₹": ("INR",),
    "CA$": ("CAD",),
    "A$": ("AUD",),
    "US$": ("USD",),
    "$": (
        *("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP", "BSD"),
        *("BBD", "BMD", "BND", "BZD", "FJD", "GYD", "JMD", "KYD", "LRD", "NAD", "SBD", "SRD"),
        *("TTD", "UYU", "XCD", "CVE", "DOP", "NIO"),
    ),
}
FIRST_YEAR, LAST_YEAR = 2009, 2100  # no chain is older than Bitcoin's first block

_plain = re.compile(r"[0-9]{1,78}(?:\.[0-9]{1,30})?").fullmatch
_number = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,9}))?").fullmatch
_grouped = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?").fullmatch
_time = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)"
    r" ?(UTC|Z|[+-][0-9]{2}:?[0-9]{2})?"
).fullmatch
_numeric_date = re.compile(
    r"([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})"
    r"(?:,? +([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?(?: ?([AaPp][Mm]))?)?"
).fullmatch
_year_first = re.compile(
    r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})"
    r"(?:,? +([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?(?: ?([AaPp][Mm]))?|([ T].*))?"
).fullmatch
# A currency is its code, letters and a sign such as CA$, or a sign.
_money = re.compile(
    r"([+-]?) *([^\W\d_]{0,3}[^\w\s.,+-]?) *([+-]?) *([0-9][0-9,.]*(?:[eE]-?[0-9]+)?)"
).fullmatch
_unit_behind = re.compile(r"(.*[0-9]\)?) *([^\W\d_]+|[^\w\s.,()+-])").fullmatch
_in_brackets = re.compile(r"([^()0-9+-]*)\(([^()+-]*)\)").fullmatch
_digits = re.compile(r"[0-9][0-9.,]*").search
_with_comma = re.compile(r"(?:[0-9]+|[1-9][0-9]{0,2}(?:\.[0-9]{3})+)?(?:,[0-9]+)?").fullmatch
_evm_txid = re.compile(r"0x[0-9a-f]{64}").fullmatch
_hex_txid = re.compile(r"[0-9a-f]{64}").fullmatch
_wallet_txid = re.compile(r"[0-9a-f]{60,70}").fullmatch
_base58_txid = re.compile(r"[1-9A-HJ-NP-Za-km-z]{64,88}").fullmatch
# One line of text: no control character, nor Unicode's own line and paragraph ends.
_unfit_in_line = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]").search
_unfit_in_note = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]").search


class Unreadable(ValueError):
    """A record that cannot be read; the message says which cell, why and what to do."""


def shown(text: str) -> str:
    """A cell as a message quotes it: its beginning, without line breaks and the like."""
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:81])
    return f"'{text[:80]}…'" if len(text) > 80 else f"'{text}'"


def number(text: str, column: str, *, thousands: bool = False) -> Decimal | None:
    """The exact number in a cell, without trailing zeros; None where it says unknown.

    Commas are read as thousands separators where they can be nothing else, or, with
    `thousands`, where the format is known to write them.
    """
    if text == "0":
        return ZERO
    if _plain(text):
        return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)
    if text in UNKNOWN:
        return None
    return _unusual_number(_ungrouped(text, column, thousands), text, column)


def total(amounts: Iterable[Decimal], column: str) -> Decimal:
    """The exact sum, without trailing zeros."""
    with localcontext(prec=2 * (MAX_INTEGER_DIGITS + MAX_DECIMALS)):
        return number(f"{sum(amounts, ZERO):f}", column) or ZERO


def amount(text: str, column: str, *, thousands: bool = False) -> Decimal | None:
    """A number that is not negative; None where the cell says unknown."""
    value = number(text, column, thousands=thousands)
    if value is not None and value.is_signed():
        raise Unreadable(
            f"{column} {shown(text)} is negative. Write amounts without a sign; the column says "
            "which way they went."
        )
    return value


def _ungrouped(text: str, column: str, thousands: bool) -> str:
    if "," not in text:
        return text
    if not _grouped(text):
        raise Unreadable(f"{column} {shown(text)} is not a number. Use a point.")
    plain = text.replace(",", "")
    if not thousands and "." not in text and text.count(",") == 1:
        raise Unreadable(
            f"{column} {shown(text)} can mean {plain} or {text.replace(',', '.')}. "
            "Write it without the comma."
        )
    return plain


def _unusual_number(plain: str, text: str, column: str) -> Decimal:
    """Signs, exponents and too many digits, told from the digits as text.

    The value is only built once it is known to fit, so `1e999999` costs nothing.
    """
    found = _number(plain)
    if not found or not (found[2] or found[3]):
        raise Unreadable(
            f"{column} {shown(text)} is not a number. Write digits with a point, such as 1234.5."
        )
    sign, whole, decimals, exponent = found[1], found[2], found[3] or "", int(found[4] or 0)
    digits = (whole + decimals).lstrip("0")
    point = len(digits) - len(decimals) + exponent
    digits = digits.rstrip("0")
    if not digits:
        return ZERO
    if point > MAX_INTEGER_DIGITS:
        raise Unreadable(
            f"{column} {shown(text)} has {point:,} digits before the point; at most "
            f"{MAX_INTEGER_DIGITS} fit. Correct it in the file."
        )
    if len(digits) - point > MAX_DECIMALS:
        raise Unreadable(
            f"{column} {shown(text)} has {len(digits) - point:,} decimals; at most "
            f"{MAX_DECIMALS} fit. Correct it in the file."
        )
    scale = point - len(digits)
    return Decimal(f"{sign}{digits}{'0' * scale}" if scale > 0 else f"{sign}{digits}E{scale}")


def money(
    text: str, column: str, currency: str = "", *, has_commas: bool = False
) -> Decimal | None:
    """A number with a sign of currency beside it: `€1,234.50`, `-CA$3`, `5 €`; None where unknown.

    Whatever dash is before the digits is a minus: spreadsheets write several; so are the brackets
    of `(5.00)`. `currency` is what the amount is in, which the sign must not contradict.
    """
    if text in UNKNOWN:
        return None
    mark = "a decimal comma, such as 1234,5" if has_commas else "a point, such as 1234.5"
    remedy = f"Write digits with {mark}."
    plain = "".join("-" if _is_dash(one) else one for one in text)
    if behind := _unit_behind(plain):
        if behind[2].isalpha() and behind[2].upper() != currency.upper():
            raise Unreadable(
                f"{column} {shown(text)} is not an amount of {currency or 'anything'}. {remedy}"
            )
        plain = behind[1] if behind[2].isalpha() else f"{behind[2]}{behind[1]}"
    if bracketed := _in_brackets(plain):
        plain = f"-{bracketed[1]}{bracketed[2]}"
    found = _money(plain)
    if not found or (found[1] and found[3]) or not _is_currency(found[2]):
        raise Unreadable(f"{column} {shown(text)} is not an amount. {remedy}")
    is_code = len(found[2]) == 3 and found[2].isascii() and found[2].isalpha()
    meant = SIGNS.get(found[2]) or ({found[2].upper()} if is_code else None)
    if meant and len(currency) == 3 and currency.upper() not in meant:
        raise Unreadable(
            f"{column} {shown(text)} is in another currency than {currency}. Correct one of them."
        )
    digits = pointed(found[4], column) if has_commas else found[4]
    value = number(digits, column, thousands=True)
    return value.copy_negate() if value and "-" in (found[1], found[3]) else value


def pointed(text: str, column: str) -> str:
    """A number with a decimal comma as one with a point; its points group three digits each."""
    digits = _digits(text)
    if digits and not (_with_comma(digits[0]) and _digits(text, digits.end()) is None):
        raise Unreadable(
            f"{column} {shown(text)} is not a number with a decimal comma, as in 1.234,56."
        )
    return text.replace(".", "").replace(",", ".")


def _is_dash(character: str) -> bool:
    return character == "\N{MINUS SIGN}" or unicodedata.category(character) == "Pd"


def _is_currency(text: str) -> bool:
    """Nothing, a sign of currency with or without letters, or letters that are not an exponent."""
    is_code = text.isalpha() and text not in ("e", "E")
    return not text or is_code or unicodedata.category(text[-1]) == "Sc"


def unix_time(text: str, column: str) -> datetime:
    """The UTC time of Unix seconds."""
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise Unreadable(f"{column} {shown(text)} is not a time in Unix seconds.")
    try:
        return in_range(datetime.fromtimestamp(int(text), UTC), text, column)
    except (ValueError, OverflowError, OSError):
        raise _out_of_range(text, column) from None


def time(text: str, column: str, zone: tzinfo = UTC) -> datetime:
    """The UTC time in `2024-01-31 13:45[:59]` with `UTC`, `Z`, an offset or nothing.

    Without one it is a time of `zone`; of an hour that occurs twice there, the first.
    """
    found = _time(text)
    if not found:
        raise Unreadable(
            f"{column} {shown(text)} is not a time. Write it like 2024-01-31 13:45:00 UTC."
        )
    date, clock, offset = found.groups()
    offset = {None: "", "UTC": "+00:00", "Z": "+00:00"}.get(offset, offset)
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{offset}")
    except ValueError:
        raise Unreadable(
            f"{column} {shown(text)} is not in the calendar. Correct it in the file."
        ) from None
    if not FIRST_YEAR - 1 <= moment.year <= LAST_YEAR + 1:  # so that no zone can overflow
        raise _out_of_range(text, column)
    if moment.tzinfo is None:
        moment = _in_zone(moment, zone, text, column)
    return in_range(moment.astimezone(UTC), text, column)


def written_time(text: str, column: str, zone: tzinfo, order: str = "") -> datetime:
    """The UTC time of `2024-01-31 13:45`, `31.01.2024 13:45:00`, `1/31/24 1:45 PM` and the like.

    `order` says what a date with slashes or dashes begins with, `dmy` or `mdy`; one with points
    begins with the day. A date alone is its midnight.
    """
    if year_first := _year_first(text):  # which leaves no question where the day is
        year, month, day, *parts, clock = year_first.groups()
        iso = f"{year}-{month:0>2}-{day:0>2}{clock or _clock(*parts)}"
        return _time_of(iso, text, column, zone)
    found = _numeric_date(text)
    if not found or (found[2] == "-" and len(found[4]) == 2):  # which part would be the year?
        return time(text, column, zone)
    first, mark, second, year, *parts = found.groups()
    day, month = (second, first) if order == "mdy" and mark != "." else (first, second)
    year = year if len(year) == 4 else f"20{year}"
    iso = f"{year}-{month:0>2}-{day:0>2}{_clock(*parts)}"
    return _time_of(iso, text, column, zone)


def clock_in(text: str, moment: datetime, zone: tzinfo) -> str:
    """What a cell's clock showed, whatever time zone it is believed to be of."""
    found = _time(text)
    if found and found[3]:
        return moment.isoformat()
    return moment.astimezone(zone).replace(tzinfo=UTC).isoformat()


def _clock(hour: str | None, minute: str | None, seconds: str | None, half: str | None) -> str:
    hours = int(hour or 0)
    if half and 1 <= hours <= 12:  # else there is no such time, which the calendar refuses
        hours = hours % 12 + (12 if half.upper() == "PM" else 0)
    elif half:
        hours = 99
    return f" {hours:02}:{minute or '00'}:{seconds or '00'}"


def _time_of(iso: str, text: str, column: str, zone: tzinfo) -> datetime:
    """The time that is written otherwise in the cell, as which a message quotes it."""
    try:
        return time(iso, column, zone)
    except Unreadable as problem:
        raise Unreadable(str(problem).replace(shown(iso), shown(text))) from None


def is_order_open(texts: Iterable[str]) -> bool:
    """Whether there are dates of which nobody can say where the day is, in none of these."""
    is_open = any(first <= 12 and second <= 12 for first, second in _open_dates(texts))
    return is_open and not order_of(texts)


def order_of(texts: Iterable[str]) -> str:
    """`dmy` or `mdy` where a day beyond the twelfth tells it; empty where none does, or some tell
    the one and some the other."""
    told = {
        "dmy" if first > 12 else "mdy"
        for first, second in _open_dates(texts)
        if first > 12 or second > 12
    }
    return told.pop() if len(told) == 1 else ""


def _open_dates(texts: Iterable[str]) -> list[tuple[int, int]]:
    found = (_numeric_date(text) for text in texts)
    return [
        (int(one[1]), int(one[3]))
        for one in found
        if one and one[2] != "." and not (one[2] == "-" and len(one[4]) == 2)
    ]


def _in_zone(moment: datetime, zone: tzinfo, text: str, column: str) -> datetime:
    local = moment.replace(tzinfo=zone)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment:
        raise Unreadable(
            f"{column} {shown(text)} is skipped by the clocks of {zone}. Is the time zone right?"
        )
    return local


def in_range(moment: datetime, text: str, column: str) -> datetime:
    """The UTC time itself, refused outside the years that a ledger can hold."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise _out_of_range(text, column)
    return moment


def _out_of_range(text: str, column: str) -> Unreadable:
    return Unreadable(
        f"{column} {shown(text)} is outside the years {FIRST_YEAR} to {LAST_YEAR}. "
        "Correct it in the file."
    )


def address(text: str, family: str, column: str) -> str:
    """The address in the form that is stored; empty stays empty."""
    value, problem = _address(text, family)
    if problem:
        raise Unreadable(f"{column} {shown(text)}: {problem}")
    return value


@lru_cache(maxsize=10_000)
def _address(text: str, family: str) -> tuple[str, str]:
    """An address or what is wrong with it: finding a typo takes long, and typos repeat too."""
    try:
        return (normalise(text, family) if text else ""), ""
    except AddressError as problem:
        return "", str(problem)


def evm_txid(text: str, column: str) -> str:
    """A transaction hash of an EVM network: 0x and 64 hexadecimal digits, lower-case."""
    txid = text.lower()
    if not _evm_txid(txid):
        raise _not_a_hash(text, column, "0x and 64 hexadecimal digits", 66)
    return txid


def hex_txid(text: str, column: str) -> str:
    """A transaction id of Bitcoin and its like: 64 hexadecimal digits, lower-case."""
    txid = text.lower()
    if not _hex_txid(txid):
        raise _not_a_hash(text, column, "64 hexadecimal digits", 64)
    return txid


def wallet_txid(text: str, column: str) -> str:
    """A hexadecimal id as a wallet's file has it, lower-case.

    Some files have ids of a digit too many or too few; they still tell their transactions apart.
    """
    txid = text.lower()
    if not _wallet_txid(txid):
        raise _not_a_hash(text, column, "64 hexadecimal digits", 64)
    return txid


def base58_txid(text: str, column: str) -> str:
    """A transaction id of Solana: the Base58 of 64 bytes, whose case matters."""
    if not _base58_txid(text):
        raise _not_a_hash(text, column, "Base58 of 64 to 88 characters", 88)
    return text


def _not_a_hash(text: str, column: str, form: str, length: int) -> Unreadable:
    if not text:
        why = "is empty"
    elif len(text) != length:
        why = f"{shown(text)} has {len(text):,} characters instead of {length}"
    else:
        why = f"{shown(text)} is not a transaction hash"
    return Unreadable(f"{column} {why}. It must be {form}: copy it whole from the explorer.")


def line_text(text: str, column: str, limit: int = MAX_NAME) -> str:
    """One line of text of at most `limit` characters, in Unicode's composed form; what protects
    it from a spreadsheet is taken away."""
    return plain_line(unprotected(text), column, limit)


def plain_line(text: str, column: str, limit: int = MAX_NAME) -> str:
    """The same of a text that nothing protects."""
    if not text:
        return text
    text = _within(text, column, limit)
    if _unfit_in_line(text):
        raise Unreadable(
            f"{column} {shown(text)} contains a line break or a control character. "
            "Remove it in the file."
        )
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def note_text(text: str, column: str) -> str:
    """Text that may have line breaks, of at most 10,000 characters."""
    if not text:
        return text
    return within_note(unprotected(text).replace("\r\n", "\n").replace("\r", "\n"), column)


def within_note(text: str, column: str) -> str:
    """The same of a text that nothing protects, and whose lines end as ours."""
    text = _within(text, column, MAX_NOTE)
    if _unfit_in_note(text):
        raise Unreadable(f"{column} contains a control character. Remove it in the file.")
    return text


def _within(text: str, column: str, limit: int) -> str:
    if len(text) > limit:
        raise Unreadable(
            f"{column} has {len(text):,} characters; at most {limit:,} fit. Shorten it in the file."
        )
    return text


def token_text(text: str, limit: int) -> str:
    """A token's own name or symbol, cut to fit.

    Anybody can name a token anything, so an odd name must not keep a movement out.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if not text.isascii() or _unfit_in_line(text):
        text = "".join("\N{REPLACEMENT CHARACTER}" if _is_hidden(c) else c for c in text)
    return text.strip()


def _is_hidden(character: str) -> bool:
    """Marks of direction and joiners too: nobody sees them, and names imitate others by them."""
    return bool(_unfit_in_line(character)) or unicodedata.category(character) == "Cf"
