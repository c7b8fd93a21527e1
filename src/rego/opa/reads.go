package main

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// reach is what an entrypoint can come to: the rules, the builtins they call, and the parts of `input` they can read.
type reach struct {
	compiler *ast.Compiler
	rules    map[*ast.Rule]struct{}
	builtins map[string]struct{}
	paths    map[string][]string
	whole    bool // `input` itself is used as a value
	queue    []*ast.Rule
}

func reachFrom(c *ast.Compiler, entrypoint ast.Ref) *reach {
	r := &reach{compiler: c, rules: map[*ast.Rule]struct{}{}, builtins: map[string]struct{}{}, paths: map[string][]string{}}
	r.addRules(entrypoint)
	for len(r.queue) > 0 {
		rule := r.queue[0]
		r.queue = r.queue[1:]
		r.visitor(inputAliases(rule)).Walk(rule)
	}
	return r
}

// addRules enqueues each rule that a ref may select; a dynamic element selects everything below its prefix.
func (r *reach) addRules(ref ast.Ref) {
	for _, rule := range r.compiler.GetRulesDynamicWithOpts(ref, ast.RulesOptions{IncludeHiddenModules: true}) {
		if _, seen := r.rules[rule]; !seen {
			r.rules[rule] = struct{}{}
			r.queue = append(r.queue, rule)
		}
	}
}

func (r *reach) visitor(aliases map[ast.Var]struct{}) *ast.GenericVisitor {
	var v *ast.GenericVisitor
	v = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Head:
			// The reference of a head names the rule itself; only its dynamic elements are evaluated.
			for _, term := range x.Reference[min(1, len(x.Reference)):] {
				v.Walk(term)
			}
			for _, arg := range x.Args {
				v.Walk(arg)
			}
			if x.Key != nil {
				v.Walk(x.Key)
			}
			if x.Value != nil {
				v.Walk(x.Value)
			}
			return true
		case *ast.With:
			// The target is written, not read.
			v.Walk(x.Value)
			return true
		case *ast.Expr:
			rest, ok := r.lookup(x, aliases)
			if _, alias := aliasOfInput(x); !ok && !alias {
				return false
			}
			for _, term := range rest {
				v.Walk(term)
			}
			for _, with := range x.With {
				v.Walk(with)
			}
			return true
		case ast.Ref:
			if name, ok := x[0].Value.(ast.Var); ok {
				if _, alias := aliases[name]; alias {
					r.addPath(constantPrefix(x[1:]))
				}
			}
			r.addRef(x)
			for _, term := range x[1:] {
				v.Walk(term)
			}
			return true
		case ast.Var:
			if _, alias := aliases[x]; alias || x.Equal(ast.InputRootDocument.Value) {
				r.whole = true
			}
			if x.Equal(ast.DefaultRootDocument.Value) {
				r.addRules(ast.DefaultRootRef)
			}
		}
		return false
	})
	return v
}

func (r *reach) addRef(ref ast.Ref) {
	switch {
	case ref[0].Equal(ast.DefaultRootDocument):
		r.addRules(ref)
	case ref[0].Equal(ast.InputRootDocument):
		r.addPath(constantPrefix(ref[1:]))
	default:
		if name := ref.String(); ast.BuiltinMap[name] != nil {
			r.builtins[name] = struct{}{}
		}
	}
}

func (r *reach) addPath(path []string) {
	if len(path) == 0 {
		r.whole = true
		return
	}
	r.paths[strings.Join(path, "\x00")] = path
}

// inputAliases finds the locals that the compiler puts in the place of a bare `input` among the arguments of a call.
func inputAliases(rule *ast.Rule) map[ast.Var]struct{} {
	out := map[ast.Var]struct{}{}
	ast.WalkExprs(rule, func(e *ast.Expr) bool {
		if name, ok := aliasOfInput(e); ok {
			out[name] = struct{}{}
		}
		return false
	})
	return out
}

func aliasOfInput(e *ast.Expr) (ast.Var, bool) {
	if e.Negated || !e.IsEquality() {
		return "", false
	}
	left, right := e.Operand(0), e.Operand(1)
	if _, ok := left.Value.(ast.Var); !ok {
		left, right = right, left
	}
	name, ok := left.Value.(ast.Var)
	return name, ok && strings.HasPrefix(string(name), ast.LocalVarPrefix) && right.Value.Compare(ast.InputRootRef) == 0
}

// lookup recognises object.get(input, constant, default), which reads one path and not the whole object.
// It answers the terms that still have to be walked.
func (r *reach) lookup(e *ast.Expr, aliases map[ast.Var]struct{}) ([]*ast.Term, bool) {
	terms, ok := e.Terms.([]*ast.Term)
	if !ok || len(terms) < 4 || e.Operator().String() != ast.ObjectGet.Name {
		return nil, false
	}
	base, ok := terms[1].Value.(ast.Var)
	if _, alias := aliases[base]; !ok || !alias {
		return nil, false
	}
	path := []string{}
	switch key := terms[2].Value.(type) {
	case ast.String:
		path = append(path, string(key))
	case *ast.Array:
		keys := []*ast.Term{}
		key.Foreach(func(t *ast.Term) { keys = append(keys, t) })
		path = constantPrefix(keys)
	}
	if len(path) == 0 {
		return nil, false
	}
	r.builtins[ast.ObjectGet.Name] = struct{}{}
	r.addPath(path)
	return terms[2:], true
}

func constantPrefix(terms []*ast.Term) []string {
	path := []string{}
	for _, term := range terms {
		key, ok := term.Value.(ast.String)
		if !ok {
			break
		}
		path = append(path, string(key))
	}
	return path
}

// reads answers the shortest paths that cover everything read, sorted; nil means all of `input`.
func (r *reach) reads() [][]string {
	if r.whole {
		return nil
	}
	all := make([][]string, 0, len(r.paths))
	for _, path := range r.paths {
		all = append(all, path)
	}
	slices.SortFunc(all, slices.Compare[[]string])
	out := [][]string{}
	for _, path := range all {
		if n := len(out); n > 0 && len(out[n-1]) <= len(path) && slices.Equal(out[n-1], path[:len(out[n-1])]) {
			continue
		}
		out = append(out, path)
	}
	return out
}
