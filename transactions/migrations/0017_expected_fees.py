from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transactions", "0016_labels_taken_off")]

    operations = [
        migrations.AddField(
            model_name="entry",
            name="is_expected",
            field=models.BooleanField(
                db_default=False,
                editable=False,
                help_text="A fee that was told while the transaction waited, and may be another.",
            ),
        ),
    ]
