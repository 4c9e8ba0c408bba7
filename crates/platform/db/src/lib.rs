//! SQLite and PostgreSQL behind one statement type, typed rows and migrations.
