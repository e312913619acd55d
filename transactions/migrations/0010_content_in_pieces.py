from django.db import migrations


class Migration(migrations.Migration):
    """A file's pieces are read without reading all of it: it is not compressed."""

    dependencies = [("transactions", "0009_mappings_revisions")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE transactions_importbatch ALTER COLUMN content SET STORAGE EXTERNAL",
            "ALTER TABLE transactions_importbatch ALTER COLUMN content SET STORAGE EXTENDED",
        )
    ]
