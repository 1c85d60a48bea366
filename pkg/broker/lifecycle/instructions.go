// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

const (
	// instructionsFor is how long instructions, or the error of reading them, are not read
	// again.
	instructionsFor = time.Second
	// instructionsTimeout bounds the read, for which all namespaces that are due wait.
	instructionsTimeout = 5 * time.Second
)

// instructions are what administrators told the broker by annotations of its ClusterRole,
// which it may read anyway. They are read when a namespace is due, not watched: that needs
// no further right, and no request while nothing is due.
type instructions struct {
	paused bool
	reason string // for the pause; may be empty
	// confirmed is the time before which namespaces expired that may be deleted, however
	// many they are; zero without a confirmation.
	confirmed time.Time
	invalid   string // a confirmation that is not a time
}

// lastInstructions are the instructions that were read last.
type lastInstructions struct {
	mu     sync.Mutex
	read   time.Time // when value or err was read; zero if never
	value  instructions
	err    error
	paused atomic.Bool // as in value
}

// instructions returns the present instructions, at most instructionsFor old. After an
// error they are unknown, so nothing may be deleted.
func (m *Manager) instructions(ctx context.Context) (instructions, error) {
	last := &m.told
	last.mu.Lock()
	defer last.mu.Unlock()
	if began := m.monotonic(); last.read.IsZero() || began.Sub(last.read) >= instructionsFor {
		ctx, cancel := context.WithTimeout(ctx, instructionsTimeout)
		defer cancel()
		role, err := m.Client.RbacV1().ClusterRoles().Get(ctx, v1alpha1.ClusterRoleBroker, metav1.GetOptions{})
		last.read = m.monotonic()
		if err != nil {
			err = fmt.Errorf("read the instructions of administrators: %w", err)
			if last.err == nil { // once, not for each namespace that is due
				m.Log.Error("Nothing that has expired is deleted until the instructions of administrators can be read",
					"err", err)
			}
			last.err = err
			return instructions{}, err
		}
		if last.err != nil {
			m.Log.Warn("Expiries continue: the instructions of administrators can be read")
		}
		last.err = nil
		m.follow(instructionsOf(role.Annotations))
	}
	return last.value, last.err
}

// follow replaces the instructions, and logs what has changed. They are locked.
func (m *Manager) follow(now instructions) {
	was := m.told.value
	m.told.value = now
	m.told.paused.Store(now.paused)
	switch {
	case now.paused && (!was.paused || was.reason != now.reason):
		m.Log.Warn("An administrator paused all expiries", "reason", now.reason)
	case was.paused && !now.paused:
		m.Log.Warn("Expiries continue: the pause has ended")
	}
	if now.invalid != was.invalid && now.invalid != "" {
		m.Log.Error("The confirmation of an administrator is not a time (RFC 3339)", "annotation",
			v1alpha1.AnnotationConfirmExpiry, "value", now.invalid)
	}
	if !now.confirmed.Equal(was.confirmed) && !now.confirmed.IsZero() {
		m.Log.Warn("An administrator confirmed the deletion of what is overdue", "expiredBefore",
			now.confirmed.UTC().Format(time.RFC3339))
	}
}

// Paused reports whether an administrator had paused the expiries when a namespace was due
// last.
func (m *Manager) Paused() bool { return m.told.paused.Load() }

func instructionsOf(annotations map[string]string) instructions {
	var in instructions
	in.reason, in.paused = annotations[v1alpha1.AnnotationPauseExpiry]
	if s, ok := annotations[v1alpha1.AnnotationConfirmExpiry]; ok {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			in.invalid = s
		}
		in.confirmed = at
	}
	return in
}
