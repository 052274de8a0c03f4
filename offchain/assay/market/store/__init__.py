"""The market's database: tables, migrations, rows that know how to be undone."""
