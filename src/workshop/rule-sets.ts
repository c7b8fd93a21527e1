import type { ReleaseFacts, RegoFiles, RegoTools } from './rego-tools.ts';

/** The sets whose members decide a call, by the contract between the gateway and Rego. */
export type DecidingSet = 'deny' | 'allow' | 'require_approval' | 'redact' | 'limit';
const decidingSets: readonly string[] = ['deny', 'allow', 'require_approval', 'redact', 'limit'] satisfies readonly DecidingSet[];

/** One rule set of a release, and whether it counts. */
export interface RuleSet {
  /** `topic/rule`. */
  readonly rule: string;
  readonly set: DecidingSet;
  readonly title: string | undefined;
  readonly places: readonly { readonly file: string; readonly row: number }[];
  /** What to ask by partial evaluation: each of its members, whatever it is. */
  readonly query: string;
  /** False where the release only reports what this set says (`dry_run`, `warn`). */
  readonly isEnforced: boolean;
}

/** A release as it is analysed: its files, and the rule sets that decide. */
export interface RuleBook {
  readonly files: RegoFiles;
  readonly sets: readonly RuleSet[];
  readonly data: string;
  /** Why nothing can be said about the release; absent where something can. */
  readonly obstacle?: string;
}

/** The entrypoints of which a release that is analysed has to have at least the first. */
export const analysedEntrypoints = ['gateway/call'] as const;

/**
 * Reads which rule sets a release has, and asks its own `gateway/call` how each counts: with the rules replaced by one that has just this
 * set, does it deny, allow, hold or redact? So `data.enforcement`, guardrails and METADATA count as the release itself counts them.
 * @param sampleInput JSON of a call's input; the way of combining is taken to be the same for every other
 * @throws GatewayError `policy.invalid` when the release does not compile
 */
export async function readRuleBook(rego: RegoTools, files: RegoFiles, sampleInput: string): Promise<RuleBook> {
  const facts = await rego.analyse({ files, entrypoints: analysedEntrypoints });
  const sets = declaredSets(facts);
  const obstacle = obstacleIn(facts);
  const counted = await countedSets(rego, files, sets, sampleInput);
  const broken = counted === undefined ? 'its gateway/call does not combine rules as the contract says' : undefined;
  const enforced = sets.map(({ hasAbout: _, ...set }, index) => ({ ...set, isEnforced: counted?.[index] ?? true }));
  const why = obstacle ?? broken;
  return { files, sets: enforced, data: facts.data, ...(why === undefined ? {} : { obstacle: why }) };
}

/** `hasAbout`: its METADATA takes part in how it counts. */
type DeclaredSet = Omit<RuleSet, 'isEnforced'> & { readonly hasAbout: boolean };

function declaredSets({ packages }: ReleaseFacts): DeclaredSet[] {
  return packages.flatMap(({ path, rules, annotations }) => {
    const steps = path.split('/');
    if (steps.length !== 3 || steps[0] !== 'rules') return [];
    const title = annotations.find((one) => one.title !== undefined)?.title;
    return rules
      .filter(({ name }) => decidingSets.includes(name))
      .map(({ name, places }) => ({
        rule: steps.slice(1).join('/'),
        set: name as DecidingSet,
        title,
        places,
        hasAbout: rules.some((one) => one.name === 'about'),
        query: `member = data.${steps.map(quotedStep).join('').slice(1)}.${name}[_]`,
      }));
  });
}

function quotedStep(step: string): string {
  return /^[A-Za-z_]\w*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
}

/** Members that come from elsewhere than a package `rules.<topic>.<rule>` are combined too, and would be overlooked. */
function obstacleIn({ data, packages }: ReleaseFacts): string | undefined {
  if (Object.hasOwn(JSON.parse(data) as object, 'rules')) return 'its data has the key `rules`, which is combined with the rules';
  const odd = packages.find(({ path, rules }) => {
    const steps = path.split('/');
    return steps[0] === 'rules' && steps.length < 3 && rules.some(({ name }) => name.includes('.') || steps.length === 2);
  });
  return odd === undefined ? undefined : `the package \`${odd.path}\` has rules outside of \`rules.<topic>.<rule>\``;
}

const outcomes: Readonly<Record<DecidingSet, { readonly member: unknown; readonly effect: string }>> = {
  deny: { member: 'probe', effect: 'deny' },
  allow: { member: 'probe', effect: 'allow' },
  require_approval: { member: 'probe', effect: 'require_approval' },
  redact: { member: { pointer: '/arguments/probe', as: 'mask' }, effect: 'redact' },
  // Named and not used up, a limit lets the call go on.
  limit: { member: { key: 'probe', max: 1, per_s: 1 }, effect: 'allow' },
};

/** For each set whether it counts; `undefined` where the release does not combine as the contract says. */
async function countedSets(
  rego: RegoTools,
  files: RegoFiles,
  sets: readonly DeclaredSet[],
  sampleInput: string,
): Promise<readonly boolean[] | undefined> {
  const grantor = '"castellan": {"probe": {"allow": ["probe"], "about": []}}';
  const mocks = sets.map(({ rule, set, hasAbout }) => {
    const [topic = '', name = ''] = rule.split('/');
    const about = hasAbout ? `{"about": about | about := data.rules[${JSON.stringify(topic)}][${JSON.stringify(name)}].about}` : '{}';
    const own = `{${JSON.stringify(name)}: object.union({${JSON.stringify(set)}: [${JSON.stringify(outcomes[set].member)}]}, ${about})}`;
    return set === 'allow' ? `{${JSON.stringify(topic)}: ${own}}` : `object.union({${JSON.stringify(topic)}: ${own}}, {${grantor}})`;
  });
  // The first two say whether the release combines at all: nothing allows by default, and a rule that allows does.
  const all = ['{}', `{${grantor}}`, ...mocks].join(', ');
  const query = `x := [effect | some mock in [${all}]; effect := data.gateway.call.effect with data.rules as mock]`;
  const { result } = await rego.eval({ files, bundle: true, query, input: sampleInput });
  const rows = JSON.parse(result) as readonly { readonly bindings?: { readonly x?: readonly string[] } }[];
  const effects = rows[0]?.bindings?.x;
  if (effects?.length !== mocks.length + 2 || effects[0] !== 'deny' || effects[1] !== 'allow') return undefined;
  return sets.map(({ set }, index) => effects[index + 2] === outcomes[set].effect);
}
