# SPDX-License-Identifier: MIT OR Apache-2.0
"""The fixtures of the system tests, and where their tools are."""

import importlib.util
import pathlib
import sys

SYSTEM = pathlib.Path(__file__).resolve().parent.parent / "system"
sys.path.insert(0, str(SYSTEM))
_spec = importlib.util.spec_from_file_location("system_fixtures", SYSTEM / "conftest.py")
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)
key, fake, start_bot, pace = _fixtures.key, _fixtures.fake, _fixtures.start_bot, _fixtures.pace
pytest_configure = _fixtures.pytest_configure
