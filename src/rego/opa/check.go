package main

import (
	"encoding/json"
	"path/filepath"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/format"
)

type checkAnswer struct {
	Errors []fault `json:"errors"`
	Files  int     `json:"files"`
}

// opCheck is `opa check`; what is wrong with the policy is the answer, not an error.
func opCheck(raw json.RawMessage) (any, error) {
	var q struct {
		Op      string          `json:"op"`
		Program json.RawMessage `json:"program"`
	}
	if err := decode(raw, &q); err != nil {
		return nil, err
	}
	p, err := readProgram(q.Program)
	if err != nil {
		return nil, err
	}
	p.Prints = true
	l, err := p.load(!p.Bundle)
	if err != nil {
		return checkFault(err)
	}
	if err := l.compile(p); err != nil {
		return checkFault(err)
	}
	return checkAnswer{Errors: []fault{}, Files: len(l.modules)}, nil
}

func checkFault(err error) (any, error) {
	f := asFailure(err)
	if f.Kind == kindRequest {
		return nil, err
	}
	return checkAnswer{Errors: f.Errors}, nil
}

type formatted struct {
	File    string  `json:"file"`
	Changed bool    `json:"changed"`
	Text    *string `json:"text,omitempty"`
	Errors  []fault `json:"errors,omitempty"`
}

// opFormat is `opa fmt`; text is present only where it differs from the source.
func opFormat(raw json.RawMessage) (any, error) {
	var q struct {
		Op    string            `json:"op"`
		Files map[string]string `json:"files"`
	}
	if err := decode(raw, &q); err != nil {
		return nil, err
	}
	out := []formatted{}
	for name, source := range q.Files {
		if filepath.Ext(name) != bundle.RegoExt {
			continue
		}
		text, err := format.SourceWithOpts(name, []byte(source), format.Opts{RegoVersion: ast.DefaultRegoVersion})
		switch {
		case err != nil:
			out = append(out, formatted{File: name, Errors: faults(err)})
		case string(text) == source:
			out = append(out, formatted{File: name})
		default:
			changed := string(text)
			out = append(out, formatted{File: name, Changed: true, Text: &changed})
		}
	}
	slices.SortFunc(out, func(a, b formatted) int { return compare(a.File, b.File) })
	return out, nil
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
