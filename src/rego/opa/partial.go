package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
)

type partialQuery struct {
	Op             string          `json:"op"`
	Program        json.RawMessage `json:"program"`
	Unknowns       []string        `json:"unknowns"`
	DisableInlines []string        `json:"disable_inlining"`
	NowNs          string          `json:"now_ns"`
	Ast            bool            `json:"ast"`
	Cases          []struct {
		Input   *string  `json:"input"` // JSON text
		Queries []string `json:"queries"`
	} `json:"cases"`
}

const (
	outcomeNever    = "never"
	outcomeAlways   = "always"
	outcomeResidual = "residual"
	outcomeError    = "error"
)

type residue struct {
	Query    string     `json:"query"`
	Outcome  string     `json:"outcome"`
	Residual []fragment `json:"residual,omitempty"` // alternatives: any of them suffices
	Support  []fragment `json:"support,omitempty"`  // modules that the alternatives refer to
	Errors   []fault    `json:"errors,omitempty"`
}

type fragment struct {
	Text        string            `json:"text"`
	Expressions []string          `json:"expressions,omitempty"` // all must hold
	Bindings    map[string]string `json:"bindings,omitempty"`    // variables of the query with a constant value
	Ast         any               `json:"ast,omitempty"`
}

// opPartial evaluates each query of each case as far as the known input goes.
func opPartial(raw json.RawMessage) (any, error) {
	var q partialQuery
	if err := decode(raw, &q); err != nil {
		return nil, err
	}
	_, l, err := open(q.Program)
	if err != nil {
		return nil, err
	}
	unknowns, err := parseUnknowns(q.Unknowns)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	txn, err := l.store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer l.store.Abort(ctx, txn)
	prepared := &preparer{l: l, q: &q, txn: txn, unknowns: unknowns, queries: map[string]*rego.PreparedPartialQuery{}}
	out := make([][]residue, len(q.Cases))
	for i, c := range q.Cases {
		var input ast.Value
		if c.Input != nil {
			if input, err = readDocument(*c.Input); err != nil {
				return nil, requestError{fmt.Errorf("input of case %d: %w", i, err)}
			}
		}
		out[i] = make([]residue, len(c.Queries))
		for j, query := range c.Queries {
			out[i][j] = prepared.run(ctx, query, input)
		}
	}
	return out, nil
}

func parseUnknowns(texts []string) ([]*ast.Term, error) {
	out := make([]*ast.Term, len(texts))
	for i, text := range texts {
		term, err := ast.ParseTerm(text)
		if err != nil {
			return nil, requestError{fmt.Errorf("unknown `%s`: %w", text, err)}
		}
		out[i] = term
	}
	return out, nil
}

// preparer compiles each distinct query once, whatever the number of cases.
type preparer struct {
	l        *loaded
	q        *partialQuery
	txn      storage.Transaction
	unknowns []*ast.Term
	queries  map[string]*rego.PreparedPartialQuery
}

func (p *preparer) prepare(ctx context.Context, query string) (*rego.PreparedPartialQuery, error) {
	if found := p.queries[query]; found != nil {
		return found, nil
	}
	options := []func(*rego.Rego){
		rego.Compiler(p.l.compiler), rego.Store(p.l.store), rego.Transaction(p.txn), rego.Query(query), rego.Capabilities(p.l.caps),
		rego.DisableInlining(p.q.DisableInlines), rego.NondeterministicBuiltins(p.q.NowNs != ""),
	}
	prepared, err := rego.New(options...).PrepareForPartial(ctx)
	if err != nil {
		return nil, err
	}
	p.queries[query] = &prepared
	return &prepared, nil
}

func (p *preparer) run(ctx context.Context, query string, input ast.Value) residue {
	fail := func(err error) residue {
		return residue{Query: query, Outcome: outcomeError, Errors: faults(err)}
	}
	prepared, err := p.prepare(ctx, query)
	if err != nil {
		return fail(err)
	}
	options := []rego.EvalOption{rego.EvalTransaction(p.txn), rego.EvalParsedUnknowns(p.unknowns)}
	if input != nil {
		options = append(options, rego.EvalParsedInput(input))
	}
	if p.q.NowNs != "" {
		now, err := readNow(p.q.NowNs)
		if err != nil {
			return fail(err)
		}
		options = append(options, rego.EvalTime(now))
	}
	result, err := prepared.Partial(ctx, options...)
	if err != nil {
		return fail(err)
	}
	return p.describe(query, result)
}

// constantBinding recognises `x = <constant>` with an x that nothing else in the body uses: it says what the query answers and asks
// nothing of the unknowns.
func constantBinding(expr *ast.Expr, body ast.Body) (name, value string, ok bool) {
	if expr.Negated || len(expr.With) > 0 || !expr.IsEquality() {
		return "", "", false
	}
	left, right := expr.Operand(0), expr.Operand(1)
	if _, isVar := left.Value.(ast.Var); !isVar {
		left, right = right, left
	}
	v, isVar := left.Value.(ast.Var)
	if !isVar || !ast.IsConstant(right.Value) {
		return "", "", false
	}
	for _, other := range body {
		used := false
		if other != expr {
			ast.WalkVars(other, func(x ast.Var) bool {
				used = used || x == v
				return used
			})
		}
		if used {
			return "", "", false
		}
	}
	return v.String(), right.String(), true
}

func (p *preparer) describe(query string, result *rego.PartialQueries) residue {
	out := residue{Query: query, Outcome: outcomeNever}
	for _, body := range result.Queries {
		f := fragment{Bindings: map[string]string{}}
		conditions := ast.Body{}
		for _, expr := range body {
			if name, value, ok := constantBinding(expr, body); ok {
				f.Bindings[name] = value
				continue
			}
			conditions = append(conditions, expr)
			f.Expressions = append(f.Expressions, expr.String())
		}
		if len(conditions) == 0 {
			out.Outcome = outcomeAlways
		} else if out.Outcome != outcomeAlways {
			out.Outcome = outcomeResidual
		}
		f.Text = strings.Join(f.Expressions, "; ")
		if p.q.Ast {
			f.Ast = conditions
		}
		out.Residual = append(out.Residual, f)
	}
	for _, module := range result.Support {
		f := fragment{Text: module.String()}
		if text, err := format.Ast(module); err == nil {
			f.Text = string(text)
		}
		if p.q.Ast {
			f.Ast = module
		}
		out.Support = append(out.Support, f)
	}
	return out
}
