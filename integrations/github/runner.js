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

// Fetches a URL, up to three times if the network or the server fails.
async function get(url, options = {}) {
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await fetch(url, { ...options, signal: AbortSignal.timeout(60_000) });
      if (answer.status < 500 || attempt === 3) return answer;
    } catch (err) {
      if (attempt === 3) throw new Error(`${new URL(url).host}: ${err.cause?.message ?? err.message}`);
    }
    await new Promise((done) => setTimeout(done, attempt * 2_000));
  }
}

// Returns an ID token of the job for the audience.
async function idToken(audience) {
  const url = process.env.ACTIONS_ID_TOKEN_REQUEST_URL;
  if (!url) {
    throw new Error("the job may not have an ID token: set permissions: {id-token: write}; pull requests from forks never have one");
  }
  const answer = await get(`${url}&audience=${encodeURIComponent(audience)}`, {
    headers: { Authorization: `Bearer ${process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN}` },
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

// Runs a step, whose failure is one line: an error, or a warning that leaves the job as it is.
async function step(kind, run) {
  try {
    await run();
  } catch (err) {
    const message = err.code === "ENOENT" && err.path === "kubectl-tenama"
      ? "kubectl-tenama is not on the PATH: set the inputs version and sha256"
      : err.status === undefined ? err.message : `kubectl tenama failed with ${err.signal ?? `exit code ${err.status}`}`;
    console.log(`::${kind} title=Temporary namespace::${message.replace(/%/g, "%25").replace(/\r?\n/g, "%0A")}`);
    if (kind === "error") process.exitCode = 1;
  }
}

module.exports = { get, input, set, login, plugin, step };
