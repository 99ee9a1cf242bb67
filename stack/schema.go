package stack

import "maps"

// Schema is the JSON Schema (draft 2020-12) of ecosystem.yaml, for editors. It knows every key that Load reads, with its
// meaning, type and default, and refuses all others. What one key says about another (one of script and command, names
// that exist, cycles) is Load's to check.
func Schema() map[string]any {
	properties := object{}
	for _, d := range topKeyDocs() {
		properties[d.name] = d.nullable()
	}
	return object{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"title":                "ecosystem.yaml",
		"description":          "The processes of a stack and how they depend on each other and on the containers of a Compose file.",
		"type":                 "object",
		"properties":           properties,
		"patternProperties":    object{"^x-": object{}},
		"additionalProperties": false,
		"$defs":                schemaParts(),
	}
}

// nullable is the key's fragment: null takes the default, or takes back what a lower layer said.
func (d keyDoc) nullable() object {
	out := described(either(d.value, object{"type": "null"}), d.text)
	if d.fallback != nil {
		out["default"] = d.fallback
	}
	return out
}

// closed is an object with these keys and no others.
func closed(properties object, required ...any) object {
	out := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func described(fragment object, text string) object {
	out := maps.Clone(fragment)
	out["description"] = text
	return out
}

func withDefault(fragment object, value any) object {
	out := maps.Clone(fragment)
	out["default"] = value
	return out
}
