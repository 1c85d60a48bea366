// SPDX-License-Identifier: Apache-2.0

// Package kubeconfig adds contexts to a user's kubeconfig and takes them away.
//
// The file is the user's. The rules:
//
//   - Read, change and write under client-go's own lock file, waiting for it; the
//     lock is held for milliseconds, never across a network call, never stolen.
//   - One write, atomic: a temporary file in the same directory, synced, renamed.
//     Whatever happens, the file is the old one or the new one. Mode, owner and
//     symbolic links stay.
//   - Only entries with our marker are changed or removed. Where the file is
//     ordinary block YAML, only their lines change: comments, order and unknown
//     fields of everything else stay byte for byte. The result is parsed and
//     compared before it is written.
//   - A file that cannot be parsed is not touched. A file without write
//     permission is not replaced, although its directory would allow it.
//
// clientcmd.ModifyConfig does none of these; see docs/kubeconfig.md.
package kubeconfig
