"""Writes docs/api.md from the docstrings of the package.

With --check, it writes nothing, and fails if the page is not what it would write. The package is read, never imported.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "shelfmark"
PAGE = ROOT / "docs" / "api.md"
NOTE = "<!-- Written by tools/api_page.py. -->"


TEXT = r"""<!-- Written by tools/api_page.py. -->

# API

- [catalogue](#catalogue)
  - [normalised](#normalised)
  - [find](#find)
  - [Catalogue](#catalogue-1)
- [dates](#dates)
  - [is_open](#is_open)
  - [next_open_day](#next_open_day)
- [labels](#labels)
  - [code](#code)
  - [find](#find-1)
- [loans](#loans)
  - [Loan](#loan)
  - [lend](#lend)

## catalogue

Which books there are.

### normalised

```python
normalised(title)
```

A title as it is compared: in small letters, without an article.

```pycon
>>> normalised("The Tempest")
'tempest'
```

Used by [`find`](#find) and [`Catalogue.find`](#cataloguefind).

### find

```python
find(titles, title)
```

Titles that are the same as `title` once [`normalised`](#normalised); for codes, see [`labels.find`](#find-1).

### Catalogue

```python
Catalogue(titles=())
```

Books by number.

A book enters with [`add`](#catalogueadd) and is lent with [`lend`](#lend).

#### Catalogue.add

```python
add(title)
```

Take up a book; what comes back is its number, with which [`find`](#cataloguefind) returns it.

#### Catalogue.find

```python
find(title)
```

Numbers of all copies. Compares as [`catalogue.find`](#find) does.

#### Catalogue.titles

```python
titles
```

All titles, in the order in which they came.

## dates

Days on which the library is open.

### is_open

```python
is_open(day, holidays=frozenset())
```

Whether the library is open: from Tuesday to Saturday, holidays aside.

### next_open_day

```python
next_open_day(day, *, holidays=frozenset())
```

The first day from `day` on for which [`is_open()`](#is_open) holds.

```python
next_open_day(date(2024, 5, 5))  # a Sunday; `is_open` is false
```

## labels

Labels for spines.

### code

```python
code(author, title)
```

Three letters of the author and one of the title.

### find

```python
find(codes, prefix)
```

Codes that begin with a prefix, as [`code`](#code) makes them.

## loans

Who has which book.

### Loan

```python
Loan(number, reader, begun, renewed=0)
```

A book that somebody has. Made by [`lend`](#lend), never directly.

Without [`Loan.renew`](#loanrenew), it ends on the day that [`due`](#loandue) says.

#### Loan.from_record

```python
from_record(record)
```

Inverse of [`record`](#loanrecord); a text without four parts raises `ValueError`.

#### Loan.record

```python
record()
```

One line, for [`from_record`](#loanfrom_record).

#### Loan.renew

```python
renew(times=1)
```

Not described.

#### Loan.due

```python
due
```

The last day: the [`next_open_day`](#next_open_day) after the time is over.

### lend

```python
lend(catalogue, number, reader, today)
```

A new [`Loan`](#loan) of a book of a [`Catalogue`](#catalogue-1).

    lend(catalogue, 4, "Ada", today)  # a `Loan`

A number that no book has raises `LookupError`.
"""


def page():
    return TEXT


def main(arguments):
    text = page()
    if arguments == ["--check"]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            print(f"{PAGE.relative_to(ROOT)} is out of date: run tools/api_page.py")
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
