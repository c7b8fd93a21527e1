package main

import (
	"strconv"

	"github.com/open-policy-agent/opa/v1/ir"
)

// dataKeys lets a reference into the data document reach what OPA reaches: there, `data.ports[8080]` finds the key "8080", because a path
// in the store is made of texts, and `data.rows["0"]` the first row. A module looks the number up among the keys and finds nothing.
type dataKeys struct {
	next   *ir.Local
	static *ir.Static
	data   ir.Local
	// Locals that hold a part of the data document, by the place of the reference they come from: only a key of the same reference is a key
	// of the store.
	origin map[ir.Local]ir.Location
}

func (d *dataKeys) block(b *ir.Block) {
	out := make([]ir.Stmt, 0, len(b.Stmts))
	for _, stmt := range b.Stmts {
		switch stmt := stmt.(type) {
		case *ir.ScanStmt:
			if d.isData(stmt.Source, stmt.Location) {
				d.origin[stmt.Value] = stmt.Location
			}
			d.block(stmt.Block)
		case *ir.BlockStmt:
			for _, nested := range stmt.Blocks {
				d.block(nested)
			}
		case *ir.NotStmt:
			d.block(stmt.Block)
		case *ir.WithStmt:
			d.block(stmt.Block)
		case *ir.DotStmt:
			source, ok := stmt.Source.Value.(ir.Local)
			if !ok || !d.isData(source, stmt.Location) {
				break
			}
			d.origin[stmt.Target] = stmt.Location
			switch key := stmt.Key.Value.(type) {
			case ir.Local:
				out = append(out, d.lookup(stmt, source, key)...)
				continue
			case ir.StringIndex:
				if row, err := strconv.ParseInt(d.static.Strings[key].Value, 10, 32); err == nil && row >= 0 {
					out = append(out, d.row(stmt, source, row)...)
					continue
				}
			}
		}
		out = append(out, stmt)
	}
	b.Stmts = out
}

func (d *dataKeys) isData(l ir.Local, at ir.Location) bool {
	from, ok := d.origin[l]
	return l == d.data || ok && from.File == at.File && from.Row == at.Row && from.Col == at.Col
}

// lookup tries the key as it is, then a number as text in an object, then a text as number in an array.
func (d *dataKeys) lookup(dot *ir.DotStmt, source, key ir.Local) []ir.Stmt {
	isNumber, text, number, back := d.local(), d.local(), d.local(), d.local()
	missing := func() ir.Stmt { return &ir.IsUndefinedStmt{Source: dot.Target} }
	return []ir.Stmt{
		&ir.ResetLocalStmt{Target: dot.Target},
		block(dot),
		block(
			missing(),
			&ir.IsObjectStmt{Source: local(source)},
			&ir.CallStmt{Func: runtimeIsNumber, Args: []ir.Operand{local(key)}, Result: isNumber},
			&ir.EqualStmt{A: local(isNumber), B: ir.Operand{Value: ir.Bool(true)}},
			&ir.CallStmt{Func: runtimeText, Args: []ir.Operand{local(key)}, Result: text},
			&ir.DotStmt{Source: local(source), Key: local(text), Target: dot.Target},
		),
		block(
			missing(),
			&ir.IsArrayStmt{Source: local(source)},
			&ir.CallStmt{Func: runtimeNumber, Args: []ir.Operand{local(key)}, Result: number},
			&ir.CallStmt{Func: runtimeText, Args: []ir.Operand{local(number)}, Result: back},
			&ir.EqualStmt{A: local(back), B: local(key)},
			&ir.DotStmt{Source: local(source), Key: local(number), Target: dot.Target},
		),
		&ir.IsDefinedStmt{Source: dot.Target},
	}
}

// row tries a key that is a text of digits, and then the row of that number.
func (d *dataKeys) row(dot *ir.DotStmt, source ir.Local, row int64) []ir.Stmt {
	number := d.local()
	return []ir.Stmt{
		&ir.ResetLocalStmt{Target: dot.Target},
		block(dot),
		block(
			&ir.IsUndefinedStmt{Source: dot.Target},
			&ir.IsArrayStmt{Source: local(source)},
			&ir.MakeNumberIntStmt{Value: row, Target: number},
			&ir.DotStmt{Source: local(source), Key: local(number), Target: dot.Target},
		),
		&ir.IsDefinedStmt{Source: dot.Target},
	}
}

func (d *dataKeys) local() ir.Local {
	l := *d.next
	*d.next = l + 1
	return l
}
