// SPDX-License-Identifier: Apache-2.0

package main

type row struct {
	title  string
	panels []panel
}

type panel struct {
	kind        string // stat or timeseries
	title       string
	description string
	unit        string
	queries     []query
	colors      []object
}

type query struct{ expr, legend string }

// good and bad color a value of which 1, or 0, is right.
var (
	good = []object{{"color": "red", "value": nil}, {"color": "green", "value": 1}}
	bad  = []object{{"color": "green", "value": nil}, {"color": "red", "value": 1}}
)

func quantiles(metric string) []query {
	var out []query
	for _, q := range []string{"0.5", "0.95", "0.99"} {
		out = append(out, query{"histogram_quantile(" + q + ", sum by (le) (rate(" + metric +
			"_bucket[$__rate_interval])))", "p" + map[string]string{"0.5": "50", "0.95": "95", "0.99": "99"}[q]})
	}
	return out
}

var rows = []row{
	{"Service levels", []panel{
		{"stat", "Contained", "1 while the admission policies are proven to contain every broker.", "short",
			[]query{{"min(tenama_contained)", ""}}, good},
		{"stat", "Registered", "1 if kube-apiserver reaches the broker.", "short",
			[]query{{"max(tenama_registered)", ""}}, good},
		{"stat", "Creation, p95", "Time until the owner can use a new namespace, of 95 % of the creations.", "s",
			quantiles("tenama_creation_duration_seconds")[1:2], nil},
		{"stat", "Oldest overdue", "Time since the earliest expiry of a namespace that is not being deleted.", "s",
			[]query{{"max(tenama_expiry_overdue_seconds)", ""}},
			[]object{{"color": "green", "value": nil}, {"color": "red", "value": 900}}},
		{"stat", "Deletions that hang", "Namespaces whose deletion takes longer than --revoke-access-after.", "short",
			[]query{{"max(tenama_deletions_overdue)", ""}}, bad},
	}},
	{"Creations", []panel{
		{"timeseries", "Requests", "Requests to create a namespace, by result.", "reqps",
			[]query{{"sum by (result) (rate(tenama_creations_total[$__rate_interval]))", "{{result}}"}}, nil},
		{"timeseries", "Duration", "Time until the owner can use the namespace.", "s",
			quantiles("tenama_creation_duration_seconds"), nil},
		{"timeseries", "Waiting", "Requests that wait for capacity.", "short",
			[]query{{"sum(tenama_queue_length)", "waiting"}}, nil},
	}},
	{"Expiries", []panel{
		{"timeseries", "Lag", "Time from an expiry to the deletion.", "s", quantiles("tenama_expiry_lag_seconds"), nil},
		{"timeseries", "Expired and kept", "What has expired and is not being deleted, and what administrators hold.",
			"short", []query{{"max(tenama_expiries_overdue)", "overdue"}, {"max(tenama_holds)", "on hold"},
				{"max(tenama_expiry_paused)", "paused"}}, nil},
	}},
	{"Budgets", []panel{
		{"timeseries", "Share of the fullest limit", "Of each budget, the limit that is nearest to exhaustion.",
			"percentunit", []query{{"max by (budget) (tenama_budget_full_ratio)", "{{budget}}"}}, nil},
	}},
	{"Broker", []panel{
		{"timeseries", "Guard rails that differed", "By kind and outcome; each one was changed by other programs or users.",
			"short", []query{{"sum by (kind, became) (increase(tenama_guard_rail_drift_total[1h]))", "{{kind}} {{became}}"}},
			nil},
		{"timeseries", "News of kube-apiserver", "Age of the last event or bookmark; one a minute is sent.", "s",
			[]query{{"max(tenama_watch_age_seconds)", "age"}}, nil},
		{"timeseries", "Certificate", "Time until the serving certificate expires; it is renewed long before.", "s",
			[]query{{"min(tenama_certificate_expiry_timestamp_seconds) - time()", "left"}}, nil},
	}},
	{"Process", []panel{
		{"timeseries", "Memory", "Resident memory of each broker; its limit is 320 MiB.", "bytes",
			[]query{{"process_resident_memory_bytes and on (instance) tenama_build_info", "{{instance}}"}}, nil},
		{"timeseries", "Processor", "Processor time of each broker.", "percentunit",
			[]query{{"rate(process_cpu_seconds_total[$__rate_interval]) and on (instance) tenama_build_info", "{{instance}}"}},
			nil},
		{"timeseries", "Goroutines", "A number that grows for ever is a leak.", "short",
			[]query{{"go_goroutines and on (instance) tenama_build_info", "{{instance}}"}}, nil},
	}},
}
