import { loadOpaModule } from './opa-artefact.ts';
import { OpaHost, type OpaAnswer, type OpaHostOptions } from './opa-host.ts';
import type {
  Analysis,
  Build,
  BuildQuery,
  CapabilitiesAnswer,
  CheckAnswer,
  EvalAnswer,
  EvalQuery,
  FormattedFile,
  OpaVersion,
  PartialQuery,
  Program,
  Residue,
  TestAnswer,
  TestQuery,
} from './opa-types.ts';
import { RegoError, type RegoErrorKind, type RegoFault } from './rego-error.ts';

/** Bound of the memory of an instance that serves builtins. */
const moduleMemoryBytes = 1024 * 1024 * 1024;

export type * from './opa-types.ts';
export { RegoError, describeFaults, type RegoErrorKind, type RegoFault } from './rego-error.ts';
export type { OpaHostOptions } from './opa-host.ts';

/** Overrides the timeout of the host for one call. */
export interface CallOptions {
  readonly timeoutMs?: number;
}

interface Envelope {
  readonly value?: unknown;
  readonly error?: { readonly kind: RegoErrorKind; readonly message: string; readonly errors?: readonly RegoFault[] };
}

/**
 * OPA 1.22 itself, compiled to WebAssembly, in a worker thread: started by the first call, one call at a time, replaced when a call takes too
 * long or the module dies. Every method throws {@link RegoError}; what is wrong with a policy names file, line and column.
 */
export class Opa {
  readonly #host: OpaHost;
  #module: Promise<WebAssembly.Module> | undefined;

  constructor(options: OpaHostOptions = {}) {
    this.#host = new OpaHost(options);
  }

  /** Version of OPA, and the builtins that {@link Opa.builtin} serves. */
  async version(options?: CallOptions): Promise<OpaVersion> {
    return (await this.#call('version', {}, options)) as OpaVersion;
  }

  /**
   * Text of a capabilities file: this OPA without the builtins that do I/O or are not deterministic, without network for schemas, and without
   * those in `remove`; with `full`, as `opa capabilities --current` prints it.
   */
  async capabilities(query: { remove?: readonly string[]; full?: boolean } = {}, options?: CallOptions): Promise<CapabilitiesAnswer> {
    return (await this.#call('capabilities', query, options)) as CapabilitiesAnswer;
  }

  /** `opa check`: what is wrong is the answer; an empty list is good. */
  async check(program: Program, options?: CallOptions): Promise<CheckAnswer> {
    return (await this.#call('check', { program: wire(program) }, options)) as CheckAnswer;
  }

  /**
   * `opa build -b -t wasm --prune-unused`, never optimised (`-O` decides differently where data is absent).
   * @throws RegoError of kind `rego` with every fault found
   */
  async build(query: BuildQuery, options?: CallOptions): Promise<Build> {
    const answer = await this.#send('build', buildRequest(query), options);
    if (answer.wasm === undefined) throw new RegoError('panic', 'the build has no module');
    return { ...(unwrap(answer) as Analysis), wasm: answer.wasm, hostBuiltins: answer.hostBuiltins ?? [] };
  }

  /** What {@link Opa.build} knows beside the module, in a third of its time. */
  async analyse(query: BuildQuery, options?: CallOptions): Promise<Analysis> {
    return (await this.#call('build', { ...buildRequest(query), analyse_only: true }, options)) as Analysis;
  }

  /** `opa test`: the same runner and reports. @throws RegoError of kind `rego` when the files do not compile (stock exits with 1) */
  async test(query: TestQuery, options?: CallOptions): Promise<TestAnswer> {
    const { run, timeoutMs, coverage, threshold, explain, varValues, verbose, failOnEmpty, exitZeroOnSkipped } = query;
    const request = {
      program: wire(query),
      run,
      timeout_ms: timeoutMs,
      coverage,
      threshold,
      explain,
      var_values: varValues,
      verbose,
      fail_on_empty: failOnEmpty,
      exit_zero_on_skipped: exitZeroOnSkipped,
    };
    return (await this.#call('test', request, options)) as TestAnswer;
  }

  /** `opa fmt`, for the `.rego` files among those given. A file that does not parse has `errors`. */
  async format(files: Readonly<Record<string, string>>, options?: CallOptions): Promise<readonly FormattedFile[]> {
    return (await this.#call('fmt', { files }, options)) as readonly FormattedFile[];
  }

  /** `opa eval` in OPA's interpreter. @throws RegoError of kind `eval` when rules conflict, and with `strictBuiltinErrors` */
  async eval(query: EvalQuery, options?: CallOptions): Promise<EvalAnswer> {
    const request = {
      program: wire(query),
      query: query.query,
      input: query.input,
      now_ns: query.nowNs?.toString(),
      explain: query.explain,
      events: query.events,
      strict_builtin_errors: query.strictBuiltinErrors,
      all_rules: query.allRules,
    };
    return (await this.#call('eval', request, options)) as EvalAnswer;
  }

  /** Partial evaluation: for each case, one residue for each of its queries, in order. Cases of one call share the compiled program. */
  async partial(query: PartialQuery, options?: CallOptions): Promise<readonly (readonly Residue[])[]> {
    const request = {
      program: wire(query),
      unknowns: query.unknowns,
      cases: query.cases,
      disable_inlining: query.disableInlining,
      now_ns: query.nowNs?.toString(),
      ast: query.ast,
    };
    return (await this.#call('partial', request, options)) as readonly (readonly Residue[])[];
  }

  /** `opa parse --format json`: OPA's syntax tree, with annotations. @throws RegoError of kind `rego` */
  async parse(file: string, text: string, query: { locations?: boolean } = {}, options?: CallOptions): Promise<unknown> {
    return await this.#call('parse', { file, text, locations: query.locations }, options);
  }

  /**
   * One builtin with JSON texts (or Rego texts, for sets) as arguments; undefined where the call is undefined.
   * For evaluation use the synchronous `createBuiltinCaller` of builtins.ts.
   */
  async builtin(
    query: { name: string; args: readonly string[]; nowNs?: bigint; notation?: 'json' | 'rego' },
    options?: CallOptions,
  ): Promise<string | undefined> {
    const { name, args, nowNs, notation } = query;
    return ((await this.#call('builtin', { name, args, now_ns: nowNs?.toString(), notation }, options)) as { text?: string }).text;
  }

  /** The module compiled in this process, to be handed to its threads with `workerData`: it stays in memory, some 150 MB. */
  async module(): Promise<WebAssembly.Module> {
    return (this.#module ??= loadOpaModule(moduleMemoryBytes));
  }

  /** Ends the worker; calls under way fail with kind `closed`. */
  async close(): Promise<void> {
    await this.#host.close();
  }

  async #call(op: string, request: object, options?: CallOptions): Promise<unknown> {
    return unwrap(await this.#send(op, request, options));
  }

  async #send(op: string, request: object, options?: CallOptions): Promise<OpaAnswer> {
    const answer = await this.#host.send(op, JSON.stringify({ op, ...request }), options?.timeoutMs);
    if (answer.wasm === undefined) unwrap(answer);
    return answer;
  }
}

function unwrap(answer: OpaAnswer): unknown {
  const { value, error } = JSON.parse(answer.text) as Envelope;
  if (error !== undefined) throw new RegoError(error.kind, error.message, error.errors);
  return value;
}

function buildRequest(query: BuildQuery): object {
  return { program: wire({ ...query, bundle: true }), entrypoints: query.entrypoints, revision: query.revision ?? '' };
}

/** The program as the module reads it. The module recognises a program it has compiled by these bytes, so the order is fixed. */
function wire(program: Program): object {
  const { files, paths, bundle, ignore, capabilities, schemas, data, strict, prints, maxErrors } = program;
  return { files, paths, bundle, ignore, capabilities, schemas, data, strict, prints, max_errors: maxErrors };
}
