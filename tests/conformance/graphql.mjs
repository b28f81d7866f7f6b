// SPDX-License-Identifier: MIT OR Apache-2.0
// Holds documents and the responses to them against GitHub's GraphQL schema.
//   node graphql.mjs MODULES  reads [{document, variables, data}], prints a list of what is wrong
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const modules = process.argv[2];
const { buildSchema, execute, parse, validate } = createRequire(`${modules}/`)("graphql");
// The package's text defines two fields twice.
const text = readFileSync(`${modules}/@octokit/graphql-schema/schema.graphql`, "utf8");
const schema = buildSchema(text, { assumeValidSDL: true, assumeValid: true });

// The type of an interface or a union that has all keys of the value.
function typeResolver(value, context, info, abstract) {
    const has = (type) => Object.keys(value).every((key) => key === "__typename" || type.getFields()[key]);
    return value.__typename ?? schema.getPossibleTypes(abstract).find(has)?.name;
}

const wrong = [];
for (const { document, variables, data } of JSON.parse(readFileSync(0, "utf8"))) {
    const parsed = parse(document);
    const errors = validate(schema, parsed);
    if (errors.length === 0 && data) {
        const held = await execute({ schema, document: parsed, rootValue: data, typeResolver,
            variableValues: variables });
        errors.push(...(held.errors ?? []));
        if (JSON.stringify(held.data) !== JSON.stringify(data) && !held.errors) {
            errors.push({ message: `${JSON.stringify(data)} is not ${JSON.stringify(held.data)}` });
        }
    }
    wrong.push(...errors.map((error) => ({ document, message: error.message })));
}
console.log(JSON.stringify(wrong));
