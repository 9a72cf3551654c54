#!/bin/sh
set -eu
ruff check parcels
