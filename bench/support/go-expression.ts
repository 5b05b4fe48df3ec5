export type GoValue = string | readonly string[];

/** What the evaluator does not know, so that a test case is left out instead of made up. */
export class NotUnderstood extends Error {}

type Functions = Readonly<Record<string, (...values: readonly GoValue[]) => GoValue>>;

/** Evaluates the few kinds of Go expressions that lists of test cases are made of: literals, `+`, `[]string{…}`, and calls of known functions. */
export class GoExpression {
  readonly #source: string;
  readonly #variables: ReadonlyMap<string, GoValue>;
  readonly #functions: Functions;
  #at: number;

  constructor(source: string, at: number, variables: ReadonlyMap<string, GoValue>, functions: Functions) {
    this.#source = source;
    this.#at = at;
    this.#variables = variables;
    this.#functions = functions;
  }

  /** @throws NotUnderstood */
  value(): GoValue {
    let value = this.#term();
    while (this.#takes('+')) {
      const [left, right] = [value, this.#term()];
      if (typeof left !== 'string' || typeof right !== 'string') throw new NotUnderstood('+ of lists');
      value = left + right;
    }
    return value;
  }

  #term(): GoValue {
    this.#skip();
    const rest = this.#source.slice(this.#at, this.#at + 200_000);
    const raw = /^`([^`]*)`/.exec(rest);
    if (raw) return this.#advance(raw[0], raw[1] ?? '');
    const quoted = /^"((?:[^"\\\n]|\\.)*)"/.exec(rest);
    if (quoted) return this.#advance(quoted[0], unquoted(quoted[1] ?? ''));
    const list = /^\[\]string\s*\{/.exec(rest);
    if (list) return this.#advance(list[0], null) ?? this.#until('}');
    const name = /^[A-Za-z_][\w.]*/.exec(rest)?.[0];
    if (name === undefined) throw new NotUnderstood(rest.slice(0, 30));
    this.#at += name.length;
    if (this.#takes('(')) return this.#call(name);
    const value = this.#variables.get(name);
    if (value === undefined) throw new NotUnderstood(name);
    return value;
  }

  #call(name: string): GoValue {
    const call = this.#functions[name];
    if (!call) throw new NotUnderstood(name);
    const values: GoValue[] = [];
    while (!this.#takes(')')) {
      values.push(this.value());
      this.#takes('...');
      this.#takes(',');
    }
    return call(...values);
  }

  #until(closing: string): readonly string[] {
    const items: string[] = [];
    while (!this.#takes(closing)) {
      items.push(...[this.value()].flat());
      this.#takes(',');
    }
    return items;
  }

  #advance<T>(text: string, value: T): T {
    this.#at += text.length;
    return value;
  }

  #takes(sign: string): boolean {
    this.#skip();
    if (!this.#source.startsWith(sign, this.#at)) return false;
    this.#at += sign.length;
    return true;
  }

  /** Spaces and comments. */
  #skip(): void {
    const gap = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
    gap.lastIndex = this.#at;
    this.#at += gap.exec(this.#source)?.[0].length ?? 0;
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '"': '"', "'": "'", '\\': '\\' };

function unquoted(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))/g, (all, unicode, hex, sign) => {
    if (unicode || hex) return String.fromCharCode(Number.parseInt(unicode ?? hex, 16));
    return ESCAPES[sign] ?? all;
  });
}
