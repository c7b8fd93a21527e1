package main

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// A module walks through sets and objects in the order of its hash tables, OPA in the order of the keys. Where that shows, in array
// comprehensions and in what `concat` makes of a set, the plan is changed so that OPA's order comes out.

// Functions of the module's own runtime.
const (
	runtimeSort     = "opa_agg_sort"
	runtimeText     = "opa_json_marshal"
	runtimeNumber   = "opa_to_number"
	runtimeIsNumber = "opa_types_is_number"
)

// firstOwnLocal is far beyond the locals that a planner numbers from 0; the compiler maps each to the next free one.
const firstOwnLocal ir.Local = 1 << 24

// likeInterpreter changes a plan so that its module answers as OPA's interpreter does.
func likeInterpreter(policy *ir.Policy) error {
	for _, fn := range policy.Funcs.Funcs {
		// The first two parameters are the input and the data.
		fixBlocks(fn.Blocks, policy.Static, fn.Params[1])
	}
	for _, plan := range policy.Plans.Plans {
		fixBlocks(plan.Blocks, policy.Static, ir.Data)
	}
	return withoutUnused(policy)
}

func fixBlocks(blocks []*ir.Block, static *ir.Static, data ir.Local) {
	next := firstOwnLocal
	o := &orderer{next: &next}
	n := &natives{next: &next, static: static, literals: map[ir.Local]bool{}}
	d := &dataKeys{next: &next, static: static, origin: map[ir.Local]ir.Location{}, data: data}
	for _, block := range blocks {
		o.block(block)
		n.block(block)
		d.block(block)
	}
}

// orderer rewrites one function. `path` is how the statement in hand is reached: the index of each statement, and the key of each scan.
type orderer struct {
	next *ir.Local
	path []step
	open []*collected
}

type step struct {
	index int
	scan  *ir.ScanStmt // nil where the step is only a block
}

// collected is an array that is being filled by a comprehension.
type collected struct {
	array ir.Local
	depth int // of the path, where the comprehension begins
	sites []site
}

type site struct {
	block  *ir.Block
	append *ir.ArrayAppendStmt
	path   []step
}

func (o *orderer) local() ir.Local {
	l := *o.next
	*o.next = l + 1
	return l
}

func (o *orderer) block(block *ir.Block) {
	out := make([]ir.Stmt, 0, len(block.Stmts))
	for i, stmt := range block.Stmts {
		o.path = append(o.path, step{index: i})
		switch stmt := stmt.(type) {
		case *ir.ScanStmt:
			o.path[len(o.path)-1].scan = stmt
			o.block(stmt.Block)
			out = append(out, stmt)
		case *ir.BlockStmt:
			out = append(out, o.nested(stmt, block.Stmts[:i])...)
		case *ir.NotStmt:
			o.block(stmt.Block)
			out = append(out, stmt)
		case *ir.WithStmt:
			o.block(stmt.Block)
			out = append(out, stmt)
		case *ir.ArrayAppendStmt:
			o.appended(stmt, block)
			out = append(out, stmt)
		case *ir.CallStmt:
			out = append(out, o.call(stmt)...)
		default:
			out = append(out, stmt)
		}
		o.path = o.path[:len(o.path)-1]
	}
	block.Stmts = out
}

// nested handles a block; one that follows the making of an array may be the body of a comprehension.
func (o *orderer) nested(stmt *ir.BlockStmt, before []ir.Stmt) []ir.Stmt {
	var c *collected
	if n := len(before); n > 0 {
		if made, ok := before[n-1].(*ir.MakeArrayStmt); ok {
			c = &collected{array: made.Target, depth: len(o.path)}
			o.open = append(o.open, c)
		}
	}
	for i, b := range stmt.Blocks {
		o.path = append(o.path, step{index: i})
		o.block(b)
		o.path = o.path[:len(o.path)-1]
	}
	if c == nil {
		return []ir.Stmt{stmt}
	}
	o.open = o.open[:len(o.open)-1]
	if !c.scans() {
		return []ir.Stmt{stmt}
	}
	return o.sorted(stmt, c)
}

func (o *orderer) appended(stmt *ir.ArrayAppendStmt, block *ir.Block) {
	for i := len(o.open) - 1; i >= 0; i-- {
		if c := o.open[i]; c.array == stmt.Array {
			c.sites = append(c.sites, site{block, stmt, append([]step{}, o.path[c.depth:]...)})
			return
		}
	}
}

// scans says whether the order can be another one than that of the plan.
func (c *collected) scans() bool {
	for _, s := range c.sites {
		for _, p := range s.path {
			if p.scan != nil {
				return true
			}
		}
	}
	return false
}

// sorted has the comprehension collect `[key of each scan…, value]`, sorts that, and fills the array with the values.
func (o *orderer) sorted(body *ir.BlockStmt, c *collected) []ir.Stmt {
	raw, ordered := o.local(), o.local()
	key, pair, at, value := o.local(), o.local(), o.local(), o.local()
	for _, s := range c.sites {
		o.collect(s, raw, len(c.sites) > 1)
	}
	return []ir.Stmt{
		&ir.MakeArrayStmt{Target: raw},
		body,
		&ir.CallStmt{Func: runtimeSort, Args: []ir.Operand{local(raw)}, Result: ordered},
		&ir.BlockStmt{Blocks: []*ir.Block{{Stmts: []ir.Stmt{
			&ir.MakeNumberIntStmt{Value: 1, Target: at},
			&ir.ScanStmt{Source: ordered, Key: key, Value: pair, Block: &ir.Block{Stmts: []ir.Stmt{
				&ir.DotStmt{Source: local(pair), Key: local(at), Target: value},
				&ir.ArrayAppendStmt{Array: c.array, Value: local(value)},
			}}},
		}}}},
	}
}

// collect puts `[place, value]` in the place of `value`. The place is the key of each scan; where several statements fill the array, also
// which of them it was.
func (o *orderer) collect(s site, raw ir.Local, isOneOfMany bool) {
	place, pair := o.local(), o.local()
	stmts := []ir.Stmt{&ir.MakeArrayStmt{Capacity: int32(len(s.path)), Target: place}}
	for _, p := range s.path {
		if isOneOfMany {
			index := o.local()
			stmts = append(stmts, &ir.MakeNumberIntStmt{Value: int64(p.index), Target: index}, &ir.ArrayAppendStmt{Array: place, Value: local(index)})
		}
		if p.scan != nil {
			stmts = append(stmts, &ir.ArrayAppendStmt{Array: place, Value: local(p.scan.Key)})
		}
	}
	stmts = append(stmts,
		&ir.MakeArrayStmt{Capacity: 2, Target: pair},
		&ir.ArrayAppendStmt{Array: pair, Value: local(place)},
		&ir.ArrayAppendStmt{Array: pair, Value: s.append.Value},
		&ir.ArrayAppendStmt{Array: raw, Value: local(pair)},
	)
	at := slices.IndexFunc(s.block.Stmts, func(stmt ir.Stmt) bool { return stmt == ir.Stmt(s.append) })
	s.block.Stmts = slices.Replace(s.block.Stmts, at, at+1, stmts...)
}

// call sorts what `walk` finds, by path, and a set that `concat` is given.
func (o *orderer) call(stmt *ir.CallStmt) []ir.Stmt {
	switch stmt.Func {
	case ast.WalkBuiltin.Name:
		if len(o.open) > 0 {
			return []ir.Stmt{stmt, &ir.CallStmt{Func: runtimeSort, Args: []ir.Operand{local(stmt.Result)}, Result: stmt.Result}}
		}
	case ast.Concat.Name:
		if of, ok := stmt.Args[1].Value.(ir.Local); ok {
			list := o.local()
			stmt.Args = []ir.Operand{stmt.Args[0], local(list)}
			return []ir.Stmt{
				&ir.ResetLocalStmt{Target: list},
				block(&ir.IsSetStmt{Source: local(of)}, &ir.CallStmt{Func: runtimeSort, Args: []ir.Operand{local(of)}, Result: list}),
				block(&ir.IsUndefinedStmt{Source: list}, &ir.AssignVarStmt{Source: local(of), Target: list}),
				stmt,
			}
		}
	}
	return []ir.Stmt{stmt}
}

func local(l ir.Local) ir.Operand { return ir.Operand{Value: l} }

func block(stmts ...ir.Stmt) ir.Stmt { return &ir.BlockStmt{Blocks: []*ir.Block{{Stmts: stmts}}} }
