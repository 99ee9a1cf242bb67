package kubernetes

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	autoscalingvalidation "k8s.io/kubernetes/pkg/apis/autoscaling/validation"
	"k8s.io/kubernetes/pkg/apis/batch"
	batchvalidation "k8s.io/kubernetes/pkg/apis/batch/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
)

// validate runs the API server's own validation of a new object, and asks what it would warn of.
func validate(object runtime.Object) []string {
	internal, err := legacyscheme.Scheme.ConvertToVersion(object, runtime.InternalGroupVersioner)
	if err != nil {
		return []string{err.Error()}
	}
	var found field.ErrorList
	var template *core.PodTemplateSpec
	switch o := internal.(type) {
	case *apps.Deployment:
		template = &o.Spec.Template
		found = appsvalidation.ValidateDeployment(o, podutil.GetValidationOptionsFromPodTemplate(template, nil))
	case *apps.StatefulSet:
		template = &o.Spec.Template
		found = appsvalidation.ValidateStatefulSet(o, podutil.GetValidationOptionsFromPodTemplate(template, nil))
	case *batch.Job:
		template = &o.Spec.Template
		selectOwnPods(o)
		options := batchvalidation.JobValidationOptions{PodValidationOptions: podutil.GetValidationOptionsFromPodTemplate(template, nil), RequirePrefixedLabels: true}
		found = batchvalidation.ValidateJob(o, options)
	case *batch.CronJob:
		template = &o.Spec.JobTemplate.Spec.Template
		found = batchvalidation.ValidateCronJobCreate(o, podutil.GetValidationOptionsFromPodTemplate(template, nil))
	case *core.Service:
		found = corevalidation.ValidateServiceCreate(o)
	case *core.ServiceAccount:
		found = corevalidation.ValidateServiceAccount(o)
	case *core.ConfigMap:
		found = corevalidation.ValidateConfigMap(o)
	case *core.Namespace:
		found = corevalidation.ValidateNamespace(o)
	case *networking.NetworkPolicy:
		found = networkingvalidation.ValidateNetworkPolicy(o, networkingvalidation.ValidationOptionsForNetworking(o, nil))
	case *policy.PodDisruptionBudget:
		found = policyvalidation.ValidatePodDisruptionBudget(o, policyvalidation.PodDisruptionBudgetValidationOptions{})
	case *autoscaling.HorizontalPodAutoscaler:
		found = autoscalingvalidation.ValidateHorizontalPodAutoscaler(o, autoscalingvalidation.HorizontalPodAutoscalerSpecValidationOptions{MinReplicasLowerBound: 1})
	default:
		return []string{fmt.Sprintf("no validation is known for %T", internal)}
	}
	var out []string
	for _, e := range found {
		out = append(out, e.Error())
	}
	if template != nil {
		for _, w := range podutil.GetWarningsForPodTemplate(context.Background(), field.NewPath("spec", "template"), template, nil) {
			out = append(out, "warning: "+w)
		}
	}
	return out
}

// selectOwnPods gives a Job the selector that the API server generates.
func selectOwnPods(job *batch.Job) {
	job.UID = types.UID("00000000-0000-0000-0000-000000000001")
	if job.Spec.Template.Labels == nil {
		job.Spec.Template.Labels = map[string]string{}
	}
	for key, value := range map[string]string{
		batch.LegacyJobNameLabel: job.Name, batch.JobNameLabel: job.Name,
		batch.LegacyControllerUidLabel: string(job.UID), batch.ControllerUidLabel: string(job.UID),
	} {
		job.Spec.Template.Labels[key] = value
	}
	job.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{batch.ControllerUidLabel: string(job.UID)}}
}
