// SPDX-License-Identifier: Apache-2.0

// Deletes the namespace when the job ends, also one that failed or was cancelled, and the files.
"use strict";

const { rmSync } = require("node:fs");
const path = require("node:path");
const { input, login, plugin, step } = require("./runner.js");

// The cluster deletes at the end of ttl what this step cannot: that is no failure of the job.
step("warning", async () => {
  const { STATE_dir: dir, STATE_name: name } = process.env;
  if (!dir) return;
  process.env.PATH = `${path.join(dir, "bin")}${path.delimiter}${process.env.PATH}`;
  try {
    if (name && input("keep") !== "true") {
      const flags = await login(dir); // the first token was valid for five minutes
      console.log(plugin("delete", name, ...flags, "--ignore-not-found", "--wait=false").trim());
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
