// SPDX-License-Identifier: Apache-2.0

package forwarder

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"tenama.dev/tenama/api/v1alpha1"
)

// Types of messages, as in Endpoint.Types.
const (
	created  = "created"
	modified = "modified"
	deleted  = "deleted"
	expiring = "expiring"
)

var allTypes = []string{created, modified, deleted, expiring}

const (
	// specVersion is the version of CDEvents.
	specVersion = "0.5.0"
	// maxBody bounds a message, in bytes: CloudEvents asks receivers to accept 64 KiB.
	maxBody = 60 << 10
)

// eventTypes are the types of CDEvents. The last one is a custom event, which CDEvents does not
// define.
var eventTypes = map[string]string{
	created:  "dev.cdevents.environment.created.0.3.0",
	modified: "dev.cdevents.environment.modified.0.3.0",
	deleted:  "dev.cdevents.environment.deleted.0.3.0",
	expiring: "dev.cdeventsx.tenama-environment.expiring.0.1.0",
}

// message is a message to be sent.
type message struct {
	id   string // the same when it is sent again
	kind string // of allTypes
	at   time.Time
	name string // of the namespace
	body []byte
}

// event is a CDEvent.
type event struct {
	Context struct {
		Version   string    `json:"version"`
		ID        string    `json:"id"`
		Source    string    `json:"source"`
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
	} `json:"context"`
	Subject struct {
		ID      string `json:"id"`
		Source  string `json:"source"`
		Type    string `json:"type"`
		Content struct {
			Name string `json:"name"`
		} `json:"content"`
	} `json:"subject"`
	CustomData  Data   `json:"customData"`
	ContentType string `json:"customDataContentType"`
}

// Data is what a message says about a namespace: the customData of its CDEvent.
type Data struct {
	Namespace  string `json:"namespace"`
	UID        string `json:"uid"`
	Phase      string `json:"phase"`
	Owner      string `json:"owner"`
	OwnerGroup string `json:"ownerGroup,omitempty"`
	ClassName  string `json:"className"`

	CreationTimestamp   time.Time  `json:"creationTimestamp"`
	ExpirationTimestamp *time.Time `json:"expirationTimestamp,omitempty"`
	// MaximumExpirationTimestamp is the latest time that an extension can reach.
	MaximumExpirationTimestamp *time.Time `json:"maximumExpirationTimestamp,omitempty"`
	Extensions                 int32      `json:"extensions"`
	// LastExtension is the latest extension.
	LastExtension *v1alpha1.ExtensionRecord `json:"lastExtension,omitempty"`
	Reason        string                    `json:"reason,omitempty"`
	OnHold        bool                      `json:"onHold,omitempty"`

	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// describe returns what messages say about tn.
func describe(tn *v1alpha1.TemporaryNamespace) Data {
	d := Data{
		Namespace: tn.Name, UID: string(tn.UID), Phase: string(tn.Status.Phase), Owner: tn.Status.Owner,
		OwnerGroup: tn.Status.OwnerGroup, ClassName: tn.Spec.ClassName,
		CreationTimestamp: tn.CreationTimestamp.UTC(), Extensions: tn.Status.Extensions, Reason: tn.Spec.Reason,
		OnHold: onHold(tn), Labels: tn.Labels, Annotations: maps.Clone(tn.Annotations),
	}
	if at := expiry(tn); !at.IsZero() {
		at = at.UTC()
		d.ExpirationTimestamp = &at
	}
	if t := tn.Status.MaximumExpirationTimestamp; t != nil {
		at := t.UTC()
		d.MaximumExpirationTimestamp = &at
	}
	if n := len(tn.Status.History); n > 0 {
		d.LastExtension = &tn.Status.History[n-1]
	}
	for k := range d.Annotations { // the whole manifest again, and what only tenama reads
		if strings.HasPrefix(k, "kubectl.kubernetes.io/") || strings.HasPrefix(k, "tenama.dev/") {
			delete(d.Annotations, k)
		}
	}
	return d
}

// newMessage returns a message. what distinguishes it from other messages of its kind about the
// namespace.
func newMessage(source, kind, what string, at time.Time, d Data) (*message, error) {
	e := event{CustomData: d, ContentType: "application/json"}
	e.Context.Version, e.Context.Source, e.Context.Type = specVersion, source, eventTypes[kind]
	e.Context.ID, e.Context.Timestamp = d.UID+"-"+kind, at.UTC()
	if what != "" {
		e.Context.ID += "-" + what
	}
	e.Subject.ID, e.Subject.Source, e.Subject.Type = d.Namespace, source, "environment"
	e.Subject.Content.Name = d.Namespace
	if kind == expiring {
		e.Subject.Type = "tenama-environment"
	}
	b, err := json.Marshal(e)
	if err == nil && len(b) > maxBody {
		e.CustomData.Annotations = nil
		b, err = json.Marshal(e)
	}
	if err == nil && len(b) > maxBody {
		e.CustomData.Labels = nil
		b, err = json.Marshal(e)
	}
	if err != nil {
		return nil, fmt.Errorf("encode the message about %q: %w", d.Namespace, err)
	}
	return &message{id: e.Context.ID, kind: kind, at: at, name: d.Namespace, body: b}, nil
}
