from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transactions", "0014_told_less_exactly")]

    operations = [
        migrations.AddField(
            model_name="coveredentry",
            name="beside",
            field=models.PositiveSmallIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="entry",
            name="beside",
            field=models.PositiveSmallIntegerField(
                db_default=0,
                editable=False,
                help_text="Of what is told less exactly: how many others a file tells beside it.",
            ),
        ),
    ]
