// SPDX-License-Identifier: Apache-2.0

package stage

// props are the objects of a stage that the broker does not create; the broker's own
// are created under its identity.
const props = `
apiVersion: v1
kind: Namespace
metadata: {name: plain}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: theirs, namespace: plain}
spec: {hard: {pods: 5}}
---
apiVersion: v1
kind: Service
metadata: {name: x, namespace: plain}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: leaving}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: theirs, namespace: leaving}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: theirs, namespace: leaving}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: frank}]
---
apiVersion: v1
kind: Namespace
metadata: {name: tmp-manual}
---
apiVersion: v1
kind: Node
metadata: {name: none}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: namespace-operator}
rules:
- {apiGroups: [""], resources: [namespaces, namespaces/status, namespaces/finalize], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: namespace-operator}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: namespace-operator}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: operator}]
---
# A network policy of another kind, which its makers let editors write.
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: networkpolicies.net.example.test}
spec:
  group: net.example.test
  scope: Namespaced
  names: {plural: networkpolicies, kind: NetworkPolicy}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: net-edit, labels: {rbac.authorization.k8s.io/aggregate-to-edit: "true"}}
rules:
- {apiGroups: [net.example.test], resources: [networkpolicies], verbs: ["*"]}
---
# As on clusters where the controllers of Kubernetes share one identity.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: all-in-one-jobs}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:controller:job-controller"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "system:kube-controller-manager"}]
---
apiVersion: policy.tenama.dev/v1alpha1
kind: NamespaceBudget
metadata: {name: stage}
spec: {total: {count/temporarynamespaces: 50}}
---
apiVersion: policy.tenama.dev/v1alpha1
kind: NamespaceClass
metadata: {name: open}
spec:
  lifetime: {defaultTTLSeconds: 3600, maximumTTLSeconds: 7200}
  networkPolicyAccess: ReadWrite
  objects:
  - {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: tenama},
     spec: {podSelector: {}, policyTypes: [Ingress]}}
`

// inside lists the objects that a cluster-admin adds to $managed and $open.
const inside = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: editor}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: edith}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: theirs}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: frank}]
---
apiVersion: v1
kind: Pod
metadata: {name: theirs}
spec: {nodeName: none, containers: [{name: c, image: c}]} # a pod that has been scheduled takes its time to end
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: theirs}
spec:
  replicas: 1
  selector: {matchLabels: {app: theirs}}
  template: {metadata: {labels: {app: theirs}}, spec: {containers: [{name: c, image: c}]}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: theirs}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: c}]}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: theirs}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: theirs}
spec: {hard: {count/leases.coordination.k8s.io: 100}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: theirs}
---
apiVersion: v1
kind: Event
metadata: {name: theirs}
involvedObject: {kind: Pod, namespace: $ns, name: x}
reason: X
type: Normal
`
