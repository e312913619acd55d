"""Addresses: what is accepted, the one stored form, and what people are told of a typo."""

from collections.abc import Iterable
from zlib import crc32

import base58
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sha3 import keccak_256

from contacts.addresses import (
    BECH32,
    BECH32M,
    MAX_LENGTH,
    AddressError,
    bech32_remainder,
    display,
    families_of,
    looks_like_address,
    normalise,
    recognise,
    shorten,
)
from contacts.networks import FAMILIES

# EIP-55, test cases
EIP55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
ALICE = EIP55[4]
BOB = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
SATOSHI = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"

# BIP-173 and BIP-350, test vectors
VALID_BECH32 = [
    "A12UEL5L",
    "a12uel5l",
    "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
    "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j",
    "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
    "?1ezyfcl",
]
VALID_BECH32M = [
    "A1LQFN3A",
    "a1lqfn3a",
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
    "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
    "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
    "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
    "?1v759aa",
]
INVALID_BECH32 = [
    " 1nwldj5",
    "\x7f1axkwrx",
    "\x801eym55h",
    "an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1569pvx",
    "pzry9x0s0muk",
    "1pzry9x0s0muk",
    "x1b4n0q5v",
    "li1dgmt3",
    "de1lg7wt\xff",
    "A1G7SGD8",
    "10a06t8",
    "1qzzfhee",
    " 1xj0phk",
    "\x7f1g6xzxy",
    "\x801vctc34",
    "an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4",
    "qyrz8wqd2c9m",
    "1qyrz8wqd2c9m",
    "y1b0jsk6g",
    "lt1igcx5c0",
    "in1muywd",
    "mm1crxm3i",
    "au1s5cgom",
    "M1VUXWEZ",
    "16plkw9",
    "1p2gdwpf",
]
VALID_SEGWIT = [
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
    "BC1SW50QGDZ25J",
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
    "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
    "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
]
INVALID_SEGWIT = [
    # BIP-173; the first three had the checksum that BIP-350 replaced
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7k7grplx",
    "BC1SW50QA3JX3S",
    "bc1zw508d6qejxtdg4y5r3zarvaryvg6kdaj",
    "tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
    "BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2",
    "bc1rw5uspcuh",
    "bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90",
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7",
    "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv",
    "bc1gmk9yu",
    # BIP-350
    "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
    "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",
    "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
    "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47",
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
    "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
    "bc1pw5dgrnzv",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j",
]

# CashAddr specification, examples of address translation
CASHADDR = {
    "1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu": "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
    "1KXrWXciRDZUpQwQmuM1DbwsKDLYAYsVLR": "bitcoincash:qr95sy3j9xwd2ap32xkykttr4cvcu7as4y0qverfuy",
    "16w1D5WRVKJuZUsSRzdLp9w3YGcgoxDXb": "bitcoincash:qqq3728yw0y47sqn6l2na30mcw6zm78dzqre909m2r",
    "3CWFddi6m4ndiGyKqzYvsFYagqDLPVMTzC": "bitcoincash:ppm2qsznhks23z7629mms6s4cwef74vcwvn0h829pq",
    "3LDsS579y7sruadqu11beEJoTjdFiFCdX4": "bitcoincash:pr95sy3j9xwd2ap32xkykttr4cvcu7as4yc93ky28e",
    "31nwvkZwyPdgzjBJZXfDmSWsC4ZLKpYyUw": "bitcoincash:pqq3728yw0y47sqn6l2na30mcw6zm78dzq5ucqzc37",
}

# CIP-19, test vectors of the main network
CARDANO = [
    "addr1qx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgse35a3x",
    "addr1z8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gten0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgs9yc0hh",
    "addr1yx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerkr0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shs2z78ve",
    "addr1x8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gt7r0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shskhj42g",
    "addr1gx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer5pnz75xxcrzqf96k",
    "addr128phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtupnz75xxcrtw79hu",
    "addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8",
    "addr1w8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcyjy7wx",
    "stake1uyehkck0lajq8gr28t9uxnuvgcqrc6070x3k9r8048z8y5gh6ffgw",
    "stake178phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcccycj5",
]

BASE58 = base58.BITCOIN_ALPHABET.decode()
BECH32_SYMBOLS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32_address(prefix: str, kind: int, symbols: list[int]) -> str:
    """An address of any prefix with a right checksum, whatever its content."""
    checksum = bech32_remainder(prefix, [*symbols, 0, 0, 0, 0, 0, 0]) ^ kind
    symbols = [*symbols, *(checksum >> shift & 31 for shift in range(25, -1, -5))]
    return f"{prefix}1{''.join(BECH32_SYMBOLS[symbol] for symbol in symbols)}"


def shelley(prefix: str, content: Iterable[int]) -> str:
    return bech32_address(prefix, BECH32, five_bits(content))


def byron_content(head: bytes) -> bytes:
    """The bytes of a Byron address, where its first four may be others than they should be."""
    body = bytes(33)
    return head + bytes([len(body)]) + body + b"\x1a" + crc32(body).to_bytes(4, "big")


def monero(content: Iterable[int]) -> str:
    """CryptoNote's Base58: 8 bytes make 11 characters, the last 5 make 7."""
    unchecked, checksum = bytes(content), keccak_256(bytes(content)).digest()[:4]
    encoded = unchecked + checksum
    blocks = [encoded[i : i + 8] for i in range(0, len(encoded), 8)]
    return "".join(
        base58.b58encode_int(int.from_bytes(block, "big"))
        .decode()
        .rjust(7 + 4 * (len(block) == 8), "1")
        for block in blocks
    )


def five_bits(content: Iterable[int]) -> list[int]:
    bits = "".join(f"{byte:08b}" for byte in content)
    return [int(bits[i : i + 5].ljust(5, "0"), 2) for i in range(0, len(bits), 5)]


# Addresses that are their own stored form.
STORED = {
    "evm": ["0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"],
    "bitcoin": [SATOSHI, "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", BOB, VALID_SEGWIT[7]],
    "bitcoin-cash": [
        *CASHADDR.values(),
        "bitcoincash:qp3wjpa3tjlj042z2wv7hahsldgwhwy0rq9sywjpyy",
        "bitcoincash:pvch8mmxy0rtfrlarg7ucrxxfzds5pamg73h7370aa87d80gyhqxqaw3dsfwg",
    ],
    "litecoin": [
        "LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9",
        "MUWheVyCBf3Fm3WNNXvotQ3Gj8NTSZCBVe",
        "ltc1qajkrze8gc5qdx2ehldsmd596a2gprnn50a53mj3xxvy0zgtdq6gqumv03a",
    ],
    "dogecoin": ["DPpJVPpvPNP6i6tMj4rTycAGh8wReTqaSU", "A7JjzK9k9x5b2MkkQzqt91WZsuu7wTu6iS"],
    "dash": ["Xx4dYKgz3Zcv6kheaqog3fynaKWjbahb6b", "XcY4WJ6Z2Q8w7vcYER1JypC8s2oa3SQ1b1"],
    "zcash": [
        "t1U9yhDa5XEjgfnTgZoKddeSiEN1aoLkQxq",
        "t3Vz22vK5z2LcKEdg16Yv4FFneEL1zg9ojd",
        "tex1s2rt77ggv6q989lr49rkgzmh5slsksa9khdgte",
        "zs1z7rejlpsa98s2rrrfkwmaxu53e4ue0ulcrw0h4x5g8jl04tak0d3mm47vdtahatqrlkngh9slya",
    ],
    "solana": ["EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "1" * 32],
    "tron": ["TNDzfERDpxLDS2w1q6yaFC7pzqaSQ3Bg3r", "TLjfbTbpZYDQ4EoA4N5CLNgGjfbF8ZWz38"],
    "xrp": ["rG1QQv2nh2gr7RCZ1P8YYcBUKCCN633jCn", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"],
    "cardano": [
        *CARDANO,
        "Ae2tdPwUPEYxYNJw1He1esdZYvjmr4NtPzUsGTiqL9zd8ohjZYQcwu6kom7",
        "DdzFFzCqrhsfdzUZxvuBkhV8Lpm9p43p9ubh79GCTkxJikAjKh51qhtCFMqUniC5tv5ZExyvSmAte2Du2tGimavSo6qSgXbjiy8qZRTg",
        "4swhHtxKapQbj3TZEipgtp7NQzcRWDYqCxXYoPQWjGyHmhxS1w1TjUEszCQT1sQucGwmPQMYdv1FYs3d51KgoubviPBf",
        shelley("addr", [0x41, *[9] * 28, 1, 2, 3]),
    ],
    "cosmos": ["cosmos1xxkueklal9vejv9unqu80w9vptyepfa95pd53u"],
    "monero": [
        "47zQ5LAivg6hNCgijXSEFVLX7mke1bgM6YGLFaANDoJbgXDymcAAZvvMNt2PmMpqEe5qRy2zyfMYXdwpmdyitiFh84xnPG2",
        "8A9XmWsATrhfedtNhTMNKELwfCwMVAk2iVTdUJdFRb2AC4tV4VeBjsCLYR9cSQTwnvLo4MAuQFMLP6Si4xp6t6BS788db3t",
        "4Gd4DLiXzBmbVX2FZZ3Cvu6fUaWACup1qDowprUCje1kSP4FmbftiJMSfV8kWZXNqmVwj4m52xqtgFNUudVmsmGkGvkLcCibWfVUfUFVB7",
    ],
    "bitcoin-testnet": [
        "mptPo5AvLzJXi4T82vR6g82fT5uJ6HsQCu",
        "2MxKEf2su6FGAUfCEAHreGFQvEYrfYNHvL7",
        VALID_SEGWIT[5],
    ],
}


def refusal(text: str, family: str) -> str:
    with pytest.raises(AddressError) as refused:
        normalise(text, family)
    return str(refused.value)


def replaced(text: str, place: int, character: str) -> str:
    return text[:place] + character + text[place + 1 :]


# What is accepted, and the stored form


def test_every_family_is_tried_here() -> None:
    assert set(STORED) == set(FAMILIES)


@pytest.mark.parametrize(
    ("family", "address"), [(family, a) for family in STORED for a in STORED[family]]
)
def test_stored_form_stays_as_it_is(family: str, address: str) -> None:
    assert normalise(address, family) == address
    assert family in families_of(address)
    assert len(address) <= MAX_LENGTH


@pytest.mark.parametrize("address", EIP55)
def test_evm_address_is_stored_in_lower_case_and_shown_with_its_checksum(address: str) -> None:
    assert normalise(f" {address}\n", "evm") == address.lower()
    assert display(address.lower(), "evm") == address


def test_evm_address_without_a_checksum_is_accepted() -> None:
    assert normalise(ALICE.lower(), "evm") == ALICE.lower()
    assert normalise(ALICE.upper(), "evm") == ALICE.lower()


@pytest.mark.parametrize("address", VALID_SEGWIT)
def test_segwit_address_is_stored_in_lower_case(address: str) -> None:
    family = "bitcoin" if address.lower().startswith("bc1") else "bitcoin-testnet"
    assert normalise(address, family) == address.lower()
    assert families_of(address) == [family]


@pytest.mark.parametrize(("vectors", "kind"), [(VALID_BECH32, BECH32), (VALID_BECH32M, BECH32M)])
def test_checksum_of_bech32_vectors(vectors: list[str], kind: int) -> None:
    for text in vectors:
        prefix, _, symbols = text.lower().rpartition("1")
        numbers = [BECH32_SYMBOLS.index(symbol) for symbol in symbols]
        assert bech32_remainder(prefix, numbers) == kind


@pytest.mark.parametrize("text", [*INVALID_BECH32, *INVALID_SEGWIT])
def test_invalid_vectors_are_an_address_of_no_family(text: str) -> None:
    assert families_of(text) == []
    refusal(text, "bitcoin")


@pytest.mark.parametrize(("legacy", "current"), CASHADDR.items())
def test_forms_of_bitcoin_cash_become_one(legacy: str, current: str) -> None:
    for form in (legacy, current, current.upper(), current.removeprefix("bitcoincash:")):
        assert normalise(form, "bitcoin-cash") == current


@pytest.mark.parametrize(
    ("aware", "plain"),
    [
        (
            "bitcoincash:zpm2qsznhks23z7629mms6s4cwef74vcwvrqekrq9w",
            "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
        ),
        (
            "bitcoincash:rpm2qsznhks23z7629mms6s4cwef74vcwv59yeyr7n",
            "bitcoincash:ppm2qsznhks23z7629mms6s4cwef74vcwvn0h829pq",
        ),
    ],
)
def test_token_aware_bitcoin_cash_address_is_the_same_place(aware: str, plain: str) -> None:
    # CHIP-2022-02-CashTokens, token-aware addresses
    assert normalise(aware, "bitcoin-cash") == plain


def test_old_script_form_of_litecoin_becomes_the_current_one() -> None:
    script = base58.b58decode_check("MUWheVyCBf3Fm3WNNXvotQ3Gj8NTSZCBVe")[1:]
    old = base58.b58encode_check(b"\x05" + script).decode()
    assert normalise(old, "litecoin") == "MUWheVyCBf3Fm3WNNXvotQ3Gj8NTSZCBVe"


def test_validator_of_cosmos_is_an_address() -> None:
    validator = bech32_address("cosmosvaloper", BECH32, [7] * 32)
    assert normalise(validator.upper(), "cosmos") == validator
    assert "bytes" in refusal(bech32_address("cosmos", BECH32, [7] * 24), "cosmos")


@pytest.mark.parametrize("payload", [bytes(20), b"\xff" * 20])
@pytest.mark.parametrize(
    ("family", "version"),
    [
        ("bitcoin", b"\x00"),
        ("bitcoin", b"\x05"),
        ("litecoin", b"\x30"),
        ("litecoin", b"\x32"),
        ("dogecoin", b"\x1e"),
        ("dogecoin", b"\x16"),
        ("dash", b"\x4c"),
        ("dash", b"\x10"),
        ("zcash", b"\x1c\xb8"),
        ("zcash", b"\x1c\xbd"),
        ("tron", b"\x41"),
        ("bitcoin-testnet", b"\x6f"),
        ("bitcoin-testnet", b"\xc4"),
    ],
)
def test_lowest_and_highest_hash_of_each_version(
    family: str, version: bytes, payload: bytes
) -> None:
    address = base58.b58encode_check(version + payload).decode()
    assert normalise(address, family) == address


# Which family


@pytest.mark.parametrize(
    ("text", "families"),
    [
        (ALICE, ["evm"]),
        (BOB, ["bitcoin"]),
        (SATOSHI, ["bitcoin", "bitcoin-cash"]),
        ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", ["bitcoin", "bitcoin-cash", "litecoin"]),
        (STORED["tron"][0], ["tron"]),
        ("Alice", []),
        ("", []),
        ("x" * 1_000_000, []),
    ],
)
def test_families_of_a_text_likeliest_first(text: str, families: list[str]) -> None:
    assert families_of(text) == families


def test_recognised_address_comes_with_its_family() -> None:
    assert recognise(f" {ALICE} ") == ("evm", ALICE.lower())
    assert recognise(SATOSHI) == ("bitcoin", SATOSHI)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (replaced(ALICE, 11, "f"), "character 12 is 'f', did you mean 'F'"),
        (replaced(SATOSHI, 33, "b"), "character 34 is 'b', did you mean 'a'"),
        (replaced(BOB, 41, "5"), "character 42, '5', is probably mistyped"),
        ("Alice", "not an address of a network that we know"),
        ("5" * 95, "not an address of a network that we know"),
    ],
)
def test_mistyped_address_is_told_its_typo_whatever_the_network(text: str, told: str) -> None:
    with pytest.raises(AddressError, match=told):
        recognise(text)


def test_address_of_another_network_is_told_so() -> None:
    assert refusal(STORED["tron"][0], "bitcoin") == (
        "This is an address of Tron, not of Bitcoin. Choose that network."
    )


@pytest.mark.parametrize(
    "text",
    [
        ALICE,
        BOB,
        SATOSHI,
        *[address for addresses in STORED.values() for address in addresses],
        replaced(ALICE, 9, "O"),
        replaced(ALICE, 9, "\u0430"),
        ALICE[:9] + "\u200b" + ALICE[9:],
        ALICE[:20],
        BOB[:20],
        SATOSHI[:-1],
    ],
)
def test_right_or_mistyped_address_looks_like_one(text: str) -> None:
    assert looks_like_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Alice",
        "Bob's bakery",
        "vitalik.eth",
        "0xAlice",
        "Coinbase",
        "Kraken 2021 deposits and withdrawals",
        "Donaudampfschifffahrtsgesellschaft",
        "bob1985.invoices@accounting.example.org",
        "x1" * 500_000,
    ],
)
def test_name_does_not_look_like_an_address(text: str) -> None:
    assert not looks_like_address(text)


# Typos


@pytest.mark.parametrize("address", EIP55[4:])
def test_every_mistyped_character_of_an_evm_address_is_refused(address: str) -> None:
    for place in range(2, 42):
        for character in "0123456789abcdefABCDEF":
            if character != address[place]:
                assert families_of(replaced(address, place, character)) == []


@pytest.mark.parametrize("address", [SATOSHI, STORED["litecoin"][0]])
def test_every_mistyped_character_of_a_base58_address_is_refused(address: str) -> None:
    for place in range(34):
        for character in BASE58:
            if character != address[place]:
                assert families_of(replaced(address, place, character)) == []


@pytest.mark.parametrize("address", [BOB, VALID_SEGWIT[7], STORED["bitcoin-cash"][0]])
def test_every_mistyped_character_of_a_bech32_address_is_refused(address: str) -> None:
    for place in range(len(address)):
        for character in BECH32_SYMBOLS:
            if character != address[place]:
                assert families_of(replaced(address, place, character)) == []


@pytest.mark.parametrize("place", range(2, 42))
def test_typo_in_an_evm_address_is_named(place: int) -> None:
    meant = ALICE[place]
    typed = "7" if meant != "7" else "8"
    told = f"character {place + 1} is '{typed}', did you mean '{meant}'"
    assert told in refusal(replaced(ALICE, place, typed), "evm")


@pytest.mark.parametrize("place", range(1, 34))
def test_typo_in_a_base58_address_is_named(place: int) -> None:
    meant = SATOSHI[place]
    typed = "x" if meant != "x" else "y"
    assert refusal(replaced(SATOSHI, place, typed), "bitcoin") == (
        "Not a valid Bitcoin address: the checksum does not match:"
        f" character {place + 1} is '{typed}', did you mean '{meant}'? Compare it with its source."
    )


@pytest.mark.parametrize(
    ("family", "address", "start"),
    [
        ("bitcoin", BOB, 3),
        ("bitcoin", VALID_SEGWIT[7], 3),
        ("bitcoin-cash", STORED["bitcoin-cash"][0], 13),
        ("cardano", CARDANO[0], 5),
    ],
)
def test_place_of_a_typo_in_a_bech32_address_is_named(
    family: str, address: str, start: int
) -> None:
    for place in range(start, len(address)):
        typed = "q" if address[place] != "q" else "p"
        told = f": character {place + 1}, '{typed}', is probably mistyped. Compare"
        assert told in refusal(replaced(address, place, typed), family)


@pytest.mark.parametrize(
    ("family", "address", "place", "ending"),
    [
        ("evm", ALICE, 30, "did you mean '35'"),
        ("bitcoin", SATOSHI, 30, "did you mean 'vf'"),
        ("bitcoin", BOB, 30, "are probably swapped"),
        ("bitcoin-cash", STORED["bitcoin-cash"][0], 34, "are probably swapped"),
    ],
)
def test_swapped_neighbours_are_named(family: str, address: str, place: int, ending: str) -> None:
    swapped = address[:place] + address[place + 1] + address[place] + address[place + 2 :]
    told = refusal(swapped, family)
    assert f"characters {place + 1} and {place + 2}" in told
    assert ending in told


@pytest.mark.parametrize(
    ("family", "address"),
    [(family, a) for family in STORED for a in STORED[family] if family not in ("evm", "solana")],
)
def test_typo_is_refused_in_every_family_with_a_checksum(family: str, address: str) -> None:
    typed = "x" if address[20] != "x" else "y"
    assert "the checksum does not match" in refusal(replaced(address, 20, typed), family)


@pytest.mark.parametrize(
    ("family", "address"), [("evm", ALICE), ("bitcoin", SATOSHI), ("bitcoin", BOB)]
)
def test_many_typos_are_told_to_copy_it_again(family: str, address: str) -> None:
    jumbled = address[:20] + address[-1:19:-1]
    told = refusal(jumbled, family)
    assert "no single mistyped or swapped character explains it" in told
    assert "Copy the whole address again" in told


# What people are told


@pytest.mark.parametrize(
    ("family", "text", "told"),
    [
        ("evm", "", "There is no address. Enter one."),
        ("evm", " \t ", "There is no address. Enter one."),
        ("evm", ALICE[:-1], "it has 39 hexadecimal digits after 0x instead of 40"),
        ("evm", ALICE[2:], "it does not begin with 0x"),
        ("evm", "0x" + "ab" * 32, "64 digits are a transaction's hash"),
        ("evm", replaced(ALICE, 8, "O"), "character 9 is 'O', which never occurs there"),
        ("bitcoin", replaced(SATOSHI, 5, "0"), "character 6 is '0', which never occurs there"),
        ("bitcoin", replaced(BOB, 5, "b"), "character 6 is 'b', which never occurs there"),
        ("bitcoin", replaced(BOB, 5, "X"), "mixes upper and lower case from character 6, 'X'"),
        ("bitcoin", replaced(BOB, 1, "d"), "it does not begin with 1, 3 or bc1"),
        ("bitcoin", VALID_SEGWIT[0][:6], "it is too short"),
        ("tron", SATOSHI[:-1], "it does not begin with T"),
        ("evm", f"{ALICE[:9]} {ALICE[9:]}", "white space inside the address: character 10"),
        ("evm", f"{ALICE[:9]}\n{ALICE[9:]}", "white space inside the address: character 10"),
        ("evm", f"{ALICE}\0", "Character 43 is invisible (U+0000)"),
        ("evm", f"\ufeff{ALICE}", "Character 1 is invisible (U+FEFF ZERO WIDTH NO-BREAK SPACE)"),
        ("evm", f"{ALICE[:9]}\u200b{ALICE[9:]}", "(U+200B ZERO WIDTH SPACE)"),
        ("evm", f"\u202e{ALICE}", "(U+202E RIGHT-TO-LEFT OVERRIDE)"),
        ("evm", replaced(ALICE, 3, "\u0430"), "Character 4 is U+0430 CYRILLIC SMALL LETTER A"),
        ("evm", replaced(ALICE, 2, "\uff15"), "Character 3 is U+FF15 FULLWIDTH DIGIT FIVE"),
        ("evm", replaced(ALICE, 2, "\ud800"), "Character 3 is invisible (U+D800)"),
        ("evm", "x" * 1_000_000, "This has 1,000,000 characters: too many for an address."),
        ("evm", " " * 1_000_000, "This has 1,000,000 characters: too many for an address."),
        ("solana", "1" * (MAX_LENGTH + 1), "too many for an address"),
    ],
)
def test_refusal_says_what_is_wrong_and_what_to_do(family: str, text: str, told: str) -> None:
    message = refusal(text, family)
    assert told in message
    assert message.endswith(".")
    assert message.isprintable()


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("evm", ALICE + "0"),
        ("litecoin", base58.b58encode_check(b"\x31" + b"\xff" * 20).decode()),
        ("bitcoin", base58.b58encode_check(b"\x00" + b"\x01" * 21).decode()),
        ("bitcoin-cash", "bitcoincash:q9adhakpwzztepkpwp5z0dq62m6u5v5xtyj7j3h2ws4mr9g0"),
        ("bitcoin-cash", "bitcoincash:qyysjzgfpyysjzgfpyysjzgfpyysjzgfpycm6q42wh"),
        ("bitcoin-cash", "bchtest:pr6m7j9njldwwzlg9v7v53unlr4jkmx6eyvwc0uz5t"),
        ("cosmos", bech32_address("cosmos", BECH32M, [7] * 32)),
        ("cardano", shelley("addr", [0x00, *[9] * 56])),
        ("cardano", shelley("addr", [0x01, *[9] * 55])),
        ("cardano", shelley("addr", [0x61, *[9] * 56])),
        ("cardano", shelley("addr", [0x41, *[9] * 28, 1, 2])),
        ("cardano", shelley("addr", [0x81, *[9] * 28])),
        ("cardano", shelley("addr", [0xE1, *[9] * 28])),
        ("cardano", shelley("addr", [])),
        ("cardano", shelley("stake", [0x61, *[9] * 28])),
        ("cardano", base58.b58encode(byron_content(b"\x82\xd8\x18\x59")).decode()),
        ("monero", monero([17, *[9] * 64])),
        ("monero", monero([19, *[9] * 64])),
        ("monero", STORED["monero"][0][:11] + "z" * 11 + STORED["monero"][0][22:]),
        ("monero", STORED["monero"][0][:-7] + "z" * 7),
        ("solana", "1" * 33),
    ],
)
def test_right_checksum_over_wrong_content_is_refused(family: str, text: str) -> None:
    assert family not in families_of(text)
    refusal(text, family)


def test_private_key_is_refused_and_not_repeated() -> None:
    key = "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ"
    assert families_of(key) == []
    assert key not in refusal(key, "bitcoin")


# How an address is shown


@pytest.mark.parametrize(
    ("value", "short"),
    [
        ("0xf98c96b5d10faafc2324847c82305bd5fd7e5ad3", "0xf98c…5ad3"),
        (BOB, "bc1qw5…f3t4"),
        (STORED["bitcoin-cash"][0], "qpm2qs…dx6a"),
        ("0x12345678", "0x12345678"),
        ("", ""),
    ],
)
def test_shortened_address_has_its_beginning_and_end(value: str, short: str) -> None:
    assert shorten(value) == short


# For any text

addresses = st.sampled_from([(f, a) for f in STORED for a in STORED[f]])
payloads = st.binary(min_size=20, max_size=20)
likely_characters = st.text(BASE58 + "0OIl:" + BECH32_SYMBOLS, max_size=70)


@st.composite
def damaged_addresses(draw: st.DrawFn) -> str:
    """An address in which a few places were replaced, removed or doubled."""
    _, address = draw(addresses)
    rng = draw(st.randoms(use_true_random=False))
    for _ in range(draw(st.integers(1, 4))):
        place = rng.randrange(len(address))
        put = rng.choice([draw(st.characters()), "", address[place] * 2, address[-1]])
        address = address[:place] + put + address[place + 1 :]
    return address


@given(
    text=st.one_of(st.text(), likely_characters, damaged_addresses()),
    family=st.sampled_from(sorted(FAMILIES)),
)
@example(text="1", family="bitcoin")
@example(text="bc1", family="bitcoin")
@example(text="bitcoincash:", family="bitcoin-cash")
@example(text="addr1", family="cardano")
@example(text="z" * 95, family="monero")
@example(text="4" + "z" * 94, family="monero")
@settings(max_examples=300, deadline=None)
def test_any_text_is_an_address_or_is_refused_with_a_reason(text: str, family: str) -> None:
    if family in families_of(text):
        value = normalise(text, family)
        assert normalise(value, family) == value
    else:
        message = refusal(text, family)
        assert message.endswith(".")
        assert message.isprintable()
    assert families_of(text) == families_of(text.strip())
    assert looks_like_address(text) in (True, False)


@given(payloads)
@settings(max_examples=100, deadline=None)
def test_shown_evm_address_is_accepted_again(payload: bytes) -> None:
    value = f"0x{payload.hex()}"
    assert normalise(display(value, "evm"), "evm") == value


@given(addresses)
@settings(deadline=None)
def test_shown_address_of_any_family_is_accepted_again(case: tuple[str, str]) -> None:
    family, address = case
    assert normalise(display(address, family), family) == address


@given(payloads, st.sampled_from([(b"\x00", "bitcoin"), (b"\x05", "litecoin"), (b"\x41", "tron")]))
@settings(max_examples=100, deadline=None)
def test_normalising_twice_changes_nothing(
    payload: bytes, version_and_family: tuple[bytes, str]
) -> None:
    version, family = version_and_family
    value = normalise(base58.b58encode_check(version + payload).decode(), family)
    assert normalise(value, family) == value


@given(payloads, st.booleans())
@settings(max_examples=100, deadline=None)
def test_legacy_and_current_form_of_bitcoin_cash_agree(payload: bytes, is_script: bool) -> None:
    legacy = base58.b58encode_check((b"\x05" if is_script else b"\x00") + payload).decode()
    value = normalise(legacy, "bitcoin-cash")
    assert value.startswith("bitcoincash:p" if is_script else "bitcoincash:q")
    assert normalise(value.partition(":")[2].upper(), "bitcoin-cash") == value


@given(st.integers(0, 16), st.binary(min_size=2, max_size=40))
@settings(max_examples=200, deadline=None)
def test_segwit_follows_version_and_length_rules(version: int, program: bytes) -> None:
    symbols = five_bits(program)
    right, wrong = (BECH32M, BECH32) if version else (BECH32, BECH32M)
    address = bech32_address("bc", right, [version, *symbols])
    is_right = version > 0 or len(program) in (20, 32)
    assert families_of(address) == (["bitcoin"] if is_right else [])
    assert families_of(bech32_address("bc", wrong, [version, *symbols])) == []
