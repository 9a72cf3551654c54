"""Dividing an amount without losing a cent."""


def spread(amount, weights):
    """Shares of `amount`, a whole number of cents, in proportion to `weights`.

    Shares are rounded down; the cents that are left go to those who lost most by it, the first of them first.
    """
    total = sum(weights)
    if total == 0:
        return [0 for _ in weights]
    shares = [amount * weight // total for weight in weights]
    by_loss = sorted(range(len(weights)), key=lambda place: -(amount * weights[place] % total))
    for place in by_loss[: amount - sum(shares)]:
        shares[place] += 1
    return shares
