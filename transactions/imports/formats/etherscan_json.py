"""Answers of Etherscan's interface (`module=account`), as JSON.

`txlist`, `txlistinternal`, `tokentx`, `tokennfttx` and `token1155tx`; all values are texts. Amounts
are in the smallest unit, times in Unix seconds. The fee is gas used times its price. Source:
Etherscan's and Blockscout's documentation, and recorded answers.
"""

from collections.abc import Callable

from transactions.imports.formats import cells, etherscan
from transactions.imports.formats.cells import Unreadable, shown
from transactions.imports.formats.etherscan import ExplorerFile, Line

WEI = 18  # decimals of every EVM network's coin
# Our name for a column -> the interface's.
COLUMNS = {
    "txid": "hash",
    "block": "blockNumber",
    "unix": "timeStamp",
    "sender": "from",
    "receiver": "to",
    "contract": "contractAddress",
    "value": "value",
    "gas_used": "gasUsed",
    "gas_price": "gasPrice",
    "status": "isError",
    "receipt": "txreceipt_status",
    "error": "errCode",
    "trace": "traceId",
    "method": "functionName",
    "token_name": "tokenName",
    "token_symbol": "tokenSymbol",
    "decimals": "tokenDecimal",
    "token_id": "tokenID",
    "quantity": "tokenValue",
}
# Blockscout answers the same questions, and calls these otherwise.
NAMES = {theirs: ours for ours, theirs in COLUMNS.items()} | {
    "transactionHash": "txid",
    "callType": "call_type",
    "index": "trace",
    "logIndex": "trace",
}
# Calls that run foreign code in the caller's own name. Blockscout prints the value of the call
# around them, which moved once.
WITHOUT_VALUE = {"delegatecall", "callcode", "staticcall"}


def columns_of(header: tuple[str, ...]) -> set[str]:
    return {NAMES[name] for name in header if name in NAMES}


def scaled(text: str, decimals: str, column: str) -> str:
    """Whole units of an integer in the smallest one, as text; empty stays empty."""
    if not text:
        return ""
    is_number = text.isascii() and text.isdecimal() and decimals.isdecimal()
    if not is_number or len(text) > 78 or int(decimals) > cells.MAX_DECIMALS:
        raise Unreadable(f"{column} {shown(text)} with {shown(decimals)} decimals is no amount.")
    digits = text.zfill(int(decimals) + 1)
    places = len(digits) - int(decimals)
    return f"{digits[:places]}.{digits[places:]}" if int(decimals) else digits


def fee_of(gas_used: str, gas_price: str) -> str:
    """Empty where the answer tells none."""
    if not gas_used and not gas_price:
        return ""
    whole = gas_used.isdecimal() and gas_price.isdecimal() and (gas_used + gas_price).isascii()
    if not whole or len(gas_used + gas_price) > 60:
        raise Unreadable(
            f"gasUsed {shown(gas_used)} and gasPrice {shown(gas_price)} are not both whole "
            "numbers, so that the fee is not known. Save the explorer's answer again."
        )
    return scaled(str(int(gas_used) * int(gas_price)), str(WEI), "gasPrice")


def picker(header: tuple[str, ...]) -> Callable[[list[str]], Line]:
    places = {NAMES[name]: place for place, name in enumerate(header) if name in NAMES}

    def line_of(record: list[str]) -> Line:
        found = {name: record[place].strip() for name, place in places.items()}
        is_token = "token_symbol" in places
        decimals = found.get("decimals", "") if is_token else str(WEI)
        if is_token and not decimals and found.get("value"):
            raise Unreadable("tokenDecimal is empty, so that the amount is not known.")
        amount = scaled(found.get("value", ""), decimals, "value")
        if found.get("call_type") in WITHOUT_VALUE:
            amount = "0"
        gas = (found.get("gas_used", ""), found.get("gas_price", ""))
        # A free inner call and a miner's reward have neither sender nor hash.
        return Line(
            txid=found.get("txid", ""),
            block=found.get("block", ""),
            unix=found.get("unix", ""),
            time="",
            sender=found["sender"],
            receiver=found["receiver"],
            contract=found.get("contract", ""),
            received="",
            sent="",
            fee=fee_of(*gas) if "gas_price" in places else "",
            status="1" if found.get("receipt") == "0" else found.get("status", ""),
            error=found.get("error", ""),
            method=found.get("method", "").partition("(")[0][:200],
            note="",
            chain="",
            amount=amount,
            token_name=found.get("token_name", ""),
            token_symbol=found.get("token_symbol", ""),
            token_id=found.get("token_id", ""),
            quantity=found.get("quantity", ""),
            place=found.get("trace", ""),
        )

    return line_of


def transaction_row(record, line: Line, own: str, network: str):  # type: ignore[no-untyped-def]
    status = {"0": "", "1": "Error(0)"}.get(line.status, line.status)
    return etherscan.transaction_row(record, line._replace(status=status), own, network)


def token_row(record, line: Line, own: str, network: str):  # type: ignore[no-untyped-def]
    """Blockscout lists NFTs and other tokens together."""
    read = etherscan.nft_row if line.token_id else etherscan.token_row
    return read(record, line, own, network)


def one_amount(name: str, title: str, needs: set[str], lacks: set[str], row) -> ExplorerFile:  # type: ignore[no-untyped-def]
    return ExplorerFile(
        name,
        title,
        frozenset({"txid", "sender", "receiver", *needs}),
        frozenset(lacks),
        row,
        picker=picker,
        columns=columns_of,
        has_one_amount=True,
        # Saved pages may overlap; of token transfers genuine repeats look the same.
        has_one_row_each=row is transaction_row,
        lacks_data_fee=row is transaction_row,
    )


TRANSACTIONS = one_amount(
    "etherscan-json-transactions",
    "Etherscan API: txlist",
    {"value", "gas_price", "status"},
    {"token_symbol", "trace"},
    transaction_row,
)
INTERNAL = one_amount(
    "etherscan-json-internal",
    "Etherscan API: txlistinternal",
    {"value", "error", "status"},
    {"token_symbol", "gas_price"},
    etherscan.internal_row,
)
TOKENS = one_amount(
    "etherscan-json-erc20",
    "Etherscan API: tokentx",
    {"value", "token_symbol", "decimals"},
    {"token_id"},
    etherscan.token_row,
)
NFTS = one_amount(
    "etherscan-json-nft",
    "Etherscan API: tokennfttx, token1155tx",
    {"token_symbol", "token_id"},
    set(),
    token_row,
)
