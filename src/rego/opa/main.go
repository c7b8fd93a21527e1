// Package main is OPA, compiled to one WebAssembly module that answers JSON calls.
//
// The host allocates a request with castellan_alloc, writes JSON into it, and calls castellan_call, which
// takes the request over and answers the address and length of a JSON response. The host copies the response
// and gives it back with castellan_free. castellan_builtin is the same with a leaner frame (see builtin.go).
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"unsafe"
)

// main is never run: the module is a reactor, started by _initialize.
func main() {}

// held keeps every buffer that the host knows by address reachable for the garbage collector.
var held = map[uint32][]byte{}

//go:wasmexport castellan_alloc
func alloc(size uint32) uint32 {
	return hold(make([]byte, size))
}

//go:wasmexport castellan_free
func free(address uint32) {
	delete(held, address)
}

//go:wasmexport castellan_call
func call(address, size uint32) uint64 {
	return hand(answer(take(address, size)))
}

func hold(b []byte) uint32 {
	if cap(b) == 0 {
		b = make([]byte, 0, 1)
	}
	address := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
	held[address] = b
	return address
}

func take(address, size uint32) []byte {
	b := held[address]
	delete(held, address)
	return b[:size]
}

// hand packs a buffer for the host: the address in the upper half, the length in the lower.
func hand(b []byte) uint64 {
	return uint64(hold(b))<<32 | uint64(uint32(len(b)))
}

type response struct {
	Value any      `json:"value,omitempty"`
	Error *failure `json:"error,omitempty"`
}

// operation answers a value to marshal, or an error.
type operation func(raw json.RawMessage) (any, error)

func operations() map[string]operation {
	return map[string]operation{
		"build":        opBuild,
		"check":        opCheck,
		"test":         opTest,
		"fmt":          opFormat,
		"eval":         opEval,
		"partial":      opPartial,
		"parse":        opParse,
		"builtin":      opBuiltin,
		"capabilities": opCapabilities,
		"version":      opVersion,
	}
}

// answer never panics: a panic of OPA or of ours becomes an error of kind `panic`.
func answer(request []byte) (out []byte) {
	defer func() {
		if p := recover(); p != nil {
			out = marshal(response{Error: &failure{Kind: kindPanic, Message: fmt.Sprint(p), Stack: trimStack(debug.Stack())}})
		}
	}()
	var head struct {
		Op string `json:"op"`
	}
	if err := json.Unmarshal(request, &head); err != nil {
		return marshal(response{Error: asFailure(requestError{err})})
	}
	op, ok := operations()[head.Op]
	if !ok {
		return marshal(response{Error: asFailure(requestError{fmt.Errorf("unknown operation `%s`", head.Op)})})
	}
	value, err := op(request)
	if err != nil {
		return marshal(response{Error: asFailure(err)})
	}
	return marshal(response{Value: value})
}

func marshal(r response) []byte {
	out, err := json.Marshal(r)
	if err != nil {
		out, _ = json.Marshal(response{Error: &failure{Kind: kindPanic, Message: "answer cannot be written as JSON: " + err.Error()}})
	}
	return out
}

// decode reads the parameters of an operation; an unknown field is refused, so that a misspelt option is seen.
func decode(raw json.RawMessage, into any) error {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return requestError{err}
	}
	if d.More() {
		return requestError{errors.New("trailing text after the request")}
	}
	return nil
}

func trimStack(stack []byte) string {
	const maxBytes = 4096
	if len(stack) > maxBytes {
		stack = stack[:maxBytes]
	}
	return string(stack)
}
