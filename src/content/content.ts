import { createDetectors, type Detectors, type DetectorOptions } from './detect.ts';
import { createRedactor, type Redactor } from './redact.ts';

/** What the configuration says of contents. */
export interface ContentOptions extends DetectorOptions {
  /** Key of `as: "hash"`; without one a fresh key is drawn, and hashes of different runs cannot be compared. */
  readonly hashKey?: Uint8Array;
}

/** Detectors and redaction under one configuration. Immutable; safe to share between calls. */
export type ContentGuard = Pick<Detectors, 'scan'> & Redactor;

/** Builds the detectors and the redaction that the stages of a call use. Redaction detects what `options` switch on, and nothing else. */
export function createContent(options: ContentOptions): ContentGuard {
  const detectors = createDetectors(options);
  const { redact } = createRedactor({ detectors, ...(options.hashKey === undefined ? {} : { hashKey: options.hashKey }) });
  return { scan: detectors.scan, redact };
}
