/** A kind of thing that has no place in what a server says of itself. */
export interface DefinitionRule {
  /** As findings name it. */
  readonly detector: string;
  /** What is found, for the manual. */
  readonly means: string;
  /** A `notice` is often innocent: shipped policy only refuses what is `critical`. */
  readonly severity: 'critical' | 'notice';
}

/** A rule over words: matched in lower case, look-alike letters and runs of white space made plain. Each pattern is bounded, so linear. */
export interface WordRule extends DefinitionRule {
  readonly pattern: RegExp;
  /** Absent: also in a server's instructions, which may well tell a model when to use which tool. */
  readonly only?: 'definitions';
}

const verbsOfSending =
  '(?:send|sends|post|posts|upload|uploads|forward|forwards|transmit|exfiltrate|leak|copy|submit|report|e-?mail|append|bcc|cc)';
const theUser = '(?:the |your |any )?(?:user|users|human|humans|operator|person|owner|anyone|anybody|customer|developer)';

/** What a description says to a model in the place of describing. */
export const wordRules: readonly WordRule[] = [
  {
    detector: 'injection.ignore-instructions',
    means: 'asks to ignore, forget or override earlier instructions, rules or prompts',
    severity: 'critical',
    pattern:
      /\b(?:ignore|disregard|forget|override|bypass|discard)\b[^.;:!?]{0,40}\b(?:previous|prior|above|earlier|preceding|existing|all|any|other|system|your|safety)\b[^.;:!?]{0,30}\b(?:instructions?|prompts?|rules?|guidelines?|directions?|policies|restrictions?|guardrails?)\b/g,
  },
  {
    detector: 'injection.conceal',
    means: 'asks to keep something from the user',
    severity: 'critical',
    pattern: new RegExp(
      `\\b(?:do not|don't|dont|never|must not|mustn't|should not|shouldn't|without|avoid)\\b[^.;!?]{0,30}\\b(?:tell|telling|inform|informing|mention|mentioning|reveal|revealing|notify|notifying|alert|alerting|disclose|disclosing|show|showing|warn|warning)\\b[^.;!?]{0,40}\\b${theUser}\\b` +
        `|\\b${theUser} (?:must|should|may|can|need)(?: not|n't) (?:know|see|notice|be told|be informed|find out)\\b` +
        `|\\b(?:keep|kept) (?:this|it|that|these) (?:a )?(?:secret|hidden|confidential) from\\b`,
      'g',
    ),
  },
  {
    detector: 'injection.role-markup',
    means: 'imitates the mark-up of a prompt: `<IMPORTANT>`, `<system>`, `[INST]`, `<|im_start|>`, `### System:`',
    severity: 'critical',
    pattern:
      /<\/?\s{0,3}(?:important|system|instructions?|secret|hidden|admin|assistant|developer|user_query|critical)\b[^<>]{0,40}>|<\|[a-z_]{2,30}\|>|\[\/?inst\]|<<\/?sys>>|#{2,6} ?(?:system|assistant|developer)(?: prompt| message)? ?:/g,
  },
  {
    detector: 'injection.new-role',
    means: 'gives the model another role or new instructions',
    severity: 'critical',
    pattern:
      /\byou are now (?:a|an|the|in|my)\b|\bfrom now on,? (?:you|act|behave|always|respond)\b|\b(?:new|real|actual|updated) (?:system )?instructions? ?:|\bact as (?:a |an |the )?(?:system|administrator|root|jailbroken|unrestricted|developer mode)\b|\bsystem (?:override|notice to (?:the )?(?:model|assistant|ai|llm))\b/g,
  },
  {
    detector: 'injection.leak-context',
    means: 'asks for the conversation, the system prompt or the list of tools as an argument or an answer',
    severity: 'critical',
    pattern:
      /\b(?:pass|include|provide|put|insert|copy|paste|send|append|attach|reveal|print|repeat|output|write|summarize|place|fill in|return)\b[^.;!?]{0,40}\b(?:system prompt|(?:entire|full|whole|complete|previous|prior|all)(?: of the| the)? (?:conversation|chat|dialogue|context|message history|messages|chat history|conversation history|list of tools|available tools)|conversation history|chat history)\b/g,
  },
  {
    detector: 'injection.secret-files',
    means: "names files that hold secrets: SSH keys, cloud and Git credentials, `.env`, password files, an MCP client's configuration",
    severity: 'critical',
    pattern:
      /(?:~|\$home|%userprofile%|\/home\/[^\s/]{1,40}|\/root)[/\\]\.(?:ssh|aws|gnupg|kube|docker|npmrc|netrc|pypirc|git-credentials|bash_history|zsh_history|cursor|claude|vscode|codex|config[/\\]gcloud|config[/\\]gh)\b|\bid_(?:rsa|ed25519|ecdsa|dsa)\b|\.(?:aws|ssh)[/\\](?:credentials|config|authorized_keys|id_)|\/etc\/(?:passwd|shadow|sudoers)\b|(?:read|cat|open|load|contents? of|include|pass)\b[^.;!?]{0,40}(?:^|[\s`'"(/])\.env\b|\bmcp\.json\b|\bclaude_desktop_config\.json\b/g,
  },
  {
    detector: 'injection.exfiltrate',
    means: 'asks to send something to an address: a URL, a mailbox, or an image that is fetched',
    severity: 'critical',
    pattern: new RegExp(
      `\\b${verbsOfSending}\\b[^.;!?]{0,80}\\b(?:to|at|via|with|into)\\b[^.;!?]{0,40}(?:https?|ftp|wss?):\\/\\/` +
        `|\\b${verbsOfSending}\\b[^.;!?]{0,80}\\b(?:to|at|via)\\b[^.;!?]{0,20}[a-z0-9_+-][a-z0-9._+-]{0,60}@[a-z0-9-]{1,60}\\.[a-z]` +
        '|!\\[[^\\]]{0,200}\\]\\( ?https?:\\/\\/',
      'g',
    ),
  },
  {
    detector: 'injection.before-tool',
    means: 'says what to do before or after each use of a tool',
    severity: 'notice',
    only: 'definitions',
    pattern:
      /\b(?:before|after|when|whenever|prior to|each time you) (?:you )?(?:us(?:e|ing)|call(?:ing)?|invok(?:e|ing)|run(?:ning)?|execut(?:e|ing))\b[^.;!?]{0,30}\b(?:this|any|every|each|other|another|the) (?:other )?(?:tools?|functions?)\b[^.;!?]{0,60}\b(?:must|always|first|need to|have to|read|call|make sure|required)\b|\b(?:must|always)\b[^.;!?]{0,40}\b(?:before|prior to) (?:using|calling|invoking|running|you (?:use|call)) (?:this|any|every|each|other|another|all)\b/g,
  },
  {
    detector: 'injection.steer-tools',
    means: 'says which tools to use, or not to use, in the place of others',
    severity: 'notice',
    only: 'definitions',
    pattern:
      /\b(?:do not|don't|never|stop) (?:use|using|call|calling) (?:any |the )?(?:other|another) (?:tools?|servers?|functions?)\b|\b(?:this tool|this function) (?:replaces|supersedes|overrides|takes precedence over)\b|\balways (?:use|call|prefer) this (?:tool|function)\b|\binstead of (?:any|all|the) other (?:tools?|functions?)\b/g,
  },
];

/** What a reader of a definition does not see; the first four are those of every message. */
export const hiddenRules: readonly DefinitionRule[] = [
  { detector: 'hidden.bidi', means: 'characters that turn the reading direction', severity: 'critical' },
  { detector: 'hidden.zero-width', means: 'characters without width, and rows of variation selectors', severity: 'critical' },
  { detector: 'hidden.ansi', means: 'sequences that steer a terminal', severity: 'critical' },
  { detector: 'hidden.unicode-tag', means: 'Unicode tags: text that only a machine reads', severity: 'critical' },
  { detector: 'hidden.control', means: 'control characters, fillers and other characters that show nothing', severity: 'critical' },
  { detector: 'hidden.far-away', means: 'text behind long white space, where a reader does not scroll', severity: 'critical' },
  { detector: 'hidden.comment', means: 'an HTML comment, which a rendered description does not show', severity: 'critical' },
  { detector: 'definition.too_large', means: 'more than is looked at: something may be missing', severity: 'critical' },
];
