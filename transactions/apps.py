from django.apps import AppConfig


class TransactionsConfig(AppConfig):
    name = "transactions"

    def ready(self) -> None:
        from transactions import checks  # noqa: F401 (it registers them)
        from transactions.imports import receipts  # noqa: F401 (it receives signals)
