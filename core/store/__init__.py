"""The one SQLite database of a workspace: schema, migrations, and one module for each noun. All SQL lives here."""
