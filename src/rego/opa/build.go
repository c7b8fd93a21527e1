package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/compile"
	"github.com/open-policy-agent/opa/v1/storage"
)

type buildQuery struct {
	Op          string          `json:"op"`
	Program     json.RawMessage `json:"program"`
	Entrypoints []string        `json:"entrypoints"`
	Revision    string          `json:"revision"`
	AnalyseOnly bool            `json:"analyse_only"`
}

type buildAnswer struct {
	Wasm        []byte                `json:"wasm,omitempty"` // base64 in JSON
	Data        string                `json:"data"`           // JSON text, so that no reader rounds a number
	Revision    string                `json:"revision"`
	Roots       []string              `json:"roots"`
	Entrypoints map[string]entrypoint `json:"entrypoints"`
	Reads       [][]string            `json:"reads"` // null: everything
	Builtins    []string              `json:"builtins"`
	Packages    []packageInfo         `json:"packages"`
	Unreached   []place               `json:"unreached"`
}

type entrypoint struct {
	Reads       [][]string         `json:"reads"` // null: everything
	Builtins    []string           `json:"builtins"`
	Rules       int                `json:"rules"`
	Packages    []string           `json:"packages"`
	Annotations []*ast.Annotations `json:"annotations"`
}

type place struct {
	Path string `json:"path"`
	File string `json:"file"`
	Row  int    `json:"row"`
}

type packageInfo struct {
	Path        string             `json:"path"`
	Files       []string           `json:"files"`
	Annotations []*ast.Annotations `json:"annotations"`
	Rules       []ruleInfo         `json:"rules"`
}

type ruleInfo struct {
	Name        string             `json:"name"`
	Kind        string             `json:"kind"` // set, object, value, function
	Default     bool               `json:"default"`
	Places      []place            `json:"places"`
	Annotations []*ast.Annotations `json:"annotations"`
}

// opBuild is `opa build -b -t wasm --prune-unused` without optimisation: -O decides differently where data is absent.
func opBuild(raw json.RawMessage) (any, error) {
	var q buildQuery
	if err := decode(raw, &q); err != nil {
		return nil, err
	}
	p, l, err := find(q.Program)
	if err != nil {
		return nil, err
	}
	if !p.Bundle {
		return nil, requestError{errors.New("build needs `bundle`: a release is made of a bundle tree")}
	}
	if l.compiler == nil && (q.AnalyseOnly || p.Strict || p.Prints || len(p.Schemas) > 0) {
		if err := l.compile(p); err != nil {
			return nil, err
		}
	}
	var wasm []byte
	if !q.AnalyseOnly {
		if wasm, err = l.link(p, &q); err != nil {
			return nil, err
		}
	}
	return l.describe(&q, wasm)
}

// link compiles the bundle to WebAssembly.
func (l *loaded) link(p *program, q *buildQuery) ([]byte, error) {
	// The compiler of bundles removes the entrypoints from the modules it is given, and those are shared with later calls.
	b := *l.bundle
	b.Modules = slices.Clone(b.Modules)
	b = b.Copy()
	c := compile.New().WithBundle(&b).WithEntrypoints(q.Entrypoints...).
		WithCapabilities(l.caps).WithPruneUnused(true).WithRevision(q.Revision).WithRegoVersion(ast.DefaultRegoVersion)
	policy, err := planBundle(c)
	if err != nil {
		return nil, err
	}
	if l.compiler == nil {
		if err := l.adopt(p, c); err != nil {
			return nil, err
		}
	}
	if err := likeInterpreter(policy); err != nil {
		return nil, err
	}
	return assemble(policy, l.caps)
}

// adopt takes over the compiled modules of the bundle compiler, which does not export them: compiling them again would be a third of a
// build. Where OPA has renamed the field, they are compiled again.
func (l *loaded) adopt(p *program, c *compile.Compiler) error {
	compiler, ok := hiddenField[ast.Compiler](c, "compiler")
	if !ok {
		return l.compile(p)
	}
	if errs := ast.CheckPathConflicts(compiler, l.hasData); len(errs) > 0 {
		return errs
	}
	l.use(compiler)
	return nil
}

func (l *loaded) describe(q *buildQuery, wasm []byte) (*buildAnswer, error) {
	data, err := json.Marshal(l.data)
	if err != nil {
		return nil, err
	}
	out := &buildAnswer{Wasm: wasm, Data: string(data), Revision: q.Revision, Entrypoints: map[string]entrypoint{}, Roots: *l.bundle.Manifest.Roots}
	union := &reach{paths: map[string][]string{}, builtins: map[string]struct{}{}, rules: map[*ast.Rule]struct{}{}}
	annotations := l.compiler.GetAnnotationSet()
	for _, name := range q.Entrypoints {
		ref, err := entrypointRef(name)
		if err != nil {
			return nil, err
		}
		r := reachFrom(l.compiler, ref)
		if len(r.rules) == 0 {
			return nil, &ast.Error{Code: ast.CompileErr, Message: fmt.Sprintf("entrypoint `%s` does not refer to a rule", name)}
		}
		union.whole = union.whole || r.whole
		maps.Copy(union.paths, r.paths)
		maps.Copy(union.builtins, r.builtins)
		maps.Copy(union.rules, r.rules)
		out.Entrypoints[name] = entrypoint{
			Reads: r.reads(), Builtins: slices.Sorted(maps.Keys(r.builtins)), Rules: len(r.rules), Packages: packagesOf(r),
			Annotations: present(annotations.GetDocumentScope(ref)),
		}
	}
	out.Reads, out.Builtins = union.reads(), slices.Sorted(maps.Keys(union.builtins))
	out.Packages, out.Unreached = l.packages(annotations), l.unreached(union)
	return out, nil
}

func entrypointRef(name string) (ast.Ref, error) {
	path, ok := storage.ParsePath("/" + name)
	if !ok || len(path) == 0 {
		return nil, requestError{fmt.Errorf("entrypoint `%s` is not of the form package/rule", name)}
	}
	return path.Ref(ast.DefaultRootDocument), nil
}

func packagesOf(r *reach) []string {
	seen := map[string]struct{}{}
	for rule := range r.rules {
		seen[slashPath(rule.Module.Package.Path)] = struct{}{}
	}
	return slices.Sorted(maps.Keys(seen))
}

func (l *loaded) unreached(r *reach) []place {
	out := []place{}
	for _, name := range slices.Sorted(maps.Keys(l.compiler.Modules)) {
		for _, rule := range l.compiler.Modules[name].Rules {
			if _, ok := r.rules[rule]; !ok {
				out = append(out, placeOf(rule))
			}
		}
	}
	return out
}

// packages lists every package with its rules, in the order of the files.
func (l *loaded) packages(annotations *ast.AnnotationSet) []packageInfo {
	byPath := map[string]*packageInfo{}
	for _, file := range slices.Sorted(maps.Keys(l.compiler.Modules)) {
		module := l.compiler.Modules[file]
		path := slashPath(module.Package.Path)
		info := byPath[path]
		if info == nil {
			info = &packageInfo{Path: path, Rules: []ruleInfo{}, Annotations: present(annotations.GetPackageScope(module.Package))}
			byPath[path] = info
		}
		info.Files = append(info.Files, module.Package.Location.File)
		for _, rule := range module.Rules {
			info.add(rule, annotations)
		}
	}
	out := make([]packageInfo, 0, len(byPath))
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		out = append(out, *byPath[path])
	}
	return out
}

func (p *packageInfo) add(rule *ast.Rule, annotations *ast.AnnotationSet) {
	name := relativeName(rule)
	i := slices.IndexFunc(p.Rules, func(r ruleInfo) bool { return r.Name == name })
	if i < 0 {
		document := present(annotations.GetDocumentScope(rule.Ref().GroundPrefix()))
		p.Rules = append(p.Rules, ruleInfo{Name: name, Kind: kindOf(rule), Annotations: document})
		i = len(p.Rules) - 1
	}
	info := &p.Rules[i]
	info.Default = info.Default || rule.Default
	info.Places = append(info.Places, placeOf(rule))
	info.Annotations = append(info.Annotations, annotations.GetRuleScope(rule)...)
}

func kindOf(rule *ast.Rule) string {
	switch {
	case len(rule.Head.Args) > 0:
		return "function"
	case rule.Head.RuleKind() == ast.MultiValue:
		return "set"
	case rule.Head.DocKind() == ast.PartialObjectDoc:
		return "object"
	default:
		return "value"
	}
}

func relativeName(rule *ast.Rule) string {
	return slashPath(append(ast.Ref{ast.DefaultRootDocument}, rule.Ref().GroundPrefix()[len(rule.Module.Package.Path):]...))
}

func placeOf(rule *ast.Rule) place {
	p := place{Path: slashPath(rule.Ref().GroundPrefix())}
	if l := rule.Location; l != nil {
		p.File, p.Row = l.File, l.Row
	}
	return p
}

// slashPath writes data.a.b as a/b, the way entrypoints are written.
func slashPath(ref ast.Ref) string {
	path, err := storage.NewPathForRef(ref)
	if err != nil || len(path) == 0 {
		return ref.String()
	}
	return path.String()[1:]
}

func present(list ...*ast.Annotations) []*ast.Annotations {
	return slices.DeleteFunc(list, func(a *ast.Annotations) bool { return a == nil })
}
