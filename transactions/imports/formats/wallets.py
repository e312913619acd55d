"""What the files of wallet programs have in common.

They know the transaction's hash, and are about a wallet with a name. A coin is known by its
ticker, which tells the network; of a token they tell no contract, so that it is known by its code.
"""

from decimal import Decimal

from contacts.addresses import AddressError, normalise
from contacts.networks import NETWORKS
from transactions.imports.formats import cells
from transactions.imports.formats.cells import Unreadable
from transactions.imports.rows import AssetName, Movement

# Where several networks have a coin of the name, the one that a wallet means by it.
NETWORK_OF = {
    "BTC": "bitcoin",
    "LTC": "litecoin",
    "DOGE": "dogecoin",
    "BCH": "bitcoin-cash",
    "DASH": "dash",
    "ZEC": "zcash",
    "ETH": "ethereum",
    "ETC": "ethereum-classic",
    "POL": "polygon",
    "MATIC": "polygon",
    "BNB": "bsc",
    "AVAX": "avalanche",
    "SOL": "solana",
    "TRX": "tron",
    "XRP": "xrp",
    "ADA": "cardano",
    "ATOM": "cosmos",
    "XMR": "monero",
}
NATIVE = AssetName("native")


def network_of(ticker: str, said: str = "") -> str:
    """The network whose coin has this ticker: the one that a person has `said`, where it is that
    one's coin too; empty where we know none."""
    if said in NETWORKS and NETWORKS[said].symbol.upper() == ticker.upper():
        return said
    network = NETWORK_OF.get(ticker.upper(), "")
    return network if network in NETWORKS else ""


def asset_of(ticker: str, network: str, column: str) -> AssetName:
    """The network's own coin, or a token by its code."""
    if network_of(ticker, network) == network:
        return NATIVE
    code = cells.line_text(ticker, column, cells.MAX_LABEL).upper()
    return AssetName("code", code, symbol=code)


def txid_of(text: str, network: str, column: str) -> str:
    family = NETWORKS[network].family
    if family == "evm":
        return cells.evm_txid(text, column)
    if family == "solana":
        return cells.base58_txid(text, column)
    return cells.wallet_txid(text.removeprefix("0x"), column)


def address_of(text: str, network: str) -> str:
    """The address as we store it; empty where it is none, as in files that mask theirs."""
    return normalised(text, NETWORKS[network].family)


def normalised(text: str, family: str) -> str:
    """As `address_of`, by the family of the network."""
    try:
        return normalise(text, family)
    except AddressError:
        return ""


def net_of_fee(
    value: Decimal, fee: Decimal | None, asset: AssetName = NATIVE, counterparty: str = ""
) -> list[Movement]:
    """What moved where `value` is signed and has the fee of a spend in it."""
    if not fee or not value.is_signed():
        return [Movement(value, asset, "transfer", counterparty)]
    moved = cells.total([value, fee], "The amount")
    return [
        Movement(moved, asset, "transfer", counterparty if moved else ""),
        Movement(fee.copy_negate(), asset, "fee"),
    ]


def label_or_note(text: str, column: str) -> tuple[tuple[str, ...], str]:
    """A text that a wallet calls a label: a label, or a note where it is too long for one."""
    note = cells.note_text(text, column)
    if not note or len(note) > cells.MAX_LABEL or "\n" in note:
        return (), note
    return (cells.line_text(note, column, cells.MAX_LABEL),), ""


class OnceEach:
    """Of a file that has one line for each transaction: a second line of one is refused, also where
    the first cannot be read, since its amount would count twice."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}

    def check(self, txid: str, line: int) -> None:
        """Raises `Unreadable` where an earlier line has this hash too."""
        first = self.lines.setdefault(txid.lower(), line) if txid else line
        if first != line:
            raise Unreadable(f"line {first} told of this transaction already. Remove one of them.")
