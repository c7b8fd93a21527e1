package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// lastCapabilities spares reading the same 100 kB file at each call.
var lastCapabilities struct {
	text  string
	value *ast.Capabilities
}

func readCapabilities(text string) (*ast.Capabilities, error) {
	if text == "" {
		return ast.CapabilitiesForThisVersion(), nil
	}
	if lastCapabilities.value != nil && lastCapabilities.text == text {
		return lastCapabilities.value, nil
	}
	caps, err := readKnown(text)
	if err != nil {
		return nil, requestError{fmt.Errorf("capabilities are not readable: %w", err)}
	}
	lastCapabilities.text, lastCapabilities.value = text, caps
	return caps, nil
}

// readKnown takes the declarations of builtins that this OPA has from itself: reading them from JSON is most of the cost of the file.
func readKnown(text string) (*ast.Capabilities, error) {
	var file struct {
		Builtins []struct {
			Name string `json:"name"`
		} `json:"builtins"`
		FutureKeywords  []string             `json:"future_keywords"`
		WasmABIVersions []ast.WasmABIVersion `json:"wasm_abi_versions"`
		Features        []string             `json:"features"`
		AllowNet        []string             `json:"allow_net"`
	}
	if err := json.Unmarshal([]byte(text), &file); err != nil {
		return nil, err
	}
	known := map[string]*ast.Builtin{}
	for _, b := range ast.CapabilitiesForThisVersion().Builtins {
		known[b.Name] = b
	}
	caps := &ast.Capabilities{
		FutureKeywords: file.FutureKeywords, WasmABIVersions: file.WasmABIVersions, Features: file.Features, AllowNet: file.AllowNet,
	}
	for _, b := range file.Builtins {
		decl := known[b.Name]
		if decl == nil {
			return ast.LoadCapabilitiesJSON(strings.NewReader(text))
		}
		caps.Builtins = append(caps.Builtins, decl)
	}
	return caps, nil
}

// refused lists the builtins that reach outside or answer differently for the same arguments.
func refused() map[string]struct{} {
	return map[string]struct{}{
		ast.HTTPSend.Name:        {},
		ast.NetLookupIPAddr.Name: {},
		ast.OPARuntime.Name:      {},
		ast.RandIntn.Name:        {},
		ast.UUIDRFC4122.Name:     {},
		// Signing uses randomness (ECDSA, RSA-PSS), and a key has no place in a policy.
		ast.JWTEncodeSign.Name:    {},
		ast.JWTEncodeSignRaw.Name: {},
	}
}

// offlineCapabilities is written with an empty allow_net: OPA itself leaves an empty list out, and a missing one allows every host.
type offlineCapabilities struct {
	Builtins        []*ast.Builtin       `json:"builtins"`
	FutureKeywords  []string             `json:"future_keywords,omitempty"`
	WasmABIVersions []ast.WasmABIVersion `json:"wasm_abi_versions,omitempty"`
	Features        []string             `json:"features,omitempty"`
	AllowNet        []string             `json:"allow_net"`
}

// opCapabilities writes the capabilities of this OPA without what is refused, and without what else the caller removes.
func opCapabilities(raw json.RawMessage) (any, error) {
	var q struct {
		Op     string   `json:"op"`
		Remove []string `json:"remove"`
		Full   bool     `json:"full"` // as stock `opa capabilities --current`
	}
	if err := decode(raw, &q); err != nil {
		return nil, err
	}
	caps := *ast.CapabilitiesForThisVersion()
	gone := map[string]struct{}{}
	if !q.Full {
		gone = refused()
	}
	for _, name := range q.Remove {
		if ast.BuiltinMap[name] == nil {
			return nil, requestError{fmt.Errorf("builtin `%s` is unknown", name)}
		}
		gone[name] = struct{}{}
	}
	caps.Builtins = slices.DeleteFunc(slices.Clone(caps.Builtins), func(b *ast.Builtin) bool {
		_, no := gone[b.Name]
		return no
	})
	var file any = &caps
	if !q.Full {
		file = offlineCapabilities{caps.Builtins, caps.FutureKeywords, caps.WasmABIVersions, caps.Features, []string{}}
	}
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return nil, err
	}
	return map[string]any{"text": string(text) + "\n", "builtins": len(caps.Builtins), "removed": slices.Sorted(maps.Keys(gone))}, nil
}
