const MAX_REDIRECTS = 20;

export interface Page {
  readonly url: string;
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  /** Every address on the way, the first one first. */
  readonly way: readonly string[];
}

/** What a browser does of HTTP: it keeps cookies of one host, and follows redirects. */
export class Browser {
  readonly cookies = new Map<string, string>();
  /** The `Set-Cookie` headers that came, in full. */
  readonly setCookies: string[] = [];

  async go(url: string, init: RequestInit = {}): Promise<Page> {
    const way = [url];
    let request = init;
    for (;;) {
      const response = await this.once(way.at(-1) ?? url, request);
      const location = response.headers.get('location');
      if (location === null || response.status < 300 || response.status >= 400 || way.length > MAX_REDIRECTS)
        return { url: way.at(-1) ?? url, status: response.status, text: await response.text(), headers: response.headers, way };
      await response.body?.cancel();
      way.push(new URL(location, way.at(-1)).href);
      request = {};
    }
  }

  /** One request, and no redirect followed. */
  async once(url: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    if (cookie !== '' && !headers.has('cookie')) headers.set('cookie', cookie);
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) this.#take(line);
    return response;
  }

  #take(line: string): void {
    this.setCookies.push(line);
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const [name = '', value = ''] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
    const isOver = attributes.some(
      (attribute) => /^max-age=0$/i.test(attribute) || (/^expires=/i.test(attribute) && Date.parse(attribute.slice(8)) <= Date.now()),
    );
    if (isOver || value === '') this.cookies.delete(name);
    else this.cookies.set(name, value);
  }

  /** Fills in the forms of the issuer (name, then consent) until it sends the browser back. */
  async logIn(url: string, name: string): Promise<Page> {
    let page = await this.go(url);
    for (let forms = 0; forms < 3 && page.status === 200 && /name="prompt"/.test(page.text); forms += 1) {
      const [, action = ''] = /<form[^>]* action="([^"]+)"/.exec(page.text) ?? [];
      const [, prompt = ''] = /name="prompt" value="([^"]+)"/.exec(page.text) ?? [];
      const body = new URLSearchParams({ prompt, ...(prompt === 'login' ? { login: name, password: 'any' } : {}) });
      const next = await this.go(new URL(action, page.url).href, { method: 'POST', body });
      page = { ...next, way: [...page.way, ...next.way] };
    }
    return page;
  }
}
