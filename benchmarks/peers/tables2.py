"""django-filter and django-tables2 as documented: a FilterSet, a Table, and a view of both."""

from typing import Any

import django_filters
import django_tables2 as tables
from django.db.models import Q, QuerySet
from django_filters.views import FilterView

from contacts.models import Contact
from transactions.models import Asset, Label, Transaction, Wallet


class TransactionTable(tables.Table):
    timestamp = tables.Column(order_by=("timestamp", "id"))
    type = tables.Column(order_by=("type", "timestamp", "id"))
    status = tables.Column(order_by=("status", "timestamp", "id"))
    wallets = tables.Column(empty_values=(), orderable=False)
    amounts = tables.Column(empty_values=(), orderable=False)
    counterparties = tables.Column(empty_values=(), orderable=False)
    labels = tables.ManyToManyColumn()

    class Meta:
        model = Transaction
        fields = ["timestamp", "type", "status", "contact", "note", "txid"]
        row_attrs = {"data-id": lambda record: record.pk}
        template_name = "django_tables2/table.html"

    def render_wallets(self, record: Any) -> str:
        return ", ".join(dict.fromkeys(one.wallet.name for one in record.entries.all()))

    def render_amounts(self, record: Any) -> str:
        return ", ".join(f"{one.amount:f} {one.asset.symbol}" for one in record.entries.all())

    def render_counterparties(self, record: Any) -> str:
        others = [one.counterparty for one in record.entries.all() if one.counterparty]
        return ", ".join(one.contact.name if one.contact else one.value for one in others)


class TransactionFilter(django_filters.FilterSet):
    timestamp = django_filters.DateFromToRangeFilter()
    labels = django_filters.ModelChoiceFilter(queryset=Label.objects.all())
    wallet = django_filters.ModelChoiceFilter(
        field_name="entries__wallet", queryset=Wallet.objects.all(), distinct=True
    )
    asset = django_filters.ModelChoiceFilter(
        field_name="entries__asset", queryset=Asset.objects.all(), distinct=True
    )
    contact = django_filters.ModelChoiceFilter(
        queryset=Contact.objects.all(), method="with_contact"
    )
    q = django_filters.CharFilter(method="search", label="Search")

    class Meta:
        model = Transaction
        fields = ["type", "status"]

    def with_contact(self, queryset: QuerySet, name: str, value: Contact) -> QuerySet:
        theirs = Q(contact__isnull=True, entries__counterparty__contact=value)
        return queryset.filter(Q(contact=value) | theirs).distinct()

    def search(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(
            Q(txid__icontains=value)
            | Q(external_id__icontains=value)
            | Q(note__icontains=value)
            | Q(entries__counterparty__value__icontains=value)
        ).distinct()


class Listed(tables.SingleTableMixin, FilterView):
    model = Transaction
    table_class = TransactionTable
    filterset_class = TransactionFilter
    template_name = "benchmarks_list.html"
    table_pagination = {"per_page": 50}

    def get_queryset(self) -> QuerySet[Transaction]:
        return Transaction.objects.order_by("-timestamp", "-id")


class ListedWithRelated(Listed):
    """The same without a query for each row, as both documentations advise."""

    def get_queryset(self) -> QuerySet[Transaction]:
        related = ("labels", "entries__wallet", "entries__asset", "entries__counterparty__contact")
        return super().get_queryset().select_related("contact").prefetch_related(*related)
