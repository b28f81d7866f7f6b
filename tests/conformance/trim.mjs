// SPDX-License-Identifier: MIT OR Apache-2.0
// GitHub's description of its API, trimmed to some paths and what these refer to: the whole of it
// takes half a minute to load.  node trim.mjs FROM TO PATH...
import { readFileSync, writeFileSync } from "node:fs";

const [from, to, ...paths] = process.argv.slice(2);
const whole = JSON.parse(readFileSync(from, "utf8"));
const kept = { openapi: whole.openapi, info: whole.info, servers: [{ url: "/" }], paths: {}, components: {} };
for (const path of paths) {
    if (!whole.paths[path]) {
        throw new Error(`the description has no ${path}`);
    }
    kept.paths[path] = whole.paths[path];
}
const seen = new Set();
const todo = [kept.paths];
while (todo.length > 0) {
    const value = todo.pop();
    if (value === null || typeof value !== "object") {
        continue;
    }
    if (typeof value.$ref === "string" && !seen.has(value.$ref)) {
        seen.add(value.$ref);
        const [, , kind, name] = value.$ref.split("/");
        kept.components[kind] ??= {};
        kept.components[kind][name] = whole.components[kind][name];
        todo.push(whole.components[kind][name]);
    }
    todo.push(...Object.values(value));
}
// GitHub's example of a permission lacks a member that its schema requires. The mock server would
// respond with 500.
const example = kept.components.examples?.[
    "repository-collaborator-permission-response-if-user-has-admin-permissions"];
if (example) {
    example.value.user.role_name ??= "admin";
}
writeFileSync(to, JSON.stringify(kept));
