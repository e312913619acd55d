"""Blockscout's CSV exports, and the answers of its interface (`/api/v2`) as JSON.

Of an address there are transactions, token transfers and internal transactions, and a list of them
all, the advanced filter. Amounts and fees are in the smallest unit, and the column `UnixTimestamp`
has a date. A fee can read `Max of 123`, which is none yet. A list of what was of one kind alone has
fewer columns. Source: Blockscout's documentation and code, and recorded answers.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from transactions.imports.formats import etherscan
from transactions.imports.formats.cells import Unreadable, shown
from transactions.imports.formats.etherscan import ExplorerFile, Line
from transactions.imports.formats.etherscan_json import WEI, WITHOUT_VALUE, scaled
from transactions.imports.formats.reader import Record
from transactions.imports.rows import Row

# Our name for a column -> the names that it has in the files and the answers; where there are
# several, the first that a line fills.
COLUMNS: dict[str, tuple[str, ...]] = {
    "txid": ("TxHash", "hash", "transaction_hash", "tx_hash"),
    "block": ("BlockNumber", "block_number", "block"),
    "unix": ("UnixTimestamp", "UtcTimestamp", "timestamp"),
    "sender": ("FromAddress", "from.hash"),
    "receiver": ("ToAddress", "to.hash", "to"),  # the last is empty: a contract was created
    "created": ("ContractAddress", "CreatedContractAddress", "created_contract.hash"),
    "contract": (
        *("TokenContractAddress", "TokenContractAddressHash"),
        *("token.address", "token.address_hash", "token.contract_address"),
    ),
    "value": ("Value", "value"),
    "fee": ("Fee", "fee.value"),
    "fee_type": ("fee.type",),
    "status": ("Status", "status", "success"),
    "error": ("ErrCode", "error"),
    "method": ("MethodName", "method"),
    "token_symbol": ("TokenSymbol", "token.symbol"),
    "token_name": ("token.name",),
    "decimals": ("TokenDecimals", "total.decimals", "token.decimals"),
    "transferred": ("TokensTransferred", "total.value"),
    "whole": ("TokenValue",),
    "token_id": ("TokenID", "TokenId", "total.token_id"),
    "call": ("CallType", "TransactionIndex", "transaction_index", "index"),
    "call_type": ("CallType", "type"),
    "gas_price": ("gas_price", "CurrentPrice"),
    "place": ("log_index", "index", "Index"),
}


def columns_of(header: tuple[str, ...]) -> Iterable[str]:
    found = {ours for ours, theirs in COLUMNS.items() if set(theirs) & set(header)}
    # Of NFTs that are each the only one of their number no amount is told.
    return found | {"transferred"} if "token_id" in found else found


def picker(header: tuple[str, ...]) -> Callable[[list[str]], Line]:
    places = {
        ours: [header.index(name) for name in theirs if name in header]
        for ours, theirs in COLUMNS.items()
        if set(theirs) & set(header)
    }
    has_all = "whole" in places  # coins and tokens alike
    is_call = "call" in places  # whose fee is a part of its transaction's

    def line_of(record: list[str]) -> Line:
        found = {
            name: next((cell for at in there if (cell := record[at].strip())), "")
            for name, there in places.items()
        }
        is_token = bool(found["contract"]) if has_all else "contract" in places
        blank = dict.fromkeys(Line._fields, "")
        line = {name: cell for name, cell in found.items() if name in blank}
        fee = found.get("fee", "")
        line |= {
            "unix": found["unix"].replace(".000000Z", "Z"),
            "contract": found.get("contract" if is_token else "created", ""),
            "amount": amount_of(found, is_token=is_token),
            "fee": scaled(fee, str(WEI), "Fee") if not is_call and is_paid(fee, found) else "",
            "method": found.get("method", "")[:200],
        }
        if found.get("call_type", "").casefold() in WITHOUT_VALUE:
            line["amount"] = "0"
        if has_all and is_token:
            line["status"] = NO_COIN
        return Line(**blank | line)

    return line_of


def is_paid(fee: str, found: dict[str, str]) -> bool:
    """Not what a waiting transaction can cost at most."""
    if not fee or fee.casefold().startswith("max of") or found.get("fee_type", "") == "maximum":
        return False
    if not (fee.isascii() and fee.isdecimal()):
        raise Unreadable(f"Fee {shown(fee)} is not a whole number of the smallest unit.")
    return True


def amount_of(found: dict[str, str], *, is_token: bool) -> str:
    """Whole units; of an NFT their number, where it is told."""
    if not is_token:
        return scaled(found.get("value", ""), str(WEI), "Value")
    if found.get("token_id"):
        return found.get("transferred", "") or found.get("whole", "") or "1"
    decimals = found.get("decimals", "")
    if not decimals:
        raise Unreadable(
            "the decimals of the token are not told, so that its amount is not known. Save the "
            "transfers from the interface (/api/v2) as JSON, which tells them."
        )
    if "whole" in found:
        return found["whole"]
    return scaled(found.get("transferred", ""), decimals, "TokensTransferred")


NO_COIN = "of a contract"  # in the place of a status, of which the list of everything has none
OK = ("", "ok", "success", "true", "1", "pending")
FAILED = ("error", "fail", "failed", "false", "0", "reverted")


def transaction_row(record: Record, line: Line, own: str, network: str) -> Row:
    status = line.status.casefold()
    failed = status in FAILED
    if not failed and status not in OK:
        raise Unreadable(f"Status {shown(line.status)} is not known. Please report it.")
    plain = line._replace(status="Error(0)" if failed else "", error="" if not failed else "x")
    row = etherscan.transaction_row(record, plain, own, network)
    # Without a block it is waiting for one.
    return row if line.block or failed else replace(row, status="pending")


def internal_row(record: Record, line: Line, own: str, network: str) -> Row:
    failed = line.status.casefold() == "false" or line.error not in ("", "-")
    plain = line._replace(status="1" if failed else "0", error="")
    return etherscan.internal_row(record, plain, own, network)


def token_row(record: Record, line: Line, own: str, network: str) -> Row:
    if line.token_id:
        return etherscan.nft_row(record, line, own, network)
    return etherscan.token_row(record, line, own, network)


def any_row(record: Record, line: Line, own: str, network: str) -> Row:
    if line.status == NO_COIN:
        return token_row(record, line, own, network)
    return etherscan.transaction_row(record, line, own, network)


file = partial(
    ExplorerFile, picker=picker, columns=columns_of, has_one_amount=True, has_waiting=True
)
SIDES = {"txid", "unix", "sender", "receiver"}
TRANSACTIONS = file(
    "blockscout-transactions",
    "Blockscout: transactions",
    frozenset(SIDES | {"value", "fee", "status"}),
    frozenset({"contract", "call"}),
    transaction_row,
    has_one_row_each=True,
)
INTERNAL = file(
    "blockscout-internal",
    "Blockscout: internal transactions",
    frozenset(SIDES | {"value", "call"}),
    frozenset({"contract"}),
    internal_row,
)
TOKENS = file(
    "blockscout-tokens",
    "Blockscout: token transfers",
    frozenset(SIDES | {"contract", "transferred"}),
    frozenset({"value"}),
    token_row,
    repeats_columns=True,  # TokenDecimals, both times the same
)
ALL = file(
    "blockscout-advanced",
    "Blockscout: advanced filter",
    frozenset(SIDES | {"contract", "value", "whole", "fee"}),
    frozenset({"status", "call"}),
    any_row,
    has_fee_once=True,
    warning="The file does not tell which transactions failed, so all are read as if none had. "
    "Blockscout's file of an address's transactions tells it.",
)
