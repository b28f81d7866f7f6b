# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pictures of every page of the console, for a person to look at: `./dev screenshots FOLDER [LOOK...]`. The bot
is that of stage.py, once before something has happened, and once after. SNEK_BROWSER_MODULES has Playwright."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import stage

HERE = pathlib.Path(__file__).resolve().parent
LOOKS = [{"name": f"{width}-{scheme}{'' if scripts else '-plain'}", "width": width, "scheme": scheme, "scripts": scripts}
         for width, scheme, scripts in ((360, "dark", True), (360, "light", False), (500, "light", True),
                                        (1400, "light", True), (1400, "dark", False))]
MENU = {name or "overview": f"/console/{name}" for name in
        ("", "deliveries", "failures", "plugins", "installations", "recovery", "actions", "help")}
STRANGERS = {"login-over-http": "/console", "public-help": "/console/help"}
OTHERS = {"overview-week": "/console?span=week", "found": "/console/deliveries?q=sneks-united/terrarium%2312",
          "nothing-found": "/console/deliveries?q=nobody-here", "skipped": "/console/deliveries?state=skipped",
          "400": "/console/deliveries?state=nonsense", "400-before": "/console/actions?before=x",
          "404": "/console/nothing", "404-delivery": "/console/deliveries/nothing",
          "404-item": "/console/items/a/b/1", "timeline": "/console/items/sneks-united/terrarium/12",
          **{f"plugin-{name}": f"/console/plugins/{name}" for name in ("changelog", "linter", "triage", "stale")}}
FORMS = {"preview-retry": ["/console/failures", "Retry all…"], "preview-discard": ["/console/failures", "Discard all…"]}


def shoot(bot, folder, looks, pages, strangers, forms):
    settings = {"modules": os.environ["SNEK_BROWSER_MODULES"], "chromium": "/usr/bin/chromium", "url": bot.url,
                "token": stage.ADMIN, "folder": str(folder), "looks": looks, "pages": pages, "strangers": strangers,
                "forms": forms}
    file = bot.folder / "screenshots.json"
    file.write_text(json.dumps(settings))
    subprocess.run([os.environ.get("SNEK_NODE", "node"), HERE / "screenshots.mjs", file], check=True,
                   env={"PATH": "/usr/bin:/bin", "HOME": str(bot.folder)})


def main(folder, names):
    folder = pathlib.Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    looks = [look for look in LOOKS if not names or look["name"] in names]
    if not looks:
        sys.exit(f"there is no such look; there are {' '.join(look['name'] for look in LOOKS)}")
    with tempfile.TemporaryDirectory() as temporary:
        bot, fake = stage.start(temporary, public_help=True)
        shoot(bot, folder, looks, {f"empty-{name}": path for name, path in MENU.items()}, STRANGERS, {})
        guids = stage.fill(bot, fake)
        deliveries = {f"{part}-{name}": f"/console/deliveries/{guid}{'/why' if part == 'why' else ''}"
                      for name, guid in guids.items() for part in ("delivery", "why")}
        shoot(bot, folder, looks, {**MENU, **OTHERS, **deliveries}, {}, FORMS)
        bot.stop()
        fake.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
