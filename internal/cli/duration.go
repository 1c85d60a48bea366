// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"tenama.dev/tenama/internal/cli/term"
)

var durationPattern = regexp.MustCompile(`^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$`)

// durationValue is a flag value such as 90m, 2h, 1d12h or 1w; a day has 24 hours.
type durationValue struct{ d time.Duration }

func (v *durationValue) String() string {
	if v.d == 0 {
		return ""
	}
	return term.FormatDuration(v.d)
}

func (v *durationValue) Type() string { return "duration" }

func (v *durationValue) Set(s string) error {
	const want = "use a duration such as 90m, 2h, 1d12h or 1w"
	m := durationPattern.FindStringSubmatch(s)
	if m == nil || s == "" {
		return fmt.Errorf("%s", want)
	}
	var total int64
	for i, unit := range []int64{7 * 24 * 3600, 24 * 3600, 3600, 60, 1} {
		if m[i+1] == "" {
			continue
		}
		n, err := strconv.ParseInt(m[i+1], 10, 64)
		if err != nil || n > (math.MaxInt64/int64(time.Second)-total)/unit {
			return fmt.Errorf("too long; %s", want)
		}
		total += n * unit
	}
	if total == 0 {
		return fmt.Errorf("must be greater than zero; %s", want)
	}
	v.d = time.Duration(total) * time.Second
	return nil
}

// parseTime parses a time: RFC 3339, local time as 2006-01-02T15:04, or 15:04 for the
// next occurrence of that time.
func parseTime(s string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, skipped(s, t.Format(layout) != s)
		}
	}
	if clock, err := time.Parse("15:04", s); err == nil {
		t := time.Date(now.Year(), now.Month(), now.Day(), clock.Hour(), clock.Minute(), 0, 0, now.Location())
		if !t.After(now) {
			t = t.AddDate(0, 0, 1)
		}
		return t, skipped(s, t.Hour() != clock.Hour() || t.Minute() != clock.Minute())
	}
	return time.Time{}, fmt.Errorf("--until %q: use a time such as 18:30, 2026-01-31T18:30 or 2026-01-31T17:30:00Z", s)
}

// skipped returns an error for a local time that does not exist, because clocks are put forward.
func skipped(s string, is bool) error {
	if is {
		return fmt.Errorf("--until %q: this time does not exist here, because clocks are put forward then", s)
	}
	return nil
}
