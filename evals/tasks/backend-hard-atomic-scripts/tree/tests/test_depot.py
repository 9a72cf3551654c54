import unittest
from pathlib import Path

from depot.database import connect
from depot.imports import ImportFailed, import_script
from depot.migrations import MigrationFailed, applied, migrate, pending
from depot.scripts import read_scripts
from depot.stock import move, pieces_of

SCRIPTS = Path(__file__).parent.parent / "scripts"


class DepotTest(unittest.TestCase):
    def setUp(self):
        self.connection = connect()
        migrate(self.connection, read_scripts(SCRIPTS))

    def test_scripts_run_once(self):
        self.assertEqual(applied(self.connection), ["0001_parts", "0002_log"])
        self.assertEqual(pending(self.connection, read_scripts(SCRIPTS)), [])
        self.assertEqual(migrate(self.connection, read_scripts(SCRIPTS)), [])

    def test_import_and_move(self):
        import_script(
            self.connection,
            "INSERT INTO parts VALUES (1, 'bolt; M4');\nINSERT INTO stock VALUES (1, 'A', 10) -- ten; not more",
        )
        move(self.connection, 1, "A", "B", 10)
        self.assertEqual(pieces_of(self.connection, 1), 10)
        self.assertEqual(self.connection.execute("SELECT shelf FROM stock").fetchall(), [("B",)])

    def test_names_of_failures(self):
        with self.assertRaisesRegex(MigrationFailed, "^0003_nuts: "):
            migrate(self.connection, [("0003_nuts", "CREATE TABLE parts (id INTEGER)")])
        with self.assertRaises(ImportFailed):
            import_script(self.connection, "INSERT INTO nuts VALUES (1)")


if __name__ == "__main__":
    unittest.main()
