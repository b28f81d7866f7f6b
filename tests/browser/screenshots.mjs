// SPDX-License-Identifier: MIT OR Apache-2.0
// Takes pictures of pages of the console in Debian's chromium, for `./dev screenshots`. Argument: a file of
// settings (JSON): modules, chromium, url, token, folder, strangers and pages ({name: path}), forms ({name:
// [path, button]}), looks ([{name, width, scheme, scripts}]). Strangers have no session, and come from afar.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
const require = createRequire(settings.modules + "/");
const { chromium } = require("playwright-core");
const browser = await chromium.launch({
    executablePath: settings.chromium,
    // A container may have little shared memory, and root has no sandbox of chromium.
    args: ["--disable-dev-shm-usage", ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
});

for (const look of settings.looks) {
    const options = {
        javaScriptEnabled: look.scripts,
        colorScheme: look.scheme,
        viewport: { width: look.width, height: 800 },
    };
    const afar = await browser.newContext({ ...options, extraHTTPHeaders: { "X-Forwarded-For": "203.0.113.9" } });
    const here = await browser.newContext(options);
    const shoot = (page, name) => page.screenshot({ path: `${settings.folder}/${name}-${look.name}.png`, fullPage: true });

    const stranger = await afar.newPage();
    for (const [name, path] of Object.entries(settings.strangers)) {
        await stranger.goto(settings.url + path);
        await shoot(stranger, name);
    }
    const page = await here.newPage();
    await page.goto(settings.url + "/console/login");
    await shoot(page, "login");
    await page.getByLabel("Token").fill(settings.token);
    await page.getByLabel("Your name").fill("Ada");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    for (const [name, path] of Object.entries(settings.pages)) {
        await page.goto(settings.url + path);
        await shoot(page, name);
    }
    for (const [name, [path, button]] of Object.entries(settings.forms)) {
        await page.goto(settings.url + path);
        await page.getByRole("button", { name: button }).first().click();
        await shoot(page, name);
    }
    await here.close();
    await afar.close();
}
await browser.close();
