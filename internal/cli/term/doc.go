// SPDX-License-Identifier: Apache-2.0

// Package term formats what the plugin shows to people: styled text, tables, fields,
// times, prompts and progress. It knows nothing of the API and of commands.
//
// The rules:
//
//   - A style repeats what the text says; it never carries meaning alone. Only this
//     package imports lipgloss, and it uses the terminal's own sixteen colors.
//   - Tables and fields clean their texts: text of other users cannot move the cursor,
//     change colors or break lines. Other output calls [Clean].
//   - A line is never wider than a terminal: tables drop columns instead of wrapping.
//   - Whether the output is a terminal affects only appearance: color, width, and lines
//     that are updated in place. Without a terminal there are no escape sequences.
package term
