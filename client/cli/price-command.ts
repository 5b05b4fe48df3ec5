import type { Command } from 'commander';
import type { PriceExplanation, PricedLine } from '../../domain/budget/price-explanation.ts';
import { formatUsd } from '../../domain/budget/price.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';
import { columns } from './text.ts';

interface PriceOptions {
  readonly explain?: boolean;
  readonly at?: string;
  readonly json?: boolean;
}

interface ImportOptions {
  readonly out: string;
  readonly models?: string;
  readonly source?: string;
  readonly date?: string;
  readonly json?: boolean;
}

/** `price`, `price bounds` and `price import`. */
export function addPriceCommand(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  const price = program
    .command('price')
    .description('price usage as a provider sent it: JSON lines {"id","model","usage","provider"?,"serviceTier"?,"at"?} from stdin')
    .option('--explain', 'show how each cost comes about: tokens, rates, tier, source, rounding')
    .option('--at <date>', 'the price of that time, for lines that name no time of their own')
    .option('--json', 'JSON lines also where a person reads')
    .action(async (options: PriceOptions) => end(await priceLines(services, options)));
  price
    .command('bounds')
    .description('models whose reservations were raised, because a provider charged more than was reserved, and by which factor')
    .option('--json', 'print JSON')
    .action(async (_: unknown, command: Command) => end(await listBounds(services, command.optsWithGlobals<{ json?: boolean }>().json ?? false)));
  price
    .command('import <file>')
    .description('turn LiteLLM\'s model_prices_and_context_window.json into a price file for "prices" in tollgate.config.ts')
    .option('--out <file>', 'where to write it', 'tollgate.prices.json')
    .option('--models <names>', 'only these entries, by comma')
    .option('--source <words>', 'where the prices come from, kept with every cost')
    .option('--date <day>', 'the day from which they hold, e.g. 2026-11-25 (default: today)')
    .option('--json', 'print the result as JSON')
    .action(async (file: string, _: unknown, command: Command) => end(await importPrices(services, file, command.optsWithGlobals() as ImportOptions)));
}

async function priceLines(services: CliServices, { explain = false, at, json = false }: PriceOptions): Promise<ExitCode> {
  const { terminal } = services;
  const forPeople = explain && terminal.isTerminal && !json;
  for await (const line of terminal.inputLines()) {
    if (line.trim() === '') continue;
    const priced = await services.priceLine(line, { explain, ...(at === undefined ? {} : { at }) });
    if (forPeople) for (const shown of explanation(priced)) terminal.print(shown);
    else terminal.print(JSON.stringify(priced));
  }
  return 0;
}

async function listBounds({ terminal, runs }: CliServices, json: boolean): Promise<ExitCode> {
  const bounds = await runs().bounds();
  if (json) terminal.print(JSON.stringify(bounds));
  else if (bounds.length === 0) terminal.print('Every reservation is the bound as computed: no provider has charged beyond one.');
  else {
    const rows = bounds.map(({ model, endpoint, factor, raises, changedAt }) => [model, endpoint, `${factor}x`, String(raises), changedAt]);
    for (const row of columns([['MODEL', 'ENDPOINT', 'FACTOR', 'RAISES', 'SINCE'], ...rows])) terminal.print(row.trimEnd());
    terminal.note(
      'A call of these reserves its computed bound times the factor. "tollgate reconcile reset-bound <model> <endpoint> --reason …" takes one back.',
    );
  }
  return 0;
}

/** A cost as a person reads it: what was counted, at which rate, and what became of the sum. */
export function explanation(priced: PricedLine): string[] {
  const title = priced.id === null ? 'A line' : `${priced.id}`;
  if (priced.nanoUsd === null) return [`${title}: no price. ${priced.reason}`, ''];
  const { model, provider, source, effectiveAt, at, serviceTier, aboveInputTokens, parts = [], exactUsd, isReported } = priced as PricedLine & PriceExplanation;
  const rows = parts.map(({ kind, tokens, usdPerMillion }) => [kind, tokens.toLocaleString('en'), '×', `${usdPerMillion} USD per million`]);
  return [
    `${title}: ${formatUsd(priced.nanoUsd)} USD for ${model} of ${provider}`,
    ...columns(rows).map((row) => `  ${row}`),
    `  ${isReported ? 'as the provider stated' : `= ${exactUsd} USD, rounded up once to ${priced.nanoUsd} nano-USD`}`,
    `  service tier ${serviceTier}${aboveInputTokens === null ? '' : `; above ${aboveInputTokens.toLocaleString('en')} input tokens the whole request costs more`}`,
    `  price of ${at}${effectiveAt === null ? '' : `, in effect since ${effectiveAt}`}; source: ${source}`,
    '',
  ];
}

async function importPrices({ terminal, importPrices: run }: CliServices, file: string, options: ImportOptions): Promise<ExitCode> {
  const { out, models, source, date, json = false } = options;
  const result = await run({
    file,
    out,
    ...(models === undefined ? {} : { models: models.split(',').map((name) => name.trim()) }),
    ...(source === undefined ? {} : { source }),
    ...(date === undefined ? {} : { date }),
  });
  if (json) terminal.print(JSON.stringify(result));
  else {
    for (const { model, reason } of result.refused) terminal.print(`refused ${model}: ${reason}`);
    const refused = result.refused.length === 0 ? '' : `; refused ${result.refused.length}`;
    terminal.note(
      result.out === null
        ? `Nothing was imported${refused}.`
        : `Imported ${result.imported} prices into ${result.out}${refused}. Name it in tollgate.config.ts: prices: './${result.out.replace(/^\.\//, '')}'.`,
    );
  }
  return result.out === null || (models !== undefined && result.refused.length > 0) ? 1 : 0;
}
