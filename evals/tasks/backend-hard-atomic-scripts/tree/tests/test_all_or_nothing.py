import unittest

from depot.database import connect
from depot.migrations import MigrationFailed, applied, migrate


class AllOrNothingTest(unittest.TestCase):
    def test_a_script_that_fails_can_be_mended(self):
        connection = connect()
        broken = "CREATE TABLE nuts (id INTEGER); CREATE TABEL bolts (id INTEGER);"
        with self.assertRaises(MigrationFailed):
            migrate(connection, [("0001_nuts", broken)])
        self.assertEqual(applied(connection), [])
        self.assertEqual(migrate(connection, [("0001_nuts", broken.replace("TABEL", "TABLE"))]), ["0001_nuts"])


if __name__ == "__main__":
    unittest.main()
