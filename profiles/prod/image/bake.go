package image

import (
	"path"
	"strings"

	"devstack/profiles/prod"
)

// ignore is what never gets to the builder. up leads from the workspace to this directory.
func (r *renderer) ignore(up string) []byte {
	var b strings.Builder
	b.WriteString(prod.Header)
	b.WriteString(`# BuildKit reads it from beside the Dockerfile. For a builder that does not, copy it to .dockerignore in the workspace.
# A certificate that is no secret and that an app needs may be called .crt.
**/.git
**/node_modules
**/.env*
**/*.pem
**/*.key
**/*.log
**/.devstack
**/coverage
`)
	if len(r.Model.Build.Command) > 0 {
		b.WriteString("**/dist\n**/*.tsbuildinfo\n")
	}
	if up != "." && !strings.HasPrefix(up, "..") {
		b.WriteString(up + "\n")
	}
	return []byte(b.String())
}

// bake has one target per app. It is run in ecosystem.yaml's directory, so that all it reads is below it.
func (r *renderer) bake(dockerfile string) []byte {
	var b strings.Builder
	b.WriteString(prod.Header)
	b.WriteString(`# Run it where ecosystem.yaml is: TAG=$(git rev-parse --short HEAD) docker buildx bake -f ` + path.Join(r.dir, "docker-bake.hcl") + `
# REGISTRY is a prefix with its slash. Without a TAG there is no name to build. SOURCE_DATE_EPOCH (a commit's time) and
# --set '*.output=type=registry,rewrite-timestamp=true' make the same bytes of the same files.
variable "REGISTRY" { default = "" }
variable "TAG" { default = "" }
variable "PLATFORMS" { default = "" }
variable "SOURCE_DATE_EPOCH" { default = "" }
variable "BUILD_IMAGE" { default = "node:` + r.workspace.Node + `-bookworm" }
variable "RUNTIME_IMAGE" { default = "node:` + r.workspace.Node + `-bookworm-slim" }

`)
	names := []string{}
	for _, a := range r.apps {
		names = append(names, quote(a.Name))
	}
	b.WriteString("group \"default\" {\n  targets = [" + strings.Join(names, ", ") + "]\n}\n\n")
	b.WriteString(`target "_workspace" {
  context    = ` + quote(r.Model.Build.Context) + `
  dockerfile = ` + quote(dockerfile) + `
  platforms  = PLATFORMS == "" ? [] : split(",", PLATFORMS)
` + r.secrets() + `  args = {
    BUILD_IMAGE       = BUILD_IMAGE
    RUNTIME_IMAGE     = RUNTIME_IMAGE
    SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH == "" ? null : SOURCE_DATE_EPOCH
  }
}
`)
	for _, a := range r.apps {
		b.WriteString("\ntarget " + quote(a.Name) + " {\n  inherits = [\"_workspace\"]\n  target   = " + quote(a.Name) +
			"\n  tags     = [\"${REGISTRY}" + a.Image.Repository + ":${TAG}\"]\n}\n")
	}
	return []byte(b.String())
}

// secrets are what .npmrc takes from the environment of whoever builds.
func (r *renderer) secrets() string {
	var list []string
	for _, name := range r.workspace.Tokens {
		list = append(list, quote("id="+name+",env="+name))
	}
	if len(list) == 0 {
		return ""
	}
	return "  secret     = [" + strings.Join(list, ", ") + "]\n"
}

// quote is a text of HCL, whose templates begin with ${ and %{.
func quote(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(argvWord(s))
}

func argvWord(s string) string { return strings.TrimSuffix(strings.TrimPrefix(argv(s), "["), "]") }
