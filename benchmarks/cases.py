"""What is measured: each case once, as our query string, as the limit's SQL and for the peers.

The limit's `ids` are what a person who knows the data would write for the ideal plan: names are
looked up already, and each `WHERE` asks only where something is. `page_sql` makes of them all that
a page shows.
"""

import base64
import json
import sys
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import psycopg

PER_PAGE = 50
ROWS = PER_PAGE + 1  # one more tells whether there is a next page
DEEP = (2_000, 19_000)  # pages of a million; as deep, in proportion, of fewer

BY_TIME = "ORDER BY t.timestamp DESC, t.id DESC"
ALL = f"SELECT t.id FROM transactions_transaction t {{}} {BY_TIME}"
ENTRIES = (
    "SELECT DISTINCT e.timestamp, e.transaction_id AS id FROM transactions_entry e {} "
    "ORDER BY e.timestamp DESC, e.transaction_id DESC"
)
THEIRS = (
    "EXISTS (SELECT FROM transactions_entry e JOIN contacts_address a ON a.id = e.counterparty_id "
    "WHERE e.transaction_id = t.id AND a.contact_id {})"
)
ON_IT = (
    "EXISTS (SELECT FROM transactions_transactionlabel l "
    "WHERE l.transaction_id = t.id AND l.label_id = {})"
)
# One probe a transaction, whatever the planner guesses.
PROBED = (
    "SELECT t.id FROM transactions_transaction t LEFT JOIN LATERAL (SELECT true AS is_found FROM "
    "{} LIMIT 1) probe ON true WHERE {} " + BY_TIME
)
MOVED = (
    "SELECT e.transaction_id AS id FROM transactions_entry e WHERE e.asset_id = {asset} "
    "GROUP BY 1 ORDER BY coalesce(sum(e.amount) FILTER (WHERE e.kind = '{kind}'), 0) {way}, "
    "min(e.timestamp) {way}, e.transaction_id {way}"
)

# What a page shows of a transaction beside its own fields.
TOLD = {
    "moved": """
        json_agg(json_build_array(x.kind, trim_scale(x.amount)::text, w.id, w.name, own.value,
            a.id, a.symbol, a.name, a.network, a.code, other.value, theirs.id, theirs.name,
            ours.name) ORDER BY x.id) AS told
        FROM transactions_entry x
        JOIN transactions_wallet w ON w.id = x.wallet_id
        LEFT JOIN contacts_address own ON own.id = w.address_id
        JOIN transactions_asset a ON a.id = x.asset_id
        LEFT JOIN contacts_address other ON other.id = x.counterparty_id
        LEFT JOIN contacts_contact theirs ON theirs.id = other.contact_id
        LEFT JOIN transactions_wallet ours ON ours.address_id = other.id
    """,
    "labels": """
        json_agg(json_build_array(l.name, l.colour) ORDER BY lower(l.name)) AS told
        FROM transactions_transactionlabel x JOIN transactions_label l ON l.id = x.label_id
    """,
}
# Read for all at once, or for each: at some twelve transactions both take as long.
FOR_ALL = (
    "LEFT JOIN (SELECT x.transaction_id, {told} "
    "WHERE x.transaction_id = ANY (ARRAY(SELECT id FROM asked)) GROUP BY 1) {name} "
    "ON {name}.transaction_id = t.id"
)
FOR_EACH = "LEFT JOIN LATERAL (SELECT {told} WHERE x.transaction_id = t.id) {name} ON true"
PAGE = """
    WITH asked AS MATERIALIZED (SELECT id, row_number() OVER () AS place FROM ({ids}) found)
    SELECT json_build_array(t.id, t.network, t.txid, t.external_id, t.timestamp, t.status, t.type,
        t.method, t.note, t.version, contact.id, contact.name, source.name, moved.told,
        labels.told)::text
    FROM asked JOIN transactions_transaction t ON t.id = asked.id
    LEFT JOIN contacts_contact contact ON contact.id = t.contact_id
    LEFT JOIN transactions_wallet source ON source.id = t.source_wallet_id
    {told}
    ORDER BY asked.place
"""


def page_sql(ids: str, *, is_one: bool = False) -> str:
    """All that a page shows of the transactions that `ids` finds, a JSON text each, in order."""
    join = FOR_EACH if is_one else FOR_ALL
    joins = (join.format(told=told, name=name) for name, told in TOLD.items())
    return PAGE.format(ids=ids, told=" ".join(joins))


@dataclass(frozen=True)
class Case:
    """`query` is ours; `asks` is what the peers are asked, each in its own words.

    Rows are compared where `ids` is given. `sql` stands for the page of those ids.
    """

    name: str
    path: str
    ids: str = ""
    asks: dict[str, Any] = field(default_factory=dict)
    sql: str = ""
    copy: str = ""
    write: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    is_empty: bool = False
    is_one: bool = False  # transaction

    def for_limit(self, length: int) -> dict[str, Any]:
        return {
            "sql": self.sql or page_sql(limited(self.ids), is_one=self.is_one),
            "copy": self.copy,
            "write": self.write,
            "empty": self.is_empty,
            "bytes": length,
        }


class Facts:
    """What a ledger has, looked up once: the ids and names that the cases are about."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.count = self.one("SELECT count(*) FROM transactions_transaction")
        self.wallet = self.one("SELECT id FROM transactions_wallet WHERE name = 'Wallet 1'")
        popular = "SELECT asset_id FROM transactions_entry GROUP BY 1 ORDER BY count(*) {}, 1"
        self.popular = self.one(popular.format("DESC"))
        self.rare = self.one(popular.format("ASC"))
        self.label = self.label_of("Label 1")
        self.rare_label = self.label_of("Label 41")
        self.contact = self.contact_of("Contact 1")
        self.rare_contact = self.contact_of("Contact 2000")
        self.newest = self.at(0)
        self.some = self.at(self.count // 3)
        self.txid = self.one(
            "SELECT txid FROM transactions_transaction WHERE txid IS NOT NULL "
            f"AND id >= {self.some[1]} ORDER BY id"
        )
        # A counterparty that is neither rare nor popular.
        self.address, self.address_id = self.row(
            "SELECT a.value, a.id FROM transactions_entry e JOIN contacts_address a "
            f"ON a.id = e.counterparty_id WHERE e.transaction_id >= {self.some[1]} "
            "AND a.contact_id IS NULL AND NOT EXISTS (SELECT FROM transactions_wallet w "
            "WHERE w.address_id = a.id) ORDER BY e.id"
        )
        self.revision = self.one("SELECT max(revision) FROM txsite_change")
        self.other_label = self.label_of("Label 40")
        self.unlabelled = self.one(
            "SELECT t.id FROM transactions_transaction t WHERE NOT EXISTS (SELECT FROM "
            f"transactions_transactionlabel l WHERE l.transaction_id = t.id) {BY_TIME}"
        )

    def row(self, query: str) -> tuple[Any, ...]:
        found = self.connection.execute(f"{query} LIMIT 1").fetchone()
        if found is None:
            raise LookupError(query)
        return tuple(found)

    def one(self, query: str) -> Any:
        return self.row(query)[0]

    def label_of(self, name: str) -> int:
        return int(self.one(f"SELECT id FROM transactions_label WHERE name = '{name}'"))

    def contact_of(self, name: str) -> int:
        return int(self.one(f"SELECT id FROM contacts_contact WHERE name = '{name}'"))

    def at(self, offset: int) -> tuple[Any, int]:
        """The time and the id of the transaction at this offset of the list."""
        return self.row(
            "SELECT timestamp, id FROM (SELECT t.timestamp, t.id FROM transactions_transaction t "
            f"{BY_TIME} OFFSET {offset} LIMIT 1) t"
        )


def listing(**parameters: Any) -> str:
    return f"/transactions/?{urlencode(parameters, doseq=True)}"


def page_case(facts: Facts, number: int) -> Case:
    """A page far down: the peers ask for it by number, we by the cursor that leads there."""
    page = max(2, number * facts.count // 1_000_000)
    moment, pk = facts.at((page - 1) * PER_PAGE - 1)
    where = f"WHERE (t.timestamp, t.id) < ('{moment.isoformat()}', {pk})"
    return Case(
        f"page {number:,}",
        listing(cursor=cursor("-time", moment.isoformat(), pk)),
        ALL.format(where),
        {"page": page, "before": (moment, pk)},
    )


def cursor(sort: str, value: str, pk: int) -> str:
    """As the list gives it out; a list that gives out others answers 400, and the run ends."""
    packed = json.dumps([sort, "n", value, pk], separators=(",", ":"))
    return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def all_cases(facts: Facts) -> list[Case]:
    wallet, popular, rare = facts.wallet, facts.popular, facts.rare
    label, other = facts.label, facts.rare_label
    contact, twelve = facts.contact, facts.rare_contact
    day = facts.some[0].date()
    month = day.strftime("%Y-%m")
    in_month = f"t.timestamp >= '{month}-01' AND t.timestamp < '{month}-28'"
    own = f"e.wallet_id = {wallet} AND e.asset_id = {popular}"
    middle, start = facts.address[20:32], facts.txid[:12]
    far = facts.at(facts.count // 10)[0].date()
    walk = ALL.format
    return [
        Case("first page", "/transactions/", walk("")),
        *(page_case(facts, number) for number in DEEP),
        Case(
            "jump to a day",
            listing(cursor=day),
            walk(f"WHERE t.timestamp < date '{day}' + 1"),
        ),
        Case(
            "wallet",
            listing(wallet="Wallet 1"),
            ENTRIES.format(f"WHERE e.wallet_id = {wallet}"),
            {"wallet": wallet},
        ),
        Case("type", listing(type="trade"), walk("WHERE t.type = 'trade'"), {"type": "trade"}),
        Case(
            "asset, popular",
            listing(asset=f"id:{popular}"),
            ENTRIES.format(f"WHERE e.asset_id = {popular}"),
            {"asset": popular},
        ),
        Case(
            "asset, rare",
            listing(asset=f"id:{rare}"),
            ENTRIES.format(f"WHERE e.asset_id = {rare}"),
            {"asset": rare},
        ),
        Case(
            "wallet + type + asset",
            listing(wallet="Wallet 1", asset=f"id:{popular}", type="send"),
            "SELECT e.id FROM (" + ENTRIES.format(f"WHERE {own}") + ") e JOIN "
            "transactions_transaction t ON t.id = e.id AND t.type = 'send' "
            "ORDER BY e.timestamp DESC, e.id DESC",
            {"wallet": wallet, "asset": popular, "type": "send"},
        ),
        Case(
            "one month",
            listing(date_after=f"{month}-01", date_before=f"{month}-27"),
            walk(f"WHERE {in_month}"),
            {"first": f"{month}-01", "last": f"{month}-27"},
        ),
        Case(
            "amount range",
            listing(amount_min=5, amount_max=10),
            PROBED.format(
                "transactions_entry e WHERE e.transaction_id = t.id AND e.kind = 'transfer' "
                "AND abs(e.amount) BETWEEN 5 AND 10",
                "probe.is_found",
            ),
            {"amount": (5, 10)},
        ),
        Case(
            "amount range, narrow, in an asset",
            listing(asset=f"id:{popular}", amount_min=1000, amount_max=1002),
            "WITH found AS MATERIALIZED (SELECT e.timestamp, e.transaction_id AS id "
            f"FROM transactions_entry e WHERE e.asset_id = {popular} AND e.kind = 'transfer' "
            "AND abs(e.amount) BETWEEN 1000 AND 1002) "
            "SELECT DISTINCT timestamp, id FROM found ORDER BY timestamp DESC, id DESC",
            {"asset": popular, "amount": (1000, 1002)},
        ),
        Case(
            "label, popular",
            listing(label="Label 1"),
            walk(f"WHERE {ON_IT.format(label)}"),
            {"label": label},
        ),
        Case(
            "label, rare",
            listing(label="Label 41"),
            "SELECT t.id FROM transactions_transactionlabel l JOIN transactions_transaction t "
            f"ON t.id = l.transaction_id WHERE l.label_id = {other} {BY_TIME}",
            {"label": other},
        ),
        Case(
            "contact of a fifth",
            listing(contact="Contact 1"),
            PROBED.format(
                "transactions_entry e JOIN contacts_address a ON a.id = e.counterparty_id "
                f"WHERE e.transaction_id = t.id AND a.contact_id = {contact}",
                f"t.contact_id = {contact} OR t.contact_id IS NULL AND probe.is_found",
            ),
            {"contact": contact},
        ),
        Case(
            "contact of twelve",
            listing(contact="Contact 2000"),
            "SELECT t.id FROM transactions_transaction t WHERE t.id IN (SELECT e.transaction_id "
            "FROM contacts_address a JOIN transactions_entry e ON e.counterparty_id = a.id "
            f"WHERE a.contact_id = {twelve} UNION ALL SELECT id FROM transactions_transaction "
            f"WHERE contact_id = {twelve}) {BY_TIME}",
            {"contact": twelve},
        ),
        Case(
            "no label",
            listing(label="none"),
            walk(
                "WHERE NOT EXISTS (SELECT FROM transactions_transactionlabel l "
                "WHERE l.transaction_id = t.id)"
            ),
            {"label": None},
        ),
        Case(
            "no contact",
            listing(contact="none"),
            walk(f"WHERE t.contact_id IS NULL AND NOT {THEIRS.format('IS NOT NULL')}"),
            {"contact": None},
        ),
        Case("not a label", listing(label="-Label 1"), walk(f"WHERE NOT {ON_IT.format(label)}")),
        Case(
            "not an asset",
            listing(asset=f"-id:{popular}"),
            walk(
                "WHERE NOT EXISTS (SELECT FROM transactions_entry e "
                f"WHERE e.transaction_id = t.id AND e.asset_id = {popular})"
            ),
        ),
        Case(
            "not a wallet, not a type",
            listing(wallet="-Wallet 1", type="-trade"),
            walk(
                "WHERE t.type <> 'trade' AND NOT EXISTS (SELECT FROM transactions_entry e "
                f"WHERE e.transaction_id = t.id AND e.wallet_id = {wallet})"
            ),
        ),
        Case(
            "txid",
            listing(q=facts.txid),
            f"SELECT t.id FROM transactions_transaction t WHERE t.txid = '{facts.txid}'",
            {"q": facts.txid, "txid": facts.txid},
            is_one=True,
        ),
        Case(
            "txid, its beginning",
            listing(q=start),
            f"SELECT t.id FROM transactions_transaction t WHERE t.txid LIKE '{start}%' {BY_TIME}",
            {"q": start, "txid_start": start},
            is_one=True,
        ),
        Case(
            "address",
            listing(address=facts.address),
            ENTRIES.format(f"WHERE e.counterparty_id = {facts.address_id}"),
            {"address": facts.address_id},
        ),
        Case(
            "address, a part",
            listing(q=middle),
            "SELECT DISTINCT e.timestamp, e.transaction_id AS id FROM transactions_entry e "
            "WHERE e.counterparty_id = ANY (ARRAY(SELECT id FROM contacts_address "
            f"WHERE value LIKE '%{middle}%')) ORDER BY 1 DESC, 2 DESC",
            {"q": middle},
        ),
        Case(
            "note, rare word",
            listing(q="zebra"),
            walk("WHERE t.note <> '' AND t.note ILIKE '%zebra%'"),
            {"q": "zebra", "note": "zebra"},
        ),
        Case(
            "note, common word",
            listing(q="coffee"),
            walk("WHERE t.note ILIKE '%coffee%'"),
            {"q": "coffee", "note": "coffee"},
        ),
        *sorts(facts),
        Case(
            "all filters",
            listing(
                wallet="Wallet 1",
                asset=f"id:{popular}",
                direction="out",
                amount_min=1,
                amount_max=5000,
                type="send",
                status="ok",
                label="Label 1",
                contact="Contact 1",
                date_after="2018-02-01",
                date_before="2025-11-30",
                q="0x",
            ),
            "SELECT t.id FROM ("
            + ENTRIES.format(
                f"WHERE {own} AND e.kind = 'transfer' AND e.amount BETWEEN -5000 AND -1 "
                "AND e.timestamp >= '2018-02-01' AND e.timestamp < '2025-12-01'"
            )
            + ") e JOIN transactions_transaction t ON t.id = e.id "
            f"WHERE t.type = 'send' AND t.status = 'ok' AND {ON_IT.format(label)} "
            f"AND (t.contact_id = {contact} OR t.contact_id IS NULL "
            f"AND {THEIRS.format(f'= {contact}')}) ORDER BY e.timestamp DESC, e.id DESC",
        ),
        Case(
            "one transaction",
            f"/transactions/{facts.newest[1]}/",
            asks={"pk": facts.newest[1]},
            sql=page_sql(f"SELECT {facts.newest[1]}::bigint AS id", is_one=True),
        ),
        Case(
            "nothing new (204)",
            f"/changes/?since={facts.revision}",
            asks={"changes": True},
            sql="SELECT max(revision)::text FROM txsite_change",
            headers={"Accept": "application/json"},
            is_empty=True,
        ),
        Case(
            "label edit, then list",
            "/transactions/",
            asks={"edit": (facts.unlabelled, "Label 40", facts.other_label)},
            sql=page_sql(limited(walk(""))),
            write=(
                "WITH gone AS (DELETE FROM transactions_transactionlabel WHERE transaction_id = "
                f"{facts.unlabelled} AND label_id = {facts.other_label} RETURNING 1) "
                "INSERT INTO transactions_transactionlabel (transaction_id, label_id) "
                f"SELECT {facts.unlabelled}, {facts.other_label} WHERE NOT EXISTS "
                "(SELECT FROM gone)",
            ),
        ),
        Case(
            "balances",
            "/balances/",
            asks={"balances": True},
            sql="SELECT json_build_array(w.name, a.symbol, b.amount::text, b.count)::text "
            "FROM transactions_balance b JOIN transactions_wallet w ON w.id = b.wallet_id "
            "JOIN transactions_asset a ON a.id = b.asset_id "
            "ORDER BY w.name, a.symbol",
        ),
        Case(
            "export of a tenth",
            f"/transactions/export/?format=csv&date_after={far}",
            asks={"export": str(far)},
            copy="COPY (SELECT t.*, (SELECT json_agg(json_build_array(e.kind, e.amount, w.name, "
            "a.symbol, other.value)) FROM transactions_entry e JOIN transactions_wallet w "
            "ON w.id = e.wallet_id JOIN transactions_asset a ON a.id = e.asset_id "
            "LEFT JOIN contacts_address other ON other.id = e.counterparty_id "
            "WHERE e.transaction_id = t.id) FROM transactions_transaction t "
            f"WHERE t.timestamp >= '{far}' ORDER BY t.timestamp, t.id) TO STDOUT (FORMAT csv)",
            sql="SELECT 1",
        ),
    ]


def sorts(facts: Facts) -> list[Case]:
    """Every order that the list has, but the time itself."""
    orders = {
        "type": "t.type {}, t.timestamp",
        "status": "t.status {}, t.timestamp",
        "note": "lower(left(t.note, 100))",
    }
    cases = []
    for way, word in (("", "ASC"), ("-", "DESC")):
        for name, expression in {"time": "t.timestamp", **orders}.items():
            if way + name == "-time":
                continue
            cases.append(
                Case(
                    f"sort {way}{name}",
                    listing(sort=f"{way}{name}"),
                    "SELECT t.id FROM transactions_transaction t "
                    f"ORDER BY {expression.format(word)} {word}, t.id {word}",
                    {"sort": way + name},
                )
            )
        for kind, name in (("transfer", "amount"), ("fee", "fee")):
            for asset, which in ((facts.popular, "popular"), (facts.rare, "rare")):
                cases.append(
                    Case(
                        f"sort {way}{name}, {which} asset",
                        listing(asset=f"id:{asset}", sort=f"{way}{name}"),
                        MOVED.format(asset=asset, kind=kind, way=word),
                    )
                )
    return cases


def limited(ids: str) -> str:
    return f"{ids} LIMIT {ROWS}"


def chosen(cases: list[Case], names: list[str] | None) -> list[Case]:
    found = [one for one in cases if not names or one.name.startswith(tuple(names))]
    if not found:
        sys.exit("No such case. There are: " + "; ".join(one.name for one in cases))
    return found
