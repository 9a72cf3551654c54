-- Parts; their names are unique.
CREATE TABLE parts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE stock (
    part_id INTEGER NOT NULL REFERENCES parts (id) ON DELETE CASCADE,
    shelf TEXT NOT NULL,
    pieces INTEGER NOT NULL CHECK (pieces >= 0),
    PRIMARY KEY (part_id, shelf)
);
