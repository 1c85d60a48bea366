// SPDX-License-Identifier: Apache-2.0

// What both steps need of the runner: inputs, files for later steps, the ID token, commands.
"use strict";

const { execFileSync } = require("node:child_process");
const { appendFileSync, mkdirSync, writeFileSync } = require("node:fs");
const path = require("node:path");

const input = (name) => (process.env[`INPUT_${name.toUpperCase()}`] ?? "").trim();

// Adds a value to a file that the runner reads: GITHUB_OUTPUT, GITHUB_ENV, GITHUB_STATE. A value
// with a line break would be several.
function set(file, name, value) {
  if (/[\r\n]/.test(value)) throw new Error(`${name} has a line break`);
  appendFileSync(process.env[file], `${name}=${value}\n`);
}

// Returns an ID token of the job for the audience.
async function idToken(audience) {
  const url = process.env.ACTIONS_ID_TOKEN_REQUEST_URL;
  if (!url) {
    throw new Error("the job may not have an ID token: set permissions: {id-token: write}; pull requests from forks never have one");
  }
  const answer = await fetch(`${url}&audience=${encodeURIComponent(audience)}`, {
    headers: { Authorization: `Bearer ${process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN}` },
    signal: AbortSignal.timeout(30_000),
  });
  if (!answer.ok) throw new Error(`GitHub gives no ID token: ${answer.status} ${answer.statusText}`);
  return (await answer.json()).value;
}

// Writes a new ID token, which is valid for five minutes, and returns the flags that log in.
async function login(dir) {
  const token = await idToken(input("audience"));
  console.log(`::add-mask::${token}`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(path.join(dir, "token"), token, { mode: 0o600 });
  const flags = [`--server=${input("server")}`, `--token-file=${path.join(dir, "token")}`];
  if (input("certificate-authority")) {
    writeFileSync(path.join(dir, "ca.crt"), `${input("certificate-authority")}\n`);
    flags.push(`--certificate-authority=${path.join(dir, "ca.crt")}`);
  }
  return flags;
}

// Runs the plugin without a kubeconfig and returns its stdout. Its stderr is that of the step.
function plugin(...args) {
  return execFileSync("kubectl-tenama", args, {
    encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, KUBECONFIG: "" },
  });
}

// Runs a step, whose failure is one line.
async function step(run) {
  try {
    await run();
  } catch (err) {
    const message = err.code === "ENOENT" && err.path === "kubectl-tenama"
      ? "kubectl-tenama is not on the PATH: set the inputs version and sha256"
      : err.status === undefined ? err.message : `kubectl tenama failed with exit code ${err.status}`;
    console.log(`::error title=Temporary namespace::${message.replace(/%/g, "%25").replace(/\r?\n/g, "%0A")}`);
    process.exitCode = 1;
  }
}

module.exports = { input, set, login, plugin, step };
