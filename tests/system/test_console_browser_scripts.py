# SPDX-License-Identifier: MIT OR Apache-2.0
"""An admin in the console with a browser with scripts."""

from browser_walk import NARROW, needs_browser, stage, walk_as_admin

pytestmark = needs_browser


def test_an_admin_walks_through_the_console_with_scripts(start_bot, fake, tmp_path):
    report = walk_as_admin(stage(start_bot, fake), fake, tmp_path, "dark-narrow", scripts=True, scheme="dark",
                           viewport=NARROW)
    assert report["focused"] == "q"
    # A live page stops in the background, and loads itself once when a person comes back.
    assert report["lives"] == {"shown": 1, "hidden": 0, "returned": 1}
