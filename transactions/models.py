"""What happened: transactions and their entries, our wallets, assets, labels and imports."""

from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Abs, Left, Length, Lower
from django.db.models.lookups import LessThan, LessThanOrEqual
from django.urls import reverse

from contacts.models import Address, Contact, clean_name, one_line
from contacts.networks import NETWORKS
from transactions.querysets import (
    AssetQuerySet,
    ImportBatchQuerySet,
    LabelQuerySet,
    TransactionQuerySet,
    WalletQuerySet,
)
from txsite.tables import literal

MAX_INTEGER_DIGITS = 78  # a uint256 has at most 78
MAX_DECIMALS = 30

# Explorers give a live network; an off-chain asset's network is its venue.
FIAT = "fiat"


class AmountField(models.DecimalField):
    """An exact signed amount, in whole units of its asset (not in wei or satoshi).

    The column is `numeric` without a scale, since PostgreSQL would round to a scale in
    silence; constraints refuse what is too large or too fine instead.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs["max_digits"] = MAX_INTEGER_DIGITS + MAX_DECIMALS
        kwargs["decimal_places"] = MAX_DECIMALS
        super().__init__(**kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs

    def db_type(self, connection: Any) -> str:
        return "numeric"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return (
            value
            if isinstance(value, Decimal)
            else super().get_db_prep_value(value, connection, prepared)
        )


class MinScale(models.Func):
    """How many decimals a numeric needs, trailing zeros aside."""

    function = "min_scale"
    output_field = models.IntegerField()


class TransactionType(models.TextChoices):
    """What kind of event a transaction was.

    The first five follow from its entries; the others only a source can tell.
    """

    SEND = "send"
    RECEIVE = "receive"
    SELF = "self", "Self transfer"
    TRADE = "trade"
    CALL = "call"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    REWARD = "reward"
    STAKING = "staking"
    AIRDROP = "airdrop"
    MINING = "mining"
    INTEREST = "interest"
    FORK = "fork"
    INCOME = "income"
    GIFT = "gift"
    DONATION = "donation"
    COST = "cost"
    LOST = "lost"
    FEE = "fee"
    OTHER = "other"


class Status(models.TextChoices):
    OK = "ok", "OK"
    FAILED = "failed"
    PENDING = "pending"


class Wallet(models.Model):
    """One of ours: an on-chain address, an HD wallet or an account at an exchange."""

    class Kind(models.TextChoices):
        ADDRESS = "address", "On-chain address"
        HD = "hd", "HD wallet"
        EXCHANGE = "exchange", "Exchange account"

    kind = models.CharField(max_length=8, choices=Kind)
    name = models.CharField(
        max_length=200, blank=True, validators=[one_line], help_text="An address may go without."
    )
    address = models.OneToOneField(
        Address, models.PROTECT, null=True, blank=True, related_name="wallet"
    )
    venue = models.SlugField(
        max_length=64,
        blank=True,
        help_text="Whose asset codes the account uses, such as kraken; set when it is made.",
    )
    version = models.PositiveIntegerField(default=1, editable=False)

    objects: ClassVar[WalletQuerySet] = WalletQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = [Lower("name"), "id"]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                condition=~Q(name=""),
                name="wallet_name_is_unique",
                violation_error_message="There is a wallet of this name already.",
            ),
            models.CheckConstraint(
                condition=Q(kind="address", address__isnull=False, venue="")
                | Q(kind="hd", address__isnull=True) & ~Q(name="")
                | Q(kind="exchange", address__isnull=True) & ~Q(name="") & ~Q(venue=""),
                name="wallet_identity_fits_kind",
                violation_error_message=(
                    "An on-chain wallet has an address; an HD wallet has a name; an exchange "
                    "account has a name and a venue."
                ),
            ),
            models.CheckConstraint(
                condition=Q(
                    name__regex=r"^([^[:cntrl:][:space:]]([^[:cntrl:]]*[^[:cntrl:][:space:]])?)?$"
                ),
                name="wallet_name_is_clean",
            ),
        ]

    def __str__(self) -> str:
        return self.name or (self.address.shortened if self.address else "")

    @property
    def filter_value(self) -> str:
        """What the list's `wallet` filter takes for this wallet."""
        if self.address:
            return self.address.display
        return literal(self.name)


class Asset(models.Model):
    """A coin, token, NFT or currency: known by where it lives, never by its symbol."""

    class Kind(models.TextChoices):
        NATIVE = "native", "Native coin"
        TOKEN = "token"  # noqa: S105 (a kind, not a secret)
        NFT = "nft", "NFT"
        EXCHANGE = "exchange", "At an exchange"
        FIAT = "fiat", "Currency"

    kind = models.CharField(max_length=8, choices=Kind)
    network = models.CharField(max_length=64, help_text="Network, exchange or “fiat”.")
    code = models.CharField(max_length=128, blank=True, help_text="Contract or code.")
    token_id = models.CharField(max_length=80, blank=True)
    symbol = models.CharField(max_length=100, validators=[one_line])
    name = models.CharField(max_length=200, blank=True, validators=[one_line])
    is_edited = models.BooleanField(default=False, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects: ClassVar[AssetQuerySet] = AssetQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = [Lower("symbol"), "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["network", "code", "token_id", "kind"], name="asset_is_unique"
            ),
            models.CheckConstraint(
                condition=Q(kind="native", code="", token_id="")
                | Q(kind="token", token_id="") & ~Q(code="")
                | Q(kind="nft") & ~Q(code="") & ~Q(token_id="")
                | Q(kind="exchange", token_id="") & ~Q(code="")
                | Q(kind="fiat", network=FIAT, token_id="") & ~Q(code=""),
                name="asset_identity_fits_kind",
            ),
            models.CheckConstraint(
                condition=~Q(symbol="") & ~Q(network=""), name="asset_has_symbol_and_network"
            ),
        ]
        indexes = [models.Index(Lower("symbol"), name="asset_symbol")]

    def __str__(self) -> str:
        return self.symbol

    @property
    def filter_value(self) -> str:
        """What the list's `asset` filter takes for exactly this asset."""
        return f"id:{self.pk}"


class Colour(models.TextChoices):
    """The colours a label can have; the style sheet names each for light and dark."""

    GREY = "grey"
    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREEN = "green"
    TEAL = "teal"
    BLUE = "blue"
    PURPLE = "purple"
    PINK = "pink"
    BROWN = "brown"


class Label(models.Model):
    """A word that people put on transactions."""

    name = models.CharField(max_length=100, validators=[one_line])
    colour = models.CharField(max_length=8, choices=Colour, default=Colour.GREY)
    description = models.TextField(blank=True, max_length=1_000)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects: ClassVar[LabelQuerySet] = LabelQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = [Lower("name"), "id"]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                name="label_name_is_unique",
                violation_error_message="There is a label of this name already.",
            ),
            clean_name("label"),
            models.CheckConstraint(
                condition=Q(colour__in=Colour.values), name="label_colour_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Transaction(models.Model):
    """What happened, once, however many files and wallets tell of it.

    On-chain it is known by (network, txid), off-chain by (source_wallet, external_id).
    """

    network = models.CharField(max_length=64, null=True, blank=True)
    txid = models.CharField(
        max_length=128, null=True, blank=True, validators=[RegexValidator(r"^[!-~]+$")]
    )
    source_wallet = models.ForeignKey(
        Wallet, models.PROTECT, null=True, blank=True, related_name="own_records"
    )
    external_id = models.CharField(max_length=200, null=True, blank=True)
    timestamp = models.DateTimeField(help_text="UTC; first seen, while pending.")
    status = models.CharField(max_length=7, choices=Status, default=Status.OK)
    type = models.CharField(max_length=10, choices=TransactionType)
    is_type_told = models.BooleanField(
        default=False, editable=False, help_text="A source told the type; no entries change it."
    )
    method = models.CharField(max_length=200, blank=True)
    block = models.BigIntegerField(null=True, blank=True)
    contact = models.ForeignKey(
        Contact,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="transactions",
        db_index=False,
        help_text="Set by a person; otherwise the contacts of the addresses count.",
    )
    note = models.TextField(blank=True, max_length=10_000)
    labels: "models.ManyToManyField[Label, TransactionLabel]" = models.ManyToManyField(
        Label, through="TransactionLabel", blank=True, related_name="transactions"
    )
    is_edited = models.BooleanField(
        default=False, editable=False, help_text="A person has changed note or contact."
    )
    version = models.PositiveIntegerField(default=1, editable=False)

    objects: ClassVar[TransactionQuerySet] = TransactionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-timestamp", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["network", "txid"], name="transaction_txid_is_unique"),
            models.UniqueConstraint(
                fields=["source_wallet", "external_id"], name="transaction_external_id_is_unique"
            ),
            # What the entries' (transaction, timestamp) refers to.
            models.UniqueConstraint(fields=["id", "timestamp"], name="transaction_has_one_time"),
            models.CheckConstraint(
                condition=Q(
                    network__isnull=False,
                    txid__isnull=False,
                    source_wallet__isnull=True,
                    external_id__isnull=True,
                )
                | Q(
                    network__isnull=True,
                    txid__isnull=True,
                    source_wallet__isnull=False,
                    external_id__isnull=False,
                ),
                name="transaction_has_one_identity",
            ),
            models.CheckConstraint(
                condition=Q(txid__regex=r"^[!-~]+$")
                & Q(network__regex=r"^[a-z0-9-]+$")
                & ~Q(external_id=""),
                name="transaction_identity_is_written_well",
            ),
            models.CheckConstraint(
                condition=Q(status__in=Status.values),
                name="transaction_status_is_known",
            ),
            models.CheckConstraint(
                condition=Q(type__in=TransactionType.values),
                name="transaction_type_is_known",
            ),
            models.CheckConstraint(
                condition=Q(block__isnull=True) | Q(block__gte=0), name="transaction_block"
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("note"), Value(10_000)),
                name="transaction_note_fits",
            ),
        ]
        indexes = [
            models.Index(fields=["timestamp", "id"], name="transaction_time"),
            models.Index(fields=["type", "timestamp", "id"], name="transaction_type_time"),
            models.Index(fields=["status", "timestamp", "id"], name="transaction_status_time"),
            models.Index(
                fields=["contact", "timestamp", "id"],
                condition=Q(contact__isnull=False),
                name="transaction_contact_time",
            ),
            models.Index(Lower(Left("note", 100)), "id", name="transaction_note"),
            # The search asks what it begins with.
            models.Index(
                fields=["txid"],
                opclasses=["text_pattern_ops"],
                condition=Q(txid__isnull=False),
                name="transaction_txid_begins",
            ),
            models.Index(
                fields=["external_id"],
                opclasses=["text_pattern_ops"],
                condition=Q(external_id__isnull=False),
                name="transaction_id_begins",
            ),
        ]

    def __str__(self) -> str:
        return self.txid or self.external_id or ""

    def get_absolute_url(self) -> str:
        return reverse("transaction-detail", args=[self.pk])

    @property
    def explorer_url(self) -> str | None:
        """The transaction's page at its chain's explorer, if there is one."""
        network = NETWORKS.get(self.network or "")
        return network.transaction_url(self.txid) if network and self.txid else None

    @property
    def network_name(self) -> str:
        """The network's name for people, or the exchange's."""
        if self.network:
            known = NETWORKS.get(self.network)
            return known.name if known else self.network
        return str(self.source_wallet)


class TransactionLabel(models.Model):
    """A label on a transaction."""

    transaction = models.ForeignKey(Transaction, models.CASCADE, db_index=False)
    label = models.ForeignKey(Label, models.CASCADE)
    is_imported = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="A file brought it."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["transaction", "label"], name="transaction_has_label_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.label} on {self.transaction}"


class TakenOffLabel(models.Model):
    """A label that a person took off a transaction, which no file brings back.

    Kept by the database, and gone where somebody puts the label on again, or with either of them.
    """

    transaction = models.ForeignKey(
        Transaction, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    label = models.ForeignKey(Label, models.DO_NOTHING, related_name="+", db_constraint=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["transaction", "label"], name="label_is_off_once")
        ]

    def __str__(self) -> str:
        return f"{self.label} off {self.transaction}"


# An amount to sort by. An index on the amount itself would be taken to look for single entries too,
# whose amount thousands can have.
BY_AMOUNT = models.Func("amount", function="trim_scale", output_field=AmountField())


class Entry(models.Model):
    """One movement of one asset in one wallet; a wallet's balance is the sum of its entries.

    `amount` is exact, signed and in whole units: positive came in. A fee is an entry of the
    wallet that paid it. A zero entry says which wallet saw a transaction that moved nothing
    of it. `timestamp` is the transaction's, held equal by a composite foreign key, so that
    questions about entries can be answered in the order of time.
    """

    class Kind(models.TextChoices):
        TRANSFER = "transfer"
        FEE = "fee"

    transaction = models.ForeignKey(
        Transaction, models.CASCADE, related_name="entries", db_constraint=False, db_index=False
    )
    timestamp = models.DateTimeField()
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="entries", db_index=False)
    asset = models.ForeignKey(Asset, models.PROTECT, related_name="entries", db_index=False)
    amount = AmountField()
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.TRANSFER)
    counterparty = models.ForeignKey(
        Address,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="entries",
        db_index=False,
        help_text="The address on the other side; empty when unknown.",
    )
    ordinal = models.PositiveSmallIntegerField(
        default=0, help_text="Tells genuine repeats of one movement apart."
    )
    beside = models.PositiveSmallIntegerField(
        db_default=0,
        editable=False,
        help_text="Of what is told less exactly: how many others a file tells beside it.",
    )
    is_expected = models.BooleanField(
        db_default=False,
        editable=False,
        help_text="A fee that was told while the transaction waited, and may be another.",
    )

    class Meta:
        verbose_name_plural = "entries"
        ordering = ["kind", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "transaction",
                    "wallet",
                    "asset",
                    "kind",
                    "counterparty",
                    "amount",
                    "ordinal",
                ],
                name="entry_is_unique",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(kind="transfer")
                | Q(kind="fee", amount__lte=0, counterparty__isnull=True),
                name="entry_fee_is_paid",
                violation_error_message="A fee is negative or zero and has no counterparty.",
            ),
            # NaN and infinity are larger than any number to PostgreSQL, so they fail too.
            models.CheckConstraint(
                condition=LessThan(Abs("amount"), Value(Decimal(f"1E+{MAX_INTEGER_DIGITS}")))
                & LessThanOrEqual(MinScale("amount"), Value(MAX_DECIMALS)),
                name="entry_amount_fits",
                violation_error_message=(
                    f"An amount has at most {MAX_INTEGER_DIGITS} digits before the point and "
                    f"{MAX_DECIMALS} after it."
                ),
            ),
        ]
        indexes = [
            models.Index(fields=["wallet", "timestamp", "transaction"], name="entry_wallet_time"),
            models.Index(fields=["asset", "timestamp", "transaction"], name="entry_asset_time"),
            models.Index(
                fields=["counterparty", "timestamp", "transaction"], name="entry_counterparty_time"
            ),
            models.Index(Abs("amount"), condition=Q(kind="transfer"), name="entry_size"),
            models.Index(
                *("asset", "kind", BY_AMOUNT, "timestamp", "transaction"),
                name="entry_asset_amount",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount:f} {self.asset}"


class EntrySum(models.Model):
    """The exact sum of a transaction's movements of an asset, or of its fees, where they are
    several: so that a list can be sorted by it along an index. A single entry is its own sum.

    Triggers of the entries write it, and nobody else can.
    """

    transaction = models.ForeignKey(
        Transaction, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    asset = models.ForeignKey(
        Asset, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=8, choices=Entry.Kind)
    amount = AmountField()
    timestamp = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["transaction", "asset", "kind"], name="entry_sum_is_one"
            ),
        ]
        indexes = [
            models.Index(
                *("asset", "kind", BY_AMOUNT, "timestamp", "transaction"),
                name="entry_sum_amount",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount:f} {self.asset}"


class Balance(models.Model):
    """What a wallet holds of an asset: the exact sum of its entries, which the database keeps.

    Triggers of the entries write it, and nobody else can; a row goes with its last entry. `count`
    is how many transactions it is the sum of.
    """

    wallet = models.ForeignKey(Wallet, models.DO_NOTHING, related_name="+", db_index=False)
    asset = models.ForeignKey(Asset, models.DO_NOTHING, related_name="+")
    amount = AmountField()
    count = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["wallet", "asset"], name="balance_is_one"),
        ]

    def __str__(self) -> str:
        return f"{self.amount:f} {self.asset}"


class CoveredEntry(models.Model):
    """A movement that a file told less exactly than another, which is the entry: without the other
    side, or by a token's code instead of its contract. It moves nothing. It is kept so that the
    entries depend on what files tell, and not on which came first.

    Where the entry goes because its import is taken back, the transaction is made anew. A row goes
    with whatever it refers to.
    """

    transaction = models.ForeignKey(
        Transaction, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    wallet = models.ForeignKey(Wallet, models.DO_NOTHING, related_name="+", db_constraint=False)
    asset = models.ForeignKey(Asset, models.DO_NOTHING, related_name="+", db_constraint=False)
    amount = AmountField()
    counterparty = models.ForeignKey(
        Address, models.DO_NOTHING, null=True, related_name="+", db_constraint=False
    )
    ordinal = models.PositiveSmallIntegerField(default=0)
    beside = models.PositiveSmallIntegerField(db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["transaction", "wallet", "asset", "counterparty", "amount", "ordinal"],
                name="covered_entry_is_unique",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.amount:f} {self.asset}"


class ImportBatch(models.Model):
    """A file once read. The same file may be read again, for another wallet or zone."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting for answers"
        SHOWN = "shown", "Waiting to be confirmed"
        RUNNING = "running"
        IMPORTED = "imported"
        UNDONE = "undone"
        FAILED = "failed"

    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    format = models.CharField(max_length=64, blank=True)
    options = models.JSONField(default=dict, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    made_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.RUNNING)
    error = models.TextField(blank=True)
    told = models.JSONField(default=list, blank=True, help_text="Found out from the file itself.")
    new = models.PositiveIntegerField(default=0)
    known = models.PositiveIntegerField(default=0)
    adds = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    conflict = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    content = models.BinaryField(null=True, help_text="The file, unless it is very large.")
    header = models.TextField(blank=True, help_text="The line that names the columns.")
    is_confirmed = models.BooleanField(
        default=True, help_text="It is to be imported; else only what it would do is shown."
    )
    shown = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of what was shown and then confirmed."
    )
    balances = models.JSONField(
        default=list,
        blank=True,
        help_text="What it leads to: wallet, asset, amounts before and after.",
    )
    made = models.JSONField(
        default=dict, blank=True, help_text="Table -> ids of the wallets, labels… that it made."
    )
    names = models.JSONField(
        default=dict, blank=True, help_text="Table -> the names that the file has -> ids."
    )

    objects: ClassVar[ImportBatchQuerySet] = ImportBatchQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = "import"
        ordering = ["-made_at", "-id"]

    def __str__(self) -> str:
        return self.file_name

    def get_absolute_url(self) -> str:
        return reverse("import-detail", args=[self.pk])

    @property
    def kind(self) -> str:
        """What the file is where it tells of no transactions; such a one is not taken back."""
        return {"bip329": "labels", "address-book": "address book"}.get(self.format, "")


class ImportLine(models.Model):
    """What became of one line of a file."""

    class Outcome(models.TextChoices):
        NEW = "new"
        ADDS = "adds", "Adds to a known one"
        CHANGED = "changed"
        KNOWN = "known", "Already known"
        CONFLICT = "conflict"
        REJECTED = "rejected"

    batch = models.ForeignKey(ImportBatch, models.CASCADE, related_name="lines", db_index=False)
    number = models.PositiveIntegerField(help_text="Line of the file, from 1.")
    outcome = models.CharField(max_length=8, choices=Outcome)
    detail = models.TextField(blank=True, help_text="What changed, or why not and what to do.")
    raw = models.TextField()
    transaction = models.ForeignKey(
        Transaction, models.SET_NULL, null=True, related_name="import_lines"
    )

    class Meta:
        ordering = ["batch", "number"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="import_line_is_unique")
        ]
        indexes = [models.Index(fields=["batch", "outcome", "number"], name="import_line_outcome")]

    def __str__(self) -> str:
        return f"line {self.number}: {self.outcome}"


class LabelRecord(models.Model):
    """A line of a wallet's labels (BIP-329), as it stood in the file.

    Kept for what we have no place for, for transactions that are still to come, and so that an
    export gives back what an import brought. Several lines can be about one thing.
    """

    type = models.CharField(max_length=64)
    ref = models.CharField(max_length=1_000)
    position = models.PositiveIntegerField(help_text="Among the lines about the same, from 0.")
    raw = models.TextField()

    class Meta:
        verbose_name = "label record"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["type", "ref", "position"], name="label_record_is_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.ref}"


class ToldAsset(models.Model):
    """What an import's file calls an asset. A person may call it otherwise; files that know a token
    by its code alone mean the one that some file calls so. Goes with the import that is undone."""

    batch = models.ForeignKey(ImportBatch, models.DO_NOTHING, related_name="+", db_constraint=False)
    asset = models.ForeignKey(Asset, models.DO_NOTHING, related_name="+", db_constraint=False)
    symbol = models.CharField(max_length=100, blank=True)
    name = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["asset", "batch", "symbol", "name"], name="asset_is_told_once"
            )
        ]

    def __str__(self) -> str:
        return self.symbol or self.name


class ImportMapping(models.Model):
    """How a person said that the columns of some table are to be read."""

    name = models.CharField(max_length=50, unique=True, validators=[one_line])
    mapping = models.JSONField(help_text="As in `manage.py import_transactions --mapping`.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
