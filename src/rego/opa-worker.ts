import { parentPort, workerData } from 'node:worker_threads';
import { compileOpaModule } from './opa-artefact.ts';
import { OpaInstance } from './opa-instance.ts';
import { hostBuiltinsOf } from './policy-builtins.ts';

/** What the host gives a worker: the compiled module of an earlier worker, where there was one. */
export interface OpaWorkerData {
  readonly module: WebAssembly.Module | undefined;
  readonly maxMemoryBytes: number;
}

export interface OpaWorkerRequest {
  readonly id: number;
  readonly text: string;
  readonly isBuild: boolean;
}

export type OpaWorkerMessage =
  | { readonly kind: 'ready'; readonly module: WebAssembly.Module }
  | { readonly kind: 'broken'; readonly message: string }
  | { readonly kind: 'died'; readonly id: number; readonly message: string }
  | {
      readonly kind: 'answer';
      readonly id: number;
      readonly text: string;
      readonly wasm?: Uint8Array<ArrayBuffer>;
      readonly hostBuiltins?: readonly string[];
      readonly memoryBytes: number;
    };

interface BuildEnvelope {
  value?: { wasm?: string };
}

function start(port: NonNullable<typeof parentPort>): void {
  const post = (message: OpaWorkerMessage, transfer: ArrayBuffer[] = []): void => {
    port.postMessage(message, transfer);
  };
  const data = workerData as OpaWorkerData;
  let instance: OpaInstance;
  try {
    const module = data.module ?? compileOpaModule(data.maxMemoryBytes);
    instance = new OpaInstance(module);
    post({ kind: 'ready', module });
  } catch (error) {
    post({ kind: 'broken', message: String(error) });
    return;
  }
  port.on('message', ({ id, text, isBuild }: OpaWorkerRequest) => {
    try {
      const answer = instance.call(text);
      const envelope = isBuild ? (JSON.parse(answer) as BuildEnvelope) : {};
      if (envelope.value?.wasm === undefined) {
        post({ kind: 'answer', id, text: answer, memoryBytes: instance.memoryBytes });
        return;
      }
      const wasm = new Uint8Array(Buffer.from(envelope.value.wasm, 'base64'));
      delete envelope.value.wasm;
      const hostBuiltins = hostBuiltinsOf(wasm);
      post({ kind: 'answer', id, text: JSON.stringify(envelope), wasm, hostBuiltins, memoryBytes: instance.memoryBytes }, [wasm.buffer]);
    } catch (error) {
      post({ kind: 'died', id, message: error instanceof Error ? error.message : String(error) });
    }
  });
}

if (parentPort !== null) start(parentPort);
