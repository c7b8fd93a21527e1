/** What a legal hold covers: everything that is given must fit; with nothing given it covers everything. */
export interface HoldRequest {
  readonly reason: string;
  readonly issuer?: string;
  readonly subject?: string;
  readonly call?: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
}
