import unittest

from parcels.weights import postage


class PostageTest(unittest.TestCase):
    def test_steps(self):
        self.assertEqual([postage(500), postage(501)], [290, 450])

    def test_too_heavy(self):
        with self.assertRaises(ValueError):
            postage(5001)


if __name__ == "__main__":
    unittest.main()
