package main

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/loader"
	"github.com/open-policy-agent/opa/v1/topdown"
)

const (
	kindRequest = "request" // the caller asked for something that has no meaning
	kindRego    = "rego"    // the policy or its data is wrong
	kindEval    = "eval"    // evaluation failed
	kindPanic   = "panic"   // a defect, here or in OPA
)

// failure is the error half of a response.
type failure struct {
	Kind    string  `json:"kind"`
	Message string  `json:"message"`
	Errors  []fault `json:"errors,omitempty"`
	Stack   string  `json:"stack,omitempty"`
}

// fault is one error with its place. Hint is ours; Message is OPA's own text.
type fault struct {
	File    string   `json:"file,omitempty"`
	Row     int      `json:"row,omitempty"`
	Col     int      `json:"col,omitempty"`
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Details []string `json:"details,omitempty"`
	Hint    string   `json:"hint,omitempty"`
	Builtin string   `json:"builtin,omitempty"`
}

type requestError struct{ error }

func asFailure(err error) *failure {
	var request requestError
	if errors.As(err, &request) {
		return &failure{Kind: kindRequest, Message: request.Error()}
	}
	kind := kindRego
	var evaluation *topdown.Error
	if errors.As(err, &evaluation) {
		kind = kindEval
	}
	return &failure{Kind: kind, Message: err.Error(), Errors: faults(err)}
}

// faults flattens the error lists of OPA's loader, parser, compiler and evaluator.
func faults(err error) []fault {
	if err == nil {
		return []fault{}
	}
	var list ast.Errors
	if errors.As(err, &list) {
		return mapFaults(list)
	}
	var loading loader.Errors
	if errors.As(err, &loading) {
		out := []fault{}
		for _, e := range loading {
			out = append(out, faults(e)...)
		}
		return out
	}
	var one *ast.Error
	if errors.As(err, &one) {
		return mapFaults(ast.Errors{one})
	}
	var evaluation *topdown.Error
	if errors.As(err, &evaluation) {
		f := fault{Code: evaluation.Code, Message: evaluation.Message}
		if l := evaluation.Location; l != nil {
			f.File, f.Row, f.Col = l.File, l.Row, l.Col
		}
		return []fault{f}
	}
	return []fault{placed(err)}
}

func mapFaults(list ast.Errors) []fault {
	list.Sort()
	out := make([]fault, 0, len(list))
	for _, e := range list {
		f := fault{Code: e.Code, Message: e.Message}
		if e.Location != nil {
			f.File, f.Row, f.Col = e.Location.File, e.Location.Row, e.Location.Col
		}
		if e.Details != nil {
			f.Details = e.Details.Lines()
		}
		if name := refusedBuiltin(e.Message); name != "" {
			f.Builtin = name
			f.Hint = fmt.Sprintf("`%s` is a builtin of OPA that the capabilities refuse; remove the call, or put what it would fetch into the input or the data", name)
		}
		out = append(out, f)
	}
	return out
}

var undefinedFunction = regexp.MustCompile(`^undefined function (\S+)$`)

// refusedBuiltin names the OPA builtin in an `undefined function` error, or nothing when OPA knows no such function.
func refusedBuiltin(message string) string {
	m := undefinedFunction.FindStringSubmatch(message)
	if m == nil || ast.BuiltinMap[m[1]] == nil {
		return ""
	}
	return m[1]
}

var pathPrefix = regexp.MustCompile(`^(?:bundle [^:]*: )?(?:bundle load failed on )?([^\s:]+\.(?:json|ya?ml|rego|manifest)): `)
var yamlLine = regexp.MustCompile(`line (\d+):`)

// placed finds the file that a plain loader error names in its text.
func placed(err error) fault {
	f := fault{Code: "opa_error", Message: err.Error()}
	if m := pathPrefix.FindStringSubmatch(f.Message); m != nil {
		f.Code, f.File = "load_error", m[1]
	}
	if m := yamlLine.FindStringSubmatch(f.Message); m != nil {
		_, _ = fmt.Sscan(m[1], &f.Row)
	}
	return f
}
