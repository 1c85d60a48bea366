// SPDX-License-Identifier: Apache-2.0

// Installs a release of the plugin by its checksum.
"use strict";

const { execFileSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const { appendFileSync, mkdirSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { get, input } = require("./runner.js");

const platforms = { linux: "linux", darwin: "darwin", win32: "windows" };
const architectures = { x64: "amd64", arm64: "arm64" };

async function install(dir) {
  const [version, want] = [input("version"), input("sha256").toLowerCase()];
  if (!/^v[0-9A-Za-z.+-]+$/.test(version)) throw new Error(`version "${version}" is not one such as v1.2.3`);
  if (!/^[0-9a-f]{64}$/.test(want)) throw new Error("sha256 is missing, or is not 64 hexadecimal digits: checksums.txt of the release has it");
  const [os, arch] = [platforms[process.platform], architectures[process.arch]];
  if (!os || !arch) throw new Error(`there is no plugin for ${process.platform} on ${process.arch}`);
  const file = `kubectl-tenama_${version}_${os}_${arch}.${os === "windows" ? "zip" : "tar.gz"}`;
  const url = `${input("releases")}/${version}/${file}`;
  const answer = await get(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  const archive = Buffer.from(await answer.arrayBuffer());
  const got = createHash("sha256").update(archive).digest("hex");
  if (got !== want) throw new Error(`${file} has the checksum ${got}, not ${want}: it is not installed`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(path.join(dir, file), archive);
  // That of Windows reads zip, too; others that may be on its PATH do not.
  const tar = os === "windows" ? path.join(process.env.SystemRoot, "System32", "tar.exe") : "tar";
  execFileSync(tar, ["-xf", file], { cwd: dir });
  appendFileSync(process.env.GITHUB_PATH, `${dir}\n`);
  process.env.PATH = `${dir}${path.delimiter}${process.env.PATH}`;
}

module.exports = { install };
