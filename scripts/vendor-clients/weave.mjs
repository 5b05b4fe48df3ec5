// What Weave's own client sends for one call. Its TypeScript client has no feedback by people.
const [url] = process.argv.slice(2);
Object.assign(process.env, { WANDB_API_KEY: 'a'.repeat(40), WANDB_BASE_URL: url, WF_TRACE_SERVER_URL: url });
const weave = await import('weave');
await weave.init('team/agents');
const call = weave.op(async function chat() {
  return { model: 'gpt-4o-mini', usage: { prompt_tokens: 1200, completion_tokens: 300 } };
});
await call('hi');
await new Promise((resolve) => setTimeout(resolve, 3_000));
process.exit(0);
