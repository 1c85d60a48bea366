// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"

	"tenama.dev/tenama/api/v1alpha1"
)

const (
	maxName  = 63 // a DNS-1123 label
	maxWords = 24 // two words of nine letters, a dash, and another with four digits
)

// generateName completes a generateName with two words, derived from the owner and
// the request, so that a repeated request gets the same name. A request that has
// created its namespace keeps the name, even if other names are free by now.
func (r *Registry) generateName(tn *v1alpha1.TemporaryNamespace, by user.Info) string {
	base, requestID := tn.GenerateName, tn.Annotations[v1alpha1.AnnotationRequestID]
	hash := v1alpha1.OwnerHash(by.GetName())
	if g := tn.Spec.OwnerGroup; g != "" {
		hash = v1alpha1.GroupHash(g)
	}
	if requestID == "" {
		requestID = rand.Text()
	} else {
		for _, ns := range r.Cache.List(hash) {
			if ns.Annotations[v1alpha1.AnnotationRequestID] == requestID && strings.HasPrefix(ns.Name, base) {
				return ns.Name
			}
		}
	}
	base = base[:min(len(base), maxName-maxWords)] // the words must stay
	for try := 0; ; try++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d", by.GetName(), requestID, try))
		name := base + words(sum[:])
		if try >= 3 { // the words are getting scarce
			name += fmt.Sprintf("-%x", sum[8:10])
		}
		if try == 16 || r.Cache.Get(name) == nil && r.Cache.Quarantined(name, hash) == 0 {
			return name
		}
	}
}

// hasPrefix reports whether a name begins with one of the prefixes.
func hasPrefix(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

func words(sum []byte) string {
	a := strings.Fields(adjectives)
	n := strings.Fields(nouns)
	return a[binary.BigEndian.Uint16(sum)%uint16(len(a))] + "-" + n[binary.BigEndian.Uint16(sum[2:])%uint16(len(n))]
}

// Short, plain, and harmless beside one another.
const (
	adjectives = `able agile airy amber apt azure balmy bold brave breezy brief bright brisk calm candid
clear clever cosy crisp curly dapper deft eager early easy fair fancy fast fine firm fleet fluent fond
frank free fresh full gentle glad golden good grand great green handy happy hardy hazel honest humble
ideal jolly jovial keen kind large light lively loyal lucid lucky lunar mellow merry mild mint misty
modest neat new nifty nimble noble novel open pale patient placid plain plucky polite prime proud pure
quick quiet rapid ready regal rosy round royal ruby rustic safe sandy sharp shiny silent silver simple
sleek smart smooth snowy snug soft solar solid sonic spry stable steady stoic sturdy subtle sunny super
sure sweet swift tall teal tender tidy tiny topaz tough tranquil true trusty upbeat valid vast velvet
vivid warm wide wise witty young zesty`
	nouns = `acorn alder alpaca anchor apple arrow ash aspen atlas badger bamboo basil bay beacon bear
beaver beech birch bison brook canoe canyon cedar cliff clover cobra comet condor coral cove crane
creek cricket cypress dahlia delta dingo dolphin dove dune eagle elk elm ember falcon fern finch fjord
flint forest fox garnet gecko ginkgo glacier glade goose grove gull harbor hare hawk hazel heron hill
hollow ibex iris island ivy jackal jade jaguar juniper kelp kestrel kiwi koala lagoon lake lark laurel
lemur lily lima llama lotus lynx magpie maple marten meadow mesa meteor mole moose moss narwhal newt
oak oasis ocean olive onyx opal orca orchid oriole osprey otter owl panda pebble pelican pine plover
pond poplar prairie puffin quail quartz quill rabbit raven reed reef ridge river robin rowan sable
salmon seal sequoia shore sparrow spruce starling stork summit swan tapir teak tern thistle thrush
tiger topaz trout tulip tundra turtle valley viola walnut walrus willow wolf wren yak yew zebra`
)
