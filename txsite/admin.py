"""What every table of the ledger has in the admin: versions, races and bad searches."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList, ChangeListSearchForm
from django.core.validators import MaxLengthValidator
from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.functions import Lower
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from txsite.freshness.revisions import current_revision
from txsite.versions import VersionedForm, again_when_raced

MAX_SEARCH = 200
MAX_MERGED = 50
BY_NAME = (Lower("name"), "pk")

admin.site.site_title = admin.site.site_header = "txsite"
admin.site.index_title = "Ledger"


class SearchForm(ChangeListSearchForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[SEARCH_VAR].validators.append(MaxLengthValidator(MAX_SEARCH))


def is_searchable(text: str) -> bool:
    return "\0" not in text and len(text) <= MAX_SEARCH


class LedgerChangeList(ChangeList):
    """The admin's list, in which a search or filter that cannot be read shows no rows."""

    search_form_class = SearchForm

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet:
        if not SearchForm(request.GET).is_valid():
            return self.root_queryset.none()
        try:
            if any("\0" in value for values in request.GET.lists() for value in values[1]):
                raise IncorrectLookupParameters("NUL")
            return super().get_queryset(request, exclude_parameters)
        except IncorrectLookupParameters:
            messages.error(request, "This filter cannot be read, so nothing is shown.")
            return self.root_queryset.none()


class LedgerAdmin(admin.ModelAdmin):
    """A table whose rows are edited by the rules of the ledger's own pages.

    The form carries the version and compares it, only changed fields are written, and what
    another writer did at the same moment is a form error. Subclasses name their `fields`.
    """

    form: type[ModelForm] = VersionedForm
    exclude = ["version"]  # the model's, which nobody edits; the form's own hidden one stays
    show_full_result_count = False
    list_per_page = 50

    class Media:
        css = {"all": ["txsite/admin.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LedgerChangeList

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        """Only what our filters and links ask; any other could be made to fail or to search."""
        return lookup.rpartition("__")[2] in {"exact", "isnull", "isempty"} and (
            super().lookup_allowed(lookup, value, request)
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if not is_searchable(search_term):
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = list(super().get_fieldsets(request, obj))
        if obj and self.has_change_permission(request, obj):
            fieldsets.append((None, {"fields": ["version"]}))
        return fieldsets

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Model | None:
        """The row; one that is to be changed stays locked until the change is committed."""
        row = super().get_object(request, object_id, from_field)
        if row is None or request.method != "POST" or not connection.in_atomic_block:
            return row
        rows = self.get_queryset(request).select_for_update(of=("self",), no_key=True)
        return rows.filter(pk=row.pk).first()

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if not all(pk.isascii() and pk.isdigit() and len(pk) < 19 for pk in chosen):
            messages.error(request, "These rows cannot be read. Choose them again.")
            return HttpResponseRedirect(request.get_full_path())
        return self._answer(super().changelist_view, request, *args, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._answer(super().changeform_view, request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._answer(super().delete_view, request, *args, **kwargs)

    def _answer(self, view: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The view's; to a change that is refused with the revision before it was compared.

        Such a page shows the ledger as of that change or later.
        """
        if request.method != "POST":
            return view(request, *args, **kwargs)
        before = current_revision()
        response = again_when_raced(view)(request, *args, **kwargs)
        if isinstance(response, TemplateResponse):
            request.revision = before  # type: ignore[attr-defined]
        return response

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.save(update_fields=form.changed_fields if change else None)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        # A row that this one refers to may be gone by now: found out before anything is told.
        connection.check_constraints()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        connection.check_constraints()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        super().delete_queryset(request, queryset)
        connection.check_constraints()


class MergingAdmin(LedgerAdmin):
    """A table of named rows of which several can be merged into one, losing no link.

    Subclasses name the field whose texts are joined, and say and do what moves.
    """

    actions = ["merge"]
    joined_field = ""

    def what_moves(self, row: Any) -> str:
        """What belongs to a row and would move, in words."""
        raise NotImplementedError

    def move(self, others: list[Any], kept: Any) -> None:
        """Give all that belongs to the others to the row that is kept."""
        raise NotImplementedError

    def has_merge_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request) and self.has_delete_permission(request)

    @admin.action(permissions=["merge"], description="Merge the chosen %(verbose_name_plural)s")
    def merge(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        """Ask which row is kept, telling what moves; then merge."""
        if not 2 <= queryset.count() <= MAX_MERGED:
            messages.error(request, f"Choose 2 to {MAX_MERGED} of them to merge.")
            return None
        if "keep" not in request.POST:
            return self.ask(request, queryset)
        # Held in the order, and first as hard, as the ledger's pages hold what they link to.
        rows = list(queryset.order_by(*BY_NAME).select_for_update(of=("self",), no_key=True))
        kept = next((row for row in rows if str(row.pk) == request.POST["keep"]), None)
        if kept is None or set(request.POST.getlist("seen")) != {seen(row) for row in rows}:
            return self.ask(request, queryset, "They have changed since you chose. Look again.")
        others = [row for row in rows if row is not kept]
        text = self.joined(kept, others)
        if len(text) > self.longest:
            told = f"The texts have {len(text):,} characters together, of {self.longest:,} at most."
            return self.ask(request, queryset, f"{told} Shorten one of them first.")
        self.merge_into(request, kept, others, text)
        return None

    def merge_into(self, request: HttpRequest, kept: Any, others: list[Any], text: str) -> None:
        gone = self.model._default_manager.filter(pk__in=[row.pk for row in others])
        # Now nobody can link anything to those that go.
        list(gone.order_by(*BY_NAME).select_for_update())
        for row in others:
            told = f"“{row}” ({self.what_moves(row)})"
            self.log_change(request, kept, f"Merged {told} into this.")
            self.log_deletions(request, gone.filter(pk=row.pk))
        self.move(others, kept)
        setattr(kept, self.joined_field, text)
        kept.save(update_fields=[self.joined_field])
        gone.delete()
        connection.check_constraints()
        names = ", ".join(f"“{row}”" for row in others)
        self.message_user(request, f"Merged {names} into “{kept}”.", messages.SUCCESS)

    @property
    def longest(self) -> int:
        return self.model._meta.get_field(self.joined_field).max_length

    def joined(self, kept: Any, others: list[Any]) -> str:
        """Every text, once, the kept row's first."""
        texts = [getattr(row, self.joined_field) for row in (kept, *others)]
        return "\n\n".join(dict.fromkeys(text for text in texts if text))

    def ask(self, request: HttpRequest, queryset: QuerySet, error: str = "") -> HttpResponse:
        rows = queryset.order_by(*BY_NAME)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Merge {self.opts.verbose_name_plural}",
            "opts": self.opts,
            "rows": [(row, seen(row), self.what_moves(row)) for row in rows],
            "joined_field": self.joined_field,
            "checkbox": ACTION_CHECKBOX_NAME,
            "error": error,
        }
        status = 409 if error else 200
        return TemplateResponse(request, "admin/merge.html", context, status=status)


def seen(row: Any) -> str:
    """A row as a person had it before them."""
    return f"{row.pk}:{row.version}"
