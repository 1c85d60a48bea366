// SPDX-License-Identifier: Apache-2.0

// Package kubeconfig adds contexts to a user's kubeconfig and removes them.
//
// The file belongs to the user. The rules:
//
//   - A file is read, changed and written under client-go's own lock file. The package
//     waits for the lock, holds it for milliseconds, never during a network call, and
//     never removes the lock of another program.
//   - Each change is one atomic write: a temporary file in the same directory is synced
//     and renamed. After any failure, the file has either the old or the new content.
//     Mode, owner, group and links are preserved. Where a rename would lose one of them,
//     and for a mounted file, the file is written in place, as kubectl does.
//   - Only entries with the marker of tenama are changed or removed. If the file is
//     ordinary block YAML, only their lines change: comments, order and unknown fields
//     of everything else are preserved byte for byte. The result is parsed and compared
//     before it is written.
//   - A file that cannot be parsed is not changed. A file without write permission is
//     not replaced, even if the permissions of its directory would allow it.
//
// clientcmd.ModifyConfig follows none of these rules; see docs/kubeconfig.md.
package kubeconfig
