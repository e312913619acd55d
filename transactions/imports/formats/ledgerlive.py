"""Ledger Live's operations: Accounts, Export operation history, as CSV.

Each line names its account, by a name that need not be unique and an extended public key that is;
of an account of addresses it is the address. What went out has the fee in it; the fee beside what
came in is the sender's. A token's fee is a `FEES` line of the account, as an NFT's is; a token's
contract is not told. What is staked stays in the account. Times are ISO in UTC. Source: files that
people published, and Ledger Live's source.
"""

from collections.abc import Iterator
from decimal import Decimal

from contacts.networks import NETWORKS
from transactions.imports.formats import cells
from transactions.imports.formats.cells import ZERO, Unreadable, shown
from transactions.imports.formats.electrum import lines_of
from transactions.imports.formats.reader import Line, Record, line_of, rows_of
from transactions.imports.formats.wallets import (
    NATIVE,
    address_of,
    asset_of,
    net_of_fee,
    network_of,
    txid_of,
)
from transactions.imports.rows import (
    AssetName,
    FileError,
    Movement,
    Options,
    Question,
    Reading,
    Rejected,
    Row,
    Status,
    Table,
)

NEEDS = {
    *("operation date", "currency ticker", "operation type", "operation amount"),
    *("operation fees", "operation hash", "account name"),
}
KEYS = {"account xpub", "account id"}
IN = {"IN", "REWARD", "REWARD_PAYOUT", "SUPERNODE_REWARD"}
OUT = {"OUT", "SLASH", "BURN"}
# Whose amount is the fee, and a deposit where there is one: what an account of a token of Solana
# holds, or the stake's key of Cardano. It is negative where the deposit came back.
DEPOSITS = {"DELEGATE", "UNDELEGATE", "REDELEGATE", "OPT_IN", "OPT_OUT", "REVEAL", "CREATE"}
# What moves nothing of the account but the fee.
MOVES_NOTHING = {
    *("NONE", "FEES", "VOTE", "BOND", "UNBOND", "WITHDRAW_UNBONDED", "NOMINATE", "CHILL"),
    *("FREEZE", "UNFREEZE", "LEGACY_UNFREEZE", "WITHDRAW_EXPIRE_UNFREEZE", "UNDELEGATE_RESOURCE"),
    *("STAKE", "UNSTAKE", "WITHDRAW_UNSTAKED", "ACTIVATE", "REGISTER", "REVOKE", "APPROVE"),
    "SET_CONTROLLER",
}
# Whose amount is how many NFTs there were, beside a line of the fee.
NFTS = {"NFT_IN", "NFT_OUT"}
TYPES = {"REWARD": "reward", "REWARD_PAYOUT": "reward", "SUPERNODE_REWARD": "reward"}
STATUSES: dict[str, Status] = {
    "": "ok",
    "confirmed": "ok",
    "failed": "failed",
    "pending": "pending",
    "unconfirmed": "pending",
}
# What accounts are called after, without a number.
NAMES = {
    slug: {slug.replace("-", " "), network.name.casefold()}
    for slug, network in NETWORKS.items()
    if network.family == "evm"
}
EVM = tuple(slug for slug, network in NETWORKS.items() if network.family == "evm")


class OperationsFile:
    """The format itself."""

    name = "ledger-live"
    title = "Ledger Live operations"
    quotes_badly = True  # not at all, so that a quote in an account's name is one

    def matches(self, header: tuple[str, ...]) -> bool:
        names = {name.casefold() for name in header}
        return names >= NEEDS and bool(names & KEYS)

    def questions(self, table: Table, options: Options) -> list[Question]:
        known = networks_of(table, options)
        # What is not of an EVM address is of a coin that is not known here, and is rejected.
        open_ = {
            line["account name"]: line["currency ticker"]
            for line in lines_of(table)
            if _is_evm(key_of(line)) and not network_in(line, known, options)
        }
        if not open_:
            return []
        text = (
            f"On which network are the tokens of {' and '.join(open_)}, such as "
            f"{next(iter(open_.values()))}? The file has no line of its own coin with a fee."
        )
        return [Question("network", text, EVM)]

    def read(self, table: Table, options: Options) -> Reading:
        if questions := self.questions(table, options):
            raise FileError(" ".join(question.text for question in questions))
        known = networks_of(table, options)
        rows: Iterator[Row | Rejected] = rows_of(
            table,
            lambda record: read_row(
                record, line := line_of(record, table.header), network_in(line, known, options)
            ),
        )
        return Reading(options, rows, told_by_names(table, known))


def networks_of(table: Table, options: Options) -> dict[tuple[str, str], str]:
    """Account -> its network, by the line of a coin that has one.

    One address has accounts on several networks, and a token can be called as another network's
    coin, but has no fee of its own: an account of such an address is known by a coin with one.
    Several networks have Ethereum's coin: Ledger Live calls an account after its network, and where
    its owner called it otherwise it is on the one that was said.
    """
    coins: dict[tuple[str, str], str] = {}
    others: dict[tuple[str, str], str] = {}
    for line in lines_of(table):
        said = network_called(line["account name"]) or options.network
        if network := network_of(line["currency ticker"], said):
            if line["operation fees"]:
                coins.setdefault(account_of(line), network)
            elif not _is_evm(key_of(line)):
                others.setdefault(account_of(line), network)
    return others | coins


def network_called(name: str) -> str:
    """The network that an account such as `Base 1` is called after, of those of Ethereum's kind."""
    words = name.rstrip("0123456789 ").casefold()
    return next((slug for slug, names in NAMES.items() if words in names), "")


def told_by_names(table: Table, known: dict[tuple[str, str], str]) -> list[str]:
    """Which accounts' networks no coin tells, but their names."""
    found = {}
    for line in lines_of(table):
        network = network_called(line["account name"])
        coin = known.get(account_of(line), "")
        is_open = not coin or (NETWORKS[coin].symbol == "ETH" and network != "ethereum")
        if network and is_open and _is_evm(key_of(line)):
            found[line["account name"]] = NETWORKS[network].name
    return [
        f"{name} was read as an account on {network}, after which it is called."
        for name, network in found.items()
    ]


def account_of(line: Line) -> tuple[str, str]:
    return line["account name"], key_of(line)


def key_of(line: Line) -> str:
    """The account's key or address, which the oldest files have in an id, such as
    `libcore:1:bitcoin:xpub…:native_segwit`."""
    parts = line["account id"].split(":")
    return line["account xpub"] or (parts[3] if len(parts) > 3 else line["account id"])


def network_in(line: Line, known: dict[tuple[str, str], str], options: Options) -> str:
    is_evm = _is_evm(key_of(line))
    network = known.get(account_of(line), "")
    if is_evm:
        return network or network_called(line["account name"]) or options.network
    return network or network_of(line["currency ticker"])


def _is_evm(account: str) -> bool:
    return bool(address_of(account, "ethereum"))


def read_row(record: Record, line: Line, network: str) -> Row:
    if not network:
        raise Unreadable(
            f"Currency Ticker {shown(line['currency ticker'])} is not a coin that is known here, "
            "and no other line tells on which network the account is."
        )
    status = STATUSES.get(line.get("status", "").casefold())
    if status is None:
        raise Unreadable(f"Status {shown(line['status'])} is not known. Please report it.")
    kind = line["operation type"].upper()
    read = cells.number if kind in DEPOSITS else cells.amount
    amount = read(line["operation amount"], "Operation Amount")
    fee = cells.amount(line["operation fees"], "Operation Fees")
    if amount is None:
        raise Unreadable("Operation Amount is empty. Export the file again.")
    asset = asset_of(line["currency ticker"], network, "Currency Ticker")
    return Row(
        line=record.line,
        raw=record.raw,
        timestamp=cells.time(line["operation date"], "Operation Date"),
        movements=tuple(_movements(kind, amount, fee, asset, is_failed=status == "failed")),
        network=network,
        txid=txid_of(line["operation hash"], network, "Operation Hash"),
        wallet=wallet_of(line, network),
        status=status,
        type=TYPES.get(kind, ""),
        method="" if kind in IN | OUT | {"FEES"} else kind.lower(),
    )


def wallet_of(line: Line, network: str) -> str:
    """The account's own address, or its name with the end of its key, so that none has two."""
    key = key_of(line)
    address = address_of(key, network) if key else ""
    if address or not key:
        return address or line["account name"]
    return f"{line['account name']} ({key[-6:]})"


def _movements(
    kind: str, amount: Decimal, fee: Decimal | None, asset: AssetName, *, is_failed: bool
) -> list[Movement]:
    if kind in IN:
        return [Movement(ZERO if is_failed else amount, asset)]
    if kind in OUT and not is_failed:
        is_coin = asset == NATIVE
        if is_coin and fee and fee > amount:
            raise Unreadable(
                f"Operation Fees {fee:f} are more than Operation Amount {amount:f}, which has "
                "them in it. Export the file again."
            )
        return net_of_fee(amount.copy_negate() if amount else ZERO, fee if is_coin else None, asset)
    if kind in DEPOSITS and not is_failed and (amount.is_signed() or amount > (fee or ZERO)):
        moved = cells.total([amount.copy_negate(), fee or ZERO], "Operation Amount")
    elif kind in OUT | DEPOSITS | MOVES_NOTHING | NFTS:
        moved = ZERO
    else:
        raise Unreadable(f"Operation Type {shown(kind)} is not known. Please report it.")
    paid = amount if fee is None and kind == "FEES" else fee
    movements = [Movement(moved, asset)]
    if paid and kind not in NFTS:
        movements.append(Movement(paid.copy_negate(), NATIVE, "fee"))
    return movements


OPERATIONS = OperationsFile()
