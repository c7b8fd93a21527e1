/** A browser, as far as signing in needs one: cookies (their paths ignored), redirects followed by hand, forms posted. */
export interface Browser {
  /** Follows redirects from `url` until a page that is not a redirect, or one whose address `stop` picks. */
  open(url: string, stop?: (url: URL) => boolean): Promise<Page>;
  /** Sends the page's form with `fields` added to its hidden ones. */
  submit(page: Page, fields: Record<string, string>, stop?: (url: URL) => boolean): Promise<Page>;
}

export interface Page {
  readonly url: URL;
  readonly status: number;
  readonly text: string;
}

export function newBrowser(): Browser {
  const cookies = new Map<string, string>();
  const go = async (url: URL, init: RequestInit, stop: (url: URL) => boolean): Promise<Page> => {
    if (stop(url)) return { url, status: 0, text: '' };
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split(/=(.*)/s);
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    const location = response.headers.get('location');
    const text = await response.text();
    return location === null ? { url, status: response.status, text } : go(new URL(location, url), {}, stop);
  };
  return {
    open: (url, stop = () => false) => go(new URL(url), {}, stop),
    submit(page, fields, stop = () => false) {
      const action = /action="([^"]+)"/.exec(page.text)?.[1] ?? '';
      const hidden: [string, string][] = [...page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(
        ([, name = '', value = '']): [string, string] => [name, value],
      );
      return go(new URL(action, page.url), { method: 'POST', body: new URLSearchParams([...hidden, ...Object.entries(fields)]) }, stop);
    },
  };
}
