# A temporary namespace and what is in it, for OpenTofu and Terraform (docs/engines.md).
terraform {
  required_providers {
    kubectl = { source = "gavinbunney/kubectl", version = "~> 1.19" }
  }
}

provider "kubectl" {} # the current context of KUBE_CONFIG_PATH

variable "ttl" {
  description = "Seconds. It can be raised; to end the namespace earlier, destroy it."
  type        = number
  default     = 28800
}

resource "kubectl_manifest" "shop" {
  server_side_apply = true
  wait              = true # destroy ends when the namespace is gone
  yaml_body = yamlencode({
    apiVersion = "tenama.dev/v1alpha1"
    kind       = "TemporaryNamespace"
    metadata   = { name = "tmp-shop" }
    spec       = { className = "default", ttlSeconds = var.ttl }
  })
}

resource "kubectl_manifest" "app" {
  depends_on = [kubectl_manifest.shop]
  yaml_body = yamlencode({
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "app", namespace = "tmp-shop" }
    data       = { tier = "test" }
  })
}
