#!/bin/sh
set -eu
python -m unittest discover -s tests -t .
