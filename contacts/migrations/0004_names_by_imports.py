from django.db import migrations

from txsite.triggers import spare_capitals


class Migration(migrations.Migration):
    """Imports may write a name in other capitals, which is no edit."""

    dependencies = [("contacts", "0003_revisions")]

    operations = [spare_capitals("contacts_contact", ("name", "note"))]
