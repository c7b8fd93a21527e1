package main

import (
	"encoding/json"
	"runtime"

	"github.com/open-policy-agent/opa/v1/ast"
	astjson "github.com/open-policy-agent/opa/v1/ast/json"
	"github.com/open-policy-agent/opa/v1/version"
)

// opParse is `opa parse --format json`, with annotations.
func opParse(raw json.RawMessage) (any, error) {
	var q struct {
		Op        string `json:"op"`
		File      string `json:"file"`
		Text      string `json:"text"`
		Locations bool   `json:"locations"`
	}
	if err := decode(raw, &q); err != nil {
		return nil, err
	}
	module, err := ast.ParseModuleWithOpts(q.File, q.Text, ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.DefaultRegoVersion})
	if err != nil {
		return nil, err
	}
	if q.Locations {
		everywhere := astjson.NodeToggle{
			Term: true, Package: true, Comment: true, Import: true, Rule: true, Head: true, Expr: true, SomeDecl: true, Every: true,
			With: true, Annotations: true, AnnotationsRef: true,
		}
		astjson.SetOptions(astjson.Options{MarshalOptions: astjson.MarshalOptions{IncludeLocationText: true, IncludeLocation: everywhere}})
		defer astjson.SetOptions(astjson.Defaults())
	}
	// Marshalled here, while the options hold.
	text, err := json.Marshal(module)
	return json.RawMessage(text), err
}

func opVersion(json.RawMessage) (any, error) {
	return map[string]any{
		"opa": version.Version, "go": runtime.Version(),
		"builtins": servedBuiltins(), "total": len(ast.CapabilitiesForThisVersion().Builtins),
	}, nil
}
