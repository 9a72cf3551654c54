import re

from shop.cursors import encode_cursor  # as it was before the change: for the cursors that clients hold

CURSOR = re.compile(r"[A-Za-z0-9_-]+")


class Shop:
    """A shop with one customer, and what a client does with it."""

    def __init__(self, project):
        self.connection = project.module("shop.schema").open_shop()
        self.customer = project.module("shop.customers").add_customer(self.connection, "Corner Shop")
        self.orders = project.module("shop.orders").OrderRepository(self.connection)
        self._handlers, self._export = project.module("shop.handlers"), project.module("shop.export")

    def place(self, *days, status="open"):
        return [self.orders.place(self.customer, day, 1000, status) for day in days]

    def page(self, cursor=None, **query):
        """The ids on one page, and the next cursor."""
        if cursor is not None:
            query["cursor"] = cursor
        status, body = self._handlers.list_orders(self.connection, self.customer, query)
        assert status == 200, body
        following = body["next_cursor"]
        if following is not None:
            assert isinstance(following, str)
            assert CURSOR.fullmatch(following)
        return [order["id"] for order in body["orders"]], following

    def pages(self, cursor=None, **query):
        pages = []
        for _ in range(40):
            ids, cursor = self.page(cursor, **query)
            pages.append(ids)
            if cursor is None:
                return pages
        raise AssertionError("the pages do not end")

    def status_of(self, **query):
        return self._handlers.list_orders(self.connection, self.customer, query)[0]

    def exported(self):
        return self._export.export_orders(self.connection, self.customer)


def cut(ids, limit):
    return [ids[start : start + limit] for start in range(0, len(ids), limit)]


def test_days_across_pages_with_any_limit(project):
    shop = Shop(project)
    shop.place(*["2024-03-01"] * 3, *["2024-03-02"] * 4, "2024-03-03")
    for limit in range(1, 10):
        assert shop.pages(limit=str(limit)) == cut([8, 7, 6, 5, 4, 3, 2, 1], limit)


def test_ids_that_do_not_follow_the_dates(project):
    shop = Shop(project)
    shop.place("2024-03-05", "2024-03-01", "2024-03-05", "2024-03-01", "2024-03-09", "2024-03-01")
    for limit in (1, 2, 3, 4):
        assert shop.pages(limit=str(limit)) == cut([5, 3, 1, 6, 4, 2], limit)


def test_ids_of_one_and_two_digits(project):
    shop = Shop(project)
    shop.place(*["2024-03-01"] * 12)
    for limit in (2, 3, 5):
        assert shop.pages(limit=str(limit)) == cut(list(range(12, 0, -1)), limit)


def test_status_holds_on_every_page(project):
    shop = Shop(project)
    for _ in range(4):
        shop.place("2024-03-01")
        shop.place("2024-03-01", status="shipped")
    assert shop.pages(limit="3", status="shipped") == [[8, 6, 4], [2]]
    assert shop.pages(limit="3", status="open") == [[7, 5, 3], [1]]


def test_customers_see_their_own_orders(project):
    shop = Shop(project)
    other = project.module("shop.customers").add_customer(shop.connection, "Kiosk")
    for _ in range(3):
        shop.place("2024-03-01")
        shop.orders.place(other, "2024-03-01", 500)
    assert shop.pages(limit="2") == [[5, 3], [1]]


def test_orders_that_are_placed_between_two_requests(project):
    shop = Shop(project)
    shop.place(*["2024-03-01"] * 4)
    first, cursor = shop.page(limit="2")
    shop.place("2024-03-01", "2024-03-02")
    assert [first, *shop.pages(cursor, limit="2")] == [[4, 3], [2, 1]]


def test_orders_that_are_deleted_between_two_requests(project):
    shop = Shop(project)
    shop.place(*["2024-03-01"] * 6)
    first, cursor = shop.page(limit="2")
    shop.orders.delete(6)
    assert [first, *shop.pages(cursor, limit="2")] == [[6, 5], [4, 3], [2, 1]]


def test_the_order_on_which_a_page_ended_is_deleted(project):
    shop = Shop(project)
    shop.place(*["2024-03-01"] * 5)
    _, cursor = shop.page(limit="2")
    shop.orders.delete(4)
    assert shop.pages(cursor, limit="2") == [[3, 2], [1]]


def test_old_cursors_continue_with_earlier_days(project):
    shop = Shop(project)
    shop.place(*["2024-03-02"] * 3, *["2024-03-01"] * 3, "2024-02-27")
    cursor = encode_cursor("2024-03-02")
    assert shop.pages(cursor, limit="2") == [[6, 5], [4, 7]]
    assert shop.pages(encode_cursor("2024-03-01")) == [[7]]


def test_bad_cursors(project):
    shop = Shop(project)
    shop.place("2024-03-01")
    nonsense = ("!", "not a cursor", "a", "eA", "_____w", "bm90IGEgZGF5", "MjAyNC0wMy0wMSwsLA")
    for cursor in nonsense:
        assert shop.status_of(cursor=cursor) == 400, cursor


def test_no_page_follows_a_last_one_that_is_full(project):
    shop = Shop(project)
    shop.place(*["2024-03-01"] * 4)
    assert shop.pages(limit="2") == [[4, 3], [2, 1]]
    assert shop.pages(limit="4") == [[4, 3, 2, 1]]


def test_without_orders_there_is_one_empty_page(project):
    assert Shop(project).pages(limit="3") == [[]]


def test_export_has_every_order_once(project):
    shop = Shop(project)
    shop.place(*["2024-03-01"] * 70, *["2024-02-01"] * 60, *["2024-03-01"] * 5)
    march, february = [*range(135, 130, -1), *range(70, 0, -1)], [*range(130, 70, -1)]
    heading, *lines = shop.exported().splitlines()
    assert heading == "order;placed on;status;total"
    assert lines == [
        *(f"{number};2024-03-01;open;10,00" for number in march),
        *(f"{number};2024-02-01;open;10,00" for number in february),
    ]
