// SPDX-License-Identifier: Apache-2.0

package term

import (
	"testing"
	"time"
)

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 400 * time.Millisecond: "0s", 59 * time.Second: "59s", 90 * time.Second: "1m30s",
		2*time.Hour - time.Second:       "2h",
		119*time.Minute + 5*time.Second: "1h59m", 7 * 24 * time.Hour: "7d", 26*time.Hour + 5*time.Minute: "1d2h",
		3 * time.Hour: "3h",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}

// TestFormatTime verifies that FormatTime includes the day if it is ambiguous, and seconds if they matter.
func TestFormatTime(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	defer func() { time.Local = local }()
	now := time.Date(2026, 11, 27, 23, 57, 10, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		59 * time.Second:    "23:58:09 UTC",
		5 * time.Minute:     "00:02:10 UTC", // tomorrow, but near enough to omit the day
		-2 * time.Minute:    "23:55:10 UTC",
		-time.Hour:          "22:57 UTC",
		-20 * time.Hour:     "03:57 UTC",
		13 * time.Hour:      "2026-11-28 12:57 UTC",
		time.Hour:           "00:57 UTC",
		5 * 24 * time.Hour:  "2026-12-02 23:57 UTC",
		7 * 24 * time.Hour:  "2026-12-04 23:57 UTC",
		-2 * 24 * time.Hour: "2026-11-25 23:57 UTC",
	} {
		if got := FormatTime(now.Add(d), now); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}

// TestRelativeTime verifies that the past is not shown as if it were still to come.
func TestRelativeTime(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	defer func() { time.Local = local }()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		2 * time.Hour: "in 2h (14:00 UTC)", time.Second: "in 1s (12:00:01 UTC)", 0: "0s ago (12:00:00 UTC)",
		-time.Hour: "1h ago (11:00 UTC)",
	} {
		if got := RelativeTime(now.Add(d), now); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}
