"""Where things stand on a page."""

COLUMNS = 12


def column(content, span):
    if not 1 <= span <= COLUMNS:
        raise ValueError(f"a column spans 1 to {COLUMNS}")
    return f'<div class="col-{span}">{content}</div>'


def rows(columns):
    """(content, span) pairs as rows of at most twelve columns."""
    lines, taken = [[]], 0
    for content, span in columns:
        if taken + span > COLUMNS:
            lines.append([])
            taken = 0
        lines[-1].append(column(content, span))
        taken += span
    return ["".join(line) for line in lines]
