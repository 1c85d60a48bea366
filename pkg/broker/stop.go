// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"tenama.dev/tenama/api/v1alpha1"
	"tenama.dev/tenama/internal/drain"
)

// Stop scales the brokers to 0 and waits until they and their API are gone (package drain).
// The Helm chart runs it, with rights of its own, before it deletes their rights. It fails,
// and ends nothing, if namespaces are lent: without the brokers they would not expire. It also
// fails if some were lent while the brokers ended.
func Stop(ctx context.Context, o *Options, log *slog.Logger) error {
	config, err := o.restConfig()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	return stop(ctx, client, o.Namespace, log)
}

func stop(ctx context.Context, client dynamic.Interface, namespace string, log *slog.Logger) error {
	if n, one, err := lent(ctx, client); err != nil {
		return err
	} else if n > 0 {
		return fmt.Errorf("namespaces are lent (%d, such as %q): delete them first, with "+
			"kubectl delete temporarynamespaces --all", n, one)
	}
	last := ""
	if err := drain.Brokers(ctx, client, namespace, "tenama-stop", func(left string) {
		if left != last {
			log.Info("Waiting until the brokers have ended", "for", left)
		}
		last = left
	}); err != nil {
		return err
	}
	if n, one, err := lent(ctx, client); err != nil {
		return err
	} else if n > 0 {
		return fmt.Errorf("namespaces were lent while the brokers ended (%d, such as %q): delete them with "+
			"kubectl delete namespaces -l %s=true, and repeat the command", n, one, v1alpha1.LabelManaged)
	}
	log.Info("The brokers have ended, and their API is gone")
	return nil
}

// lent returns the number of lent namespaces, and the name of one.
func lent(ctx context.Context, client dynamic.Interface) (n int, one string, _ error) {
	list, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).
		List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelManaged + "=true"})
	if err != nil || len(list.Items) == 0 {
		if err != nil {
			err = fmt.Errorf("list the lent namespaces: %w", err)
		}
		return 0, "", err
	}
	return len(list.Items), list.Items[0].GetName(), nil
}

// TryCreate creates a namespace by dry run, with the rights of its ServiceAccount, and
// repeats that for two minutes. The Helm chart runs it as its test.
func TryCreate(ctx context.Context, o *Options, log *slog.Logger) error {
	config, err := o.restConfig()
	if err != nil {
		return err
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	body := []byte(`{"apiVersion":"tenama.dev/v1alpha1","kind":"TemporaryNamespace","metadata":{"generateName":"` +
		o.Prefixes[0] + `"}}`)
	for end := time.Now().Add(2 * time.Minute); ; {
		err := kube.RESTClient().Post().AbsPath("/apis/tenama.dev/v1alpha1/temporarynamespaces").Param("dryRun", "All").
			SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Error()
		if err == nil {
			log.Info("A namespace can be created")
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("create a namespace by dry run: %w", err)
		}
		log.Info("A namespace cannot be created yet", "err", err)
		if !sleep(ctx, 3*time.Second) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// sleep waits; it reports false if ctx is done before.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
