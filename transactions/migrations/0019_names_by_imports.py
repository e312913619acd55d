from django.db import migrations

from txsite.triggers import spare_capitals


class Migration(migrations.Migration):
    """Imports may write a name in other capitals, which is no edit."""

    dependencies = [("transactions", "0018_sums_of_entries")]

    operations = [
        spare_capitals("transactions_wallet", ("name", "kind", "address_id", "venue")),
        spare_capitals("transactions_label", ("name", "colour", "description")),
    ]
