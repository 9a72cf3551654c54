"""What lies where."""


def pieces_of(connection, part):
    row = connection.execute("SELECT COALESCE(SUM(pieces), 0) FROM stock WHERE part_id = ?", (part,)).fetchone()
    return row[0]


def move(connection, part, from_shelf, to_shelf, pieces):
    """Carry pieces of a part from one shelf to another."""
    with connection:
        taken = connection.execute(
            "UPDATE stock SET pieces = pieces - ? WHERE part_id = ? AND shelf = ? AND pieces >= ?",
            (pieces, part, from_shelf, pieces),
        )
        if taken.rowcount == 0:
            raise ValueError(f"there are not {pieces} pieces on shelf {from_shelf}")
        connection.execute(
            "INSERT INTO stock (part_id, shelf, pieces) VALUES (?, ?, ?)"
            " ON CONFLICT (part_id, shelf) DO UPDATE SET pieces = pieces + excluded.pieces",
            (part, to_shelf, pieces),
        )
