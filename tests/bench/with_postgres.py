# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs a benchmark with --postgres and the URL of a server that is started for it."""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "postgres"))
import server

postgres = server.Server(on_disk=True, shared_buffers="128MB")
try:
    status = subprocess.run([sys.argv[1], "--postgres", postgres.url(), *sys.argv[2:]]).returncode
finally:
    postgres.stop()
sys.exit(status)
