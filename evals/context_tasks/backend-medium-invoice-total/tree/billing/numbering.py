"""Invoice numbers: year, a dash, five digits and a check digit."""


def check_digit(digits):
    """Weights 7, 3, 1 from the left, modulo 10."""
    return sum(int(digit) * (7, 3, 1)[place % 3] for place, digit in enumerate(digits)) % 10


def invoice_number(year, running):
    body = f"{year}{running:05d}"
    return f"{year}-{running:05d}{check_digit(body)}"


def is_valid_number(number):
    digits = number.replace("-", "")
    return len(digits) == 10 and digits.isdigit() and check_digit(digits[:-1]) == int(digits[-1])
