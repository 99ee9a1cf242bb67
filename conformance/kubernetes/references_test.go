package kubernetes_test

import (
	"slices"
	"strings"
	"testing"

	"devstack/profiles/prod"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"devstack/conformance/kubernetes"
)

// cluster is what an export makes.
type cluster struct {
	objects []runtime.Object
	pods    map[string]*corev1.PodTemplateSpec // by the name of what makes them
}

func build(t *testing.T, files []prod.File, root string) cluster {
	t.Helper()
	built, err := kubernetes.Build(files, root)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := kubernetes.Decode(built)
	if err != nil {
		t.Fatal(err)
	}
	c := cluster{objects: objects, pods: map[string]*corev1.PodTemplateSpec{}}
	for _, o := range objects {
		if pod := kubernetes.Template(o); pod != nil {
			c.pods[o.(metav1.Object).GetName()] = pod
		}
	}
	return c
}

// has says that there is an object of a type with a name.
func has[T runtime.Object](c cluster, name string) bool {
	return slices.ContainsFunc(c.objects, func(o runtime.Object) bool {
		_, is := o.(T)
		return is && o.(metav1.Object).GetName() == name
	})
}

func (c cluster) selects(s labels.Selector) bool {
	for _, pod := range c.pods {
		if s.Matches(labels.Set(pod.Labels)) {
			return true
		}
	}
	return false
}

func selector(t *testing.T, s *metav1.LabelSelector) labels.Selector {
	t.Helper()
	out, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What a pod names is there, or in the list of Secrets that must exist; and what selects pods finds some.
func TestNothingDangles(t *testing.T) {
	for name, files := range exports(t) {
		for _, root := range roots {
			c := build(t, files, root)
			for pod, template := range c.pods {
				if !has[*corev1.ServiceAccount](c, template.Spec.ServiceAccountName) {
					t.Errorf("%s: %s: there is no ServiceAccount %s", name, pod, template.Spec.ServiceAccountName)
				}
				for _, from := range template.Spec.Containers[0].EnvFrom {
					if !has[*corev1.ConfigMap](c, from.ConfigMapRef.Name) {
						t.Errorf("%s: %s: there is no ConfigMap %s", name, pod, from.ConfigMapRef.Name)
					}
				}
				for _, v := range template.Spec.Containers[0].Env {
					if v.ValueFrom != nil && !required(t, files, pod, v.ValueFrom.SecretKeyRef) {
						t.Errorf("%s: %s: %v is not in secrets.required.yaml", name, pod, v.ValueFrom.SecretKeyRef)
					}
				}
			}
			for _, o := range c.objects {
				if s := selectorOf(t, o); s != nil && !c.selects(s) {
					t.Errorf("%s: %T %s selects no pod", name, o, o.(metav1.Object).GetName())
				}
				if secret, is := o.(*corev1.Secret); is {
					t.Errorf("%s: there is a Secret %s", name, secret.Name)
				}
			}
		}
	}
}

func selectorOf(t *testing.T, object runtime.Object) labels.Selector {
	t.Helper()
	switch o := object.(type) {
	case *corev1.Service:
		return labels.SelectorFromSet(o.Spec.Selector)
	case *networkingv1.NetworkPolicy:
		return selector(t, &o.Spec.PodSelector)
	case *policyv1.PodDisruptionBudget:
		return selector(t, o.Spec.Selector)
	case *appsv1.Deployment:
		return selector(t, o.Spec.Selector)
	}
	return nil
}

// required says that secrets.required.yaml tells of a key and of who needs it.
func required(t *testing.T, files []prod.File, consumer string, ref *corev1.SecretKeySelector) bool {
	t.Helper()
	var document struct {
		Secrets []struct {
			Name string
			Keys []struct {
				Key       string
				Consumers []string
			}
		}
	}
	for _, f := range files {
		if f.Path == "secrets.required.yaml" {
			if err := yaml.Unmarshal(f.Data, &document); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, s := range document.Secrets {
		for _, k := range s.Keys {
			if s.Name == ref.Name && k.Key == ref.Key && slices.Contains(k.Consumers, consumer) {
				return true
			}
		}
	}
	return false
}

// What the user writes into an overlay has its effect, and a value that an overlay changes replaces the pods.
func TestAnOverlayIsTheUsers(t *testing.T) {
	files := exports(t)["everything"]
	before := build(t, files, "overlays/production")
	for i, f := range files {
		if f.Path == "overlays/production/kustomization.yaml" {
			data := strings.Replace(string(f.Data), "registry.example.com/everything/web-api\n    newTag: CHANGE-ME", "registry.test/shop\n    newTag: v7", 1)
			data += "configMapGenerator:\n  - name: web-api-config\n    behavior: merge\n    literals: [PRICE=no]\n"
			files[i].Data = []byte(data)
		}
	}
	after := build(t, files, "overlays/production")
	was, is := before.pods["web-api"].Spec.Containers[0], after.pods["web-api"].Spec.Containers[0]
	if is.Image != "registry.test/shop:v7" {
		t.Errorf("the image is %s", is.Image)
	}
	if was.EnvFrom[0].ConfigMapRef.Name == is.EnvFrom[0].ConfigMapRef.Name {
		t.Error("a changed value leaves the pods as they are")
	}
	for _, o := range after.objects {
		if m, ok := o.(*corev1.ConfigMap); ok && m.Name == is.EnvFrom[0].ConfigMapRef.Name && (m.Data["PRICE"] != "no" || m.Data["QUOTED"] != `"quoted"`) {
			t.Errorf("the values are %v", m.Data)
		}
	}
	if before.pods["worker"].Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name != after.pods["worker"].Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name {
		t.Error("another app's value replaces the worker's pods")
	}
}
