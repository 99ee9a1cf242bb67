package ecs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"devstack/profiles/prod"
	"devstack/stack"
)

// What ECS, IAM and Parameter Store take at most, in characters and bytes, and what else they ask of a user's names.
// Everything else that AWS demands holds for each document that Render writes, whatever the files say: conformance/ecs
// judges the golden documents by AWS's own SDK and by its handbook.
const (
	maxFamily         = 64 // of a role and of a schedule, which have the family's name
	maxImage          = 255
	maxDefinition     = 64 << 10
	leastMemory       = 6 // MiB
	accountForm       = `^\d{12}$`
	parameterForm     = `^/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`
	reservedParameter = `(?i)^/(aws|ssm)`
)

// is compiles the form for each question: compiled at package level, the forms would cost every start of the daemon more
// than an export asks of them.
func is(value, form string) bool { return regexp.MustCompile(form).MatchString(value) }

// checkLimits refuses what the user's names and values can exceed.
func (r *report) checkLimits(t task, d TaskDefinition) {
	first := t.members[0]
	for _, name := range []string{d.Family, r.Model.Name + "-execution"} {
		if len(name) > maxFamily {
			r.Refuse(first, "name", fmt.Sprintf("the role %s has %d characters, and AWS takes at most %d", name, len(name), maxFamily), "shorten the name of the stack or of the app")
		}
	}
	var small bytes.Buffer
	e := json.NewEncoder(&small)
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err == nil && small.Len() > maxDefinition {
		r.Refuse(first, "env", fmt.Sprintf("the task definition has %d bytes, and ECS takes at most %d", small.Len(), maxDefinition), "put large values into an object in S3, or into the image")
	}
	for i, w := range t.members {
		c := d.ContainerDefinitions[i]
		if len(c.Image) > maxImage || strings.ContainsAny(c.Image, " \t\r\n") {
			r.Refuse(w, "image", strconv.Quote(c.Image)+" does not name an image", fmt.Sprintf("write a reference without blanks, of at most %d characters", maxImage))
		}
		if c.Memory < leastMemory {
			r.Refuse(w, "max_memory_restart", fmt.Sprintf("ECS gives a container at least %d MiB", leastMemory), "ask for more memory")
		}
		r.checkSecrets(w, c.Secrets)
	}
}

func (r *report) checkSecrets(w prod.Workload, secrets []Secret) {
	for _, s := range secrets {
		switch {
		case !is(s.ValueFrom, parameterForm):
			r.Refuse(w, "env."+s.Name, "Parameter Store takes no parameter called "+strconv.Quote(s.ValueFrom), "use letters, digits, _, - and . in the variable's name")
		case is(s.ValueFrom, reservedParameter):
			r.Refuse(w, "env."+s.Name, "Amazon keeps names of parameters that begin with aws or ssm for itself", "give the stack another name")
		}
	}
}

// checkAccount refuses an account's number that no ARN takes.
func (r *report) checkAccount() {
	if account := r.o.Parameters["AWS_ACCOUNT_ID"]; account != "" && !is(account, accountForm) {
		r.Found = append(r.Found, &stack.Error{
			File: r.Model.Source, Message: "AWS_ACCOUNT_ID is " + strconv.Quote(account) + ", and an account's number has twelve digits",
			Hint: "give the number that aws sts get-caller-identity prints",
		})
	}
}
