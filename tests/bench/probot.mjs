// SPDX-License-Identifier: MIT OR Apache-2.0
// Probot with one empty handler, or with one that comments: the peer of the benchmarks. It prints
// its port. GITHUB: the URL of the fake GitHub; without it, the handler does nothing.
import {generateKeyPairSync} from "node:crypto";
import {createServer} from "node:http";
import {Probot, ProbotOctokit, createNodeMiddleware} from "probot";

const github = process.env.GITHUB;
const {privateKey} = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: {type: "spki", format: "pem"},
  privateKeyEncoding: {type: "pkcs8", format: "pem"},
});
const probot = new Probot({
  appId: 1,
  privateKey,
  secret: process.env.SECRET,
  logLevel: "fatal",
  ...(github && {
    baseUrl: github,
    // Probot sets its own throttle options last, so they are changed after that.
    Octokit: ProbotOctokit.defaults((options) => ({
      ...options,
      throttle: {...options.throttle, enabled: false},
      retry: {enabled: false},
    })),
  }),
});

function app(robot) {
  robot.onAny(async (context) => {
    if (github) {
      const {repository} = context.payload;
      await context.octokit.request("POST /repos/{repository}/issues/1/comments", {
        repository: repository?.full_name ?? "o/r",
        body: context.id,
      });
    }
  });
}

const middleware = await createNodeMiddleware(app, {probot, webhooksPath: "/webhook/github"});
const server = createServer((request, response) => middleware(request, response));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
