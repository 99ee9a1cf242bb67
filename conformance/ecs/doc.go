// Package ecs has no code of its own: its tests hold what devstack exports for Amazon ECS against the AWS SDK's own
// schemas, validators and serializers.
package ecs
