# SPDX-License-Identifier: MIT OR Apache-2.0
"""An admin in the console with a browser without scripts."""

from browser_walk import WIDE, needs_browser, stage, walk_as_admin

pytestmark = needs_browser


def test_an_admin_walks_through_the_console_without_scripts(start_bot, fake, tmp_path):
    walk_as_admin(stage(start_bot, fake), fake, tmp_path, "light-wide", scripts=False, scheme="light",
                  viewport=WIDE)
