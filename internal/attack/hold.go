// SPDX-License-Identifier: Apache-2.0

package attack

// The stage has two namespaces: $managed, and $held, which an administrator holds.
const held = namespaces + "/$held"

// hold returns the annotations of a hold by a user.
func hold(by string) string {
	return "tenama.dev/hold: incident, tenama.dev/held-by: '" + by + "'"
}

const noHold = "tenama.dev/hold: null, tenama.dev/held-by: null, tenama.dev/held-since: null"

// brokerAsAdminHold lists requests about holds: the broker can neither set nor end one, nor
// delete what is held.
var brokerAsAdminHold = []Row{
	{What: "delete a namespace on hold", Method: del, Path: held, Stop: Containment},
	{What: "end a hold", Method: patch, Path: held, Body: annotations(noHold), Stop: Containment},
	{
		What: "end a hold through /status", Method: patch, Path: held + "/status", Body: annotations(noHold),
		Stop: Containment,
	},
	{What: "set a hold", Method: patch, Path: managed, Body: annotations(hold("$broker")), Stop: Containment},
	{
		What: "create a namespace on hold", Method: post, Path: namespaces,
		Body: ns("tmp-kept", goodLabels, owned+timed+", "+hold("$broker")), Stop: Containment,
	},
	{
		What: "extend a namespace on hold", Method: patch, Path: held,
		Body: annotations("tenama.dev/reason: more"), Stop: Nothing,
	},
}

// brokerHold lists the same for the rights that the broker's token has.
var brokerHold = []Row{
	{What: "delete a namespace on hold", Method: del, Path: held, Stop: Containment},
	{
		What: "create a namespace on hold", Method: post, Path: namespaces,
		Body: ns("tmp-kept", goodLabels, owned+timed+", "+hold("$broker")), Stop: Containment,
	},
	{
		What: "end a pause of all expiries", Method: patch, Path: rbac + "/clusterroles/tenama:broker",
		Body: annotations("tenama.dev/pause-expiry: null"), Stop: RBAC,
	},
	{
		What: "confirm the deletion of all that is overdue", Method: patch, Path: rbac + "/clusterroles/tenama:broker",
		Body: annotations("tenama.dev/confirm-expiry-before: '2999-01-01T00:00:00Z'"), Stop: RBAC,
	},
}

// operatorHold lists requests of a user who may change every namespace, but lacks the verb
// administer.
var operatorHold = []Row{
	{What: "delete a namespace on hold", Method: del, Path: held, Stop: Holds},
	{What: "end a hold", Method: patch, Path: held, Body: annotations(noHold), Stop: Holds},
	{What: "end a hold through /status", Method: patch, Path: held + "/status", Body: annotations(noHold), Stop: Holds},
	{What: "change the reason of a hold", Method: patch, Path: held, Body: annotations("tenama.dev/hold: x"), Stop: Holds},
	{What: "set a hold", Method: patch, Path: managed, Body: annotations(hold("$operator")), Stop: Holds},
	{What: "set a hold on an ordinary namespace", Method: patch, Path: namespaces + "/$plain",
		Body: annotations(hold("$operator")), Stop: Keys},
	{What: "label a namespace on hold", Method: patch, Path: held, Body: labels("team: a"), Stop: Nothing},
}

// clusterAdminHold lists requests of an administrator. The verb override is an exemption
// from the other policies, and not from this one.
var clusterAdminHold = []Row{
	{What: "delete a namespace on hold", Method: del, Path: held, Stop: Holds},
	{What: "end a hold", Method: patch, Path: held, Body: annotations(noHold), Stop: Nothing},
	{What: "set a hold", Method: patch, Path: managed, Body: annotations(hold("$admin")), Stop: Nothing},
	{What: "set a hold in another's name", Method: patch, Path: managed, Body: annotations(hold("carol")), Stop: Holds},
	{
		What: "set a hold without a name", Method: patch, Path: managed, Body: annotations("tenama.dev/hold: x"),
		Stop: Holds,
	},
	{
		What: "remove the label by which a hold is found", Method: patch, Path: held,
		Body: labels("tenama.dev/managed: null"), Stop: Holds,
	},
	{
		What: "take over a hold in another's name", Method: patch, Path: held, Body: annotations("tenama.dev/held-by: carol"),
		Stop: Holds,
	},
	{
		What: "set a hold without a reason", Method: patch, Path: managed,
		Body: annotations("tenama.dev/hold: '', tenama.dev/held-by: '$admin'"), Stop: Holds,
	},
	{
		What: "remove the reason of a hold alone", Method: patch, Path: held, Body: annotations("tenama.dev/hold: null"),
		Stop: Holds,
	},
	{
		What: "set a hold on a namespace that is being deleted", Method: patch, Path: namespaces + "/$ending",
		Body: annotations(hold("$admin")), Stop: Holds,
	},
	{What: "restore a namespace on hold from a backup", Method: post, Path: namespaces,
		Body: ns("tmp-restored", goodLabels, owned+timed+", "+hold("carol")), Stop: Nothing},
}
