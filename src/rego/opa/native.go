package main

import (
	"slices"
	"strconv"
	_ "unsafe" // for go:linkname

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// nativeBuiltins are those that a module answers itself, by the name of the function that does.
//
//go:linkname nativeBuiltins github.com/open-policy-agent/opa/internal/compiler/wasm.builtinsFunctions
var nativeBuiltins map[string]string

// hosted are builtins that a module could answer itself and answers otherwise than OPA does: taken from its table, they are asked of the
// host like those that it lacks. What each of them does otherwise is in docs/reference/rego-in-wasm.md; a test compares all the others.
var hosted = []*ast.Builtin{
	ast.JSONMarshal, ast.JSONUnmarshal, ast.JSONIsValid, ast.InternalTemplateString,
	ast.NetCIDRContains, ast.NetCIDROverlap, ast.NetCIDRIntersects,
	ast.Plus, ast.Minus, ast.Multiply, ast.Divide, ast.Abs, ast.Round, ast.Ceil, ast.Floor, ast.Sum, ast.Product,
	ast.BitsAnd, ast.BitsOr, ast.BitsXOr, ast.BitsNegate, ast.BitsShiftLeft, ast.BitsShiftRight,
	ast.Base64Decode, ast.Base64IsValid, ast.Base64UrlDecode,
	ast.Replace, ast.FormatInt, ast.ToNumber, ast.IndexOf, ast.GlobMatch,
}

// literalIndex are builtins that a module gets right where these arguments are whole numbers in the text of the policy, and wrong for a
// number such as 1.0 or one beyond 2^31: only then are they asked of the host.
var literalIndex = map[string]struct {
	native string
	args   []int
}{
	ast.ArraySlice.Name:                 {"opa_array_slice", []int{1, 2}},
	ast.Substring.Name:                  {"opa_strings_substring", []int{1, 2}},
	ast.RegexFindAllStringSubmatch.Name: {"opa_regex_find_all_string_submatch", []int{2}},
}

func init() {
	for _, b := range hosted {
		delete(nativeBuiltins, b.Name)
	}
	for name := range literalIndex {
		delete(nativeBuiltins, name)
	}
}

// natives turns calls to the functions of the module's runtime where those answer as OPA does.
type natives struct {
	next     *ir.Local
	static   *ir.Static
	literals map[ir.Local]bool
}

func (n *natives) block(b *ir.Block) {
	out := make([]ir.Stmt, 0, len(b.Stmts))
	for _, stmt := range b.Stmts {
		switch stmt := stmt.(type) {
		case *ir.ScanStmt:
			n.block(stmt.Block)
		case *ir.BlockStmt:
			for _, nested := range stmt.Blocks {
				n.block(nested)
			}
		case *ir.NotStmt:
			n.block(stmt.Block)
		case *ir.WithStmt:
			n.block(stmt.Block)
		case *ir.MakeNumberIntStmt:
			n.literals[stmt.Target] = int64(int32(stmt.Value)) == stmt.Value
		case *ir.MakeNumberRefStmt:
			_, err := strconv.ParseInt(n.static.Strings[stmt.Index].Value, 10, 32)
			n.literals[stmt.Target] = err == nil
		case *ir.CallStmt:
			out = append(out, n.call(stmt)...)
			continue
		}
		out = append(out, stmt)
	}
	b.Stmts = out
}

func (n *natives) call(stmt *ir.CallStmt) []ir.Stmt {
	if rule, ok := literalIndex[stmt.Func]; ok {
		isLiteral := func(i int) bool {
			l, ok := stmt.Args[i].Value.(ir.Local)
			return ok && n.literals[l]
		}
		if !slices.ContainsFunc(rule.args, func(i int) bool { return !isLiteral(i) }) {
			stmt.Func = rule.native
		}
	}
	switch stmt.Func {
	case ast.ObjectUnionN.Name:
		return n.unionOfNone(stmt)
	case ast.Minus.Name:
		return n.difference(stmt)
	}
	return []ir.Stmt{stmt}
}

// difference lets the module take sets from each other; of numbers, the host.
func (n *natives) difference(stmt *ir.CallStmt) []ir.Stmt {
	a, b := stmt.Args[0], stmt.Args[1]
	return []ir.Stmt{
		&ir.ResetLocalStmt{Target: stmt.Result},
		block(&ir.IsSetStmt{Source: a}, &ir.IsSetStmt{Source: b}, &ir.CallStmt{Func: "opa_set_diff", Args: stmt.Args, Result: stmt.Result}),
		block(&ir.IsUndefinedStmt{Source: stmt.Result}, stmt),
		&ir.IsDefinedStmt{Source: stmt.Result},
	}
}

// unionOfNone puts an empty object in front: of no objects at all, the module makes nothing, and OPA an empty one.
func (n *natives) unionOfNone(stmt *ir.CallStmt) []ir.Stmt {
	empty, first, all := *n.next, *n.next+1, *n.next+2
	*n.next += 3
	objects := stmt.Args[0]
	stmt.Args = []ir.Operand{local(all)}
	return []ir.Stmt{
		&ir.MakeObjectStmt{Target: empty},
		&ir.MakeArrayStmt{Capacity: 1, Target: first},
		&ir.ArrayAppendStmt{Array: first, Value: local(empty)},
		&ir.CallStmt{Func: "opa_array_concat", Args: []ir.Operand{local(first), objects}, Result: all},
		stmt,
	}
}

// withoutUnused takes those builtins from the list of what the module needs that are called no more.
func withoutUnused(policy *ir.Policy) error {
	c := &called{names: map[string]struct{}{}}
	if err := ir.Walk(c, policy); err != nil {
		return err
	}
	policy.Static.BuiltinFuncs = slices.DeleteFunc(policy.Static.BuiltinFuncs, func(b *ir.BuiltinFunc) bool {
		_, ok := c.names[b.Name]
		return !ok
	})
	return nil
}

type called struct{ names map[string]struct{} }

func (*called) Before(any) {}
func (*called) After(any)  {}
func (c *called) Visit(x any) (ir.Visitor, error) {
	if call, ok := x.(*ir.CallStmt); ok {
		c.names[call.Func] = struct{}{}
	}
	return c, nil
}
