// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/jsonpath"

	"tenama.dev/tenama/api/v1alpha1"
)

// sortKeywords maps the keywords of --sort-by to JSONPaths.
var sortKeywords = map[string]string{
	"name": ".metadata.name", "expires": ".status.expirationTimestamp", "age": ".metadata.creationTimestamp",
	"owner": ".status.owner", "class": ".spec.className",
}

// sortOrder is a parsed --sort-by.
type sortOrder struct {
	path *jsonpath.JSONPath
	last bool // empty values sort last, such as no expiry
}

func newSortOrder(by string) (*sortOrder, error) {
	expression := by
	if path, word := sortKeywords[by]; word {
		expression = path
	} else if !strings.ContainsAny(by, ".{") {
		return nil, fmt.Errorf("--sort-by %q: use name, expires, age, owner or class, or a JSONPath such as .spec.reason", by)
	}
	path, err := parsePath("sort-by", expression)
	if err != nil {
		return nil, fmt.Errorf("--sort-by %q: %w", by, err)
	}
	return &sortOrder{path: path, last: by == "expires"}, nil
}

// sort sorts items; equal values are sorted by name.
func (o *sortOrder) sort(items []v1alpha1.TemporaryNamespace) error {
	type keyed struct {
		key  string
		item v1alpha1.TemporaryNamespace
	}
	all := make([]keyed, len(items))
	for i := range items {
		key, err := lookUp(o.path, &items[i])
		if err != nil {
			return err
		}
		all[i] = keyed{key, items[i]}
	}
	slices.SortStableFunc(all, func(a, b keyed) int {
		if o.last && (a.key == "") != (b.key == "") {
			return -cmp.Compare(a.key, b.key)
		}
		return cmp.Or(compare(a.key, b.key), cmp.Compare(a.item.Name, b.item.Name))
	})
	for i := range all {
		items[i] = all[i].item
	}
	return nil
}

// compare compares two numbers as numbers, and all other values, including RFC 3339
// times, as text.
func compare(a, b string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

var relaxedPath = regexp.MustCompile(`^(?:\{\.?([^{}]+)\}|\.?([^{}]+))$`)

// parsePath parses a JSONPath as kubectl does: {.a.b}, .a.b and a.b are the same.
func parsePath(name, s string) (*jsonpath.JSONPath, error) {
	m := relaxedPath.FindStringSubmatch(s)
	if m == nil {
		return nil, fmt.Errorf("%q is not a JSONPath: use one such as .metadata.name", s)
	}
	p := jsonpath.New(name).AllowMissingKeys(true)
	if err := p.Parse("{." + m[1] + m[2] + "}"); err != nil {
		return nil, fmt.Errorf("%q is not a JSONPath: %w", s, err)
	}
	return p, nil
}

// lookUp returns the values at a path of an object as text, separated by commas.
func lookUp(p *jsonpath.JSONPath, obj runtime.Object) (string, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return "", err
	}
	found, err := p.FindResults(content)
	if err != nil {
		return "", err
	}
	var out []string
	for _, set := range found {
		for _, v := range set {
			var b bytes.Buffer
			if v.IsValid() && v.CanInterface() {
				fmt.Fprint(&b, v.Interface())
			}
			out = append(out, b.String())
		}
	}
	return strings.Join(out, ","), nil
}
