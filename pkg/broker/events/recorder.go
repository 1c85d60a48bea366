// SPDX-License-Identifier: Apache-2.0

package events

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tenama.dev/tenama/api/v1alpha1"
)

// maxMessage bounds the message of an Event, in bytes, as kube-apiserver does for events of
// events.k8s.io/v1.
const maxMessage = 1 << 10

// Event is an Event to be created in a temporary namespace.
type Event struct {
	// Name makes the Event one of a kind: a second one of that name is not created. Without
	// it, each one is created.
	Name string
	// Regarding is the object that the Event is about; the zero value is the Namespace.
	Regarding corev1.ObjectReference
	// Type is Normal or Warning.
	Type string
	// Reason is one of the Reasons of api/v1alpha1.
	Reason string
	// Action is what the broker did or will do.
	Action string
	// Message is a sentence for the owner.
	Message string
}

// Recorder creates Events in the name of the broker. All fields are required.
type Recorder struct {
	Client  kubernetes.Interface
	Replica string           // this process, among the replicas of the broker
	Now     func() time.Time // kube-apiserver's clock
	Log     *slog.Logger
	// Retry repeats a request while RBAC does not yet grant the broker its rights in a new
	// namespace.
	Retry func(context.Context, func() error) error
}

// recordTimeout bounds the creation of one Event: where the broker has lost its rights, Retry
// would go on until they are back, and hold up the Events of all other namespaces.
const recordTimeout = 5 * time.Second

// Record creates an Event in ns. It succeeds if the Event exists, or if the namespace is gone or
// being deleted. A failure is logged.
func (r *Recorder) Record(ctx context.Context, ns *corev1.Namespace, e Event) error {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	about := e.Regarding
	if about.Kind == "" {
		about = corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: ns.Name, UID: ns.UID}
	}
	about.Namespace = ns.Name // kube-apiserver requires it to be that of the Event
	now := metav1.NewTime(r.Now())
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: e.Name, Namespace: ns.Name}, InvolvedObject: about,
		Type: e.Type, Reason: e.Reason, Action: e.Action, Message: shorten(e.Message),
		ReportingController: v1alpha1.EventController, ReportingInstance: r.Replica,
		EventTime:      metav1.NewMicroTime(now.Time),
		Source:         corev1.EventSource{Component: v1alpha1.EventComponent},
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}
	if e.Name == "" {
		event.GenerateName = "tenama-"
	}
	err := r.Retry(ctx, func() error {
		_, err := r.Client.CoreV1().Events(ns.Name).Create(ctx, event, metav1.CreateOptions{})
		return err
	})
	switch {
	case err == nil, apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err),
		apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil
	}
	r.Log.Warn("Creating an Event failed", "namespace", ns.Name, "reason", e.Reason, "err", err)
	return fmt.Errorf("create an Event in %q: %w", ns.Name, err)
}

// shorten cuts a message to maxMessage bytes, at a character.
func shorten(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	cut := 0
	for i := range s {
		if i > maxMessage-len("…") {
			break
		}
		cut = i
	}
	return s[:cut] + "…"
}

// expiryName is the name of the Event that gives notice of an expiry.
func expiryName(at time.Time, notice time.Duration) string {
	return fmt.Sprintf("tenama-expires-%d-%d", at.Unix(), int64(notice/time.Second))
}
