// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tenama.dev/tenama/api/v1alpha1"
)

// instructionsFor is how long instructions are not read again.
const instructionsFor = time.Second

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
	mu    sync.Mutex
	read  time.Time // local; zero if they are unknown
	value instructions
}

// instructions returns the present instructions, at most instructionsFor old. After an
// error they are unknown, so nothing may be deleted.
func (m *Manager) instructions(ctx context.Context) (instructions, error) {
	last := &m.told
	last.mu.Lock()
	defer last.mu.Unlock()
	if !last.read.IsZero() && time.Since(last.read) < instructionsFor {
		return last.value, nil
	}
	began := time.Now()
	role, err := m.Client.RbacV1().ClusterRoles().Get(ctx, v1alpha1.ClusterRoleBroker, metav1.GetOptions{})
	if err != nil {
		return instructions{}, fmt.Errorf("read the instructions of administrators: %w", err)
	}
	now := instructionsOf(role.Annotations)
	m.logPause(now)
	last.read, last.value = began, now
	return now, nil
}

// Paused reports whether an administrator had paused the expiries when a namespace was due
// last.
func (m *Manager) Paused() bool {
	m.told.mu.Lock()
	defer m.told.mu.Unlock()
	return m.told.value.paused
}

// logPause logs that expiries are paused, or continue. The last instructions are locked.
func (m *Manager) logPause(now instructions) {
	switch was := m.told.value; {
	case now.paused && (!was.paused || was.reason != now.reason):
		m.Log.Warn("An administrator paused all expiries", "reason", now.reason)
	case was.paused && !now.paused:
		m.Log.Warn("Expiries continue: the pause has ended")
	}
}

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
