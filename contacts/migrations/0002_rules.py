from django.db import migrations

from txsite.triggers import raise_version


class Migration(migrations.Migration):
    """Rules that hold whoever writes: `version` counts what people edit."""

    dependencies = [("contacts", "0001_initial")]

    operations = [
        raise_version("contacts_contact", ("name", "note")),
        raise_version("contacts_address", ("family", "value", "contact_id")),
    ]
