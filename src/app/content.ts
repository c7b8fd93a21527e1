import type { Content } from '../call/parts.ts';
import type { ContentConfig } from '../config/schema-types.ts';
import { createContent } from '../content/content.ts';

/** Detection and redaction as a configuration wants them. `hashKey` is drawn once a run, so that hashes of one run can be compared. */
export function openContent(config: ContentConfig, hashKey: Uint8Array): Content {
  return createContent({
    secrets: config.secrets,
    personalData: config.personal_data,
    hiddenText: config.hidden_text,
    maxScanBytes: config.max_scan_bytes,
    hashKey,
  });
}
