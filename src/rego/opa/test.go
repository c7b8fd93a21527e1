package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

type testQuery struct {
	Op             string          `json:"op"`
	Program        json.RawMessage `json:"program"`
	Run            string          `json:"run"` // -r: regular expression over package and name
	TimeoutMs      int             `json:"timeout_ms"`
	Coverage       bool            `json:"coverage"`
	Threshold      float64         `json:"threshold"`
	Explain        string          `json:"explain"`
	VarValues      bool            `json:"var_values"`
	Verbose        bool            `json:"verbose"`
	FailOnEmpty    bool            `json:"fail_on_empty"`
	SkipIsNoFault  bool            `json:"exit_zero_on_skipped"`
	WithoutReports bool            `json:"without_text"`
}

type testAnswer struct {
	Results  []testResult  `json:"results"`
	ExitCode int           `json:"exit_code"` // what `opa test` would have exited with
	Message  string        `json:"message,omitempty"`
	Text     string        `json:"text"` // the report of `opa test`
	Coverage *cover.Report `json:"coverage,omitempty"`
}

type testResult struct {
	Package    string              `json:"package"`
	Name       string              `json:"name"`
	File       string              `json:"file"`
	Row        int                 `json:"row"`
	Col        int                 `json:"col"`
	Pass       bool                `json:"pass"`
	Fail       bool                `json:"fail"`
	Skip       bool                `json:"skip"`
	Error      string              `json:"error,omitempty"`
	DurationNs int64               `json:"duration_ns"`
	Output     string              `json:"output,omitempty"`
	Trace      []string            `json:"trace,omitempty"`
	Cases      tester.SubResultMap `json:"cases,omitempty"`
}

// opTest is `opa test`: the same runner, the same reporters, the same exit code.
func opTest(raw json.RawMessage) (any, error) {
	q := testQuery{TimeoutMs: 30_000} // six times that of stock OPA, which runs several times faster than WebAssembly
	if err := decode(raw, &q); err != nil {
		return nil, err
	}
	p, err := readProgram(q.Program)
	if err != nil {
		return nil, err
	}
	p.Prints = true
	l, err := p.load(false)
	if err != nil {
		return nil, err
	}
	c, err := l.newCompiler(p)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	store := inmem.NewFromObject(l.data)
	txn, err := store.NewTransaction(ctx, storage.WriteParams)
	if err != nil {
		return nil, err
	}
	defer store.Abort(ctx, txn)
	covered := cover.New()
	runner := tester.NewRunner().
		SetCompiler(c.WithRewriteTestRules(q.VarValues)).
		SetStore(store).
		SetModules(l.modules).
		CapturePrintOutput(true).
		EnableTracing(q.Verbose || q.VarValues || q.Explain != "").
		StackTraces(true).
		SetCoverageRuns([]cover.Kind{cover.KindIndexExcluded, cover.KindEarlyExit}).
		SetTimeout(time.Duration(q.TimeoutMs) * time.Millisecond).
		Filter(q.Run).
		SetParallel(1)
	if q.Coverage || q.Threshold > 0 {
		runner = runner.SetCoverageQueryTracer(covered)
	} else {
		runner = runner.SetCoverageQueryTracer(&yielder{})
	}
	ch, err := runner.RunTests(ctx, txn)
	if err != nil {
		return nil, err
	}
	results := []*tester.Result{}
	for r := range ch {
		results = append(results, r)
	}
	slices.SortFunc(results, byPlace)
	return report(&q, l, results, covered)
}

// yielder lets other goroutines in now and then: WebAssembly has one thread, and the timer that ends a looping test needs it.
type yielder struct{ steps int }

func (*yielder) Enabled() bool               { return true }
func (*yielder) Config() topdown.TraceConfig { return topdown.TraceConfig{} }
func (y *yielder) TraceEvent(topdown.Event) {
	if y.steps++; y.steps&0x3ff == 0 {
		runtime.Gosched()
	}
}

func byPlace(a, b *tester.Result) int {
	if c := compare(a.Location.File, b.Location.File); c != 0 {
		return c
	}
	return a.Location.Row - b.Location.Row
}

func report(q *testQuery, l *loaded, results []*tester.Result, covered *cover.Cover) (any, error) {
	out := &testAnswer{Results: []testResult{}}
	for _, r := range results {
		if !r.Pass() && !(r.Skip && q.SkipIsNoFault) {
			out.ExitCode = 2
		}
		r.Trace = traceOf(q, r.Trace)
		out.Results = append(out.Results, describeTest(r))
	}
	var text bytes.Buffer
	var reporter tester.Reporter = tester.PrettyReporter{Output: &text, Verbose: q.Verbose, FailureLine: q.VarValues, LocalVars: q.VarValues}
	if q.Coverage || q.Threshold > 0 {
		whole := covered.Report(l.modules)
		out.Coverage = &whole
		reporter = tester.JSONCoverageReporter{Cover: covered, Modules: l.modules, Output: &text, Threshold: q.Threshold, Verbose: q.Verbose}
	}
	if err := reporter.Report(replay(results)); err != nil {
		out.Message, out.ExitCode = err.Error(), 1
		var below *cover.CoverageThresholdError
		if errors.As(err, &below) {
			out.ExitCode = 2
		}
	} else if len(results) == 0 && q.FailOnEmpty {
		out.Message, out.ExitCode = "no tests were run", 1
	}
	if !q.WithoutReports {
		out.Text = text.String()
	}
	return out, nil
}

func traceOf(q *testQuery, trace []*topdown.Event) []*topdown.Event {
	if q.Explain == "" {
		if !q.Verbose && !q.VarValues {
			return nil
		}
		return filterTrace("fails", trace)
	}
	return filterTrace(q.Explain, trace)
}

func replay(results []*tester.Result) chan *tester.Result {
	ch := make(chan *tester.Result, len(results))
	for _, r := range results {
		ch <- r
	}
	close(ch)
	return ch
}

func describeTest(r *tester.Result) testResult {
	out := testResult{
		Package: r.Package, Name: r.Name, Pass: r.Pass(), Fail: r.Fail, Skip: r.Skip, DurationNs: int64(r.Duration),
		Output: string(r.Output), Cases: r.SubResults,
	}
	if r.Location != nil {
		out.File, out.Row, out.Col = r.Location.File, r.Location.Row, r.Location.Col
	}
	if r.Error != nil {
		out.Error = fmt.Sprint(r.Error)
	}
	if len(r.Trace) > 0 {
		out.Trace = traceLines(r.Trace)
	}
	return out
}
