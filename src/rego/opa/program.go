package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"strings"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/loader"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/util"
)

// program is what a caller hands over to be worked on: the same files and flags that stock `opa` would read from disk.
type program struct {
	Files        map[string]string `json:"files"`
	Paths        []string          `json:"paths"`        // the arguments of the stock command; the whole tree when empty
	Bundle       bool              `json:"bundle"`       // -b: only data.json and data.yaml are data, mounted by folder
	Ignore       []string          `json:"ignore"`       // --ignore: patterns over base names
	Capabilities string            `json:"capabilities"` // JSON text, as `opa capabilities` writes it; everything when empty
	Schemas      map[string]string `json:"schemas"`      // --schema: path inside the schema folder to JSON text
	Data         string            `json:"data"`         // JSON text of an object, laid over the data of the files
	Strict       bool              `json:"strict"`
	Prints       bool              `json:"prints"` // keep print() calls
	MaxErrors    int               `json:"max_errors"`
}

// loaded is a program read and compiled; it is never changed afterwards, so calls can share it.
type loaded struct {
	key      [32]byte       // of the raw program
	bundle   *bundle.Bundle // nil unless program.Bundle
	modules  map[string]*ast.Module
	data     map[string]any
	caps     *ast.Capabilities
	compiler *ast.Compiler
	store    storage.Store
}

// compiledPrograms holds the last few compiled programs, so that build, partial and eval of one release compile once.
var compiledPrograms = &recent{}

type recent struct {
	keys   [][32]byte
	values []*loaded
}

const maxRecentPrograms = 4

func (r *recent) get(key [32]byte) *loaded {
	for i, k := range r.keys {
		if k == key {
			return r.values[i]
		}
	}
	return nil
}

func (r *recent) put(key [32]byte, value *loaded) {
	if len(r.keys) == maxRecentPrograms {
		r.keys, r.values = r.keys[1:], r.values[1:]
	}
	r.keys, r.values = append(r.keys, key), append(r.values, value)
}

// open compiles a program given as raw JSON, or finds it among the recent ones.
func open(raw json.RawMessage) (*program, *loaded, error) {
	p, l, err := find(raw)
	if err != nil || l.compiler != nil {
		return p, l, err
	}
	return p, l, l.compile(p)
}

// find is open for a caller that compiles the program itself.
func find(raw json.RawMessage) (*program, *loaded, error) {
	p, err := readProgram(raw)
	if err != nil {
		return nil, nil, err
	}
	key := sha256.Sum256(raw)
	if found := compiledPrograms.get(key); found != nil {
		return p, found, nil
	}
	l, err := p.load(false)
	if err != nil {
		return nil, nil, err
	}
	l.key = key
	return p, l, nil
}

func readProgram(raw json.RawMessage) (*program, error) {
	p := &program{MaxErrors: 100}
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	return p, decode(raw, p)
}

// load reads the files as stock OPA does: by its own loader, over a file system in memory.
func (p *program) load(onlyRego bool) (*loaded, error) {
	tree, err := memoryTree(p.Files)
	if err != nil {
		return nil, err
	}
	caps, err := readCapabilities(p.Capabilities)
	if err != nil {
		return nil, err
	}
	l := &loaded{caps: caps, data: map[string]any{}, modules: map[string]*ast.Module{}}
	files := loader.NewFileLoader().WithFS(tree).WithProcessAnnotation(true).WithCapabilities(caps).WithRegoVersion(ast.DefaultRegoVersion)
	paths := cleanAll(p.Paths)
	filter := p.filter(onlyRego)
	if p.Bundle {
		err = l.readBundles(files, paths, filter)
	} else {
		err = l.readFiles(files, paths, filter)
	}
	if err != nil {
		return nil, err
	}
	return l, l.overlay(p.Data)
}

func (l *loaded) overlay(text string) error {
	if text == "" {
		return nil
	}
	extra := map[string]any{}
	if err := util.UnmarshalJSON([]byte(text), &extra); err != nil {
		return requestError{fmt.Errorf("data: %w", err)}
	}
	maps.Copy(l.data, extra)
	return nil
}

func (l *loaded) readFiles(files loader.FileLoader, paths []string, filter loader.Filter) error {
	result, err := files.Filtered(paths, filter)
	if err != nil {
		return err
	}
	l.modules, l.data = result.ParsedModules(), result.Documents
	return nil
}

func (l *loaded) readBundles(files loader.FileLoader, paths []string, filter loader.Filter) error {
	all := make([]*bundle.Bundle, 0, len(paths))
	for _, path := range paths {
		b, err := files.WithSkipBundleVerification(true).WithFilter(filter).AsBundle(path)
		if err != nil {
			return err
		}
		all = append(all, b)
	}
	merged, err := bundle.MergeWithRegoVersion(all, ast.DefaultRegoVersion, false)
	if err != nil {
		return fmt.Errorf("bundle merge failed: %w", err)
	}
	l.bundle, l.modules = merged, merged.ParsedModules("")
	if merged.Data != nil {
		l.data = merged.Data
	}
	return nil
}

func (p *program) filter(onlyRego bool) loader.Filter {
	return func(abspath string, info fs.FileInfo, depth int) bool {
		if onlyRego && !info.IsDir() && filepath.Ext(info.Name()) != bundle.RegoExt {
			return true
		}
		for _, pattern := range p.Ignore {
			if loader.GlobExcludeName(pattern, 1)(abspath, info, depth) {
				return true
			}
		}
		return false
	}
}

func (l *loaded) newCompiler(p *program) (*ast.Compiler, error) {
	schemas, err := readSchemas(p.Schemas)
	if err != nil {
		return nil, err
	}
	return ast.NewCompiler().
		SetErrorLimit(p.MaxErrors).
		WithCapabilities(l.caps).
		WithSchemas(schemas).
		WithEnablePrintStatements(p.Prints).
		WithStrict(p.Strict).
		WithUseTypeCheckAnnotations(true).
		WithPathConflictsCheck(l.hasData), nil
}

func (l *loaded) compile(p *program) error {
	c, err := l.newCompiler(p)
	if err != nil {
		return err
	}
	if c.Compile(l.modules); c.Failed() {
		return c.Errors
	}
	l.use(c)
	return nil
}

// use completes a loaded program, and remembers it for later calls.
func (l *loaded) use(c *ast.Compiler) {
	l.compiler, l.store = c, inmem.NewFromObjectWithOpts(l.data, inmem.OptRoundTripOnWrite(false))
	compiledPrograms.put(l.key, l)
}

// hasData says whether a base document lies where a rule would be, as `opa build` and `opa test` check.
func (l *loaded) hasData(keys []string) (bool, error) {
	node := l.data
	if len(keys) == 0 || len(node) == 0 {
		return false, nil
	}
	for _, key := range keys {
		value, ok := node[key]
		if !ok {
			return false, nil
		}
		child, ok := value.(map[string]any)
		if !ok {
			return true, nil
		}
		node = child
	}
	return true, nil
}

func memoryTree(files map[string]string) (fs.FS, error) {
	tree := fstest.MapFS{}
	for name, text := range files {
		clean := cleanPath(name)
		if !fs.ValidPath(clean) || clean == "." {
			return nil, requestError{fmt.Errorf("file path `%s` does not stay inside the tree", name)}
		}
		tree[clean] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return tree, nil
}

func cleanPath(name string) string {
	return path.Clean(strings.TrimPrefix(strings.ReplaceAll(name, "\\", "/"), "/"))
}

func cleanAll(paths []string) []string {
	if len(paths) == 0 {
		return []string{"."}
	}
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = cleanPath(p)
	}
	return out
}

// readSchemas gives each schema the name that `opa check --schema <folder>` gives it: `schema.` and its path without extension.
func readSchemas(schemas map[string]string) (*ast.SchemaSet, error) {
	if len(schemas) == 0 {
		return nil, nil
	}
	set := ast.NewSchemaSet()
	for name, text := range schemas {
		var schema any
		if err := util.Unmarshal([]byte(text), &schema); err != nil {
			return nil, requestError{fmt.Errorf("schema `%s`: %w", name, err)}
		}
		clean := cleanPath(name)
		key := ast.Ref{ast.SchemaRootDocument}
		for _, part := range strings.Split(strings.TrimSuffix(clean, path.Ext(clean)), "/") {
			key = append(key, ast.StringTerm(part))
		}
		set.Put(key, schema)
	}
	return set, nil
}
