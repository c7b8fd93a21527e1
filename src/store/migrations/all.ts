import { audit } from './0001-audit.ts';
import { approval } from './0002-approval.ts';
import { apiKey } from './0003-api-key.ts';
import { toolPin } from './0004-tool-pin.ts';
import { release } from './0005-release.ts';
import { auditInput } from './0006-audit-input.ts';
import { auditTree } from './0007-audit-tree.ts';
import { auditSearch } from './0008-audit-search.ts';
import { auditSlim } from './0009-audit-slim.ts';
import type { Migration } from './migration.ts';

export type { Migration } from './migration.ts';

/** Every step of the schema, in order. */
export const migrations: readonly Migration[] = [audit, approval, apiKey, toolPin, release, auditInput, auditTree, auditSearch, auditSlim];
