# One set of compiler flags for the control plane, the broker, the plugin, tools
# and tests: what they share (two thirds of the packages) is then compiled once.
# Without inlining and DWARF a first build takes two thirds of the time. What
# users run, and benchmarks, have Go's own flags.
DEV     := -trimpath -buildvcs=false '-gcflags=all=-l -dwarf=false'
RELEASE := -trimpath
export GOFLAGS     := $(DEV)
export CGO_ENABLED := 0
GO      := go
VERSION :=
LDFLAGS := -s -w$(if $(VERSION), -X tenama.dev/tenama/internal/version.version=$(VERSION))
BIN     := $(CURDIR)/bin
TOOLS   := $(BIN)/tools
# Runs a command with a temporary directory of its own, and leaves nothing behind.
ALONE   := hack/alone.sh
ARGS    ?=
URL     :=
ONLY    :=
# Of make bench: where it writes, and an earlier broker to compare with.
OUT     := $(BIN)/bench
PREVIOUS :=
# The name of the image of the broker, without a tag, and what it is built for.
IMAGE   :=
ARCH     = $(shell $(GO) env GOARCH)
PUSH    :=
# Of make soak.
DURATION := 10m

# Tests that take minutes and that a change seldom breaks: a policy without each
# of its rules, a fault in every call, interrupted targets. CONTRIBUTING.md lists
# the targets and the reasons.
LONG    := ^(TestEveryRuleStopsAnAttack|TestSkewedReplica|TestFaults|TestExampleGatekeeper|TestInterruptedTargets)$$
# Tests that depend on Kubernetes, for the oldest version. Tests that change policies
# repeatedly are left out: such changes can crash kube-apiserver 1.30
# (docs/known-issues.md). Races and the plugin do not depend on the version.
OLDEST  := TestAttacks|TestDrift|TestOrdinaryUse|TestUserKeys|TestInvalidClasses|TestDeployIsValid|TestCreate|TestExpiry|TestExtend|TestDrain|TestSpoofed|TestUserIdentity|TestUsersSeeOnlyTheirOwn|TestQuota|TestScripts|TestWatch|TestExplain|TestTenantCannotOutlive|TestExampleAuthentication

.DEFAULT_GOAL := help
.PHONY: help build cluster cluster-oldest check fmt vet staticcheck unit verify test test-all e2e e2e-long e2e-oldest \
	compat worlds worlds-tests monitoring krew wine demo image image-test node node-core node-binaries node-tests releases cluster-node \
	pictures prove-contained prove-limits prove-memory prove-outage prove-outage-core soak race bench bench-small bench-programs cluster-release dist generate times clean $(BIN)/kubectl-tenama $(BIN)/tenama-broker

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##### Programs

build: GOFLAGS := $(RELEASE)
build: $(BIN)/kubectl-tenama $(BIN)/tenama-broker ## Build the plugin and the broker into bin/

$(BIN)/kubectl-tenama:
	@$(GO) build -ldflags "$(LDFLAGS)" -o $@ ./cmd/kubectl-tenama

$(BIN)/tenama-broker:
	@$(GO) build -ldflags "$(LDFLAGS)" -o $@ ./cmd/broker

# Reproducible, with the time of the commit as its date, and the tag dev without VERSION.
image: $(TOOLS)/image ## Build the image of the broker into bin/tenama-broker.tar, print its digest; ARCH=arm64, IMAGE=name, PUSH=name:tag
	@GOOS=linux GOARCH=$(ARCH) $(GO) build -ldflags "$(LDFLAGS)" -o $(BIN)/linux_$(ARCH)/tenama-broker ./cmd/broker
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} $(TOOLS)/image build \
		$(if $(IMAGE),-repository "$(IMAGE)") $(if $(VERSION),-version "$(VERSION)") $(if $(PUSH),-push "$(PUSH)") \
		-output $(BIN)/tenama-broker.tar linux/$(ARCH)=$(BIN)/linux_$(ARCH)/tenama-broker

PROGRAMS := $(BIN)/kubectl-tenama $(BIN)/tenama-broker

cluster: ## Build the control plane for tests and the demo (the first time: minutes)
	@test/cluster/build.sh $(BIN)/cluster
	@ln -sf cluster $(BIN)/kubectl

cluster-oldest: ## Build the same with the oldest Kubernetes that tenama supports (the first time: minutes)
	@test/cluster/build.sh $(BIN)/cluster-oldest oldest.mod

cluster-release: ## Build the same with Go's own flags, for benchmarks
	@INLINE=1 test/cluster/build.sh $(BIN)/cluster-release
	@[ -e $(BIN)/kubectl ] || ln -sf cluster-release $(BIN)/kubectl

cluster-node: ## Build the same with kubelet, kube-proxy and kube-scheduler, for tests on a node
	@test/cluster/build.sh $(BIN)/cluster-node go.mod node

ifeq ($(CLUSTER),current)
demo: image $(PROGRAMS) # on the cluster of the current context; BROKER=NAME:TAG names an image that its nodes can pull
	@$(ALONE) $(GO) run ./hack/demo -cluster current -image "$(BROKER)"
else
demo: cluster $(PROGRAMS) ## Show the main use on a real control plane; KEEP=1 leaves it running; CLUSTER=current uses yours
	@$(ALONE) $(GO) run ./hack/demo
endif

##### Checks and tests

check: fmt vet staticcheck unit verify ## Check format, vet, staticcheck, unit tests, generated files: the quick loop

test: check e2e node-core prove-outage-core demo ## Run the checks and tests that every change must pass

test-all: test e2e-long node compat worlds monitoring krew image-test e2e-oldest prove-contained prove-limits prove-memory prove-outage soak race ## Run these and all others: before a release, and before an issue is resolved

fmt:
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not gofmt-ed: $$out"; exit 1; }

vet:
	$(GO) vet ./...

staticcheck: $(TOOLS)/staticcheck
	$(TOOLS)/staticcheck ./...

unit: ## Run the tests that need no cluster
	$(ALONE) $(GO) test $(ARGS) ./api/... ./cmd/... ./deploy/... ./internal/... ./pkg/... ./hack/... ./test/arch
	cd tools/image && ../../$(ALONE) $(GO) test $(ARGS) ./...

verify: $(TOOLS)/controller-gen $(TOOLS)/openapi $(TOOLS)/validate-krew-manifest ## Check generated files, go.mod and the krew manifest
	@$(ALONE) hack/verify.sh

# Never from the test cache, which does not notice a changed broker.
E2E := $(ALONE) $(GO) test -count=1 -timeout 60m -parallel 8 $(ARGS)

e2e: cluster $(PROGRAMS) $(TOOLS)/helm ## Run the tests on a real control plane, except the long ones
	$(E2E) -skip '$(LONG)' ./test/e2e

e2e-long: cluster $(PROGRAMS) $(TOOLS)/gatekeeper ## Run the long tests
	$(E2E) -run '$(LONG)' ./test/e2e

e2e-oldest: cluster cluster-oldest $(PROGRAMS) $(TOOLS)/helm ## Run the tests that depend on Kubernetes on its oldest version
	KUBERNETES=oldest $(E2E) -run '$(OLDEST)' ./test/e2e

# It compiles all packages once more, with cgo.
race: cluster ## Run unit tests and a part of the tests on a control plane with the race detector (needs a C compiler)
	hack/race.sh

# Separate modules, which a build of tenama does not compile.
compat: cluster $(PROGRAMS) ## Test the API with the libraries of Flux, controller-runtime and Argo CD
	cd test/compat && ../../$(E2E) ./...
	cd test/compat/argocd && ../../../$(E2E) ./...

# As make node: where the machine lacks something, it says what, and succeeds.
worlds: ## Run examples/gitlab, github, flux, terraform, notices with the programs they are for (Debian: nodejs npm rsync webhook python3-aiosmtpd jq)
	@if test/worlds/packages.sh; then $(MAKE) --no-print-directory worlds-tests; fi

worlds-tests: cluster $(PROGRAMS) $(TOOLS)/notices/node_modules $(TOOLS)/gitlab-ci-local $(TOOLS)/act $(TOOLS)/source-controller $(TOOLS)/kustomize-controller \
		$(TOOLS)/tofu $(TOOLS)/tofu-providers/terraform-provider-kubectl
	cd test/worlds && $(CURDIR)/$(ALONE) $(GO) test -count=1 -timeout 30m $(ARGS) # there, go test prints the versions

# As make worlds.
monitoring: cluster $(PROGRAMS) $(TOOLS)/kube-state-metrics $(TOOLS)/crds ## Test alerts and dashboard with Prometheus (Debian: prometheus)
	@if test/monitoring/packages.sh; then $(ALONE) $(GO) test -count=1 -timeout 30m $(ARGS) ./test/monitoring; fi

krew: dist cluster $(TOOLS)/krew $(TOOLS)/validate-krew-manifest ## Make a release and test it with the real krew; ARGS=-cold compiles everything twice
	$(ALONE) $(GO) test -count=1 -timeout 60m ./test/krew $(ARGS)

image-test: dist $(TOOLS)/image $(TOOLS)/oras ## Make a release; test its image with skopeo, oras, umoci, a registry, containerd and sigstore-go (root)
	@test/image/install.sh
	$(ALONE) $(GO) test -count=1 -timeout 30m ./test/image $(ARGS)
	cd test/attest && ../../$(ALONE) $(GO) test -count=1 -timeout 30m ./... $(ARGS)

wine: cluster $(PROGRAMS) ## Run the plugin for Windows under Wine (Debian: wine64 gcc-mingw-w64-x86-64-win32)
	$(ALONE) $(GO) test -count=1 -timeout 30m ./test/wine $(ARGS)

# Two releases for the test of an update: the commit before HEAD, and the files as they are.
# A checkout without history has no commit before; there HEAD is the first.
releases:
	@$(ALONE) test/node/releases.sh $(BIN)/releases

# The machine first: what the tests run on a node takes minutes to build.
node: ## Run the tests on a real node (Linux, root); KEEP=1 leaves it running, ARGS='-run TestDNS' runs one
	@if test/node/packages.sh; then $(MAKE) --no-print-directory node-tests; fi

# It installs nothing: where something lacks, it says what, and succeeds.
node-core: ## Run the core of them, if the machine has what they need: pods, names, network policies, tenama in pods
	@if test/node/packages.sh --check; then $(MAKE) --no-print-directory node-binaries && $(NODE) -run '$(CORE)' ./test/node; fi

NODE := $(ALONE) $(GO) test -count=1 -timeout $(if $(KEEP),0,60m) $(if $(KEEP),-v) $(ARGS)
CORE := ^(TestPods|TestNetworkPolicies|TestTenama)$$

node-binaries: cluster-node image $(PROGRAMS) $(BIN)/probe $(TOOLS)/kube-router $(TOOLS)/coredns $(TOOLS)/helm

node-tests: node-binaries releases $(TOOLS)/cert-manager
	$(NODE) ./test/node

$(BIN)/probe: $(wildcard test/node/probe/*.go)
	@$(GO) build -ldflags "-s -w" -o $@ ./test/node/probe

prove-contained: cluster $(PROGRAMS) ## Attack with the broker's own token, and as a tenant; print what stopped each attack
	@$(ALONE) $(GO) run ./hack/prove contained

prove-limits: cluster $(PROGRAMS) ## Compete for a budget with 200 users, three replicas and kill -9; count the admitted
	@$(ALONE) $(GO) run ./hack/prove limits $(ARGS)

prove-outage: cluster $(PROGRAMS) $(TOOLS)/helm ## Cause two dozen faults, one after the other, under load; print what each one cost (root)
	@$(ALONE) $(GO) run ./hack/prove outage $(ARGS)

prove-outage-core: cluster $(PROGRAMS) $(TOOLS)/helm ## The same with four of the faults
	@$(ALONE) $(GO) run ./hack/prove outage -short $(ARGS)

soak: cluster $(PROGRAMS) $(TOOLS)/helm ## Cause faults at random under mixed load for DURATION=10m; ARGS=-seed=N repeats an order (root)
	@$(ALONE) $(GO) run ./hack/prove soak -for=$(DURATION) $(ARGS)

prove-memory: cluster $(PROGRAMS) ## Read 10,000 large namespaces 64 times at once; print the peak of the broker's memory
	@$(ALONE) $(GO) run ./hack/prove memory $(ARGS)

times: ## Print the time of each target and each test; COLD=1 with an empty build cache first
	@$(GO) run ./hack/times

# What it measures has Go's own flags, kube-apiserver included. OUT=docs writes docs/performance.md.
bench: ## Measure everything on control planes of its own and on a node (root); OUT=docs, PREVIOUS=a broker's binary
	@$(MAKE) --no-print-directory node-binaries $(TOOLS)/plot
	@$(MAKE) --no-print-directory GOFLAGS='$(RELEASE)' bench-programs
	@GOFLAGS='$(RELEASE)' KUBERNETES=release $(ALONE) $(GO) run ./hack/bench -page $(OUT)/performance.md $(BENCH)
	@$(TOOLS)/plot $(OUT)/performance/results.json $(OUT)/performance

bench-small: ## Measure creations and commands in three minutes, for before and after a change
	@$(MAKE) --no-print-directory GOFLAGS='$(RELEASE)' bench-programs
	@GOFLAGS='$(RELEASE)' KUBERNETES=release $(ALONE) $(GO) run ./hack/bench -small $(BENCH)

BENCH = -json $(OUT)/performance/results.json $(if $(PREVIOUS),-previous $(abspath $(PREVIOUS))) $(ARGS)

bench-programs: cluster-release $(PROGRAMS) $(TOOLS)/kubectl

##### Releases, screenshots, generated files

dist: ## Make a release in dist/; VERSION=v1.2.3, URL=where it will be, IMAGE=name, ONLY=host or linux/arm64
	@$(GO) run ./hack/dist -version "$(VERSION)" -url "$(URL)" $(if $(IMAGE),-image "$(IMAGE)") -only "$(ONLY)"

pictures: cluster $(PROGRAMS) ## Create the screenshots of README and docs again, on a real control plane
	@$(ALONE) $(GO) run ./hack/screenshots

generate: $(TOOLS)/controller-gen $(TOOLS)/openapi ## Write generated code, the CRD, the OpenAPI documents, the Helm chart and the references of commands and metrics
	@$(GO) run ./hack/reference > docs/cli.md.new && mv docs/cli.md.new docs/cli.md
	@$(GO) run ./hack/reference metrics > docs/metrics.md.new && mv docs/metrics.md.new docs/metrics.md
	@$(TOOLS)/controller-gen object paths=./api/...
	@$(TOOLS)/controller-gen crd paths=./api/policy/... output:crd:dir=deploy/base/crd
	@$(GO) run ./hack/dashboard
	@$(GO) run ./hack/chart
	@tmp=$$(mktemp -d) && $(TOOLS)/controller-gen crd paths=./api/v1alpha1/... output:crd:dir=$$tmp && \
		cp $$tmp/tenama.dev_temporarynamespaces.yaml test/e2e/testdata/twin.yaml && \
		$(TOOLS)/openapi $$tmp/tenama.dev_temporarynamespaces.yaml pkg/broker/openapi; s=$$?; rm -rf $$tmp; exit $$s

##### Tools, each in the version that its go.mod names

$(TOOLS)/staticcheck: tools/go.mod
	@cd tools && $(GO) build -o $@ honnef.co/go/tools/cmd/staticcheck

$(TOOLS)/controller-gen: tools/go.mod
	@cd tools && $(GO) build -o $@ sigs.k8s.io/controller-tools/cmd/controller-gen

$(TOOLS)/openapi: tools/go.mod $(wildcard tools/openapi/*.go)
	@cd tools && $(GO) build -o $@ ./openapi

$(TOOLS)/image: tools/image/go.mod $(wildcard tools/image/*.go)
	@cd tools/image && $(GO) build -o $@ .

$(TOOLS)/oras: tools/oras/go.mod
	@cd tools/oras && $(GO) build -o $@ oras.land/oras/cmd/oras

$(TOOLS)/tofu: tools/opentofu/go.mod
	@echo "Building OpenTofu (the first time: four minutes or more)" >&2
	@cd tools/opentofu && $(GO) build -ldflags "-s -w" -o $@ github.com/opentofu/opentofu/cmd/tofu

$(TOOLS)/tofu-providers/terraform-provider-kubectl: tools/terraform-provider-kubectl/go.mod
	@echo "Building a provider of Terraform (the first time: a minute or more)" >&2
	@cd tools/terraform-provider-kubectl && $(GO) build -ldflags "-s -w" -o $@ github.com/gavinbunney/terraform-provider-kubectl

$(TOOLS)/act: tools/act/go.mod
	@echo "Building act and actionlint (the first time: a minute or more)" >&2
	@cd tools/act && $(GO) build -o $(TOOLS)/ github.com/rhysd/actionlint/cmd/actionlint github.com/nektos/act

$(TOOLS)/source-controller $(TOOLS)/kustomize-controller: $(TOOLS)/%: tools/flux/go.mod
	@echo "Building Flux's $* (the first time: two minutes or more)" >&2
	@mkdir -p $(TOOLS)/flux-crds && cd tools/flux && $(GO) build -ldflags "-s -w" -o $@ github.com/fluxcd/$* && \
		install -m 644 "$$($(GO) list -m -f '{{.Dir}}' github.com/fluxcd/$*)"/config/crd/bases/*.yaml $(TOOLS)/flux-crds

$(TOOLS)/gitlab-ci-local: test/worlds/gitlab/package-lock.json
	@mkdir -p $(TOOLS)/npm && cp test/worlds/gitlab/package.json $< $(TOOLS)/npm
	@cd $(TOOLS)/npm && npm ci --silent --no-audit --no-fund
	@printf '#!/bin/sh\nexec node %s "$$@"\n' $(TOOLS)/npm/node_modules/gitlab-ci-local/src/index.js > $@ && chmod +x $@

$(TOOLS)/notices/node_modules: test/worlds/notices/package-lock.json
	@mkdir -p $(TOOLS)/notices && cp test/worlds/notices/*.json $(TOOLS)/notices
	@cd $(TOOLS)/notices && npm ci --silent --no-audit --no-fund && touch node_modules

$(TOOLS)/krew: tools/krew/go.mod
	@cd tools/krew && $(GO) build -o $@ sigs.k8s.io/krew/cmd/krew

$(TOOLS)/validate-krew-manifest: tools/krew/go.mod
	@cd tools/krew && $(GO) build -o $@ sigs.k8s.io/krew/cmd/validate-krew-manifest

$(TOOLS)/helm: tools/helm/go.mod
	@echo "Building helm" >&2
	@cd tools/helm && $(GO) build -o $@ helm.sh/helm/v4/cmd/helm

$(TOOLS)/gatekeeper: tools/gatekeeper/go.mod
	@echo "Building Gatekeeper (the first time: a minute or more)" >&2
	@cd tools/gatekeeper && $(GO) build -o $@ github.com/open-policy-agent/gatekeeper/v3

$(TOOLS)/kube-router: tools/kube-router/go.mod tools/kube-router/main.go
	@echo "Building kube-router (the first time: a minute or more)" >&2
	@cd tools/kube-router && $(GO) build -ldflags "-s -w" -o $@ .

$(TOOLS)/coredns: tools/coredns/go.mod tools/coredns/main.go
	@echo "Building CoreDNS (the first time: a minute or more)" >&2
	@cd tools/coredns && $(GO) build -ldflags "-s -w" -o $@ .

$(TOOLS)/cert-manager: tools/cert-manager/go.mod tools/cert-manager/main.go
	@echo "Building cert-manager (the first time: a minute or more)" >&2
	@mkdir -p $@-crds && cd tools/cert-manager && $(GO) build -ldflags "-s -w" -o $@ . && \
		install -m 644 "$$($(GO) list -m -f '{{.Dir}}' github.com/cert-manager/cert-manager)"/deploy/crds/*.yaml $@-crds

$(TOOLS)/kube-state-metrics: tools/kube-state-metrics/go.mod
	@echo "Building kube-state-metrics (the first time: two minutes or more)" >&2
	@cd tools/kube-state-metrics && $(GO) build -ldflags "-s -w" -o $@ k8s.io/kube-state-metrics/v2

$(TOOLS)/crds: tools/crds/go.mod
	@rm -rf $@.new && mkdir -p $@.new && cd tools/crds && $(GO) mod download github.com/grafana/grafana-operator/v5 \
		github.com/prometheus-operator/prometheus-operator && dir() { $(GO) list -m -f '{{.Dir}}' "$$1"; } && \
		install -m 644 "$$(dir github.com/grafana/grafana-operator/v5)"/config/crd/bases/*_grafanadashboards.yaml \
			"$$(dir github.com/prometheus-operator/prometheus-operator)"/example/prometheus-operator-crd/*_podmonitors.yaml \
			"$$(dir github.com/prometheus-operator/prometheus-operator)"/example/prometheus-operator-crd/*_prometheusrules.yaml $@.new && rm -rf $@ && mv $@.new $@

$(TOOLS)/plot: tools/plot/go.mod tools/plot/main.go
	@cd tools/plot && $(GO) build -o $@ .

# bin/kubectl is the control plane by another name, and starts as slowly.
$(TOOLS)/kubectl: test/cluster/go.mod
	@cd test/cluster && GOFLAGS='$(RELEASE)' $(GO) build -ldflags "-s -w" -o $@ k8s.io/kubernetes/cmd/kubectl

clean: ## Remove what was built
	rm -rf bin dist .demo
