// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrNoTurn says that too many requests of the same user wait already, or that a request has
// waited too long.
var ErrNoTurn = errors.New("you have too many concurrent requests of this kind; try again")

// Turns lets each user do only a few things of one kind at a time. Some more wait for a
// moment: a user who sends many requests at once slows down those requests first.
type Turns struct {
	running, waiting int // of each user
	patience         time.Duration

	mu     sync.Mutex
	byUser map[string]*line
}

// line is what one user does or waits for.
type line struct {
	turns chan struct{} // holds one element for each thing that is being done
	n     int           // these, and those that wait
}

// NewTurns returns Turns that let each user do running things at a time, while at most
// waiting more wait, each for patience.
func NewTurns(running, waiting int, patience time.Duration) *Turns {
	return &Turns{running: running, waiting: waiting, patience: patience, byUser: map[string]*line{}}
}

// Take waits for a turn of a user, and returns what ends it. Errors: ErrNoTurn, and that of
// ctx.
func (t *Turns) Take(ctx context.Context, user string) (end func(), _ error) {
	l := t.enter(user)
	if l == nil {
		return nil, ErrNoTurn
	}
	enough := time.NewTimer(t.patience)
	defer enough.Stop()
	select {
	case l.turns <- struct{}{}:
		return sync.OnceFunc(func() { <-l.turns; t.leave(user, l) }), nil
	case <-ctx.Done():
		t.leave(user, l)
		return nil, ctx.Err()
	case <-enough.C:
		t.leave(user, l)
		return nil, ErrNoTurn
	}
}

// enter returns the line of a user with one more in it, or nil if it is full.
func (t *Turns) enter(user string) *line {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.byUser[user]
	if l == nil {
		l = &line{turns: make(chan struct{}, t.running)}
		t.byUser[user] = l
	}
	if l.n == t.running+t.waiting {
		return nil
	}
	l.n++
	return l
}

func (t *Turns) leave(user string, l *line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.n--; l.n == 0 {
		delete(t.byUser, user)
	}
}
