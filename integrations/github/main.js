// SPDX-License-Identifier: Apache-2.0

// Creates the namespace, or keeps the one of that name, and points KUBECONFIG at it.
"use strict";

const path = require("node:path");
const { randomUUID } = require("node:crypto");
const { install } = require("./install.js");
const { input, set, login, plugin, step } = require("./runner.js");

step("error", async () => {
  const dir = path.join(process.env.RUNNER_TEMP, `tenama-${randomUUID()}`);
  set("GITHUB_STATE", "dir", dir);
  if (input("version")) await install(path.join(dir, "bin"));
  const flags = await login(dir);
  const kubeconfig = path.join(dir, "kubeconfig");
  const id = process.env.GITHUB_REPOSITORY_ID ?? "";
  const name = input("name") || `gh-${process.env.GITHUB_RUN_ID}-${randomUUID().slice(0, 8)}`;
  // A new name is this job's alone: the post step has to find it whatever happens from here on.
  if (!input("name")) set("GITHUB_STATE", "name", name);
  const variables = plugin("create", ...flags, `--name-from=${name}`, "--if-not-exists", `--ttl=${input("ttl")}`,
    `--role=${input("role")}`, ...(input("class") ? [`--class=${input("class")}`] : []),
    `--label=github/repository=${id}`, `--label=github/run=${process.env.GITHUB_RUN_ID}`,
    `--annotation=github/url=${process.env.GITHUB_SERVER_URL}/${process.env.GITHUB_REPOSITORY}/actions/runs/${process.env.GITHUB_RUN_ID}`,
    `--kubeconfig-output=${kubeconfig}`, "--output=env");
  for (const line of variables.split("\n").filter(Boolean)) {
    const [key, value] = [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)];
    set("GITHUB_ENV", key, value);
    if (key === "TENAMA_NAMESPACE") {
      set("GITHUB_OUTPUT", "namespace", value);
      // With the prefix of its class. For a given name not before: a namespace that this job could
      // not have is not this job's to delete.
      set("GITHUB_STATE", "name", value);
    }
    if (key === "TENAMA_EXPIRES_AT") set("GITHUB_OUTPUT", "expires-at", value);
  }
  set("GITHUB_ENV", "KUBECONFIG", kubeconfig);
  set("GITHUB_OUTPUT", "kubeconfig", kubeconfig);
});
