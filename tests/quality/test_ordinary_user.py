"""Every attack once more, by a user who is not root: where tests run as root, nobody else would try."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDINARY = 70_000
"""A user id that systemd's table (https://systemd.io/UIDS-GIDS/) gives to no one."""
ATTACKS = [f"tests/quality/test_{name}.py" for name in ("limits", "walls", "lifetime", "last_words", "paths_and_links")]
LEFT_OUT = "starter_dies_while_it_starts or standard_error or visible_test"
"""What takes long, and in which it does not matter who the caller is."""

BECOME = """
set -e
uid=$1 root_home=$2 folders=$3
shift 3
mount --rbind "$root_home" /mnt
mount -t tmpfs -o mode=755 tmpfs "$root_home"
for folder in $folders; do
    case $folder in "$root_home"/*)
        mkdir -p "$folder"
        mount --rbind "/mnt${folder#"$root_home"}" "$folder"
    esac
done
umount --lazy /mnt
mount -t tmpfs -o "uid=$uid,gid=$uid,mode=700" tmpfs /mnt
exec setpriv --reuid="$uid" --regid="$uid" --clear-groups env -i PATH="$PATH" LANG=C.UTF-8 HOME=/mnt TMPDIR=/mnt \
    PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=/mnt/hypothesis "$@"
"""
"""Run a command as another user, in a mount namespace of its own, where that user has a home, and where of root's home,
which is closed to others, the interpreter is left, and the checkout, if they are in it."""


def as_user(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with `arguments`, in the checkout, by a user that nobody else is."""
    folders = " ".join(sorted({sys.base_prefix, sys.prefix, str(ROOT)}))
    become = ["sh", "-c", BECOME, "sh", str(ORDINARY), str(Path.home()), folders]
    command = ["unshare", "--mount", "--propagation", "private", *become, sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="this is an ordinary user already")
def test_the_attacks_fail_as_well_for_an_ordinary_user() -> None:
    tried = as_user("-c", "import tests.quality.conftest")
    if tried.returncode != 0:
        pytest.skip(f"root cannot become a user who can read this checkout: {tried.stderr.strip()[-300:]}")
    done = as_user("-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-k", f"not ({LEFT_OUT})", *ATTACKS)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    if missing := re.findall("[a-z]+ does not work on this machine.*", done.stdout):
        pytest.skip("; ".join(sorted({*missing})))
    assert re.search(r"\d+ passed", done.stdout)
