// SPDX-License-Identifier: MIT OR Apache-2.0
// Walks through the console in Debian's chromium, as an operator would, with scripts or without. It
// looks at every page with axe. Arguments: a file of settings (JSON). Prints a report (JSON).
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
const require = createRequire(settings.modules + "/");
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const report = { pages: [], violations: [], requests: [], errors: [], wide: [], cut: [], quotas: 0 };
const browser = await chromium.launch({
    executablePath: settings.chromium,
    // A container may have little shared memory, and root has no sandbox of chromium.
    args: ["--disable-dev-shm-usage", ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
});

// The console's policy forbids axe's script, so axe looks at the page in a context without policies. It
// loads the same style sheet.
const checkers = await browser.newContext({ bypassCSP: true, colorScheme: settings.scheme, viewport: settings.viewport });
const checker = await checkers.newPage();
checker.setDefaultTimeout(settings.patience_ms);

async function check(page, name) {
    report.pages.push(name);
    if (settings.screenshots) {
        await page.screenshot({ path: `${settings.screenshots}/${name}.png`, fullPage: true });
    }
    // No page is wider than the window: wide tables scroll by themselves.
    if (settings.scripts && (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth))) {
        report.wide.push(name);
    }
    // In a narrow window the quotas need no scrolling, and the search box has a line of its own.
    if (settings.scripts && settings.viewport.width < 400) {
        report.cut.push(...(await page.evaluate(() => {
            const quotas = document.querySelector("table.quotas"), box = document.querySelector(".search input");
            const hidden = quotas && quotas.parentElement.scrollWidth > quotas.parentElement.clientWidth;
            const short = box && box.offsetWidth < box.form.clientWidth;
            return [hidden && "quotas", short && "search"].filter(Boolean);
        })).map((part) => `${name}: ${part}`));
        report.quotas += await page.locator("table.quotas").count();
    }
    await checkers.clearCookies();
    await checkers.addCookies(await context.cookies());
    await checker.goto(page.url());
    await checker.setContent(await page.content(), { waitUntil: "load" });
    await checker.evaluate(axe);
    const found = await checker.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    for (const violation of found.violations) {
        report.violations.push(
            `${name}: ${violation.id}: ${violation.nodes.map((n) => n.html.slice(0, 200)).join(" | ")}`);
    }
}

const context = await browser.newContext({
    javaScriptEnabled: settings.scripts,
    colorScheme: settings.scheme,
    viewport: settings.viewport,
});
const page = await context.newPage();
page.setDefaultTimeout(settings.patience_ms);
page.on("request", (request) => report.requests.push(request.url()));
page.on("console", (message) => {
    if (message.type() === "error" && !message.text().includes("401")) report.errors.push(message.text());
});
page.on("pageerror", (error) => report.errors.push(String(error)));
page.on("dialog", () => report.errors.push("a dialog opened"));

async function search(text) {
    const box = page.getByRole("searchbox");
    await box.fill(text);
    await box.press("Enter");
    await page.waitForLoadState();
}

// How often a live page is loaded again in two periods in the background, at its return, and in a
// period after that. A clock of the test's own makes the periods short.
async function watchLife(page) {
    const setHidden = (hidden) => page.evaluate((hidden) => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    const lives = () => requests.filter((request) => request.headers()["x-live"]).length;
    const requests = [];
    page.on("request", (request) => requests.push(request));
    await page.clock.install();
    await page.goto(settings.url + "/console");
    await page.clock.runFor(10_100);
    await page.waitForRequest((request) => request.headers()["x-live"], { timeout: 1000 }).catch(() => {});
    const shown = lives();
    await setHidden(true);
    await page.clock.runFor(25_000);
    const hidden = lives() - shown;
    const returned = page.waitForResponse((response) => response.request().headers()["x-live"]);
    await setHidden(false);
    await returned;
    return { shown, hidden, returned: lives() - shown - hidden };
}

const link = (name) => page.getByRole("navigation").getByRole("link", { name, exact: true });

try {
    await page.goto(settings.url + "/console");
    await check(page, "01-login");
    await page.getByLabel("Token").fill("wrong-wrong-wrong-wrong-wrong-wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    report.wrong = await page.getByRole("alert").innerText();
    await page.waitForTimeout(1100);
    await page.getByLabel("Token").fill(settings.token);
    await page.getByLabel("Your name").fill("Ada");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await check(page, "03-overview");
    await link("Deliveries").click();
    await check(page, "04-deliveries");
    await search("sneks-united/terrarium#12");
    report.found = await page.locator("tbody tr").count();
    await page.locator("a.row").first().click();
    await page.getByRole("heading", { name: /^Delivery/ }).waitFor();
    await check(page, "05-delivery");
    report.hostile = await page.locator(".tree").evaluate((tree) => tree.textContent.slice(0, 20000)).catch(() => "");
    await page.getByRole("link", { name: "Why did a plugin act, or not?" }).click();
    await page.getByRole("heading", { name: "Why did a plugin act, or not?" }).waitFor();
    report.why = await page.locator("main").innerText();
    await check(page, "05-why");
    await page.goBack();
    report.open = await page.locator(".tree > li > details[open]").count();
    await page.locator(".tree details summary").nth(1).click();
    await page.locator("dl.facts a").first().click();
    await check(page, "06-timeline");
    await page.goBack();
    if (settings.retries) {
        await page.getByRole("button", { name: "Retry now" }).click();
        report.retried = await page.getByRole("status").innerText();
        const ended = page.locator("h3 .badge.good");
        for (let i = 0; i < 100 && !(await ended.count()); i++) {
            await page.waitForTimeout(200);
            await page.reload();
        }
        report.state = await page.locator("h3 .badge").first().innerText();
        await check(page, "07-retried");
        await link("Failures").click();
        await check(page, "08-failures");
        await page.getByRole("button", { name: "Retry all…" }).first().click();
        report.preview = await page.locator(".health").innerText();
        await check(page, "09-preview");
        await page.getByRole("button", { name: /^Retry \d+ run/ }).click();
        report.applied = await page.getByRole("status").innerText();
        await link("Plugins").click();
        await page.getByRole("button", { name: "Pause trouble" }).click();
        report.paused = await page.getByRole("status").innerText();
        await check(page, "11-plugins");
        await page.getByRole("button", { name: "Resume trouble" }).click();
        report.resumed = await page.getByRole("status").innerText();
    }
    for (const [name, at] of [["Failures", "11"], ["Plugins", "12"], ["Installations", "13"], ["Recovery", "14"], ["Actions", "15"], ["Help", "16"]]) {
        await link(name).click();
        await check(page, `${at}-${name.toLowerCase()}`);
    }
    await link("Plugins").click();
    await page.getByRole("link", { name: "ping", exact: true }).click();
    await page.getByRole("heading", { name: "Permissions" }).waitFor();
    await check(page, "17-plugin");
    if (settings.scripts) {
        report.lives = await watchLife(page);
        await page.keyboard.press("/");
        report.focused = await page.evaluate(() => document.activeElement.id);
    }
    report.buttons = await page.getByRole("button").allInnerTexts();
    await page.getByRole("button", { name: "Log out" }).click();
    report.after = page.url();
    // A frame of another site shows nothing.
    const frame = await context.newPage();
    await frame.goto(settings.other);
    await frame.setContent(`<iframe src="${settings.url}/console/login"></iframe>`);
    await frame.waitForTimeout(500);
    report.framed = frame.frames().length > 1 ? await frame.frames()[1].locator("form").count().catch(() => 0) : 0;
} catch (problem) {
    report.problem = `${problem}\n${page.url()}\n${(await page.content().catch(String)).slice(0, 6000)}`;
}
await browser.close();
console.log(JSON.stringify(report));
