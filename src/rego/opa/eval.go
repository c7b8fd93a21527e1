package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/lineage"
)

type evalQuery struct {
	Op      string          `json:"op"`
	Program json.RawMessage `json:"program"`
	Query   string          `json:"query"`
	Input   *string         `json:"input"`   // JSON text; absent: no input document
	NowNs   string          `json:"now_ns"`  // decimal text: it does not fit a JSON number of every reader
	Explain string          `json:"explain"` // notes, fails, full, debug
	Events  bool            `json:"events"`  // also the trace as data, with the values of variables
	Strict  bool            `json:"strict_builtin_errors"`
	// Evaluate also the rules that the index knows to be false, and every definition of a rule, so that the trace shows why each is false.
	AllRules bool `json:"all_rules"`
}

type evalAnswer struct {
	Result    string   `json:"result"` // JSON text, so that no reader rounds a number
	Undefined bool     `json:"undefined"`
	Prints    string   `json:"prints,omitempty"`
	Trace     []string `json:"trace,omitempty"`
	Events    []event  `json:"events,omitempty"`
}

// event is one step of an evaluation.
type event struct {
	Op     string            `json:"op"`
	Query  uint64            `json:"query"`
	Parent uint64            `json:"parent"`
	File   string            `json:"file,omitempty"`
	Row    int               `json:"row,omitempty"`
	Col    int               `json:"col,omitempty"`
	Kind   string            `json:"kind"` // rule, body, expr
	Node   string            `json:"node"`
	Text   string            `json:"text,omitempty"`
	Locals map[string]string `json:"locals,omitempty"` // name to value, as Rego text
}

// opEval is `opa eval` with a clock that the caller sets.
func opEval(raw json.RawMessage) (any, error) {
	var q evalQuery
	if err := decode(raw, &q); err != nil {
		return nil, err
	}
	_, l, err := open(q.Program)
	if err != nil {
		return nil, err
	}
	now, err := readNow(q.NowNs)
	if err != nil {
		return nil, err
	}
	var prints bytes.Buffer
	options := []func(*rego.Rego){
		rego.Compiler(l.compiler), rego.Store(l.store), rego.Query(q.Query), rego.Time(now), rego.Capabilities(l.caps),
		rego.PrintHook(topdown.NewPrintHook(&prints)), rego.EnablePrintStatements(true), rego.StrictBuiltinErrors(q.Strict),
	}
	if options, err = withInput(options, q.Input); err != nil {
		return nil, err
	}
	var tracer *topdown.BufferTracer
	if q.Explain != "" {
		tracer = topdown.NewBufferTracer()
	}
	prepared, err := rego.New(options...).PrepareForEval(context.Background())
	if err != nil {
		return nil, err
	}
	args := []rego.EvalOption{rego.EvalTime(now), rego.EvalRuleIndexing(!q.AllRules), rego.EvalEarlyExit(!q.AllRules)}
	if tracer != nil {
		args = append(args, rego.EvalQueryTracer(tracer))
	}
	result, err := prepared.Eval(context.Background(), args...)
	if err != nil {
		return nil, err
	}
	if result == nil {
		result = rego.ResultSet{}
	}
	text, err := json.Marshal(result)
	if err != nil {
		return nil, err
	}
	out := evalAnswer{Result: string(text), Undefined: len(result) == 0, Prints: prints.String()}
	if tracer != nil {
		steps := filterTrace(q.Explain, *tracer)
		out.Trace = traceLines(steps)
		if q.Events {
			out.Events = traceEvents(steps)
		}
	}
	return out, nil
}

func withInput(options []func(*rego.Rego), text *string) ([]func(*rego.Rego), error) {
	if text == nil {
		return options, nil
	}
	value, err := readDocument(*text)
	if err != nil {
		return nil, requestError{fmt.Errorf("input: %w", err)}
	}
	return append(options, rego.ParsedInput(value)), nil
}

// readDocument reads exactly one JSON value.
func readDocument(text string) (ast.Value, error) {
	if !json.Valid([]byte(text)) {
		return nil, errors.New("not one JSON value")
	}
	return ast.ValueFromReader(strings.NewReader(text))
}

// readNow falls back to the clock of the host.
func readNow(ns string) (time.Time, error) {
	if ns == "" {
		return time.Now(), nil
	}
	n, err := json.Number(ns).Int64()
	if err != nil {
		return time.Time{}, requestError{err}
	}
	return time.Unix(0, n).UTC(), nil
}

func filterTrace(mode string, trace []*topdown.Event) []*topdown.Event {
	switch mode {
	case "notes":
		return lineage.Notes(trace)
	case "fails":
		return lineage.Fails(trace)
	case "debug":
		return lineage.Debug(trace)
	default:
		return lineage.Full(trace)
	}
}

func traceLines(trace []*topdown.Event) []string {
	var text bytes.Buffer
	topdown.PrettyTraceWithOpts(&text, trace, topdown.PrettyTraceOptions{Locations: true, ExprVariables: true})
	return strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
}

func traceEvents(trace []*topdown.Event) []event {
	out := make([]event, 0, len(trace))
	for _, e := range trace {
		step := event{Op: string(e.Op), Query: e.QueryID, Parent: e.ParentID}
		switch node := e.Node.(type) {
		case *ast.Rule:
			step.Kind, step.Node = "rule", node.Path().String()
		case ast.Body:
			step.Kind, step.Node = "body", node.String()
		case *ast.Expr:
			step.Kind, step.Node = "expr", node.String()
		}
		if l := e.Location; l != nil {
			step.File, step.Row, step.Col, step.Text = l.File, l.Row, l.Col, string(l.Text)
		}
		step.Locals = localValues(e)
		out = append(out, step)
	}
	return out
}

func localValues(e *topdown.Event) map[string]string {
	if e.Locals == nil {
		return nil
	}
	out := map[string]string{}
	e.Locals.Iter(func(k, v ast.Value) bool {
		if name, ok := k.(ast.Var); ok {
			label := string(name)
			if meta, ok := e.LocalMetadata[name]; ok {
				label = string(meta.Name)
			}
			out[label] = v.String()
		}
		return false
	})
	return out
}
