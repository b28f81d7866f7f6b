// SPDX-License-Identifier: MIT OR Apache-2.0
// Holds payloads against GitHub's description of its webhooks.
//   node webhooks.mjs MODULES  reads [{"name": "issues.opened", "payload"}], prints what is wrong
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const modules = process.argv[2];
const require = createRequire(`${modules}/`);
const Ajv = require("ajv").default;
const file = `${modules}/@octokit/openapi/generated/api.github.com.json`;
const whole = JSON.parse(readFileSync(file, "utf8"));

// OpenAPI 3.0's "nullable" as JSON Schema has it.
function plain(schema) {
    if (Array.isArray(schema)) {
        return schema.map(plain);
    }
    if (schema === null || typeof schema !== "object") {
        return schema;
    }
    const { nullable, ...rest } = schema;
    const copy = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, plain(value)]));
    return nullable === true ? { anyOf: [{ type: "null" }, copy] } : copy;
}

const ajv = new Ajv({ strict: false, validateFormats: false, logger: false });
ajv.addSchema({ $id: "github", components: { schemas: plain(whole.components.schemas) } });

const wrong = [];
for (const { name, payload } of JSON.parse(readFileSync(0, "utf8"))) {
    const webhook = whole["x-webhooks"][name.replaceAll(/[._]/g, "-")];
    if (!webhook) {
        wrong.push({ name, message: "GitHub describes no such webhook" });
        continue;
    }
    const { $ref } = webhook.post.requestBody.content["application/json"].schema;
    const holds = ajv.compile({ $ref: `github${$ref}` });
    if (!holds(payload)) {
        wrong.push(...holds.errors.map((error) => ({ name, at: error.instancePath, message: error.message })));
    }
}
console.log(JSON.stringify(wrong));
