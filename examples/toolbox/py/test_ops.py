"""Shapes have their sizes."""

import unittest

import ops


class SizeTest(unittest.TestCase):
    """Sizes."""

    def test_a_shape_has_its_size(self) -> None:
        """Rows by columns."""
        self.assertEqual(ops.size(3, 4), 12)
