/** A part of a template: text that must stand there, or a gap that an expression fills. */
type Part = { readonly text: string } | { readonly gap: 'segment' | 'rest' };

const maxUriLength = 8_192;

/**
 * A test for the URIs that an RFC 6570 template can give. It reads a plain `{name}` as one or more characters of one path segment and any
 * other expression as anything, so it may accept more than the template gives, and takes time linear in the URI for each expression:
 * templates come from upstreams, and a regular expression made of one could be made to run for ever.
 */
export function uriTemplateTest(template: string): (uri: string) => boolean {
  const parts = readParts(template);
  return (uri) => uri.length <= maxUriLength && matches(parts, uri);
}

function readParts(template: string): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (let open = template.indexOf('{'); open !== -1; open = template.indexOf('{', from)) {
    const close = template.indexOf('}', open);
    if (close === -1) break;
    if (open > from) parts.push({ text: template.slice(from, open) });
    parts.push({ gap: /^[A-Za-z0-9_,.%]+$/.test(template.slice(open + 1, close)) ? 'segment' : 'rest' });
    from = close + 1;
  }
  if (from < template.length) parts.push({ text: template.slice(from) });
  return parts;
}

/** Follows all ways through the template at once: `places` are the offsets at which the part before may have ended. */
function matches(parts: readonly Part[], uri: string): boolean {
  let places = new Set([0]);
  for (const part of parts) {
    const next = new Set<number>();
    if ('text' in part) {
      for (const at of places) if (uri.startsWith(part.text, at)) next.add(at + part.text.length);
    } else {
      fillGap(part.gap, uri, places, next);
    }
    if (next.size === 0) return false;
    places = next;
  }
  return places.has(uri.length);
}

function fillGap(gap: 'segment' | 'rest', uri: string, places: ReadonlySet<number>, next: Set<number>): void {
  let open = false;
  for (let at = 0; at <= uri.length; at++) {
    if (open) next.add(at);
    if (gap === 'rest' && places.has(at)) {
      next.add(at);
      open = true;
    }
    if (gap === 'segment') open = isSegmentCharacter(uri[at]) && (open || places.has(at));
  }
}

function isSegmentCharacter(character: string | undefined): boolean {
  return character !== undefined && character !== '/' && character !== '?' && character !== '#';
}
