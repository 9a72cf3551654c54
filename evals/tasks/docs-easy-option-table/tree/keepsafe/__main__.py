import sys

from keepsafe.cli import main

sys.exit(main())
