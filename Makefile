# Everything is built with these flags, and only these: with others all of
# Kubernetes is compiled again.
export CGO_ENABLED := 0
GO      := go
VERSION :=
LDFLAGS := -s -w$(if $(VERSION), -X tenama.dev/tenama/internal/version.version=$(VERSION))
BIN     := $(CURDIR)/bin
TOOLS   := $(BIN)/tools
ARGS    ?=
URL     :=
ONLY    :=
OLDEST  := TestAttacks/rows|TestDrift|TestWhatATenantGetsWorks|TestUserKeys|TestClasses|TestDeployIsValid|TestCreate|TestExpiry|TestExtend|TestDrain|TestSpoofed|TestEveryone|TestOthersSeeNothing|TestQuota|TestScripts|TestWatch|TestExplain

.DEFAULT_GOAL := help
.PHONY: help build cluster cluster-oldest demo pictures prove-contained prove-limits test unit e2e e2e-oldest engines lint verify generate bench dist krew clean $(BIN)/kubectl-tenama $(BIN)/tenama-broker tools

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: $(BIN)/kubectl-tenama $(BIN)/tenama-broker ## Build the plugin and the broker into bin/

$(BIN)/kubectl-tenama:
	@$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o $@ ./cmd/kubectl-tenama

$(BIN)/tenama-broker:
	@$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o $@ ./cmd/broker

cluster: ## Build the control plane for tests and the demo (the first time: minutes)
	@test/cluster/build.sh $(BIN)/cluster
	@ln -sf cluster $(BIN)/kubectl

cluster-oldest: ## Build the same with the oldest Kubernetes that tenama is for (the first time: minutes)
	@test/cluster/build.sh $(BIN)/cluster-oldest oldest.mod

demo: build cluster ## Show the main job on a real control plane; KEEP=1 leaves it running
	@$(GO) run -trimpath ./test/demo

pictures: build cluster ## Take the pictures of README and docs anew, on a real control plane
	@$(GO) run -trimpath ./test/pictures

prove-contained: build cluster ## Attack with the broker's own token, and as a tenant; print what stopped it
	@$(GO) run -trimpath ./test/prove contained

prove-limits: build cluster ## Push against a budget with 200 users, three replicas and kill -9; count what gets in
	@$(GO) run -trimpath ./test/prove limits $(ARGS)

test: build cluster lint verify unit krew e2e engines e2e-oldest demo prove-contained prove-limits ## Run everything that must pass

unit: ## Run the tests that need no cluster
	$(GO) test -trimpath $(ARGS) ./api/... ./cmd/... ./internal/... ./pkg/... ./hack/... ./test/arch ./test/pictures

# Never from the test cache: it does not see the broker.
e2e: build cluster $(TOOLS)/helm $(TOOLS)/gatekeeper ## Run the tests on a real control plane
	$(GO) test -trimpath -count=1 -timeout 45m -parallel 4 $(ARGS) ./test/e2e/...

# Policies as files are younger than the oldest Kubernetes. Tests that change
# policies again and again are left out: that can end kube-apiserver 1.30
# (docs/known-issues.md). Races and the plugin do not depend on the version.
e2e-oldest: build cluster cluster-oldest $(TOOLS)/helm ## Run those that depend on Kubernetes on the oldest one
	KUBERNETES=oldest $(GO) test -trimpath -count=1 -timeout 30m $(ARGS) -run '$(OLDEST)' ./test/e2e/...

# Modules of their own: nobody who builds tenama builds these.
engines: build cluster ## Meet the API by the libraries of Flux, controller-runtime and Argo CD
	cd test/engines && $(GO) test -trimpath -count=1 -timeout 10m $(ARGS) ./...
	cd test/engines/argocd && $(GO) test -trimpath -count=1 -timeout 10m $(ARGS) ./...

bench: build cluster $(TOOLS)/kubectl ## Measure create against its floor, and what policies cost others (ratios)
	$(GO) run -trimpath ./test/bench $(ARGS)

dist: ## Make a release in dist/; VERSION=v1.2.3, URL=where it will be, ONLY=host or linux/arm64
	@$(GO) build -trimpath -o $(TOOLS)/dist ./hack/dist
	@$(TOOLS)/dist -version "$(VERSION)" -url "$(URL)" -only "$(ONLY)"

krew: dist cluster tools ## Make a release and test it with the real krew; ARGS=-cold compiles all twice
	$(GO) test -trimpath -count=1 -timeout 20m ./test/krew $(ARGS)

tools: ## Build the code generators, the linter, krew and its validator into bin/tools
	@cd tools && $(GO) build -trimpath -o $(TOOLS)/ sigs.k8s.io/controller-tools/cmd/controller-gen honnef.co/go/tools/cmd/staticcheck ./openapi
	@cd tools/krew && $(GO) build -trimpath -o $(TOOLS)/ sigs.k8s.io/krew/cmd/krew sigs.k8s.io/krew/cmd/validate-krew-manifest

$(TOOLS)/helm: tools/helm/go.mod
	@cd tools/helm && $(GO) build -trimpath -o $(TOOLS)/ helm.sh/helm/v4/cmd/helm

# bin/kubectl is the control plane by another name, and starts as slowly.
$(TOOLS)/kubectl: test/cluster/go.mod
	@cd test/cluster && $(GO) build -trimpath -ldflags "-s -w" -o $@ k8s.io/kubernetes/cmd/kubectl

$(TOOLS)/gatekeeper: tools/gatekeeper/go.mod
	@cd tools/gatekeeper && $(GO) build -trimpath -o $(TOOLS)/gatekeeper github.com/open-policy-agent/gatekeeper/v3

lint: tools ## Check format, vet, staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not gofmt-ed: $$out"; exit 1; }
	$(GO) vet -trimpath ./...
	$(TOOLS)/staticcheck ./...

generate: tools ## Write generated code, the CRD, the OpenAPI documents and the reference of the plugin
	@go run -trimpath ./hack/reference > docs/cli.md.new && mv docs/cli.md.new docs/cli.md
	@$(TOOLS)/controller-gen object paths=./api/...
	@$(TOOLS)/controller-gen crd paths=./api/policy/... output:crd:dir=deploy/base/crd
	@tmp=$$(mktemp -d) && $(TOOLS)/controller-gen crd paths=./api/v1alpha1/... output:crd:dir=$$tmp && \
		cp $$tmp/tenama.dev_temporarynamespaces.yaml test/e2e/testdata/twin.yaml && \
		$(TOOLS)/openapi $$tmp/tenama.dev_temporarynamespaces.yaml pkg/broker/openapi; s=$$?; rm -rf $$tmp; exit $$s

verify: tools ## Check generated files, go.mod and the krew manifest
	@hack/verify.sh

clean: ## Remove what was built
	rm -rf bin dist .demo
