// SPDX-License-Identifier: Apache-2.0

package term

import (
	"fmt"
	"strings"
	"time"
)

// FormatTime formats t as briefly as is unambiguous.
func FormatTime(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	switch d := t.Sub(now); {
	case d.Abs() < 10*time.Minute: // seconds matter
		return t.Format("15:04:05 MST")
	case d.Abs() < 12*time.Hour || t.YearDay() == now.YearDay() && t.Year() == now.Year():
		return t.Format("15:04 MST")
	}
	return t.Format("2006-01-02 15:04 MST")
}

// FormatDuration formats a duration as flags take it: 2h, 1h59m, 7d.
func FormatDuration(d time.Duration) string {
	d = d.Round(time.Second)
	if d >= 2*time.Minute {
		d = d.Round(time.Minute)
	}
	var b strings.Builder
	parts := 0
	for _, u := range []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := d / u.d; n > 0 && parts < 2 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.d
			parts++
		}
	}
	if parts == 0 {
		return "0s"
	}
	return b.String()
}

// RelativeTime formats t with its distance from now.
func RelativeTime(t, now time.Time) string {
	if !t.After(now) {
		return fmt.Sprintf("%s ago (%s)", FormatDuration(now.Sub(t)), FormatTime(t, now))
	}
	return fmt.Sprintf("in %s (%s)", FormatDuration(t.Sub(now)), FormatTime(t, now))
}
