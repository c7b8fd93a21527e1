package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"
)

const (
	statusUndefined byte = iota
	statusDefined
	statusFailed
)

// builtinFrame evaluates one builtin. Request: int64 time in ns, uint32 n, then n texts (uint32 length, bytes): the
// notation of the answer (`json` or `rego`), the name, the arguments. Little endian. Arguments are JSON, or Rego
// terms where JSON has no word for them (sets, objects with keys that are no strings).
// Answer: one status byte, then the value or the error as text.
//
//go:wasmexport castellan_builtin
func builtinFrame(address, size uint32) uint64 {
	return hand(answerBuiltin(take(address, size)))
}

func answerBuiltin(frame []byte) (out []byte) {
	defer func() {
		if p := recover(); p != nil {
			out = append([]byte{statusFailed}, fmt.Sprint("panic: ", p)...)
		}
	}()
	now, texts, err := readFrame(frame)
	if err == nil {
		out, err = evalBuiltin(texts[1], texts[2:], now, texts[0] == "rego")
	}
	if err != nil {
		return append([]byte{statusFailed}, err.Error()...)
	}
	if out == nil {
		return []byte{statusUndefined}
	}
	return append([]byte{statusDefined}, out...)
}

func readFrame(frame []byte) (time.Time, []string, error) {
	short := errors.New("builtin request is cut short")
	if len(frame) < 12 {
		return time.Time{}, nil, short
	}
	now := time.Unix(0, int64(binary.LittleEndian.Uint64(frame))).UTC()
	count := int(binary.LittleEndian.Uint32(frame[8:]))
	frame = frame[12:]
	texts := []string{}
	for range count {
		if len(frame) < 4 {
			return now, nil, short
		}
		n := int(binary.LittleEndian.Uint32(frame))
		if len(frame) < 4+n {
			return now, nil, short
		}
		texts = append(texts, string(frame[4:4+n]))
		frame = frame[4+n:]
	}
	if len(texts) < 2 {
		return now, nil, short
	}
	return now, texts, nil
}

// opBuiltin is the same as a JSON call, for tests and tools.
func opBuiltin(raw json.RawMessage) (any, error) {
	var q struct {
		Op       string   `json:"op"`
		Name     string   `json:"name"`
		Args     []string `json:"args"`
		NowNs    string   `json:"now_ns"`
		Notation string   `json:"notation"`
	}
	if err := decode(raw, &q); err != nil {
		return nil, err
	}
	now, err := readNow(q.NowNs)
	if err != nil {
		return nil, err
	}
	out, err := evalBuiltin(q.Name, q.Args, now, q.Notation == "rego")
	if err != nil {
		return nil, err
	}
	if out == nil {
		return map[string]any{"defined": false}, nil
	}
	return map[string]any{"defined": true, "text": string(out)}, nil
}

// evalBuiltin answers nil where the call is undefined. As in OPA, a builtin that errs is undefined, unless it halts.
func evalBuiltin(name string, args []string, now time.Time, regoNotation bool) ([]byte, error) {
	decl, impl := ast.BuiltinMap[name], topdown.GetBuiltin(name)
	if _, no := refused()[name]; no || decl == nil || impl == nil || decl.Relation {
		return nil, requestError{fmt.Errorf("builtin `%s` is not served", name)}
	}
	if want := decl.Decl.Arity(); want != len(args) {
		return nil, requestError{fmt.Errorf("builtin `%s` takes %d arguments, not %d", name, want, len(args))}
	}
	terms := make([]*ast.Term, len(args))
	for i, text := range args {
		term, err := readTerm(text)
		if err != nil {
			return nil, requestError{fmt.Errorf("argument %d of `%s`: %w", i, name, err)}
		}
		terms[i] = term
	}
	var result *ast.Term
	err := impl(builtinContext(now), terms, func(t *ast.Term) error {
		result = t
		return nil
	})
	var halt topdown.Halt
	if errors.As(err, &halt) {
		return nil, halt.Err
	}
	if err != nil || result == nil {
		return nil, nil
	}
	return writeValue(nil, result.Value, regoNotation)
}

// offline keeps the JSON Schema builtins from fetching a remote reference.
var offline = sync.OnceValue(func() *ast.Capabilities {
	caps := *ast.CapabilitiesForThisVersion()
	caps.AllowNet = []string{}
	return &caps
})

func builtinContext(now time.Time) topdown.BuiltinContext {
	return topdown.BuiltinContext{
		Context:      context.Background(),
		Metrics:      metrics.New(),
		Seed:         rand.Reader,
		Time:         ast.NumberTerm(json.Number(strconv.FormatInt(now.UnixNano(), 10))),
		Cancel:       topdown.NewCancel(),
		Cache:        builtins.Cache{},
		Capabilities: offline(),
		Location:     ast.NewLocation(nil, "", 0, 0),
	}
}

func readTerm(text string) (*ast.Term, error) {
	if json.Valid([]byte(text)) {
		value, err := ast.ValueFromReader(strings.NewReader(text))
		return ast.NewTerm(value), err
	}
	term, err := ast.ParseTerm(text)
	if err != nil {
		return nil, err
	}
	if !ast.IsConstant(term.Value) {
		return nil, errors.New("not a constant")
	}
	return term, nil
}

// writeValue writes JSON. In Rego notation, sets and keys that are no strings keep their form, as opa_value_parse reads them.
func writeValue(out []byte, v ast.Value, regoNotation bool) ([]byte, error) {
	switch v := v.(type) {
	case *ast.Array:
		return writeList(out, "[", "]", slices.Collect(elements(v.Foreach)), regoNotation)
	case ast.Set:
		if !regoNotation {
			return writeList(out, "[", "]", v.Slice(), false)
		}
		if v.Len() == 0 {
			return append(out, "set()"...), nil
		}
		return writeList(out, "{", "}", v.Slice(), true)
	case ast.Object:
		return writeObject(out, v, regoNotation)
	case ast.String:
		return appendJSON(out, string(v))
	default:
		plain, err := ast.JSON(v)
		if err != nil {
			return nil, err
		}
		return appendJSON(out, plain)
	}
}

func elements(each func(func(*ast.Term))) func(func(*ast.Term) bool) {
	return func(yield func(*ast.Term) bool) {
		going := true
		each(func(t *ast.Term) { going = going && yield(t) })
	}
}

func writeList(out []byte, start, end string, terms []*ast.Term, regoNotation bool) ([]byte, error) {
	var err error
	out = append(out, start...)
	for i, term := range terms {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = writeValue(out, term.Value, regoNotation); err != nil {
			return nil, err
		}
	}
	return append(out, end...), nil
}

func writeObject(out []byte, object ast.Object, regoNotation bool) ([]byte, error) {
	out = append(out, '{')
	first := true
	for _, key := range object.Keys() {
		if !first {
			out = append(out, ',')
		}
		first = false
		text, err := writeValue(nil, key.Value, regoNotation)
		if err != nil {
			return nil, err
		}
		if _, ok := key.Value.(ast.String); !ok && !regoNotation {
			if text, err = appendJSON(nil, string(text)); err != nil {
				return nil, err
			}
		}
		out = append(append(out, text...), ':')
		if out, err = writeValue(out, object.Get(key).Value, regoNotation); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

func appendJSON(out []byte, v any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return append(out, bytes.TrimRight(text.Bytes(), "\n")...), nil
}

// servedBuiltins lists what castellan_builtin answers.
func servedBuiltins() []string {
	out := []string{}
	for _, b := range ast.CapabilitiesForThisVersion().Builtins {
		if _, no := refused()[b.Name]; !no && !b.Relation && topdown.GetBuiltin(b.Name) != nil {
			out = append(out, b.Name)
		}
	}
	slices.Sort(out)
	return out
}
