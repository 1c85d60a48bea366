#!/bin/sh
# Registers the Service web of each namespace in Consul's catalog, and removes it: CONSUL_URL.
set -eu
case $TYPE in
*.created.*)
  call=register
  body=$(jq -n --arg ns "$NAMESPACE" --arg class "$CLASS" '{Node: "kubernetes", Address: "kubernetes",
    Service: {ID: $ns, Service: "web", Tags: [$class], Address: "web.\($ns).svc", Port: 80}}')
  ;;
*.deleted.*)
  call=deregister
  body=$(jq -n --arg ns "$NAMESPACE" '{Node: "kubernetes", ServiceID: $ns}')
  ;;
*) exit 0 ;;
esac
printf '%s' "$body" | curl --silent --show-error --fail --request PUT --json @- "$CONSUL_URL/v1/catalog/$call"
