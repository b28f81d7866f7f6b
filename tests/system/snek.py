# SPDX-License-Identifier: MIT OR Apache-2.0
"""The language of the system tests: the bot and the fake GitHub as real processes, signed webhooks,
payloads, and log lines as dictionaries. It needs only Python's standard library. A test imports this
module; its parts are in the modules that it names."""

from bot import Bot, to_toml
from fake_github import FakeGitHub
from messages import (API, APP_ID, APP_SLUG, BOT_ID, INSTALLATION, PAYLOADS, WEBHOOK_SECRET, Response,
                      base64url, changed, make_jwt, make_key, payload, request, rewrite, signature,
                      visible)
from processes import (PATIENCE_S, Process, best_level, build_directory, children, clean_environment, is_running,
                       parse_logfmt, program, seconds, wait_until, wait_until_gone)

__all__ = [
    "API", "APP_ID", "APP_SLUG", "BOT_ID", "INSTALLATION", "PATIENCE_S", "PAYLOADS", "WEBHOOK_SECRET", "Bot",
    "FakeGitHub", "Process", "Response", "base64url", "best_level", "build_directory", "changed", "children",
    "clean_environment", "is_running", "make_jwt", "make_key", "parse_logfmt", "payload", "program",
    "request", "rewrite", "seconds", "signature", "to_toml", "visible", "wait_until", "wait_until_gone",
]
