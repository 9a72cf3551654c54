CREATE TABLE changes (
    part_id INTEGER NOT NULL,
    shelf TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT 'changed; see shelf'
);
CREATE TRIGGER log_changes AFTER UPDATE ON stock
BEGIN
    INSERT INTO changes (part_id, shelf) VALUES (NEW.part_id, NEW.shelf);
    DELETE FROM stock WHERE pieces = 0 AND part_id = NEW.part_id AND shelf = NEW.shelf;
END;
