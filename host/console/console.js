// SPDX-License-Identifier: MIT OR Apache-2.0
// Everything works without this. It loads live pages again while somebody looks at them, copies
// texts, and adds keys: "/" goes to the search, "j" and "k" go along the rows of a table.
"use strict";

(() => {
  const PERIOD_MS = 10000;
  const styles = document.documentElement.classList;
  styles.add("scripted");
  const busy = () =>
    document.hidden || document.querySelector("main details[open], main :focus") || String(getSelection());

  async function refresh() {
    if (busy()) return;
    const response = await fetch(location.href, { headers: { "X-Live": "1", Accept: "text/html" }, redirect: "error" });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector("main");
    if (fresh && !busy()) document.querySelector("main").replaceWith(fresh);
  }

  if ("live" in document.body.dataset) {
    let timer = 0;
    const plan = () => {
      clearTimeout(timer);
      if (!document.hidden) timer = setTimeout(() => refresh().catch(() => {}).then(plan), PERIOD_MS);
    };
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) clearTimeout(timer);
      else refresh().catch(() => {}).then(plan);
    });
    plan();
  }

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      const search = document.getElementById("q");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
    } else if (event.key === "j" || event.key === "k") {
      const rows = [...document.querySelectorAll("main tbody a.row")];
      const at = rows.indexOf(document.activeElement);
      const next = rows[event.key === "j" ? Math.min(at + 1, rows.length - 1) : Math.max(at - 1, 0)];
      if (next) next.focus();
    }
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy]");
    const source = button && document.getElementById(button.dataset.copy);
    if (!source) return;
    navigator.clipboard.writeText(source.textContent).then(() => {
      button.textContent = "Copied";
    });
  });
})();
