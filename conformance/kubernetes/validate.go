package kubernetes

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install" // the API's kinds, their defaults and conversions
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
)

// stable versions are served by every cluster; the scheme knows older ones, too.
var stable = regexp.MustCompile(`^v[0-9]+$`)

// Decode reads YAML documents as the API server does, with strict field validation: an unknown field, a field that is there
// twice and a wrong type are errors. Defaults are filled in, and the namespace default where there is none.
func Decode(data []byte) ([]runtime.Object, error) {
	scheme := legacyscheme.Scheme
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	var out []runtime.Object
	for reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		object, kind, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return nil, err
		}
		if !stable.MatchString(kind.Version) {
			return nil, fmt.Errorf("%s is not a stable version", kind)
		}
		scheme.Default(object)
		meta, ok := object.(metav1.Object)
		if !ok {
			return nil, fmt.Errorf("%T has no metadata", object)
		}
		if _, is := object.(*corev1.Namespace); !is && meta.GetNamespace() == "" {
			meta.SetNamespace(metav1.NamespaceDefault)
		}
		out = append(out, object)
	}
}

// Problems are everything that keeps an API server with the restricted profile from taking the documents as they are, and
// what it would warn of. None: they are right.
func Problems(data []byte) []string {
	objects, err := Decode(data)
	if err != nil {
		return []string{err.Error()}
	}
	if len(objects) == 0 {
		return []string{"there is nothing in it"}
	}
	var out []string
	for _, object := range objects {
		where := describe(object)
		for _, message := range append(podSecurity(object), validate(object)...) {
			out = append(out, where+": "+message)
		}
	}
	return out
}

func describe(object runtime.Object) string {
	return fmt.Sprintf("%T %s", object, object.(metav1.Object).GetName())
}
