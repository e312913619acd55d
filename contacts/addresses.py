"""The one place where addresses are checked and brought to the form that is stored.

Every family's checksum is verified, except Solana's addresses, which have none. Sources:
EIP-55 (EVM), BIP-13 and BIP-16 (Base58Check), BIP-173 and BIP-350 (Bech32, Bech32m), the CashAddr
specification (Bitcoin Cash), CIP-19 (Cardano), the Zcash protocol specification and ZIP-320,
Monero's own Base58 (CryptoNote), the XRP Ledger's Base58 encodings.
"""

import re
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import NamedTuple

import base58
import sha3

from contacts.networks import FAMILIES

MAX_LENGTH = 128  # characters; the longest address we know, one of Monero's, has 106

_COPY_AGAIN = ". Copy the whole address again from its source."
_COMPARE = "Compare it with its source."
_UNEXPLAINED = ", and no single mistyped or swapped character explains it"


class AddressError(ValueError):
    """Not an address; the message tells a person what is wrong, where, and what to do."""


class _Mistyped(AddressError):
    """The text is meant for this family, but wrong; `ending` completes the message.

    `ending` is called only for a person's eyes: looking for the typo takes milliseconds.
    """

    def __init__(self, message: str, ending: Callable[[], str] = lambda: _COPY_AGAIN) -> None:
        super().__init__(message)
        self.ending = ending


def normalise(text: str, family: str) -> str:
    """The one stored form of an address of this family (a key of FAMILIES).

    EVM addresses, Bech32 and CashAddr are stored in lower case, CashAddr with its prefix; Bitcoin
    Cash's legacy and token-aware forms and Litecoin's old `3…` form become the current one.
    Raises AddressError, naming the likely typo where the checksum allows to find it.
    """
    text = _clean(text)
    try:
        return _CHECKS[family](text)
    except AddressError as error:
        raise AddressError(_refusal(text, family, error)) from None


def recognise(text: str) -> tuple[str, str]:
    """The likeliest family of an address and its stored form, when nobody said the network.

    Raises AddressError; a text that only a typo keeps from being an address is told the typo.
    """
    text = _clean(text)
    mistyped: tuple[str, AddressError] | None = None
    for family, check in _CHECKS.items():
        try:
            return family, check(text)
        except _Mistyped as error:
            mistyped = mistyped or (family, error)
        except AddressError:
            continue
    if mistyped:
        raise AddressError(_refusal(text, *mistyped))
    raise AddressError(
        "This is not an address of a network that we know. Copy it again, or choose its network."
    )


def families_of(text: str) -> list[str]:
    """Every family in which the text is a valid address, likeliest first."""
    return [family for family in _CHECKS if _is_valid(text, family)]


def looks_like_address(text: str) -> bool:
    """Whether a person meant an address, right or mistyped, rather than a name."""
    if len(text) > 2 * MAX_LENGTH:
        return False
    visible = "".join(c for c in text.strip() if unicodedata.category(c) != "Cf")
    return _ADDRESS_SHAPE.fullmatch(visible) is not None


def display(value: str, family: str) -> str:
    """A stored address as people write it: with EIP-55's capitals on EVM networks."""
    return f"0x{_capitalised(value[2:])}" if family == "evm" else value


def shorten(value: str) -> str:
    """The beginning and the end, enough to recognise an address by: `0xf98c…5ad3`."""
    name = value.rpartition(":")[2]
    return name if len(name) <= 11 else f"{name[:6]}…{name[-4:]}"


# An EVM address, a Bech32 one, CashAddr, or a long word with a digit in it, as Base58 is.
_ADDRESS_SHAPE = re.compile(
    r"0x[0-9a-f]{6,}|0x[^\W_]{20,}"
    r"|(?:bc|tb|ltc|addr|stake|cosmos|cosmosvaloper|zs|tex)1[^\W_]{10,}"
    r"|bitcoincash:\S+"
    r"|(?=\D*\d)[^\W_]{25,}",
    re.IGNORECASE,
)


def _is_valid(text: str, family: str) -> bool:
    try:
        _CHECKS[family](_clean(text))
    except AddressError:
        return False
    return True


def _refusal(text: str, family: str, error: AddressError) -> str:
    name = FAMILIES[family]
    others = families_of(text)
    if others:
        return f"This is an address of {FAMILIES[others[0]]}, not of {name}. Choose that network."
    ending = error.ending() if isinstance(error, _Mistyped) else _COPY_AGAIN
    return f"Not a valid {name} address: {error}{ending}"


# Text


def _clean(text: str) -> str:
    """Without white space around it; printable ASCII, and not long enough to cost time."""
    if len(text) > 2 * MAX_LENGTH:
        raise AddressError(f"This has {len(text):,} characters: too many for an address.")
    text = text.strip()
    if not text:
        raise AddressError("There is no address. Enter one.")
    for position, character in enumerate(text, start=1):
        if not "!" <= character <= "~":
            raise AddressError(_strange(character, position))
    if len(text) > MAX_LENGTH:
        raise AddressError(f"This has {len(text)} characters: too many for an address.")
    return text


def _strange(character: str, position: int) -> str:
    """Why this character is refused; it is named and not shown, as it may mislead the eye."""
    name = f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip()
    if character.isspace():
        return f"There is white space inside the address: character {position}. Remove it."
    if unicodedata.category(character).startswith("C"):
        return f"Character {position} is invisible ({name}). Remove it, or copy the address again."
    return (
        f"Character {position} is {name}, which no address contains, though it may look like"
        " a letter that does. Copy the address again from its source."
    )


def _demand_alphabet(text: str, alphabet: str, start: int = 0) -> None:
    """Refuses a character outside the alphabet; the first `start` are not looked at."""
    for position, character in enumerate(text[start:], start=start + 1):
        if character not in alphabet:
            raise _Mistyped(
                f"character {position} is '{character}', which never occurs there",
                lambda: f". {_COMPARE}",
            )


def _either(options: Iterable[str]) -> str:
    *others, last = options
    return f"{', '.join(others)} or {last}" if others else last


# Typos


def _edits(text: str, alphabet: str) -> Iterator[str]:
    """Every text that one substitution or one swap of neighbours away makes of this one."""
    for i in range(len(text)):
        for character in alphabet:
            if character != text[i]:
                yield f"{text[:i]}{character}{text[i + 1 :]}"
    for i in range(len(text) - 1):
        if text[i] != text[i + 1]:
            yield f"{text[:i]}{text[i + 1]}{text[i]}{text[i + 2 :]}"


def _did_you_mean(text: str, meant: Iterable[str]) -> str:
    """Completes "the checksum does not match" with the corrections that make it match."""
    corrections = [_correction(text, candidate) for candidate in meant]
    if not corrections:
        return f"{_UNEXPLAINED}{_COPY_AGAIN}"
    return f": {'; or '.join(corrections[:3])}? {_COMPARE}"


def _correction(text: str, meant: str) -> str:
    places = [i for i, (a, b) in enumerate(zip(text, meant, strict=True)) if a != b]
    first, last = places[0], places[-1]
    wrong, right = text[first : last + 1], meant[first : last + 1]
    if first == last:
        return f"character {first + 1} is '{wrong}', did you mean '{right}'"
    return f"characters {first + 1} and {last + 1} are '{wrong}', did you mean '{right}'"


# EVM

_HEX = "0123456789abcdefABCDEF"


def _evm(text: str) -> str:
    if not text.lower().startswith("0x"):
        raise AddressError("it does not begin with 0x")
    digits = text[2:]
    _demand_alphabet(text, _HEX, start=2)
    if len(digits) == 64:
        raise _Mistyped(
            "64 digits are a transaction's hash or a key", lambda: ". Enter an address."
        )
    if len(digits) != 40:
        raise _Mistyped(f"it has {len(digits)} hexadecimal digits after 0x instead of 40")
    has_checksum = digits not in (digits.lower(), digits.upper())
    if has_checksum and _capitalised(digits) != digits:
        raise _Mistyped("the checksum does not match", partial(_evm_typo, text))
    return f"0x{digits.lower()}"


@lru_cache(maxsize=10_000)
def _capitalised(digits: str) -> str:
    """Hexadecimal digits with EIP-55's capitals, which are a checksum."""
    digits = digits.lower()
    digest = sha3.keccak_256(digits.encode()).hexdigest()
    return "".join(
        digit.upper() if nibble > "7" else digit
        for digit, nibble in zip(digits, digest[:40], strict=True)
    )


def _evm_typo(text: str) -> str:
    candidates = (digits for digits in _edits(text[2:], _HEX) if _capitalised(digits) == digits)
    ending = _did_you_mean(text, (text[:2] + digits for digits in candidates))
    return f"{ending} If its capitals mean nothing, write it in small letters."


# Base58

_BASE58 = base58.BITCOIN_ALPHABET.decode()
_XRP_BASE58 = base58.XRP_ALPHABET.decode()


def _base58check(text: str, versions: Mapping[str, bytes], alphabet: str = _BASE58) -> bytes:
    """The 20 bytes that the address encodes; `versions` has the version of each beginning."""
    version = next((v for start, v in versions.items() if text.startswith(start)), None)
    if version is None:
        raise AddressError(f"it does not begin with {_either(versions)}")
    if not 25 <= len(text) <= 36:
        raise AddressError(f"it has {len(text)} characters; most have 34")
    _demand_alphabet(text, alphabet)
    payload = _payload(text, version, alphabet)
    if payload is None:
        typo = partial(_base58_typo, text, version, alphabet)
        raise _Mistyped("the checksum does not match", typo)
    return payload


def _payload(text: str, version: bytes, alphabet: str) -> bytes | None:
    """The 20 bytes after the version, if version, length and checksum are right."""
    try:
        content = base58.b58decode_check(text, alphabet=alphabet.encode())
    except ValueError:
        return None
    is_right = content.startswith(version) and len(content) == len(version) + 20
    return content[len(version) :] if is_right else None


def _base58_typo(text: str, version: bytes, alphabet: str) -> str:
    candidates = _edits(text, alphabet)
    return _did_you_mean(text, (c for c in candidates if _payload(c, version, alphabet)))


def _plain_base58(text: str, versions: Mapping[str, bytes], alphabet: str = _BASE58) -> str:
    _base58check(text, versions, alphabet)
    return text


def _solana(text: str) -> str:
    if not 32 <= len(text) <= 44:
        raise AddressError(f"it has {len(text)} characters instead of 32 to 44")
    _demand_alphabet(text, _BASE58)
    if (size := len(base58.b58decode(text))) != 32:
        raise AddressError(f"it encodes {size} bytes instead of 32")
    return text


def _monero(text: str) -> str:
    """Base58 in blocks of 8 bytes, the last of 5, ending in 4 bytes of Keccak (CryptoNote)."""
    if text[0] not in "48" or len(text) not in (95, 106):
        raise AddressError("it is not 95 or 106 characters long beginning with 4 or 8")
    _demand_alphabet(text, _BASE58)
    blocks = [text[i : i + 11] for i in range(0, len(text), 11)]
    numbers = [base58.b58decode_int(block) for block in blocks]
    if any(number >> 64 for number in numbers) or numbers[-1] >> 40:
        raise _Mistyped("a part of it is too large a number")
    content = b"".join(n.to_bytes(8, "big") for n in numbers[:-1]) + numbers[-1].to_bytes(5, "big")
    is_kind = (content[0], len(text)) in ((18, 95), (42, 95), (19, 106))
    if not is_kind or sha3.keccak_256(content[:-4]).digest()[:4] != content[-4:]:
        raise _Mistyped("the checksum does not match")
    return text


# Bech32 and CashAddr: symbols of 5 bits that end in the remainder of a polynomial division

_SYMBOLS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32 = 1
BECH32M = 0x2BC830A3


class _Code(NamedTuple):
    """A BCH code: how far a remainder is shifted, and what each bit shifted out adds."""

    shift: int
    generator: tuple[int, ...]


_BECH32_CODE = _Code(25, (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3))
_CASHADDR_CODE = _Code(35, (0x98F2BC8E61, 0x79B76D99E2, 0xF33E5FB3C4, 0xAE2EABE2A8, 0x1E4F43E470))


def _remainder(code: _Code, symbols: Iterable[int], remainder: int = 1) -> int:
    for symbol in symbols:
        top = remainder >> code.shift
        remainder = (remainder & ((1 << code.shift) - 1)) << 5 ^ symbol
        for bit, addend in enumerate(code.generator):
            if top >> bit & 1:
                remainder ^= addend
    return remainder


def bech32_remainder(prefix: str, symbols: Iterable[int]) -> int:
    """BECH32 or BECH32M when the checksum at the end of the symbols is of that kind."""
    high, low = [ord(c) >> 5 for c in prefix], [ord(c) & 31 for c in prefix]
    return _remainder(_BECH32_CODE, [*high, 0, *low, *symbols])


def _symbols(text: str, start: int) -> list[int]:
    """The numbers that the characters from `start` on stand for."""
    _demand_alphabet(text, _SYMBOLS, start)
    return [_SYMBOLS.index(character) for character in text[start:]]


def _demand_one_case(text: str) -> str:
    """Lower case, if all of it was in one case; mixed case is forbidden by BIP-173."""
    if text in (text.lower(), text.upper()):
        return text.lower()
    letters = [i for i, character in enumerate(text) if character.isalpha()]
    odd = next(i for i in letters if text[i].isupper() != text[letters[0]].isupper())
    raise _Mistyped(
        f"it mixes upper and lower case from character {odd + 1}, '{text[odd]}', on",
        lambda: f". {_COMPARE}",
    )


def _to_bytes(symbols: Iterable[int]) -> bytes:
    bits = "".join(f"{symbol:05b}" for symbol in symbols)
    spare = len(bits) % 8
    if spare > 4 or "1" in bits[len(bits) - spare :]:
        raise _Mistyped("the bits that only fill it up are not zero")
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - spare, 8))


def _to_symbols(content: bytes) -> list[int]:
    bits = "".join(f"{byte:08b}" for byte in content)
    return [int(bits[i : i + 5].ljust(5, "0"), 2) for i in range(0, len(bits), 5)]


def _bech32(text: str, prefix: str, *kinds: int) -> tuple[str, list[int], int]:
    """The text in lower case, its symbols without the checksum, and the checksum's kind."""
    text = _demand_one_case(text)
    start = len(prefix) + 1
    symbols = _symbols(text, start)
    if len(symbols) < 6:
        raise _Mistyped("it is too short")
    kind = bech32_remainder(prefix, symbols)
    if kind not in kinds:
        errors = [kind ^ right for right in kinds]
        typo = partial(_bch_typo, _BECH32_CODE, text, start, symbols, errors)
        raise _Mistyped("the checksum does not match", typo)
    return text, symbols[:-6], kind


def _bch_typo(code: _Code, text: str, start: int, symbols: list[int], errors: list[int]) -> str:
    """Names the place only: BIP-173 asks not to suggest a correction, for people would take it."""
    places = [place for error in errors for place in _places(code, symbols, error)]
    if not places:
        return f"{_UNEXPLAINED}{_COPY_AGAIN}"
    first, last = start + places[0][0], start + places[0][-1]
    if first == last:
        return f": character {first + 1}, '{text[first]}', is probably mistyped. {_COMPARE}"
    pair = text[first : last + 1]
    return f": characters {first + 1} and {last + 1}, '{pair}', are probably swapped. {_COMPARE}"


def _places(code: _Code, symbols: list[int], error: int) -> Iterator[tuple[int, ...]]:
    """Indexes of the symbol whose change, or of the neighbours whose swap, explains the error.

    The code is linear: what a change does to the remainder depends on its place and on the
    bits changed, and not on the other symbols; so each change is computed once.
    """
    effects = [_effects(code, change, len(symbols)) for change in range(32)]
    for i in range(len(symbols)):
        if any(effect[i] == error for effect in effects):
            yield (i,)
    for i in range(len(symbols) - 1):
        effect = effects[symbols[i] ^ symbols[i + 1]]
        if effect[i] ^ effect[i + 1] == error:
            yield i, i + 1


def _effects(code: _Code, change: int, length: int) -> list[int]:
    """What this change of bits does to the remainder, for each place."""
    effects = [change]
    for _ in range(length - 1):
        effects.append(_remainder(code, [0], effects[-1]))
    return effects[::-1]


def _segwit(text: str, prefix: str) -> str:
    text, symbols, kind = _bech32(text, prefix, BECH32, BECH32M)
    if not symbols or symbols[0] > 16:
        raise _Mistyped("its witness version is not between 0 and 16")
    version, size = symbols[0], len(_to_bytes(symbols[1:]))
    if kind != (BECH32M if version else BECH32):
        raise _Mistyped(f"version {version} does not go with its kind of checksum (BIP-350)")
    if not 2 <= size <= 40 or (version == 0 and size not in (20, 32)):
        raise _Mistyped(f"{size} bytes are no length of a version {version} program")
    return text


def _like_bitcoin(text: str, versions: Mapping[str, bytes], prefix: str) -> str:
    if text.lower().startswith(f"{prefix}1"):
        return _segwit(text, prefix)
    if not text.startswith(tuple(versions)):
        raise AddressError(f"it does not begin with {_either([*versions, f'{prefix}1'])}")
    _base58check(text, versions)
    return text


def _litecoin(text: str) -> str:
    """`3…` is the same script as `M…`, from before Litecoin had a version of its own."""
    value = _like_bitcoin(text, {"L": b"\x30", "M": b"\x32", "3": b"\x05"}, "ltc")
    if value.startswith("3"):
        script = _base58check(value, {"3": b"\x05"})
        return base58.b58encode_check(b"\x32" + script).decode()
    return value


def _fixed_bech32(text: str, sizes: Mapping[str, tuple[int, tuple[int, ...]]]) -> str:
    """`sizes` has, for each prefix, the kind of checksum and the possible numbers of bytes."""
    prefix = text.lower().partition("1")[0]
    kind, lengths = sizes[prefix]
    text, symbols, _ = _bech32(text, prefix, kind)
    if (size := len(_to_bytes(symbols))) not in lengths:
        raise _Mistyped(f"it encodes {size} bytes instead of {_either(map(str, lengths))}")
    return text


_ZCASH = {"zs": (BECH32, (43,)), "tex": (BECH32M, (20,))}
_COSMOS = {"cosmos": (BECH32, (20, 32)), "cosmosvaloper": (BECH32, (20,))}


def _zcash(text: str) -> str:
    if text.lower().startswith(("zs1", "tex1")):
        return _fixed_bech32(text, _ZCASH)
    if not text.startswith(("t1", "t3")):
        raise AddressError("it does not begin with t1, t3, zs1 or tex1")
    return _plain_base58(text, {"t1": b"\x1c\xb8", "t3": b"\x1c\xbd"})


def _cosmos(text: str) -> str:
    if not text.lower().startswith(("cosmos1", "cosmosvaloper1")):
        raise AddressError("it does not begin with cosmos1 or cosmosvaloper1")
    return _fixed_bech32(text, _COSMOS)


def _cardano(text: str) -> str:
    prefix = text.lower().partition("1")[0]
    if prefix not in ("addr", "stake"):
        return _byron(text)
    text, symbols, _ = _bech32(text, prefix, BECH32)
    content = _to_bytes(symbols)
    kind, network = divmod(content[0] if content else 0, 16)
    if network != 1 or (kind in (14, 15)) != (prefix == "stake"):
        raise _Mistyped("it is of a test network or of an unknown kind")
    if not _has_cardano_size(kind, len(content)):
        raise _Mistyped(f"{len(content)} bytes are no length of its kind")
    return text


def _has_cardano_size(kind: int, size: int) -> bool:
    """Whether the header's kind goes with the number of bytes, the header among them."""
    if kind in (4, 5):  # a pointer of three numbers of variable length
        return 32 <= size <= 44
    return size == {0: 57, 1: 57, 2: 57, 3: 57, 6: 29, 7: 29, 14: 29, 15: 29}.get(kind)


def _byron(text: str) -> str:
    """Cardano's first addresses: Base58 of CBOR, with a CRC-32."""
    if not text.startswith(("Ae2", "Ddz", "4swh")):
        raise AddressError("it does not begin with addr1, stake1, Ae2 or Ddz")
    _demand_alphabet(text, _BASE58)
    content = base58.b58decode(text)
    head, body, tail = content[:5], content[5:-5], content[-5:]
    checksum = b"\x1a" + zlib.crc32(body).to_bytes(4, "big")
    if head != b"\x82\xd8\x18\x58" + bytes([len(body)]) or tail != checksum:
        raise _Mistyped("the checksum does not match")
    return text


_CASHADDR_PREFIX = "bitcoincash"
_CASHADDR_START = [*(ord(c) & 31 for c in _CASHADDR_PREFIX), 0]
_CASHADDR_SIZES = {0: 20, 3: 32}


def _bitcoin_cash(text: str) -> str:
    if text.startswith(("1", "3")):
        is_script = text.startswith("3")
        return _cashaddr(is_script, _base58check(text, {"1": b"\x00", "3": b"\x05"}))
    prefix, _, symbols = text.lower().rpartition(":")
    if prefix not in ("", _CASHADDR_PREFIX) or not symbols.startswith(("q", "p", "z", "r")):
        raise AddressError("it does not begin with 1, 3, or bitcoincash: and then q or p")
    if len(symbols) not in (42, 61):
        kind = _Mistyped if prefix else AddressError
        raise kind(f"it has {len(symbols)} characters without its prefix; most have 42")
    return _cashaddr(*_read_cashaddr(text, len(text) - len(symbols)))


def _read_cashaddr(text: str, start: int) -> tuple[bool, bytes]:
    """Whether it pays to a script, and the hash."""
    text = _demand_one_case(text)
    symbols = _symbols(text, start)
    remainder = _remainder(_CASHADDR_CODE, _CASHADDR_START + symbols)
    if remainder != 1:
        typo = partial(_bch_typo, _CASHADDR_CODE, text, start, symbols, [remainder ^ 1])
        raise _Mistyped("the checksum does not match", typo)
    version, *payload = _to_bytes(symbols[:-8])
    kind, size = divmod(version, 8)
    if _CASHADDR_SIZES.get(size) != len(payload):
        raise _Mistyped(f"its kind does not go with {len(payload)} bytes")
    # Kinds 2 and 3 say that the owner takes tokens, too; they are the same places as 0 and 1.
    return kind % 2 == 1, bytes(payload)


def _cashaddr(is_script: bool, content: bytes) -> str:
    size = next(code for code, size in _CASHADDR_SIZES.items() if size == len(content))
    symbols = _to_symbols(bytes([is_script * 8 + size]) + content)
    checksum = _remainder(_CASHADDR_CODE, [*_CASHADDR_START, *symbols, *[0] * 8]) ^ 1
    symbols += [checksum >> shift & 31 for shift in range(35, -1, -5)]
    return f"{_CASHADDR_PREFIX}:{''.join(_SYMBOLS[symbol] for symbol in symbols)}"


# The likeliest first: `1…` and `3…` are Bitcoin before Bitcoin Cash, and Solana, which has no
# checksum, comes last.
_CHECKS: dict[str, Callable[[str], str]] = {
    "evm": _evm,
    "bitcoin": partial(_like_bitcoin, versions={"1": b"\x00", "3": b"\x05"}, prefix="bc"),
    "bitcoin-cash": _bitcoin_cash,
    "litecoin": _litecoin,
    "tron": partial(_plain_base58, versions={"T": b"\x41"}),
    "xrp": partial(_plain_base58, versions={"r": b"\x00"}, alphabet=_XRP_BASE58),
    "dogecoin": partial(_plain_base58, versions={"D": b"\x1e", "A": b"\x16", "9": b"\x16"}),
    "dash": partial(_plain_base58, versions={"X": b"\x4c", "7": b"\x10"}),
    "zcash": _zcash,
    "cardano": _cardano,
    "cosmos": _cosmos,
    "monero": _monero,
    "bitcoin-testnet": partial(
        _like_bitcoin, versions={"m": b"\x6f", "n": b"\x6f", "2": b"\xc4"}, prefix="tb"
    ),
    "solana": _solana,
}
