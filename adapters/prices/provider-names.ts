/** What genai-prices and LiteLLM call the same provider. */
const SAME: readonly (readonly string[])[] = [
  ['google', 'gemini'],
  ['google-vertex', 'vertex_ai', 'vertex_ai-language-models', 'vertex_ai-anthropic_models'],
  ['aws', 'bedrock', 'bedrock_converse'],
  ['together', 'together_ai'],
  ['fireworks', 'fireworks_ai'],
  ['x-ai', 'xai'],
  ['cohere', 'cohere_chat'],
  ['voyageai', 'voyage'],
  ['moonshotai', 'moonshot'],
];

/** Every name that price lists have for a provider, its own first. */
export function providerNames(provider: string): readonly string[] {
  const others = SAME.find((names) => names.includes(provider)) ?? [];
  return [provider, ...others.filter((name) => name !== provider)];
}
