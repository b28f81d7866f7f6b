// SPDX-License-Identifier: MIT OR Apache-2.0
// Walks through the setup in Debian's chromium, as a person would, with scripts turned off. It looks
// at every page with axe. Arguments: a file of settings (JSON). Prints a report (JSON).
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
const require = createRequire(settings.modules + "/");
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const report = { pages: [], violations: [], requests: [], errors: [] };
const browser = await chromium.launch({
    executablePath: settings.chromium,
    // A container may have little shared memory, and root has no sandbox of chromium.
    args: ["--disable-dev-shm-usage", ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
});

// A page with scripts, only for axe: it gets the HTML of a page of ours.
const checker = await (await browser.newContext({ colorScheme: settings.scheme })).newPage();

async function check(page, name) {
    report.pages.push(name);
    if (settings.screenshots) {
        await page.screenshot({ path: `${settings.screenshots}/${name}.png`, fullPage: true });
    }
    await checker.setContent(await page.content());
    await checker.evaluate(axe);
    const found = await checker.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    for (const violation of found.violations) {
        report.violations.push(`${name}: ${violation.id}: ${violation.nodes.map((n) => n.html).join(" | ")}`);
    }
}

const context = await browser.newContext({
    javaScriptEnabled: false,
    colorScheme: settings.scheme,
    viewport: settings.viewport,
});
const page = await context.newPage();
page.setDefaultTimeout(settings.patience_ms);
page.on("request", (request) => report.requests.push(request.url()));
// Chromium also reports the form that is wrong on purpose (422), and the fake GitHub's missing icon.
const origin = new URL(settings.link).origin;
page.on("console", (message) => {
    if (message.type() === "error" && message.location().url.startsWith(origin) && !message.text().includes("422")) {
        report.errors.push(message.text());
    }
});

try {
    await page.goto(settings.link);
    await check(page, "1-ask");
    report.address = page.url();
    await page.getByRole("button", { name: "Continue" }).click();
    await check(page, "2-problems");
    report.problems = await page.getByRole("alert").innerText();
    await page.getByLabel("Organization", { exact: true }).fill(settings.organization);
    await page.getByLabel("Name of the App").fill(settings.name);
    if (settings.pull) {
        await page.getByLabel("I have no public address").check();
    } else {
        await page.getByLabel("GitHub posts events to this address").check();
        await page.getByLabel("Public address", { exact: true }).fill(settings.public_url);
    }
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByText("What GitHub gets").click();
    await check(page, "3-send");
    await page.getByRole("button", { name: "Create the App at GitHub" }).click();
    await page.getByRole("button", { name: "Create GitHub App" }).click();
    await page.waitForURL("**/setup");
    await check(page, "4-made");
    await page.getByRole("button", { name: "Show the variables once" }).click();
    await check(page, "5-variables");
    report.variables = await page.locator("pre").first().innerText();
    await page.getByRole("link", { name: "Back" }).click();
    await page.getByRole("button", { name: "Start the bot" }).click();
    await check(page, "6-finished");
    await page.getByRole("link", { name: /^Install / }).click();
    await page.getByLabel("Account").selectOption(settings.organization);
    await page.getByRole("button", { name: "Install" }).click();
    report.installed = await page.getByRole("heading").innerText();
} catch (problem) {
    report.problem = `${problem}\n${page.url()}\n${await page.content().catch(String)}`;
}
await browser.close();
console.log(JSON.stringify(report));
