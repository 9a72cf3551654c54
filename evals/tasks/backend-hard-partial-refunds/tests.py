PLACED, REFUND_DAY = "2024-09-01", "2024-09-10"


class Store:
    """A store with an empty log, and the requests to it."""

    def __init__(self, project, events=()):
        module = project.module
        self._log_class = module("store.log").EventLog
        self._handlers, self._reports = module("store.handlers"), module("store.reports")
        self._picking, self._receipts = module("store.picking"), module("store.receipts")
        self.log = self._log_class(list(events))

    def order(self, *lines, discount=0, shipping=0):
        body = {
            "lines": [{"sku": sku, "quantity": quantity, "unit_cents": cents} for sku, quantity, cents in lines],
            "discount_cents": discount,
            "shipping_cents": shipping,
        }
        status, answer = self._handlers.post_order(self.log, body, PLACED)
        assert status == 201
        return answer["order"]

    def refund(self, *pieces, number=1, day=REFUND_DAY):
        """The cents that come back; without pieces, of a request without them."""
        status, answer = self.try_refund(*pieces, number=number, day=day)
        assert status == 201, answer
        assert answer["order"] == number
        return answer["refunded_cents"]

    def try_refund(self, *pieces, number=1, day=REFUND_DAY):
        body = {"pieces": [{"line": line, "quantity": quantity} for line, quantity in pieces]} if pieces else {}
        return self._handlers.post_refund(self.log, number, body, day)

    def status_of(self, body, number=1):
        return self._handlers.post_refund(self.log, number, body, REFUND_DAY)[0]

    def ship(self, number=1):
        return self._handlers.post_shipment(self.log, number, "2024-09-05")[0]

    def reload(self):
        text = self.log.dump()
        assert isinstance(text, str)
        self.log = self._log_class.load(text)

    def revenue(self, day=REFUND_DAY):
        return self._reports.revenue(self.log, day)

    def sold(self):
        return self._reports.pieces_sold(self.log)

    def to_pack(self):
        return [(number, [tuple(pair) for pair in pairs]) for number, pairs in self._picking.to_pack(self.log)]

    def receipt(self, number=1):
        """Text and amount of each row."""
        text = self._receipts.receipt(self.log, number)
        assert isinstance(text, str)
        return [tuple(row.rsplit(None, 1)) for row in text.splitlines()]


def test_piece_by_piece_adds_up(project):
    store = Store(project)
    store.order(("pen", 7, 143), discount=2)  # 999 cents were paid: 142.71 a piece
    assert [store.refund((1, 1)) for _ in range(7)] == [142, 143, 143, 142, 143, 143, 143]
    assert store.revenue() == -999


def test_amounts_do_not_depend_on_the_requests(project):
    store = Store(project)
    store.order(("pen", 7, 143), discount=2)
    assert [store.refund((1, 3)), store.refund((1, 4))] == [428, 571]


def test_the_discount_is_shared_by_the_lines(project):
    store = Store(project)
    store.order(("pen", 3, 100), ("pad", 2, 333), ("cap", 1, 34), discount=100)
    # Goods are 300, 666 and 34 cents, and so the shares 30, 67 (of 66.6) and 3 (of 3.4).
    assert store.refund((2, 1)) == 299
    assert store.refund((1, 2), (3, 1)) == 180 + 31
    assert store.refund((2, 1)) == 300
    assert store.refund((1, 1)) == 90
    assert store.revenue() == -900


def test_pieces_may_be_worth_nothing(project):
    store = Store(project)
    store.order(("bead", 3, 1), ("gift", 2, 0), discount=2)  # one cent for three beads
    assert store.refund((1, 2)) == 0
    assert store.refund((2, 2)) == 0
    assert store.sold() == {"bead": 1}
    assert store.refund((1, 1)) == 1
    assert store.status_of({}) == 409


def test_shipping_comes_back_with_the_last_piece(project):
    store = Store(project)
    store.order(("pen", 2, 100), ("pad", 1, 300), shipping=490)
    assert store.refund((1, 2)) == 200
    assert store.refund((2, 1)) == 300 + 490


def test_shipping_comes_back_when_all_is_given_back_at_once(project):
    store = Store(project)
    store.order(("pen", 2, 100), ("pad", 1, 300), shipping=490)
    assert store.refund((1, 2), (2, 1)) == 990


def test_without_pieces_the_rest_comes_back(project):
    store = Store(project)
    store.order(("pen", 7, 143), ("pad", 1, 300), discount=2, shipping=490)
    before = store.refund((1, 3))
    assert store.refund(day="2024-09-11") == 1299 + 490 - before
    assert store.revenue("2024-09-11") == before - 1789
    assert store.status_of({}) == 409


def test_whole_orders_come_back_as_before(project):
    store = Store(project)
    store.order(("pen", 7, 143), discount=2, shipping=490)
    assert store.refund() == 1489
    assert store.revenue() == -1489
    assert store.sold() == {}
    assert store.to_pack() == []
    assert store.ship() == 409
    assert store.receipt()[-1] == ("Refunded", "-14.89")


def test_what_is_refused_changes_nothing(project):
    store = Store(project)
    store.order(("pen", 3, 100), ("pad", 1, 300))
    assert store.refund((1, 1)) == 100
    before = store.log.dump()
    bad = [(0, 1), (3, 1), (-1, 1), (1, 0), (1, -1), (1, 3), (2, 2), (1, "1"), (1, 1.5)]
    for line, quantity in bad:
        entry = {"line": line, "quantity": quantity}
        assert store.status_of({"pieces": [entry]}) == 422, entry
        assert store.status_of({"pieces": [{"line": 1, "quantity": 1}, entry]}) == 422, entry
    assert store.status_of({"pieces": []}) == 422
    assert store.log.dump() == before
    assert store.status_of({"pieces": [{"line": 1, "quantity": 1}]}, number=2) == 404
    assert store.refund((1, 2)) == 200


def test_a_line_that_occurs_twice_counts_together(project):
    store = Store(project)
    store.order(("pen", 3, 100))
    assert store.try_refund((1, 2), (1, 2))[0] == 422
    assert store.sold() == {"pen": 3}
    assert store.refund((1, 1), (1, 1)) == 200
    assert store.sold() == {"pen": 1}


def test_when_nothing_is_left(project):
    store = Store(project)
    store.order(("pen", 2, 100))
    assert store.refund((1, 2)) == 200
    assert store.try_refund((1, 1))[0] == 409
    assert store.try_refund()[0] == 409


def test_refunds_count_on_their_own_days(project):
    store = Store(project)
    store.order(("pen", 4, 100), shipping=390)
    store.refund((1, 1), day="2024-09-02")
    store.refund((1, 2), day="2024-09-03")
    assert [store.revenue(day) for day in (PLACED, "2024-09-02", "2024-09-03")] == [790, -100, -200]
    store.refund((1, 1), day=PLACED)
    assert [store.revenue(day) for day in (PLACED, "2024-09-02", "2024-09-03")] == [300, -100, -200]


def test_what_is_sold(project):
    store = Store(project)
    store.order(("pen", 3, 100), ("pad", 1, 300), ("pen", 2, 90))
    store.order(("pad", 2, 300))
    store.refund((1, 1), (2, 1))
    assert store.sold() == {"pen": 4, "pad": 2}
    store.refund((1, 2), number=2)
    assert store.sold() == {"pen": 4}


def test_what_is_to_be_packed(project):
    store = Store(project)
    store.order(("pen", 3, 100), ("pad", 1, 300), ("cap", 2, 50))
    store.order(("pad", 2, 300))
    store.refund((1, 1), (2, 1))
    assert store.to_pack() == [(1, [("pen", 2), ("cap", 2)]), (2, [("pad", 2)])]
    store.refund((1, 2), number=2)
    assert store.to_pack() == [(1, [("pen", 2), ("cap", 2)])]


def test_shipments(project):
    store = Store(project)
    store.order(("pen", 3, 100))
    store.order(("pen", 3, 100))
    store.refund((1, 1))
    assert store.ship() == 201
    assert store.to_pack() == [(2, [("pen", 3)])]
    for _ in range(3):
        store.refund((1, 1), number=2)
    assert store.ship(2) == 409
    assert store.refund((1, 2)) == 200


def test_receipts(project):
    store = Store(project)
    store.order(("pen", 4, 100), discount=40, shipping=390)
    ordered = [("4 x pen", "4.00"), ("Discount", "-0.40"), ("Shipping", "3.90"), ("Total", "7.50")]
    assert store.receipt() == ordered
    store.refund((1, 1))
    assert store.receipt() == [*ordered, ("Refunded", "-0.90")]
    store.refund((1, 2))
    assert store.receipt() == [*ordered, ("Refunded", "-2.70")]
    store.refund()
    assert store.receipt() == [*ordered, ("Refunded", "-7.50")]


def test_stored_logs_keep_partial_refunds(project):
    store = Store(project)
    store.order(("pen", 7, 143), ("pad", 2, 300), discount=2, shipping=490)
    first = store.refund((1, 3), (2, 1))
    store.reload()
    assert store.revenue() == -first
    assert store.sold() == {"pen": 4, "pad": 1}
    assert store.to_pack() == [(1, [("pen", 4), ("pad", 1)])]
    assert store.try_refund((1, 5))[0] == 422
    rest = store.refund((1, 4), (2, 1))
    assert first + rest == 1601 - 2 + 490
    store.reload()
    assert store.status_of({}) == 409


def test_logs_from_before_the_change(project):
    lines = [{"sku": "pen", "quantity": 2, "unit_cents": 100}, {"sku": "pad", "quantity": 1, "unit_cents": 300}]
    placed = {"type": "placed", "day": PLACED, "lines": lines, "discount_cents": 50, "shipping_cents": 490}
    events = [
        {**placed, "order": 1},
        {**placed, "order": 2},
        {"type": "shipped", "order": 1, "day": "2024-09-02"},
        {"type": "refunded", "order": 1, "day": REFUND_DAY},
    ]
    store = Store(project, events)
    assert store.revenue(PLACED) == 2 * 940
    assert store.revenue() == -940
    assert store.sold() == {"pen": 2, "pad": 1}
    assert store.to_pack() == [(2, [("pen", 2), ("pad", 1)])]
    assert store.status_of({}) == 409
    assert store.try_refund((1, 1))[0] == 409
    assert store.receipt()[-1] == ("Refunded", "-9.40")
    assert store.refund((1, 1), number=2) == 90
