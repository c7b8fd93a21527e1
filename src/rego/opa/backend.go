package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"slices"
	"unsafe"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/compile"
	"github.com/open-policy-agent/opa/v1/ir"
)

// OPA's compiler from plan to WebAssembly, which its module keeps internal. The gateway compiles with it and with nothing else; between
// the plan and the module it sees to it that the module answers as OPA's interpreter does (order.go, datakey.go, native.go).

//go:linkname newBackend github.com/open-policy-agent/opa/internal/compiler/wasm.New
func newBackend() unsafe.Pointer

//go:linkname backendWithPolicy github.com/open-policy-agent/opa/internal/compiler/wasm.(*Compiler).WithPolicy
func backendWithPolicy(backend unsafe.Pointer, policy *ir.Policy) unsafe.Pointer

//go:linkname backendCompile github.com/open-policy-agent/opa/internal/compiler/wasm.(*Compiler).Compile
func backendCompile(backend unsafe.Pointer) (unsafe.Pointer, error)

//go:linkname writeModule github.com/open-policy-agent/opa/internal/wasm/encoding.WriteModule
func writeModule(w io.Writer, module unsafe.Pointer) error

// planOnly keeps the bundle compiler from writing the plan out as text, which nobody reads here.
const planOnly = "castellan"

func init() {
	compile.PlanFormats = append(compile.PlanFormats, planOnly)
}

// planBundle plans the bundle of c, for which the target has to be the plan.
func planBundle(c *compile.Compiler) (*ir.Policy, error) {
	if err := c.WithTarget(compile.TargetPlan).WithPlanFormat(planOnly).Build(context.Background()); err != nil {
		return nil, err
	}
	policy, ok := hiddenField[ir.Policy](c, "policy")
	if !ok {
		return nil, errors.New("this OPA keeps its plan elsewhere")
	}
	return policy, nil
}

// assemble compiles a plan to a module.
func assemble(policy *ir.Policy, caps *ast.Capabilities) ([]byte, error) {
	if caps.WasmABIVersions != nil && !slices.ContainsFunc(caps.WasmABIVersions, func(v ast.WasmABIVersion) bool { return v.Version == 1 && v.Minor <= 3 }) {
		return nil, errors.New("the capabilities allow no version of the WebAssembly ABI that is emitted here (1.3)")
	}
	module, err := backendCompile(backendWithPolicy(newBackend(), policy))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = writeModule(&out, module)
	return out.Bytes(), err
}

// hiddenField reads a pointer that the bundle compiler does not export.
func hiddenField[T any](c *compile.Compiler, name string) (*T, bool) {
	field := reflect.ValueOf(c).Elem().FieldByName(name)
	if !field.IsValid() || field.Type() != reflect.TypeFor[*T]() || field.IsNil() {
		return nil, false
	}
	return (*T)(field.UnsafePointer()), true
}
