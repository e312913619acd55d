"""The ledger in the admin: labels first, transactions read-mostly, imports to look at."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Lower
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from contacts.forms import MAX_NAME, NameField, NoteField
from contacts.tables import counted, literal, transactions_url
from transactions.amounts import format_amount
from transactions.forms import MAX_LABEL
from transactions.imports.formats.generic import MAX_DESCRIPTION
from transactions.models import (
    Asset,
    Entry,
    ImportBatch,
    ImportLine,
    ImportMapping,
    Label,
    Transaction,
    TransactionLabel,
    Wallet,
)
from txsite.admin import LedgerAdmin, MergingAdmin
from txsite.versions import VersionedForm

TOLD_BY_FILES = [
    "time",
    "status",
    "type",
    "method",
    "network",
    "txid",
    "block",
    "source_wallet",
    "external_id",
    "is_edited",
]
MOVEMENT = ["wallet", "kind", "exact_amount", "asset", "counterparty"]


class ReadOnly:
    """Nobody adds, changes or deletes these in the admin."""

    form: type[forms.ModelForm] = forms.ModelForm

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LabelForm(VersionedForm):
    name = NameField(max_length=MAX_LABEL)
    description = NoteField(max_length=MAX_DESCRIPTION)

    class Meta:
        model = Label
        fields = ["name", "colour", "description"]

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        same = Label.objects.named(name).exclude(pk=self.instance.pk).first()
        if same:
            raise forms.ValidationError(f"There is a label “{same}” already.")
        return name


def swatch(label: Label) -> SafeString:
    return format_html('<span class="chip colour-{}"><bdi>{}</bdi></span>', label.colour, label)


@admin.register(Label)
class LabelAdmin(MergingAdmin):
    form = LabelForm
    fields = ["name", "colour", "description"]
    radio_fields = {"colour": admin.HORIZONTAL}
    search_fields = ["name", "description"]
    list_display = ["label", "description", "transaction_count"]
    list_filter = ["colour"]
    joined_field = "description"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Label]:
        of_one = TransactionLabel.objects.filter(label=OuterRef("pk")).values("label")
        count = Subquery(of_one.annotate(figure=Count("pk")).values("figure"))
        return super().get_queryset(request).annotate(transaction_count=Coalesce(count, 0))

    @admin.display(ordering=Lower("name"))
    def label(self, record: Label) -> SafeString:
        return swatch(record)

    @admin.display(description="transactions", ordering="transaction_count")
    def transaction_count(self, record: Any) -> SafeString:
        return counted(record.transaction_count, label=literal(record.name))

    def what_moves(self, row: Any) -> str:
        return f"{row.transaction_count} transactions"

    def move(self, others: list[Any], kept: Any) -> None:
        """Every transaction keeps a label; one that had both has the kept one once."""
        for other in others:
            has_kept = TransactionLabel.objects.filter(label=kept).values("transaction")
            links = TransactionLabel.objects.filter(label=other)
            links.exclude(transaction__in=has_kept).update(label=kept)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The labels with a count: a label may be on more transactions than a page can list."""
        labels = list(self.get_queryset(request).filter(pk__in=[label.pk for label in objs]))
        told = [f"{label}, which is on {self.what_moves(label)}" for label in labels]
        perms_needed = set() if self.has_delete_permission(request) else {"label"}
        return told, {"labels": len(labels)}, perms_needed, []


class TransactionForm(VersionedForm):
    """What people say about a transaction. Labels merge; note and contact are compared."""

    chosen_labels = forms.ModelMultipleChoiceField(
        Label.objects.all(),
        label="Labels",
        required=False,
        show_hidden_initial=True,  # the set that the person saw
        widget=AutocompleteSelectMultiple(Transaction._meta.get_field("labels"), admin.site),
    )
    note = NoteField()

    class Meta:
        model = Transaction
        fields = ["contact", "note"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["chosen_labels"] = list(self.instance.labels.all())

    def change_labels(self) -> None:
        """Add and remove against the set that the person saw, so that edits merge."""
        field = self.fields["chosen_labels"]
        seen = field.hidden_widget().value_from_datadict(
            self.data, self.files, self.add_initial_prefix("chosen_labels")
        )
        before = {int(pk) for pk in seen or [] if pk.isdecimal()}
        after = {label.pk for label in self.cleaned_data["chosen_labels"]}
        TransactionLabel.objects.bulk_create(
            [TransactionLabel(transaction=self.instance, label_id=pk) for pk in after - before],
            ignore_conflicts=True,
        )
        TransactionLabel.objects.filter(
            transaction=self.instance, label__in=before - after
        ).delete()


class EntryInline(ReadOnly, admin.TabularInline):
    model = Entry
    fields = [*MOVEMENT]
    readonly_fields = MOVEMENT

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        entries = super().get_queryset(request)
        return entries.select_related("wallet__address", "asset", "counterparty")

    @admin.display(description="amount")
    def exact_amount(self, record: Entry) -> str:
        return format_amount(record.amount)


@admin.register(Transaction)
class TransactionAdmin(LedgerAdmin):
    """Files tell what happened; people say what it was. Only a superuser may delete."""

    form = TransactionForm
    fields = ["chosen_labels", "contact", "note", *TOLD_BY_FILES]
    readonly_fields = TOLD_BY_FILES
    autocomplete_fields = ["contact"]
    inlines = [EntryInline]
    search_fields = ["txid", "external_id", "note", "contact__name"]
    search_help_text = "Transaction id, note or contact"
    list_display = ["time", "shortened", "type", "status", "chosen_labels", "contact", "note"]
    list_filter = ["type", "status", "is_edited"]
    list_select_related = ["contact"]
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transaction]:
        return super().get_queryset(request).prefetch_related("labels")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        rights = ("transactions.add_transactionlabel", "transactions.delete_transactionlabel")
        may_label = request.user.has_perms(rights)
        return TOLD_BY_FILES if may_label else ["chosen_labels", *TOLD_BY_FILES]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        if "chosen_labels" in form.fields:
            form.change_labels()
        super().save_related(request, form, formsets, change)

    @admin.display(description="time (UTC)", ordering="timestamp")
    def time(self, record: Transaction) -> str:
        return record.timestamp.strftime("%Y-%m-%d %H:%M:%S")

    @admin.display(description="labels")
    def chosen_labels(self, record: Transaction) -> SafeString:
        return format_html_join(" ", "{}", ((swatch(label),) for label in record.labels.all()))

    @admin.display(description="transaction")
    def shortened(self, record: Transaction) -> SafeString:
        return format_html('<span title="{}">{}</span>', record, f"{str(record)[:14]}…")


class WalletForm(VersionedForm):
    name = NameField(max_length=MAX_NAME, required=False, help_text="An address may go without.")

    class Meta:
        model = Wallet
        fields = ["kind", "name", "address", "venue"]


@admin.register(Wallet)
class WalletAdmin(LedgerAdmin):
    """Wallets of ours: what one is stays as it was made, its name may change."""

    form = WalletForm
    autocomplete_fields = ["address"]
    fields = ["kind", "name", "address", "venue"]
    search_fields = ["name", "address__value", "venue"]
    list_display = ["__str__", "kind", "venue", "address", "transactions"]
    list_filter = ["kind"]
    list_select_related = ["address"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["kind", "address", "venue"] if obj else []

    def transactions(self, record: Wallet) -> SafeString:
        return link_to_list(wallet=record.filter_value)


@admin.register(Asset)
class AssetAdmin(LedgerAdmin):
    """Assets: an asset is known by where it lives; how it is called may change."""

    fields = ["symbol", "name", "kind", "network", "code", "token_id"]
    search_fields = ["symbol", "name", "code"]
    list_display = ["symbol", "name", "kind", "network", "code", "transactions"]
    list_filter = ["kind"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["kind", "network", "code", "token_id"] if obj else []

    def transactions(self, record: Asset) -> SafeString:
        return link_to_list(asset=record.filter_value)


def link_to_list(**filters: str) -> SafeString:
    return format_html('<a href="{}">show</a>', transactions_url(**filters))


@admin.register(ImportBatch)
class ImportBatchAdmin(ReadOnly, LedgerAdmin):
    """Files that were read. Their lines are kept, so only an import without any can go."""

    list_display = [
        "file_name",
        "made_at",
        "made_by",
        "status",
        "new",
        "known",
        "changed",
        "rejected",
        "lines",
    ]
    list_filter = ["status"]
    list_select_related = ["made_by"]
    search_fields = ["file_name", "sha256"]
    exclude = ["content"]
    readonly_fields = ["made_at"]
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImportBatch]:
        return super().get_queryset(request).defer("content")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser and (obj is None or not obj.lines.exists())

    def lines(self, record: ImportBatch) -> SafeString:
        return format_html(
            '<a href="{}?batch__id__exact={}">lines</a>',
            reverse("admin:transactions_importline_changelist"),
            record.pk,
        )


@admin.register(ImportLine)
class ImportLineAdmin(ReadOnly, LedgerAdmin):
    list_display = ["batch", "number", "outcome", "detail", "transaction"]
    list_display_links = ["number"]
    list_filter = ["outcome"]
    list_select_related = ["batch", "transaction"]
    search_fields = ["detail", "raw"]
    fields = ["batch", "number", "outcome", "detail", "raw", "transaction"]
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImportLine]:
        return super().get_queryset(request).defer("batch__content")


@admin.register(ImportMapping)
class ImportMappingAdmin(ReadOnly, LedgerAdmin):
    """How columns of unknown tables are read; made on the page of an import that knows none."""

    list_display = ["name"]
    fields = ["name", "mapping"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("transactions.delete_importmapping")
