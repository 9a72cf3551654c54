PARTS = """
CREATE TABLE parts (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE stock (part_id INTEGER NOT NULL REFERENCES parts (id) ON DELETE CASCADE, pieces INTEGER NOT NULL);
INSERT INTO parts VALUES (1, 'bolt'), (2, 'nut');
INSERT INTO stock VALUES (1, 10), (2, 20);
"""
BUILT_ANEW = """
CREATE TABLE parts_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, weight INTEGER NOT NULL DEFAULT 1);
INSERT INTO parts_new (id, name) SELECT id, name FROM parts;
DROP TABLE parts;
ALTER TABLE parts_new RENAME TO parts;
"""
TRANSACTIONS = (
    "BEGIN",
    "begin immediate",
    "COMMIT",
    "commit transaction",
    "END",
    "ROLLBACK",
    "SAVEPOINT a",
    "RELEASE a",
)


class Depot:
    """An empty database, and what is done to it."""

    def __init__(self, project):
        self.connection = project.module("depot.database").connect(":memory:")
        self._migrations, self._imports = project.module("depot.migrations"), project.module("depot.imports")
        self.MigrationFailed, self.ImportFailed = self._migrations.MigrationFailed, self._imports.ImportFailed

    def migrate(self, *scripts):
        return self._migrations.migrate(self.connection, [list(script) for script in scripts])

    def load(self, sql):
        self._imports.import_script(self.connection, sql)

    def rows(self, query):
        return self.connection.execute(query).fetchall()

    def applied(self):
        return self.rows("SELECT name FROM schema_migrations ORDER BY name")

    def state(self):
        """What the database holds, of tables that these tests make."""
        schema = self.rows("SELECT type, name, sql FROM sqlite_master ORDER BY type, name")
        kept = ("parts", "stock", "nuts", "schema_migrations")
        present = [name for kind, name, _ in schema if kind == "table" and name in kept]
        return schema, {name: self.rows(f"SELECT * FROM {name} ORDER BY 1") for name in present}

    def check_closed(self):
        in_transaction = self.connection.in_transaction
        assert in_transaction is False

    def keys(self):
        return self.rows("PRAGMA foreign_keys")[0][0]

    def check_fails(self, raises, sql):
        """The script fails, as a migration and as an import, and changes nothing."""
        before, keys = self.state(), self.keys()
        with raises(self.MigrationFailed) as caught:
            self.migrate(["0009_fails", sql])
        assert str(caught.value).startswith("0009_fails: ")
        self.check_closed()
        assert self.state() == before, sql
        with raises(self.ImportFailed):
            self.load(sql)
        self.check_closed()
        assert self.state() == before, sql
        assert self.keys() == keys


def filled(project):
    depot = Depot(project)
    assert depot.migrate(["0001_parts", PARTS]) == ["0001_parts"]
    return depot


def test_a_failing_script_leaves_nothing(project, raises):
    depot = filled(project)
    statements = (
        "CREATE TABLE nuts (id INTEGER)",
        "INSERT INTO parts VALUES (3, 'disc')",
        "UPDATE stock SET pieces = 0",
        "DELETE FROM parts",
        "ALTER TABLE parts ADD COLUMN weight INTEGER",
        "CREATE INDEX by_name ON parts (name)",
    )
    for failing in (
        "INSERT INTO parts VALUES (1, 'again')",
        "CREATE TABEL discs (id INTEGER)",
        "SELECT nothing FROM parts",
    ):
        depot.check_fails(raises, ";\n".join((*statements, failing)) + ";")
        depot.check_fails(raises, ";\n".join((*statements, failing, "DROP TABLE stock")))


def test_migrations_before_a_failing_one_stay(project, raises):
    depot = Depot(project)
    scripts = [
        ["0001_parts", PARTS],
        ["0002_broken", "CREATE TABLE nuts (id); DROP TABLE bolts;"],
        ["0003_c", "CREATE TABLE c (x)"],
    ]
    with raises(depot.MigrationFailed):
        depot.migrate(*scripts)
    assert depot.applied() == [("0001_parts",)]
    scripts[1][1] = "CREATE TABLE nuts (id);"
    assert depot.migrate(*scripts) == ["0002_broken", "0003_c"]
    assert depot.applied() == [("0001_parts",), ("0002_broken",), ("0003_c",)]
    assert depot.migrate(*scripts) == []
    depot.check_closed()


def test_imports_are_all_or_nothing(project, raises):
    depot = filled(project)
    with raises(depot.ImportFailed):
        depot.load("INSERT INTO parts VALUES (3, 'disc'); INSERT INTO stock VALUES (3, NULL);")
    assert depot.rows("SELECT id FROM parts ORDER BY id") == [(1,), (2,)]
    depot.load("INSERT INTO parts VALUES (3, 'disc'); INSERT INTO stock VALUES (3, 5)")
    depot.check_closed()
    depot.connection.rollback()
    assert depot.rows("SELECT pieces FROM stock WHERE part_id = 3") == [(5,)]


def test_triggers_texts_and_comments(project):
    depot = filled(project)
    sql = """
    -- Notes; with a semicolon, and it's an apostrophe
    CREATE TABLE notes (part INTEGER, "note; begin" TEXT DEFAULT 'a; b -- c');
    /* a trigger; of two
       statements; */
    CREATE TRIGGER note_changes AFTER UPDATE ON stock
    BEGIN
        INSERT INTO notes VALUES (NEW.part_id, CASE WHEN NEW.pieces > 5 THEN 'many; it''s so' ELSE 'few' END);
        UPDATE parts SET name = name || '; changed' WHERE id = NEW.part_id;
    END;
    INSERT INTO notes (part) VALUES (7); ;
    UPDATE stock SET pieces = 3 WHERE part_id = 2 -- the end; no semicolon
    """
    assert depot.migrate(["0002_notes", sql]) == ["0002_notes"]
    assert depot.rows("SELECT * FROM notes ORDER BY part") == [(2, "few"), (7, "a; b -- c")]
    depot.load("UPDATE stock SET pieces = 9 WHERE part_id = 1; /* that; is all */")
    assert depot.rows("SELECT * FROM notes WHERE part = 1") == [(1, "many; it's so")]
    assert depot.rows("SELECT name FROM parts ORDER BY id") == [("bolt; changed",), ("nut; changed",)]


def test_scripts_without_statements(project):
    depot = Depot(project)
    scripts = [["0001_a", ""], ["0002_b", "-- nothing; yet"], ["0003_c", "/* nothing */\n;\n"], ["0004_d", " \n"]]
    assert depot.migrate(*scripts) == ["0001_a", "0002_b", "0003_c", "0004_d"]
    for _, sql in scripts:
        depot.load(sql)
    depot.check_closed()


def test_scripts_have_no_transactions_of_their_own(project, raises):
    depot = filled(project)
    for statement in TRANSACTIONS:
        depot.check_fails(
            raises, f"INSERT INTO parts VALUES (3, 'disc'); {statement}; INSERT INTO stock VALUES (3, 1);"
        )
        depot.check_fails(raises, f"-- all at once\n{statement};\nINSERT INTO parts VALUES (3, 'disc');")
        depot.check_fails(raises, f"INSERT INTO parts VALUES (3, 'disc'); /* {statement} */ {statement}")
    depot.check_fails(raises, "BEGIN; INSERT INTO parts VALUES (3, 'disc'); COMMIT;")


def test_words_of_transactions_elsewhere(project):
    depot = filled(project)
    sql = """
    -- COMMIT; to this
    CREATE TABLE release (savepoint TEXT, "commit" TEXT); /* ROLLBACK; */
    INSERT INTO release VALUES ('BEGIN; COMMIT; END;', 'ROLLBACK;');
    CREATE TRIGGER guard BEFORE DELETE ON release
    BEGIN
        SELECT RAISE(ROLLBACK, 'kept');
    END;
    CREATE TABLE unique_names (name TEXT UNIQUE ON CONFLICT ROLLBACK);
    """
    assert depot.migrate(["0002_words", sql]) == ["0002_words"]
    depot.load("INSERT INTO release VALUES ('commit', 'end')")
    assert depot.rows("SELECT * FROM release ORDER BY savepoint") == [
        ("BEGIN; COMMIT; END;", "ROLLBACK;"),
        ("commit", "end"),
    ]


def test_failures_that_end_the_transaction_themselves(project, raises):
    depot = filled(project)
    depot.check_fails(
        raises, "INSERT INTO parts VALUES (3, 'disc'); INSERT OR ROLLBACK INTO parts VALUES (1, 'again');"
    )


def test_tables_can_be_built_anew(project):
    depot = filled(project)
    assert depot.migrate(["0002_weights", BUILT_ANEW]) == ["0002_weights"]
    assert depot.rows("SELECT * FROM parts ORDER BY id") == [(1, "bolt", 1), (2, "nut", 1)]
    assert depot.rows("SELECT * FROM stock ORDER BY part_id") == [(1, 10), (2, 20)]
    assert depot.keys() == 1
    with_pragmas = f"PRAGMA foreign_keys = OFF; {BUILT_ANEW} PRAGMA foreign_keys = ON;"
    assert depot.migrate(["0003_again", with_pragmas]) == ["0003_again"]
    assert depot.rows("SELECT * FROM stock ORDER BY part_id") == [(1, 10), (2, 20)]
    assert depot.keys() == 1


def test_rows_that_refer_to_nothing(project, raises):
    depot = filled(project)
    before = depot.state()
    for sql in ("DELETE FROM parts WHERE id = 2;", "INSERT INTO stock VALUES (9, 1)", "DROP TABLE parts"):
        with raises(depot.MigrationFailed):
            depot.migrate(["0002_breaks", sql])
        depot.check_closed()
        assert depot.state() == before, sql
        assert depot.keys() == 1
    # In the end everything is there.
    assert depot.migrate(["0002_mended", "INSERT INTO stock VALUES (9, 1); INSERT INTO parts VALUES (9, 'pin')"]) == [
        "0002_mended"
    ]


def test_foreign_keys_are_as_before(project, raises):
    depot = filled(project)
    for switch, value in (("OFF", 0), ("ON", 1)):
        depot.connection.execute(f"PRAGMA foreign_keys = {switch}")
        depot.migrate([f"0002_{value}", f"CREATE TABLE t{value} (x)"])
        assert depot.keys() == value
        with raises(depot.MigrationFailed):
            depot.migrate([f"0003_{value}", "CREATE TABLE nuts (x); nonsense"])
        assert depot.keys() == value
        with raises(depot.MigrationFailed):
            depot.migrate([f"0003_{value}", "INSERT INTO stock VALUES (9, 1)"])
        assert depot.keys() == value


def test_imports_mind_foreign_keys(project, raises):
    depot = filled(project)
    with raises(depot.ImportFailed):
        depot.load("INSERT INTO parts VALUES (3, 'disc'); INSERT INTO stock VALUES (9, 1);")
    assert depot.rows("SELECT id FROM parts ORDER BY id") == [(1,), (2,)]
    depot.load("DELETE FROM parts WHERE id = 1")
    assert depot.rows("SELECT part_id FROM stock") == [(2,)]
    depot.connection.execute("PRAGMA foreign_keys = OFF")
    depot.load("DELETE FROM parts WHERE id = 2")
    assert depot.rows("SELECT part_id FROM stock") == [(2,)]
    assert depot.keys() == 0


def test_a_row_that_cannot_be_written(project, raises):
    depot = filled(project)
    guard = """
    CREATE TRIGGER freeze BEFORE INSERT ON schema_migrations WHEN NEW.name > '0005'
    BEGIN
        SELECT RAISE(ABORT, 'frozen');
    END;
    """
    assert depot.migrate(["0002_freeze", guard]) == ["0002_freeze"]
    before = depot.state()
    with raises(depot.MigrationFailed):
        depot.migrate(["0006_nuts", "CREATE TABLE nuts (id INTEGER); DELETE FROM stock;"])
    depot.check_closed()
    assert depot.state() == before


def test_what_the_caller_has_not_committed(project, raises):
    depot = filled(project)
    depot.connection.execute("INSERT INTO parts VALUES (3, 'disc')")
    with raises(depot.MigrationFailed):
        depot.migrate(["0002_broken", "DELETE FROM stock; nonsense"])
    assert depot.rows("SELECT COUNT(*) FROM parts") == [(3,)]
    depot.connection.execute("INSERT INTO parts VALUES (4, 'pin')")
    with raises(depot.ImportFailed):
        depot.load("DELETE FROM stock; nonsense")
    depot.check_closed()
    assert depot.rows("SELECT COUNT(*) FROM parts") == [(4,)]
    assert depot.rows("SELECT COUNT(*) FROM stock") == [(2,)]


def test_the_program(project):
    good = project.run("python", "-m", "depot", "migrate", "depot.db", "scripts")
    assert (good.exit_code, good.stdout) == (0, "applied  0001_parts\napplied  0002_log\n")
    files = {"scripts/0003_broken.sql": "CREATE TABLE nuts (id INTEGER);\nCREATE TABEL bolts (id INTEGER);\n"}
    bad = project.run("python", "-m", "depot", "migrate", "depot.db", "scripts", files=files)
    assert bad.exit_code == 1
    assert bad.stderr.startswith("failed   0003_broken: ")
