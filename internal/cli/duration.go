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
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation("2006-01-02T15:04", s, now.Location()); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation("15:04", s, now.Location()); err == nil {
		t = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), 0, 0, now.Location())
		if !t.After(now) {
			t = t.AddDate(0, 0, 1)
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("--until %q: use a time such as 18:30, 2026-01-31T18:30 or 2026-01-31T17:30:00Z", s)
}
